"""How long closing a month takes, and that it grows no faster than the usage does.

    BENCH_SEGMENTS=1000000 pytest tests/bench/test_rating.py -s

Prints seconds and ratios; asserts what was billed, never a time.
"""

import os
import time
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.utils.timezone import get_default_timezone

from govcloud.chargeback.models import MonthClose
from govcloud.chargeback.services import close_month
from govcloud.periods import Month
from tenants.models import Role
from tests.factories.catalog import MeterFactory
from tests.factories.chargeback import tariff
from tests.factories.inventory import ResourceFactory
from tests.factories.tenants import DepartmentFactory, SystemFactory, member

pytestmark = pytest.mark.django_db

SEGMENTS = int(os.environ.get("BENCH_SEGMENTS", "200000"))
MONTH = Month(2026, 11)
DEPARTMENTS, SYSTEMS, METERS = 100, 600, ("vcpu", "memory_gb", "block_ssd_gb", "block_sas_gb")

RESOURCES = """
INSERT INTO inventory_resource (uuid, unit, thread, kind, name, system_id, cloud_id, zone, status, external_id, built_at, billing_start)
SELECT gen_random_uuid(), gen_random_uuid(), md5(n %% %(spread)s || '-' || n / 10 / %(spread)s)::uuid, 'server', 'server-' || n,
       (%(systems)s)[1 + n %% cardinality(%(systems)s)], %(cloud)s, 'private', 'active', n::text, %(start)s, %(start)s
FROM generate_series(1, %(count)s) n
"""

USAGE = """
INSERT INTO metering_usagesegment (uuid, resource_id, meter_id, quantity, period)
SELECT gen_random_uuid(), r.id, m.id, 1 + r.id %% 16,
       tstzrange(%(start)s::timestamptz + r.id %% 40 * interval '1 day', NULL)
FROM inventory_resource r, unnest(%(meters)s::bigint[]) m(id) WHERE r.name LIKE 'server-%%'
"""


def metered(count: int) -> None:
    """So many segments of four meters over hundreds of systems, begun on any day of the month or after it."""
    tariff()
    departments = [DepartmentFactory() for _ in range(DEPARTMENTS)]
    systems = [SystemFactory(department=departments[n % DEPARTMENTS]).pk for n in range(SYSTEMS)]
    start, _end = MONTH.bounds(get_default_timezone())
    columns = {
        "systems": systems,
        "spread": SYSTEMS,  # ten resources of a system come from one order
        "cloud": ResourceFactory().cloud_id,
        "start": start,
        "count": count // len(METERS),
        "meters": [MeterFactory(code=code).pk for code in METERS],
    }
    with connection.cursor() as cursor:
        cursor.execute(RESOURCES, columns)
        cursor.execute(USAGE, columns)
        cursor.execute("ANALYZE inventory_resource, metering_usagesegment, tenants_system")


def timed(count: int) -> tuple[float, MonthClose]:
    """Seconds to close the month over so many segments, all of it taken back afterwards."""
    with transaction.atomic():
        metered(count)
        finance = member(Role.FINANCE)
        _start, end = MONTH.bounds(get_default_timezone())
        connection.check_constraints()  # what making the usage left to be checked is not part of the close
        began = time.perf_counter()
        close = close_month(month=MONTH, actor=finance, at=end)
        connection.check_constraints()
        seconds = time.perf_counter() - began
        transaction.set_rollback(True)
    return seconds, close


def test_closing_a_month_takes_seconds_and_grows_with_the_usage():
    small, large = SEGMENTS // 4, SEGMENTS
    few, _close = timed(small)
    many, close = timed(large)

    assert close.lines > large // 2
    assert close.total > Decimal(large)
    print(
        f"\nclose a month: {large:,} segments, {close.lines:,} lines in {many:.1f} s ({large / many:,.0f} segments/s); "
        f"4 times the usage takes {many / few:.1f} times as long"
    )
