"""The rows as a queue: which step a worker takes, and how many there are to take.

In SQL, for every worker asks this many times a second: to build it as a query took twenty times as long as PostgreSQL takes to answer.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from govcloud.clouds.models import Running
from govcloud.provisioning.kinds.base import kinds
from govcloud.provisioning.models import Operation, Step

READY = """
FROM provisioning_step AS step
JOIN provisioning_operation AS operation ON operation.id = step.operation_id
WHERE step.next_run_at <= %(at)s
  AND (step.lease_until IS NULL OR step.lease_until <= %(at)s)
  AND NOT EXISTS (
    SELECT FROM clouds_maintenance AS maintenance
    WHERE maintenance.cloud_id = operation.cloud_id AND maintenance.running = %(pause)s
      AND maintenance.starts_at <= %(at)s AND maintenance.ends_at > %(at)s
  )
  AND (step.kind <> ALL(%(in_guest)s) OR NOT EXISTS (
    SELECT FROM provisioning_step
    WHERE kind = ANY(%(in_guest)s) AND lease_until > %(at)s AND finished_at IS NULL AND next_run_at IS NOT NULL
    OFFSET %(playbooks)s - 1
  ))
"""
"""What a worker could take: due, in nobody's hands, on no cloud that is paused, of a kind that has places left.

A playbook keeps its worker for minutes; were all of them in guests, nobody would look at the clouds. Who is in one is counted
without a lock, so that two workers at once may start one too many. (Whatever is in hand has a time to run at; saying so lets the
index of those serve, and nobody reads what finished years ago.)
"""

CLAIM = f"""
WITH next AS (SELECT step.id {READY} ORDER BY step.next_run_at, step.id LIMIT 1 FOR UPDATE OF step SKIP LOCKED)
UPDATE provisioning_step AS step
SET fence = step.fence + 1, lease_until = %(until)s, started_at = COALESCE(step.started_at, %(at)s), worker = %(worker)s
FROM next WHERE step.id = next.id
RETURNING step.*
"""  # noqa: S608  our own text

COUNT = f"SELECT count(*) FROM (SELECT {READY} LIMIT %(most)s) AS ready"  # noqa: S608  our own text
OLDEST = f"""
SELECT operation.uuid, step.kind, step.next_run_at, count(*) OVER () {READY} ORDER BY step.next_run_at, step.id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Claim:
    step: Step
    fence: int


@dataclass(frozen=True, slots=True)
class Oldest:
    """The step that a worker would take next: due since when, and how many there are with it."""

    operation: UUID
    kind: str
    since: datetime
    due: int


def claim(*, at: datetime, worker: str = "") -> Claim | None:
    """Take the step that has been due longest and that nobody holds; None when there is none.

    The lease must be longer than a call to the cloud may take; long work renews it. ``worker`` is noted for operators:
    what makes the step ours is the fence.
    """
    asked = _asked(at) | {"until": at + settings.STEP_LEASE, "worker": worker}
    step = next(iter(Step.objects.raw(CLAIM, asked)), None)
    if step is None:
        return None
    step.operation = Operation.objects.select_related("cloud", "system__department").get(pk=step.operation_id)
    return Claim(step, step.fence)


def due(*, at: datetime, most: int | None = None) -> int:
    """How many steps a worker could take now; ``most`` is as far as they are counted."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, _asked(at) | {"most": most})
        (found,) = cursor.fetchone()
    return int(found)


def oldest(*, at: datetime) -> Oldest | None:
    with connection.cursor() as cursor:
        cursor.execute(OLDEST, _asked(at))
        found = cursor.fetchone()
    return Oldest(*found) if found else None


def _asked(at: datetime) -> dict[str, Any]:
    in_guest = [name for name, kind in kinds().items() if kind.in_guest]
    return {"at": at, "pause": Running.PAUSE, "in_guest": in_guest, "playbooks": settings.PLAYBOOKS_AT_ONCE}
