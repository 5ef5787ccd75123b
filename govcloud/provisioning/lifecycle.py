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
    OperationStatus.RUNNING: frozenset({OperationStatus.DONE, OperationStatus.PARKED, OperationStatus.UNDOING}),
    OperationStatus.PARKED: frozenset({OperationStatus.RUNNING, OperationStatus.UNDOING}),
    OperationStatus.UNDOING: frozenset({OperationStatus.UNDONE, OperationStatus.PARKED}),
    OperationStatus.DONE: frozenset(),
    OperationStatus.UNDONE: frozenset(),
}


class StepState(models.TextChoices):
    """Where a step is.

    ``waiting`` for the steps it needs; ``due`` for a worker; ``unknown`` after a call whose effect we did not see;
    ``settling`` while the cloud works on it; then ``done``, ``parked`` for a person, or ``gone`` when undone.
    """

    WAITING = "waiting", _("waiting for earlier steps")
    DUE = "due", _("about to start")
    UNKNOWN = "unknown", _("looking up the outcome")
    SETTLING = "settling", _("the cloud is working on it")
    DONE = "done", _("done")
    SKIPPED = "skipped", _("skipped")
    PARKED = "parked", _("waiting for an administrator")
    GONE = "gone", _("undone")


class Desired(models.TextChoices):
    PRESENT = "present"
    ABSENT = "absent"


FINISHED = frozenset({StepState.DONE, StepState.SKIPPED, StepState.GONE})
