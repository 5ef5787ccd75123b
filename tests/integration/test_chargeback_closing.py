"""Closing a month: what is billed, what is refused, and what is told."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from govcloud.audit.models import Event
from govcloud.chargeback.models import MonthClose, Price, Statement, StatementLine
from govcloud.chargeback.services import (
    MonthClosed,
    MonthNotOver,
    MonthOutOfOrder,
    NoPrice,
    close_month,
    due_month,
    price,
)
from govcloud.metering.services import change_usage, close_usage, open_usage
from govcloud.periods import Month
from tenants.models import Role
from tenants.policies import RoleMissing
from tests.factories.catalog import MeterFactory
from tests.factories.chargeback import TariffFactory, statements, tariff
from tests.factories.inventory import ResourceFactory, whole_server
from tests.factories.metering import UsageSegmentFactory
from tests.factories.tenants import DepartmentFactory, SystemFactory, member

pytestmark = pytest.mark.django_db

NOVEMBER = Month(2026, 11)
START = datetime(2026, 10, 31, 16, tzinfo=UTC)
END = datetime(2026, 11, 30, 16, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def finance():
    return member(Role.FINANCE)


def close(finance, month: Month = NOVEMBER, at: datetime = END) -> MonthClose:
    return close_month(month=month, actor=finance, at=at)


def used(start: datetime, end: datetime | None = None, **columns: object):
    return UsageSegmentFactory(period=DateTimeTZRange(start, end), **columns)


def amounts(**lines: object) -> list[Decimal]:
    return list(StatementLine.objects.filter(**lines).order_by("position").values_list("amount", flat=True))


def test_a_whole_month_of_the_domain_s_server_is_billed_as_it_was_quoted(finance):
    tariff()
    server = whole_server(built_at=START)
    parts = {"vcpu": Decimal(4), "memory_gb": Decimal(16)}
    open_usage(resource=server.resource, quantities=parts, at=START)
    for volume in server.volumes.all():
        quantity = {volume.storage_class.meter.code: Decimal(volume.size_gb)}
        open_usage(resource=volume.resource, quantities=quantity, at=START)
        parts |= quantity

    close(finance)

    quoted = price(quantities=parts, at=START)
    assert sum(priced.amount for priced in quoted) == Decimal("726.00")
    assert Statement.objects.get().total == Decimal("726.00")
    assert sorted(amounts()) == sorted(priced.amount for priced in quoted)


def test_a_mid_month_resize_bills_both_parts(finance):
    tariff()
    volume = ResourceFactory()
    open_usage(resource=volume, quantities={"block_sas_gb": Decimal(500)}, at=START)
    change_usage(resource=volume, quantities={"block_sas_gb": Decimal(800)}, at=START + 15 * DAY)
    close_usage(resource=volume, at=START + 24 * DAY)

    close(finance)

    assert amounts() == [Decimal("100.00"), Decimal("96.00")]


def test_a_mid_month_price_change_bills_both_halves(finance):
    tariff(end=START + 15 * DAY)
    tariff(start=START + 15 * DAY, vcpu=Decimal(50))
    used(START)

    close(finance)

    assert amounts() == [Decimal("92.00"), Decimal("100.00")]


def test_usage_across_months_is_billed_in_each_for_its_part(finance):
    tariff()
    used(START - DAY, START + DAY)

    close(finance, Month(2026, 10), START)
    close(finance)

    assert amounts(statement__close__month="2026-10") == [Decimal("5.94")]
    assert amounts(statement__close__month="2026-11") == [Decimal("6.13")]


def test_a_line_holds_every_figure_it_can_be_recomputed_from(finance):
    book = tariff()
    segment = used(START + DAY, START + 3 * DAY)

    close(finance)

    line = StatementLine.objects.get()
    assert (line.segment, line.meter, line.tariff) == (segment, segment.meter, book)
    assert (line.start, line.end) == (START + DAY, START + 3 * DAY)
    assert (line.quantity, line.seconds, line.month_seconds) == (Decimal(4), Decimal(172800), 2592000)
    assert (line.per_month, line.rated, line.amount) == (Decimal(46), Decimal("12.266667"), Decimal("12.27"))


def test_each_department_gets_one_statement_whose_lines_sum_to_its_total(finance):
    tariff()
    unit = DepartmentFactory()
    for system in (SystemFactory(department=unit), SystemFactory(department=unit), SystemFactory()):
        for days in (7, 11, 13):
            used(START, START + days * DAY, resource__system=system)

    month = close(finance)

    assert month.statements.count() == 2
    for issued in month.statements.all():
        assert issued.total == sum(line.amount for line in issued.lines.all())
    assert month.total == sum(issued.total for issued in month.statements.all())
    assert month.lines == 9


def test_numbers_run_through_each_month_without_a_gap(finance):
    units = [DepartmentFactory() for _ in range(3)]

    first = statements(*units)
    second = statements()

    assert [s.number for s in first] == ["ST-202601-0001", "ST-202601-0002", "ST-202601-0003"]
    assert second == []
    assert sorted(Statement.objects.filter(close__month="2026-02").values_list("number", flat=True)) == [
        "ST-202602-0001",
        "ST-202602-0002",
        "ST-202602-0003",
    ]


def test_lines_are_numbered_by_system_resource_meter_and_time(finance):
    tariff()
    unit = DepartmentFactory()
    later, earlier = SystemFactory(department=unit, code="b"), SystemFactory(department=unit, code="a")
    used(START, resource__system=later, resource__name="of b")
    server = ResourceFactory(system=earlier, name="of a")
    used(START + 2 * DAY, resource=server, meter=MeterFactory(code="vcpu"))
    used(START, START + DAY, resource=server, meter=MeterFactory(code="vcpu"))
    used(START, resource=server, meter=MeterFactory(code="memory_gb"))

    close(finance)

    lines = StatementLine.objects.order_by("position").values_list(
        "position", "resource_name", "meter__code", "start"
    )
    assert list(lines) == [
        (1, "of a", "memory_gb", START),
        (2, "of a", "vcpu", START),
        (3, "of a", "vcpu", START + 2 * DAY),
        (4, "of b", "vcpu", START),
    ]


def test_rating_the_same_usage_again_gives_the_same_lines(finance):
    tariff()
    for days in range(1, 20):
        used(START, START + days * DAY, quantity=Decimal(days) / 7)
    columns = [f.attname for f in StatementLine._meta.fields if f.attname not in {"id", "statement_id"}]

    def rated() -> list[tuple]:
        """The lines of a close that is then taken back."""
        sid = transaction.savepoint()
        close(finance)
        lines = list(
            StatementLine.objects.order_by("statement__number", "position").values_list(
                "statement__number", *columns
            )
        )
        transaction.savepoint_rollback(sid)
        return lines

    first = rated()
    assert len(first) == 19
    assert rated() == first


def test_a_month_is_closed_once(finance):
    tariff()
    used(START)
    close(finance)

    with pytest.raises(MonthClosed):
        close(finance)

    assert StatementLine.objects.count() == 1


def test_a_month_that_is_not_over_is_not_closed(finance):
    with pytest.raises(MonthNotOver):
        close(finance, at=END - timedelta(microseconds=1))

    assert not MonthClose.objects.exists()


def test_a_month_without_usage_closes_with_nothing_on_it(finance):
    month = close(finance)

    assert (month.lines, month.total, month.statements.count()) == (0, Decimal(0), 0)


def test_months_are_closed_oldest_first_and_the_next_is_named(finance):
    tariff()
    used(START - DAY)

    with pytest.raises(MonthOutOfOrder) as refused:
        close(finance)

    assert str(refused.value.params["due"]) == "2026-10"


def test_no_month_before_a_closed_one_is_closed(finance):
    close(finance)

    with pytest.raises(MonthOutOfOrder):
        close(finance, Month(2026, 10))


def test_the_month_that_is_due_is_the_oldest_unbilled_one_that_is_over(finance):
    tariff()
    used(START - DAY, START + DAY)

    assert due_month(at=START - DAY) is None
    assert due_month(at=START) == Month(2026, 10)
    close(finance, Month(2026, 10), START)
    assert due_month(at=START) is None
    assert due_month(at=END) == NOVEMBER
    close(finance)
    assert due_month(at=END + 40 * DAY) is None


def test_usage_without_a_price_is_named_with_its_meter_and_instant_and_nothing_is_written(finance):
    tariff(end=START + 10 * DAY)
    used(START, START + 5 * DAY)
    used(START, meter=MeterFactory(code="block_ssd_gb"))

    with pytest.raises(NoPrice) as refused:
        close(finance)

    assert refused.value.params == {"meter": "block_ssd_gb", "at": (START + 10 * DAY).isoformat()}
    assert not MonthClose.objects.exists()
    assert not StatementLine.objects.exists()


def test_a_gap_between_tariffs_is_found_where_usage_meets_it(finance):
    tariff(end=START + 10 * DAY)
    tariff(start=START + 12 * DAY)
    used(START + 11 * DAY)

    with pytest.raises(NoPrice) as refused:
        close(finance)

    assert refused.value.params["at"] == (START + 11 * DAY).isoformat()


def test_a_gap_that_no_usage_meets_is_no_gap(finance):
    tariff(end=START + 10 * DAY)
    tariff(start=START + 12 * DAY)
    used(START, START + 10 * DAY)

    assert close(finance).lines == 1


def test_a_price_book_that_leaves_a_meter_out_is_noticed(finance):
    book = tariff()
    Price.objects.filter(tariff=book, meter__code="vcpu").delete()
    used(START)

    with pytest.raises(NoPrice, match="vcpu"):
        close(finance)


def test_only_finance_closes_a_month():
    with pytest.raises(RoleMissing):
        close(member(Role.CLOUD_ADMIN))

    assert not MonthClose.objects.exists()


def test_a_quote_without_a_price_in_force_is_refused(at):
    TariffFactory()

    with pytest.raises(NoPrice, match="vcpu"):
        price(quantities={"vcpu": Decimal(1)}, at=at)


def test_a_quote_takes_the_tariff_in_force_at_its_time(at):
    tariff(end=at)
    tariff(start=at, vcpu=Decimal(50))

    (before,) = price(quantities={"vcpu": Decimal(-4)}, at=at - timedelta(seconds=1))
    (after,) = price(quantities={"vcpu": Decimal(4)}, at=at)

    assert (before.amount, after.amount) == (Decimal("-184.00"), Decimal("200.00"))


def test_a_quote_of_many_meters_is_one_query(at, django_assert_num_queries):
    tariff()

    with django_assert_num_queries(1):
        priced = price(quantities={"memory_gb": Decimal(16), "vcpu": Decimal(4)}, at=at)

    assert [p.meter.code for p in priced] == ["memory_gb", "vcpu"]


def test_closing_takes_as_many_queries_for_many_segments_as_for_one(finance, django_assert_max_num_queries):
    tariff()
    unit = DepartmentFactory()
    for _ in range(30):
        used(START, resource__system__department=unit)

    with django_assert_max_num_queries(16):
        close(finance)


def test_each_order_s_trail_reads_what_its_resources_cost(finance):
    tariff()
    mine, other = used(START), used(START)
    used(START, resource=ResourceFactory(system=mine.resource.system, thread=mine.resource.thread))

    close(finance)

    billed = Event.objects.get(thread=mine.resource.thread)
    statement = Statement.objects.get(department=mine.resource.system.department)
    assert (billed.verb, billed.subject_id) == ("statement.billed", statement.uuid)
    assert billed.after == {"month": "2026-11", "lines": 2, "amount": "368.00"}
    assert Event.objects.get(thread=other.resource.thread).after["amount"] == "184.00"


def test_the_close_and_every_statement_are_told_of(finance):
    tariff()
    used(START)
    used(START)

    month = close(finance)

    assert Event.objects.filter(verb="statement.issued").count() == 2
    closed = Event.objects.get(verb="month.closed")
    assert (closed.actor, closed.subject_id) == (finance.audit_ref, month.uuid)
    assert closed.after == {"month": "2026-11", "lines": 2, "total": "368.00"}
