"""The clock of a case stands still while it is back for correction."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, pairwise

from govcloud.approvals.lifecycle import StageStatus
from govcloud.approvals.models import Case, CaseStage, Stage
from govcloud.approvals.routing import Matter, decides_itself
from govcloud.calendars import services as calendars


@dataclass(frozen=True, slots=True)
class Pause:
    """From the return to the next revision, or to the withdrawal; ``until`` is null while it lasts."""

    since: datetime
    until: datetime | None


def of(case: Case, stages: Iterable[CaseStage]) -> Iterator[Pause]:
    """The pauses of a case, given all its stages."""
    begun = sorted((stage for stage in stages if stage.opened_at), key=lambda stage: stage.position)
    for stage, following in pairwise(chain(begun, [None])):
        if stage is not None and stage.status == StageStatus.RETURNED and stage.decided_at is not None:
            yield Pause(stage.decided_at, following.opened_at if following else case.closed_at)


def due_after(case: Case, stages: Sequence[Stage], matter: Matter, *, at: datetime) -> datetime:
    """When a returned case that is opened again is due: later by the working days of its pause, each of which counts once it has
    ended.

    The clock goes on, it does not start again: the promise is for deciding in all. Only a revision that has a longer way to
    go than any before gets the difference on top. What rules decide takes no time. A matter of the same day that was late when it
    was returned has the day on which it comes back, or the next working day, as it has no other day to be in time on.
    """
    earlier = list(case.stages.all())
    pauses = list(of(case, earlier))
    paused = calendars.ended_between(since=pauses[-1].since, until=at) if pauses else 0
    ahead = sum(stage.working_days for stage in stages if not decides_itself(stage, matter))
    longest = _longest(earlier)
    later = paused + max(ahead - longest, 0)
    due = calendars.due_after(start=case.due_at, working_days=later) if later else case.due_at
    return due if ahead or longest else max(due, calendars.due_after(start=at, working_days=0))


def _longest(stages: Iterable[CaseStage]) -> int:
    """The working days of the longest way that a revision had to go so far."""
    ways: dict[int, int] = {}
    for stage in stages:
        if not stage.auto_reason:
            ways[stage.revision] = ways.get(stage.revision, 0) + stage.working_days
    return max(ways.values(), default=0)
