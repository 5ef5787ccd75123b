from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class OperationStatus(models.TextChoices):
    RUNNING = "running", _("in progress")
    UNDOING = "undoing", _("being undone")
    PARKED = "parked", _("waiting for an administrator")
    DONE = "done", _("done")
    UNDONE = "undone", _("undone")


OPERATION_TRANSITIONS: Mapping[str, frozenset[str]] = {
    OperationStatus.RUNNING: frozenset(
        {OperationStatus.DONE, OperationStatus.PARKED, OperationStatus.UNDOING}
    ),
    OperationStatus.PARKED: frozenset({OperationStatus.RUNNING, OperationStatus.UNDOING}),
    OperationStatus.UNDOING: frozenset({OperationStatus.UNDONE, OperationStatus.PARKED}),
    OperationStatus.DONE: frozenset(),
    OperationStatus.UNDONE: frozenset(),
}


class StepState(models.TextChoices):
    """Where a step is.

    ``waiting`` for the steps it needs; ``due`` for a worker; ``unknown`` after a call whose effect was not seen;
    ``settling`` while the cloud works on it; ``replacing`` while something that came out broken is cleared away before
    the next try; ``removing`` while it is taken down. Then ``done``, ``skipped``, ``gone``, or ``parked`` for a person.
    """

    WAITING = "waiting", _("waiting for earlier steps")
    DUE = "due", _("about to start")
    UNKNOWN = "unknown", _("looking up the outcome")
    SETTLING = "settling", _("under way")
    REPLACING = "replacing", _("being built anew")
    REMOVING = "removing", _("being removed")
    DONE = "done", _("done")
    SKIPPED = "skipped", _("skipped")
    PARKED = "parked", _("waiting for an administrator")
    GONE = "gone", _("removed")


class Desired(models.TextChoices):
    PRESENT = "present"
    ABSENT = "absent"


FINISHED = frozenset({StepState.DONE, StepState.SKIPPED, StepState.GONE})


class Outcome(models.TextChoices):
    """How a call to a cloud ended. ``absent`` answers a look for what is not there, which is often what was hoped for."""

    ANSWERED = "answered", _("answered")
    ABSENT = "absent", _("not there")
    REFUSED = "refused", _("refused")
    THROTTLED = "throttled", _("too many requests")
    FAILED = "failed", _("failed in the cloud")
    UNANSWERED = "unanswered", _("no answer")


def outcome_of(status: int | None) -> Outcome:
    """What an HTTP status says; None where no answer was seen."""
    match status:
        case None:
            return Outcome.UNANSWERED
        case 404 | 410:
            return Outcome.ABSENT
        case 429:
            return Outcome.THROTTLED
        case _ if status >= 500:
            return Outcome.FAILED
        case _ if status >= 400:
            return Outcome.REFUSED
        case _:
            return Outcome.ANSWERED


CLOUDS_TROUBLE = frozenset({Outcome.THROTTLED, Outcome.FAILED, Outcome.UNANSWERED})
"""Outcomes that are the cloud's doing, whatever was asked: what its error rate counts."""
