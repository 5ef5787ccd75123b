"""Closing a month, set-based: one statement cuts, rates, numbers and writes everything there is to write.

It is the formula of ``rating.py`` in SQL. ``div`` divides whole numbers, so that a quotient is rounded once, halves up,
exactly as there; every order is total, so that the same usage gives the same lines whenever it is rated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from govcloud.chargeback.lifecycle import Status
from govcloud.chargeback.models import MonthClose
from govcloud.periods import Month

LOCK = """
LOCK TABLE metering_usagesegment, chargeback_tariff, chargeback_price IN SHARE ROW EXCLUSIVE MODE
"""

FIRST_UNBILLED = """
WITH closed AS MATERIALIZED (SELECT govcloud_closed_until() AS until)
SELECT min(greatest(lower(period), closed.until))
FROM metering_usagesegment, closed
WHERE upper_inf(period) OR upper(period) > closed.until
"""

FIRST_UNPRICED = """
WITH gap AS (
    SELECT m.id, m.code,
           tstzmultirange(%(period)s) - coalesce(
               (SELECT range_agg(t.in_force) FROM chargeback_price p
                JOIN chargeback_tariff t ON t.id = p.tariff_id WHERE p.meter_id = m.id),
               '{}'::tstzmultirange
           ) AS unpriced
    FROM catalog_meter m
)
SELECT gap.code, lower(tstzmultirange(s.period) * gap.unpriced) AS since
FROM gap JOIN metering_usagesegment s ON s.meter_id = gap.id AND s.period && gap.unpriced
WHERE NOT isempty(gap.unpriced)
ORDER BY since, gap.code
LIMIT 1
"""

CLOSE = """
WITH charge AS (
    SELECT p.meter_id, p.tariff_id, p.per_month, t.in_force * %(period)s AS during
    FROM chargeback_price p JOIN chargeback_tariff t ON t.id = p.tariff_id
    WHERE t.in_force && %(period)s
), meter AS (
    SELECT id, row_number() OVER (ORDER BY code COLLATE "C") AS place FROM catalog_meter
), system AS (
    SELECT id, department_id, row_number() OVER (ORDER BY code COLLATE "C") AS place FROM tenants_system
), slice AS (
    SELECT s.id AS segment_id, s.meter_id, s.quantity, s.resource_id, charge.tariff_id, charge.per_month,
           lower(s.period * charge.during) AS start,
           upper(s.period * charge.during) AS until,
           extract(epoch FROM upper(s.period * charge.during) - lower(s.period * charge.during)) AS seconds
    FROM metering_usagesegment s JOIN charge ON charge.meter_id = s.meter_id AND s.period && charge.during
), rated AS (
    SELECT slice.*,
           div(2000000 * quantity * per_month * seconds + %(month_seconds)s, 2 * %(month_seconds)s) * 0.000001 AS rated
    FROM slice
), line AS MATERIALIZED (
    SELECT rated.*, round(rated.rated, 2) AS amount, system.department_id, resource.system_id, resource.name,
           row_number() OVER (
               PARTITION BY system.department_id ORDER BY system.place, rated.resource_id, meter.place, rated.start
           ) AS position
    FROM rated
    JOIN inventory_resource resource ON resource.id = rated.resource_id
    JOIN system ON system.id = resource.system_id
    JOIN meter ON meter.id = rated.meter_id
), closed AS (
    INSERT INTO chargeback_monthclose (uuid, month, period, closed_at, lines, total)
    SELECT gen_random_uuid(), %(month)s, %(period)s, %(at)s, count(*), coalesce(sum(amount), 0) FROM line
    RETURNING id
), bill AS (
    SELECT department_id, path, total, row_number() OVER (ORDER BY path COLLATE "C")::text AS place
    FROM (SELECT department_id, sum(amount) AS total FROM line GROUP BY department_id) owed
    JOIN tenants_department department ON department.id = owed.department_id
), issued AS (
    INSERT INTO chargeback_statement (uuid, number, department_id, close_id, status, total, issued_at, version)
    SELECT gen_random_uuid(), %(prefix)s || lpad(place, greatest(4, length(place)), '0'),
           department_id, closed.id, %(status)s, total, %(at)s, 1
    FROM bill, closed
    RETURNING id, department_id
), written AS (
    INSERT INTO chargeback_statementline (
        statement_id, position, system_id, segment_id, meter_id, tariff_id, resource_name, start, "end",
        quantity, seconds, month_seconds, per_month, rated, amount
    )
    SELECT issued.id, position, system_id, segment_id, meter_id, tariff_id, name, start, until,
           quantity, seconds, %(month_seconds)s, per_month, rated, amount
    FROM line JOIN issued ON issued.department_id = line.department_id
    ORDER BY issued.id, position
)
SELECT id FROM closed
"""

BY_THREAD = """
SELECT line.statement_id, resource.thread, count(*), sum(line.amount)
FROM chargeback_statementline line
JOIN chargeback_statement statement ON statement.id = line.statement_id
JOIN metering_usagesegment segment ON segment.id = line.segment_id
JOIN inventory_resource resource ON resource.id = segment.resource_id
WHERE statement.close_id = %s AND resource.thread IS NOT NULL
GROUP BY line.statement_id, resource.thread
ORDER BY line.statement_id, resource.thread
"""


@dataclass(frozen=True, slots=True)
class Share:
    """What of a statement is for the resources of one order."""

    statement_id: int
    thread: UUID
    lines: int
    amount: Decimal


def lock() -> None:
    """Wait for usage and prices being written, and keep writers and other closers out until the transaction ends.

    Otherwise usage committed while the month is rated would be in a closed month and on no statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK)


def first_unbilled() -> datetime | None:
    """The earliest instant with usage that is in no closed month."""
    with connection.cursor() as cursor:
        cursor.execute(FIRST_UNBILLED)
        instant: datetime | None = cursor.fetchone()[0]
    return instant


def first_unpriced(*, period: tuple[datetime, datetime]) -> tuple[str, datetime] | None:
    """The meter's code and the instant of the first usage in the period that no price is in force for."""
    with connection.cursor() as cursor:
        cursor.execute(FIRST_UNPRICED, {"period": DateTimeTZRange(*period)})
        found: tuple[str, datetime] | None = cursor.fetchone()
    return found


def write(*, month: Month, period: tuple[datetime, datetime], at: datetime) -> MonthClose:
    """Rate the period and write the closed month with its statements and lines."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '256MB'")  # a million lines are sorted in memory
        cursor.execute(
            CLOSE,
            {
                "month": str(month),
                "prefix": f"ST-{month.year:04d}{month.month:02d}-",
                "period": DateTimeTZRange(*period),
                "month_seconds": int((period[1] - period[0]).total_seconds()),
                "status": Status.ISSUED.value,
                "at": at,
            },
        )
        (pk,) = cursor.fetchone()
    return MonthClose.objects.get(pk=pk)


def shares(*, close: MonthClose) -> Iterator[Share]:
    """What each order's resources cost in the closed month, per statement."""
    with connection.cursor() as cursor:
        cursor.execute(BY_THREAD, [close.pk])
        for row in cursor:
            yield Share(*row)
