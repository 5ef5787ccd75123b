"""What is kept of the calls to clouds: those that changed something or went wrong one by one, all of them as counts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from govcloud.catalog.models import Cloud
from govcloud.gateways import openstack
from govcloud.provisioning.lifecycle import outcome_of
from govcloud.provisioning.models import CloudCall, Step

COUNTS_KEPT = timedelta(days=2)  # by the minute; older ones are summed up
DELETED_AT_ONCE = 10_000  # rows: a deletion that takes its time holds up nobody

COUNT = """
INSERT INTO provisioning_callcount AS kept (minute, cloud_id, service, outcome, calls, milliseconds)
SELECT date_trunc('minute', %s::timestamptz), %s, service, outcome, count(*), sum(milliseconds)
FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS call (service, outcome, milliseconds)
GROUP BY service, outcome
ORDER BY service, outcome
ON CONFLICT (minute, cloud_id, service, outcome)
DO UPDATE SET calls = kept.calls + excluded.calls, milliseconds = kept.milliseconds + excluded.milliseconds
"""

SUM_UP = """
WITH past AS (
    DELETE FROM provisioning_callcount WHERE minute < %s RETURNING cloud_id, service, outcome, calls, milliseconds
)
INSERT INTO provisioning_callcount AS kept (minute, cloud_id, service, outcome, calls, milliseconds)
SELECT NULL, cloud_id, service, outcome, sum(calls), sum(milliseconds) FROM past GROUP BY cloud_id, service, outcome
ON CONFLICT (minute, cloud_id, service, outcome)
DO UPDATE SET calls = kept.calls + excluded.calls, milliseconds = kept.milliseconds + excluded.milliseconds
"""


def note(*, step: Step, exchanges: Sequence[openstack.Exchange], at: datetime) -> None:
    """Write down the calls of one visit to a step."""
    if not exchanges:
        return
    CloudCall.objects.bulk_create(
        CloudCall(
            step=step, at=at, service=e.service, method=e.method, path=e.path[:300],
            status=e.status, request_id=e.request_id, milliseconds=e.milliseconds,
        )
        for e in exchanges
        if not _found_what_it_should(e)  # that is told by the state
    )  # fmt: skip
    count(cloud=step.operation.cloud, exchanges=exchanges, at=at)


def _found_what_it_should(exchange: openstack.Exchange) -> bool:
    return exchange.method in {"GET", "HEAD"} and exchange.status in {200, 204}


def count(*, cloud: Cloud, exchanges: Sequence[openstack.Exchange], at: datetime) -> None:
    """Add calls to the counts of their minute: one statement, its rows taken in one order by everybody."""
    services = [exchange.service for exchange in exchanges]
    outcomes = [outcome_of(exchange.status).value for exchange in exchanges]
    times = [exchange.milliseconds for exchange in exchanges]
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [at, cloud.pk, services, outcomes, times])


def forget(*, at: datetime) -> int:
    """Delete the calls that have been kept for long enough and sum up old counts; returns how many calls went."""
    with connection.cursor() as cursor:
        cursor.execute(SUM_UP, [at - COUNTS_KEPT])
    old = CloudCall.objects.filter(at__lt=at - settings.CLOUD_CALLS_KEPT).order_by("at")
    deleted = 0
    while some := list(old.values_list("pk", flat=True)[:DELETED_AT_ONCE]):
        deleted += CloudCall.objects.filter(pk__in=some).delete()[0]
    return deleted
