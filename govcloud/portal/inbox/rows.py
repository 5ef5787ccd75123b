"""What an inbox shows, and where each message leads."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from govcloud.notifications.kinds import Kind
from govcloud.notifications.models import Message, Notice
from govcloud.notifications.texts import Told, told_to
from govcloud.orders.models import Order
from tenants.models import User

VIEWS: Mapping[str, str | Promise] = {"": _("Unread"), "all": _("All of them")}


PAGES: Mapping[str, tuple[str, str]] = {
    "account.factor_waiting": ("portal:second-factors", ""),
    "account.": ("portal:account", ""),
    "lease.": ("portal:leases", ""),
    "quota.": ("portal:quota", ""),
    "review.to_open": ("portal:reviews", ""),
    "role.": ("portal:roles", ""),
    "orders.": ("portal:orders", "?view=mine"),
    "absence.substitute_left": ("portal:absences", ""),
    "absence.": ("portal:orders", "?view=todo"),
}
"""By how a kind begins, for those that are about no order: the page, and what of it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A message in the reader's words."""

    row: Message
    words: Told


def listed(person: User) -> QuerySet[Message]:
    """The latest first."""
    return Message.objects.visible_to(person).select_related("notice").order_by("-pk")


def in_view(view: str) -> Q:
    return Q() if view == "all" else Q(read_at=None)


def shown(messages: Iterable[Message]) -> Iterator[Shown]:
    language = get_language() or settings.LANGUAGE_CODE
    for message in messages:
        yield Shown(message, told_to(message, language=language))


def page_about(notice: Notice) -> str | None:
    """The page of what a notice is about; who may not see that is told so there. None where there is no such page."""
    if notice.subject_type == "provisioning.operation":
        return reverse("portal:operation", args=[notice.subject_id])
    if notice.subject_type == "organisation.accessreview" and notice.kind != Kind.REVIEW_TO_OPEN:
        return reverse("portal:review", args=[notice.subject_id])
    if notice.kind.startswith("connection."):
        return reverse("portal:unit", args=[notice.subject_id])
    if notice.subject_type == "notifications.webhook":
        return reverse("portal:webhook", args=[notice.subject_id])
    if notice.thread is None:
        pages = (PAGES[begins] for begins in PAGES if notice.kind.startswith(begins))
        return next((reverse(page) + query for page, query in pages), None)
    number = Order.objects.filter(uuid=notice.thread).values_list("number", flat=True).first()
    return reverse("portal:order", args=[number]) if number else None
