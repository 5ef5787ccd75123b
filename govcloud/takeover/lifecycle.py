from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class TakeoverStatus(models.TextChoices):
    """Of the survey; what is taken over of it is told by its candidates."""

    DUE = "due", _("about to be surveyed")
    SURVEYING = "surveying", _("being surveyed")
    SURVEYED = "surveyed", _("surveyed")
    FAILED = "failed", _("survey failed")


TAKEOVER_TRANSITIONS: Mapping[str, frozenset[str]] = {
    TakeoverStatus.DUE: frozenset({TakeoverStatus.SURVEYING}),
    TakeoverStatus.SURVEYING: frozenset({TakeoverStatus.SURVEYED, TakeoverStatus.FAILED, TakeoverStatus.DUE}),
    TakeoverStatus.SURVEYED: frozenset({TakeoverStatus.DUE}),
    TakeoverStatus.FAILED: frozenset({TakeoverStatus.DUE}),
}


class CandidateStatus(models.TextChoices):
    """``open`` is somebody else's still (or again); ``gone`` was not found by the last survey."""

    OPEN = "open", _("not taken over")
    TAKING = "taking", _("being taken over")
    TAKEN = "taken", _("taken over")
    LEAVING = "leaving", _("being given up")
    GONE = "gone", _("not there any more")


CANDIDATE_TRANSITIONS: Mapping[str, frozenset[str]] = {
    CandidateStatus.OPEN: frozenset({CandidateStatus.TAKING, CandidateStatus.GONE}),
    CandidateStatus.TAKING: frozenset({CandidateStatus.TAKEN, CandidateStatus.OPEN}),
    CandidateStatus.TAKEN: frozenset({CandidateStatus.LEAVING, CandidateStatus.OPEN, CandidateStatus.GONE}),
    CandidateStatus.LEAVING: frozenset({CandidateStatus.OPEN}),
    CandidateStatus.GONE: frozenset({CandidateStatus.OPEN}),
}

OURS = (CandidateStatus.TAKING, CandidateStatus.TAKEN, CandidateStatus.LEAVING)
