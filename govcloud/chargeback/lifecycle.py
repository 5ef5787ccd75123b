from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    ISSUED = "issued", _("issued")
    CONFIRMED = "confirmed", _("confirmed")
    DISPUTED = "disputed", _("disputed")


TRANSITIONS: Mapping[str, frozenset[str]] = {
    Status.ISSUED: frozenset({Status.CONFIRMED, Status.DISPUTED}),
    Status.DISPUTED: frozenset({Status.CONFIRMED}),
    Status.CONFIRMED: frozenset(),
}
