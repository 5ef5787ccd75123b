from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class CloudStatus(models.TextChoices):
    """``enabled``: new things are placed there. ``disabled``: none are, what is there is looked after all the same."""

    DISABLED = "disabled", _("disabled")
    ENABLED = "enabled", _("enabled")
    RETIRED = "retired", _("retired")


CLOUD_TRANSITIONS: Mapping[str, frozenset[str]] = {
    CloudStatus.DISABLED: frozenset({CloudStatus.ENABLED, CloudStatus.RETIRED}),
    CloudStatus.ENABLED: frozenset({CloudStatus.DISABLED, CloudStatus.RETIRED}),
    CloudStatus.RETIRED: frozenset(),
}
