from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    """A resource's life as a department knows it."""

    ACTIVE = "active", _("in use")
    CHANGING = "changing", _("being changed")
    SUSPENDED = "suspended", _("suspended")
    RELEASING = "releasing", _("being released")
    RELEASED = "released", _("released")


STANDING = frozenset({Status.ACTIVE, Status.SUSPENDED})
"""Statuses in which a resource is there and nothing is being done with it."""

TRANSITIONS: Mapping[str, frozenset[str]] = {
    Status.ACTIVE: frozenset({Status.CHANGING, Status.RELEASING}),
    Status.CHANGING: frozenset({Status.ACTIVE, Status.SUSPENDED}),
    Status.SUSPENDED: frozenset({Status.ACTIVE, Status.CHANGING, Status.RELEASING}),
    Status.RELEASING: frozenset({Status.RELEASED, Status.ACTIVE}),
    Status.RELEASED: frozenset(),
}
