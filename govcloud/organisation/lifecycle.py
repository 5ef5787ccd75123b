from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ReviewStatus(models.TextChoices):
    OPEN = "open", pgettext_lazy("access review", "open")
    CLOSED = "closed", _("closed")


REVIEW_TRANSITIONS: Mapping[str, frozenset[str]] = {
    ReviewStatus.OPEN: frozenset({ReviewStatus.CLOSED}),
    ReviewStatus.CLOSED: frozenset(),
}


class Verdict(models.TextChoices):
    PENDING = "pending", _("to be reviewed")
    CONFIRMED = "confirmed", pgettext_lazy("access review", "confirmed")
    ENDED = "ended", _("ended")
    LAPSED = "lapsed", _("ended otherwise")
