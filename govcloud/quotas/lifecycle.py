from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class RaiseStatus(models.TextChoices):
    """``replaced``: another limit was granted before its time was over, and nothing falls back any more."""

    RUNNING = "running", _("in force")
    ENDED = "ended", _("fallen back")
    REPLACED = "replaced", _("replaced")


TRANSITIONS: Mapping[str, frozenset[str]] = {
    RaiseStatus.RUNNING: frozenset({RaiseStatus.ENDED, RaiseStatus.REPLACED}),
    RaiseStatus.ENDED: frozenset(),
    RaiseStatus.REPLACED: frozenset(),
}
