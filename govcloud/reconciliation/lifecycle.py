from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class SweepStatus(models.TextChoices):
    DUE = "due", _("about to start")
    RUNNING = "running", _("in progress")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


SWEEP_TRANSITIONS: Mapping[str, frozenset[str]] = {
    SweepStatus.DUE: frozenset({SweepStatus.RUNNING}),
    SweepStatus.RUNNING: frozenset({SweepStatus.DONE, SweepStatus.FAILED}),
    SweepStatus.DONE: frozenset(),
    SweepStatus.FAILED: frozenset(),
}


class FindingStatus(models.TextChoices):
    """``suspected`` has been seen once and may pass; ``applying`` has an operation that puts it right."""

    SUSPECTED = "suspected", _("seen once")
    OPEN = "open", _("open")
    APPLYING = "applying", _("being put right")
    RESOLVED = "resolved", _("resolved")
    DISMISSED = "dismissed", _("dismissed")


FINDING_TRANSITIONS: Mapping[str, frozenset[str]] = {
    FindingStatus.SUSPECTED: frozenset({FindingStatus.OPEN, FindingStatus.RESOLVED}),
    FindingStatus.OPEN: frozenset({FindingStatus.APPLYING, FindingStatus.RESOLVED, FindingStatus.DISMISSED}),
    FindingStatus.APPLYING: frozenset({FindingStatus.RESOLVED, FindingStatus.OPEN}),
    FindingStatus.DISMISSED: frozenset({FindingStatus.OPEN, FindingStatus.RESOLVED}),
    FindingStatus.RESOLVED: frozenset(),
}
