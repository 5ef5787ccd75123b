from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class WebhookStatus(models.TextChoices):
    ACTIVE = "active", _("in use")
    DISABLED = "disabled", _("disabled")


WEBHOOK_TRANSITIONS: Mapping[str, frozenset[str]] = {
    WebhookStatus.ACTIVE: frozenset({WebhookStatus.DISABLED}),
    WebhookStatus.DISABLED: frozenset({WebhookStatus.ACTIVE}),
}


class DeliveryState(models.TextChoices):
    """Not a lifecycle of people's making: only the sender moves a delivery, under its fence."""

    DUE = "due", _("on its way")
    DELIVERED = "delivered", pgettext_lazy("to a webhook", "delivered")
    GIVEN_UP = "given_up", pgettext_lazy("to a webhook", "given up")
