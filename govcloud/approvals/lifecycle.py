from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Status(models.TextChoices):
    OPEN = "open", _("being decided")
    RETURNED = "returned", _("returned for correction")
    APPROVED = "approved", _("approved")
    REJECTED = "rejected", _("rejected")
    WITHDRAWN = "withdrawn", _("withdrawn")


TRANSITIONS: Mapping[str, frozenset[str]] = {
    Status.OPEN: frozenset({Status.RETURNED, Status.APPROVED, Status.REJECTED, Status.WITHDRAWN}),
    Status.RETURNED: frozenset({Status.OPEN, Status.WITHDRAWN}),
    Status.APPROVED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.WITHDRAWN: frozenset(),
}


class StageStatus(models.TextChoices):
    WAITING = "waiting", _("not yet due")
    CURRENT = "current", _("being decided")
    APPROVED = "approved", _("approved")
    RETURNED = "returned", _("returned for correction")
    REJECTED = "rejected", _("rejected")
    CANCELLED = "cancelled", _("no longer needed")


class ConsultationStatus(models.TextChoices):
    ASKED = "asked", _("not answered yet")
    ANSWERED = "answered", pgettext_lazy("opinion", "answered")
    WAIVED = "waived", _("no longer needed")


CONSULTATION_TRANSITIONS: Mapping[str, frozenset[str]] = {
    ConsultationStatus.ASKED: frozenset({ConsultationStatus.ANSWERED, ConsultationStatus.WAIVED}),
    ConsultationStatus.ANSWERED: frozenset(),
    ConsultationStatus.WAIVED: frozenset(),
}
