"""Closing while others close, and while others write usage."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from threading import Event, Thread

import pytest
from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from govcloud.chargeback.models import MonthClose, StatementLine
from govcloud.chargeback.services import MonthClosed, close_month
from govcloud.metering.services import open_usage
from govcloud.periods import Month
from tenants.models import Role
from tests.at_once import at_once
from tests.factories.chargeback import tariff
from tests.factories.inventory import ResourceFactory
from tests.factories.metering import UsageSegmentFactory
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 10, 31, 16, tzinfo=UTC)
END = datetime(2026, 11, 30, 16, tzinfo=UTC)


def test_of_several_that_close_a_month_at_once_one_does_and_the_others_are_told():
    tariff()
    UsageSegmentFactory(period=DateTimeTZRange(START, None))
    work = partial(close_month, month=Month(2026, 11), actor=member(Role.FINANCE), at=END)

    errors = at_once([work] * 4)

    assert sorted(type(e).__name__ for e in errors if e) == [MonthClosed.__name__] * 3
    assert (MonthClose.objects.count(), StatementLine.objects.count()) == (1, 1)


def test_usage_being_written_while_the_month_is_closed_is_billed_in_it():
    tariff()
    server = ResourceFactory()
    written, finish = Event(), Event()

    def late() -> None:
        with transaction.atomic():
            open_usage(resource=server, quantities={"vcpu": Decimal(4)}, at=START)
            written.set()
            finish.wait()
        connection.close()

    def waiting() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'metering_usagesegment'::regclass"
            )
            return bool(cursor.fetchone()[0])

    def close() -> None:
        close_month(month=Month(2026, 11), actor=finance, at=END)
        connection.close()

    finance = member(Role.FINANCE)
    writer, closer = Thread(target=late), Thread(target=close)
    writer.start()
    written.wait()
    closer.start()
    while not waiting():
        assert closer.is_alive()
    finish.set()
    writer.join()
    closer.join()

    assert StatementLine.objects.get().amount == Decimal("184.00")
