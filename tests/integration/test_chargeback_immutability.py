"""What a closed month was made of stays as it was, whoever asks the database to change it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import ProtectedError

from govcloud.chargeback.models import MonthClose, Price, Statement, StatementLine, Tariff
from govcloud.chargeback.services import close_month
from govcloud.metering.models import UsageSegment
from govcloud.metering.services import UsageMonthClosed, change_usage, close_usage, open_usage
from govcloud.periods import Month
from tenants.models import Role
from tests.factories.catalog import MeterFactory
from tests.factories.chargeback import PriceFactory, tariff
from tests.factories.inventory import ResourceFactory
from tests.factories.metering import UsageSegmentFactory
from tests.factories.tenants import BEGINNING, member

END = datetime(2026, 11, 30, 16, tzinfo=UTC)
START = datetime(2026, 10, 31, 16, tzinfo=UTC)
DAY = timedelta(days=1)


def november() -> UsageSegment:
    """A segment that runs on, billed for November."""
    tariff()
    segment = UsageSegmentFactory(period=DateTimeTZRange(START, None))
    close_month(month=Month(2026, 11), actor=member(Role.FINANCE), at=END)
    return segment


@pytest.fixture
def billed(db) -> UsageSegment:
    return november()


def refused(statement: str, *params: object) -> None:
    connection.check_constraints()  # no TRUNCATE while foreign keys are still to be checked
    with (
        pytest.raises(DatabaseError, match=r"closed months stay closed|never changed or removed"),
        transaction.atomic(),
    ):
        connection.cursor().execute(statement, params)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chargeback_statementline SET amount = 0",
        "DELETE FROM chargeback_statementline",
        "TRUNCATE chargeback_statementline",
        "UPDATE chargeback_statement SET total = 0",
        "UPDATE chargeback_statement SET status = 'confirmed', issued_at = now()",
        "DELETE FROM chargeback_statement",
        "TRUNCATE chargeback_statement CASCADE",
        "UPDATE chargeback_monthclose SET total = 0",
        "DELETE FROM chargeback_monthclose",
    ],
)
def test_lines_statements_and_closed_months_are_neither_changed_nor_removed(statement, billed):
    refused(statement)


def test_of_a_statement_only_the_status_changes(billed):
    Statement.objects.update(status="confirmed", version=2)

    assert Statement.objects.get().status == "confirmed"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chargeback_price SET per_month = per_month + 1",
        "DELETE FROM chargeback_price",
        "UPDATE chargeback_tariff SET in_force = tstzrange('2026-11-15', NULL)",
        "UPDATE chargeback_tariff SET in_force = tstzrange(lower(in_force), '2026-11-15')",
        "DELETE FROM chargeback_tariff",
    ],
)
def test_a_tariff_cannot_change_in_closed_months(statement, billed):
    refused(statement)


def test_a_tariff_is_replaced_from_the_first_open_month_on(billed):
    Tariff.objects.update(in_force=DateTimeTZRange(BEGINNING, END))
    tariff(start=END, vcpu=Decimal(50))
    close_month(month=Month(2026, 12), actor=member(Role.FINANCE), at=END + 31 * DAY)

    assert [line.amount for line in StatementLine.objects.order_by("start")] == [Decimal(184), Decimal(200)]


def test_a_tariff_of_the_past_is_not_added_afterwards(billed):
    with pytest.raises(IntegrityError, match="closed months stay closed"), transaction.atomic():
        tariff(start=BEGINNING - DAY, end=BEGINNING)


def test_a_new_meter_gets_its_price_in_a_running_tariff(billed):
    price = PriceFactory(tariff=Tariff.objects.get(), meter=MeterFactory(code="gpu"), per_month=Decimal(900))

    assert Price.objects.filter(pk=price.pk).exists()


@pytest.mark.parametrize(
    "change",
    [
        "quantity = 8",
        "period = tstzrange('2026-11-15', NULL)",
        "period = tstzrange(lower(period), '2026-11-15')",
        "meter_id = meter_id + 1",
    ],
)
def test_billed_usage_cannot_be_changed(change, billed):
    MeterFactory(code="memory_gb")

    refused(f"UPDATE metering_usagesegment SET {change}")  # noqa: S608


def test_billed_usage_cannot_be_removed(billed):
    refused("DELETE FROM metering_usagesegment")


def test_a_billed_segment_cannot_be_removed_through_the_models_either(billed):
    with pytest.raises(ProtectedError):
        billed.delete()


def test_usage_that_runs_on_still_ends_and_changes_in_open_months(billed):
    change_usage(resource=billed.resource, quantities={"vcpu": Decimal(8)}, at=END)
    close_usage(resource=billed.resource, at=END + DAY)

    chain = UsageSegment.objects.order_by("period").values_list("quantity", "period")
    assert [(quantity, period.upper) for quantity, period in chain] == [(4, END), (8, END + DAY)]


@pytest.mark.parametrize("late", [timedelta(microseconds=1), 10 * DAY, 60 * DAY])
def test_late_usage_is_told_that_its_month_is_closed(late, billed):
    with pytest.raises(UsageMonthClosed):
        open_usage(resource=ResourceFactory(), quantities={"vcpu": Decimal(1)}, at=END - late)
    with pytest.raises(UsageMonthClosed):
        close_usage(resource=billed.resource, at=END - timedelta(microseconds=1))

    assert UsageSegment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_no_other_transaction_adds_statements_or_lines_to_a_closed_month():
    november()
    statement = Statement.objects.get()

    with pytest.raises(IntegrityError, match="a statement would be added"):
        Statement.objects.create(
            number="ST-202611-9999",
            department=UsageSegmentFactory(period=DateTimeTZRange(END, None)).resource.system.department,
            close=statement.close,
            total=0,
            issued_at=END,
        )
    line = statement.lines.get()
    line.pk, line.position, line._state.adding = None, 2, True
    with pytest.raises(IntegrityError, match="a statement line would be added"):
        line.save()

    assert (Statement.objects.count(), StatementLine.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_closed_months_never_overlap():
    MonthClose.objects.create(
        month="2026-11", period=DateTimeTZRange(START, END), closed_at=END, lines=0, total=0
    )

    with pytest.raises(IntegrityError, match="closed_months_never_overlap"), transaction.atomic():
        MonthClose.objects.create(
            month="2026-1x", period=DateTimeTZRange(START + DAY, END + DAY), closed_at=END, lines=0, total=0
        )


@pytest.mark.django_db
@pytest.mark.parametrize("column", ["statement_id", "segment_id", "meter_id", "tariff_id", "system_id"])
def test_a_line_refers_to_what_there_is(column):
    november()  # in this test's one transaction, which so may write lines
    line = StatementLine.objects.get()
    line.pk, line.position, line._state.adding = None, 2, True
    setattr(line, column, 10**9)

    with pytest.raises(IntegrityError, match="refers to nothing there is"), transaction.atomic():
        line.save()
