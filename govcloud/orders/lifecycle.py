from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    DRAFT = "draft", _("draft")
    IN_APPROVAL = "in_approval", _("in approval")
    RETURNED = "returned", _("returned for correction")
    REJECTED = "rejected", _("rejected")
    WITHDRAWN = "withdrawn", _("withdrawn")
    FULFILLING = "fulfilling", _("being built")
    FULFILLED = "fulfilled", _("fulfilled")
    CANCELLED = "cancelled", _("cancelled")


TRANSITIONS: Mapping[str, frozenset[str]] = {
    Status.DRAFT: frozenset({Status.IN_APPROVAL, Status.WITHDRAWN}),
    Status.IN_APPROVAL: frozenset({Status.RETURNED, Status.REJECTED, Status.WITHDRAWN, Status.FULFILLING}),
    Status.RETURNED: frozenset({Status.IN_APPROVAL, Status.WITHDRAWN}),
    Status.FULFILLING: frozenset({Status.FULFILLED, Status.CANCELLED}),
    Status.FULFILLED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.WITHDRAWN: frozenset(),
    Status.CANCELLED: frozenset(),
}

EDITABLE = frozenset({Status.DRAFT, Status.RETURNED})
"""Statuses in which the applicant fills the order in."""

BEGUN = frozenset({Status.FULFILLING, Status.FULFILLED, Status.CANCELLED})
"""Statuses of an order that was approved: of it alone something was placed, built or changed."""

OPEN = frozenset({Status.IN_APPROVAL, Status.FULFILLING})
"""Statuses in which the order has a claim on what it names: quota, names, resources."""
