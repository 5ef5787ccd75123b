from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class ReviewStatus(models.TextChoices):
    OPEN = "open", _("open")
    CLOSED = "closed", _("closed")


REVIEW_TRANSITIONS: Mapping[str, frozenset[str]] = {
    ReviewStatus.OPEN: frozenset({ReviewStatus.CLOSED}),
    ReviewStatus.CLOSED: frozenset(),
}


class Verdict(models.TextChoices):
    PENDING = "pending", _("to be reviewed")
    CONFIRMED = "confirmed", _("confirmed")
    ENDED = "ended", _("ended")
    LAPSED = "lapsed", _("ended otherwise")
