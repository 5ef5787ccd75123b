"""A tariff with the domain's prices, usage to bill, and statements."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import factory
from django.conf import settings
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from factory.django import DjangoModelFactory

from govcloud.chargeback.models import MonthClose, Price, Statement, StatementLine, Tariff
from govcloud.periods import Month
from tests.factories.catalog import UNITS, MeterFactory
from tests.factories.metering import UsageSegmentFactory
from tests.factories.tenants import BEGINNING, DepartmentFactory

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
    for code in UNITS:
        PriceFactory(tariff=book, meter=MeterFactory(code=code), per_month=prices.get(code, PRICES[code]))
    return book


class MonthCloseFactory(DjangoModelFactory[MonthClose]):
    """A closed month. Statements can only be put into it by the same transaction: in a test without one, use ``statement``."""

    class Meta:
        model = MonthClose
        django_get_or_create = ("month",)

    month = "2026-10"
    period = factory.LazyAttribute(
        lambda close: DateTimeTZRange(*Month.parse(close.month).bounds(ZoneInfo(settings.TIME_ZONE)))
    )
    closed_at = factory.LazyAttribute(lambda close: close.period.upper + timedelta(hours=9))
    lines = 1
    total = Decimal("184.00")


class StatementFactory(DjangoModelFactory[Statement]):
    class Meta:
        model = Statement

    number = factory.LazyAttributeSequence(lambda s, n: f"ST-{s.close.month.replace('-', '')}-{n + 1:04d}")
    department = factory.SubFactory(DepartmentFactory)
    close = factory.SubFactory(MonthCloseFactory)
    total = Decimal("184.00")
    issued_at = factory.SelfAttribute("close.closed_at")


class StatementLineFactory(DjangoModelFactory[StatementLine]):
    """Four vCPU for the whole month."""

    class Meta:
        model = StatementLine

    statement = factory.SubFactory(StatementFactory)
    position = factory.LazyAttribute(lambda line: line.statement.lines.count() + 1)
    segment = factory.SubFactory(
        UsageSegmentFactory,
        resource__system__department=factory.SelfAttribute("....statement.department"),
    )
    system = factory.SelfAttribute("segment.resource.system")
    meter = factory.SelfAttribute("segment.meter")
    tariff = factory.LazyFunction(lambda: Tariff.objects.first() or tariff())
    resource_name = factory.SelfAttribute("segment.resource.name")
    start = factory.SelfAttribute("statement.close.period.lower")
    end = factory.SelfAttribute("statement.close.period.upper")
    quantity = factory.SelfAttribute("segment.quantity")
    seconds = factory.LazyAttribute(lambda line: Decimal((line.end - line.start).total_seconds()))
    month_seconds = factory.LazyAttribute(lambda line: int((line.end - line.start).total_seconds()))
    per_month = factory.LazyAttribute(lambda line: PRICES[line.meter.code])
    rated = factory.LazyAttribute(lambda line: line.quantity * line.per_month)
    amount = factory.SelfAttribute("rated")


def statement(**given: object) -> Statement:
    """An issued statement of October 2026 with one line of 184.00, made in one transaction as the database demands."""
    with transaction.atomic():
        line = StatementLineFactory(**{f"statement__{name}": value for name, value in given.items()})
    return line.statement
