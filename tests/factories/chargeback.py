"""A tariff with the domain's prices, usage to bill, and statements."""

from datetime import datetime
from decimal import Decimal

import factory
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils.timezone import get_default_timezone
from factory.django import DjangoModelFactory

from govcloud.chargeback.models import MonthClose, Price, Statement, Tariff
from govcloud.chargeback.services import close_month
from govcloud.periods import Month
from tenants.models import Department, Role
from tests.factories.catalog import UNITS, MeterFactory, kept
from tests.factories.metering import UsageSegmentFactory
from tests.factories.tenants import BEGINNING, DepartmentFactory, member

PRICES = {
    "vcpu": Decimal(46),
    "memory_gb": Decimal(17),
    "block_capacity_gb": Decimal("0.3"),
    "block_sas_gb": Decimal("0.4"),
    "block_ssd_gb": Decimal("0.7"),
    "object_gb": Decimal("0.09"),
    "bandwidth_mbps": Decimal(20),
    "backup_local_gb": Decimal("0.20"),
    "backup_off_site_gb": Decimal("0.30"),
}
"""Yuan for one unit and month: 4C16G with 100 GB SSD and 500 GB SAS is 726."""


class TariffFactory(DjangoModelFactory[Tariff]):
    """In force from the start of 2026 on, without prices; see ``tariff``."""

    class Meta:
        model = Tariff

    code = factory.Sequence(lambda n: f"tariff-{n}")
    name = factory.Sequence(lambda n: f"价目表{n}")
    name_en = factory.Sequence(lambda n: f"Price book {n}")
    in_force = DateTimeTZRange(BEGINNING, None)


class PriceFactory(DjangoModelFactory[Price]):
    class Meta:
        model = Price
        django_get_or_create = ("tariff", "meter")

    tariff = factory.SubFactory(TariffFactory)
    meter = factory.SubFactory(MeterFactory)
    per_month = factory.LazyAttribute(lambda price: PRICES[price.meter.code])


def tariff(*, start: datetime = BEGINNING, end: datetime | None = None, **prices: Decimal) -> Tariff:
    """A price book with every meter's price; ``vcpu=Decimal(50)`` for another price than the domain's."""
    book = TariffFactory(in_force=DateTimeTZRange(start, end))
    meters = kept(*(MeterFactory.build(code=code) for code in UNITS), by="code")
    Price.objects.bulk_create(
        Price(tariff=book, meter=meter, per_month=prices.get(code, PRICES[code]))
        for code, meter in meters.items()
    )
    return book


def statements(*departments: Department) -> list[Statement]:
    """One statement each, of the next month that is not closed yet, for four vCPU: 184.00 yuan the first time.

    Really metered, rated and closed, since the database takes a statement from nowhere else. Usage goes on: whoever
    was billed once is billed again by the next call.
    """
    closed = MonthClose.objects.order_by("-month").first()
    month = Month.parse(closed.month).next() if closed else Month(2026, 1)
    start, end = month.bounds(get_default_timezone())
    if not Tariff.objects.exists():
        tariff()
    for department in departments:
        UsageSegmentFactory(resource__system__department=department, resource__built_at=start)
    close = close_month(month=month, actor=member(Role.FINANCE), at=end)
    return list(close.statements.filter(department__in=departments).order_by("number"))


def statement(department: Department | None = None) -> Statement:
    """A statement of the department, or of one of its own."""
    (issued,) = statements(department or DepartmentFactory())
    return issued
