"""What an inbox shows, and where each message leads."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

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
from tenants.models import Role, User
from tenants.policies import Wanted, scope_of

VIEWS: Mapping[str, str | Promise] = {"": _("Unread"), "all": _("All of them")}


@dataclass(frozen=True, slots=True)
class Page:
    """Where a kind that ``begins`` so leads whoever holds one of what is ``wanted``; everybody if there is nothing."""

    begins: str
    view: str
    query: str = ""
    wanted: Collection[Wanted] = ()


PAGES = (
    Page("account.factor_waiting", "portal:second-factors", wanted=(Role.SECURITY_ADMIN,)),
    Page("account.", "portal:account"),
    Page("lease.", "portal:leases"),
    Page("quota.", "portal:quota"),
    Page("review.to_open", "portal:reviews"),
    Page("role.", "portal:roles", wanted=(Role.SECURITY_ADMIN,)),
    Page("role.", "portal:account"),
    Page("orders.", "portal:orders", "?view=mine"),
    Page("absence.substitute_left", "portal:absences"),
    Page("absence.", "portal:orders", "?view=todo"),
)
"""Of kinds that are about no order; the first that the reader may open. Who was given a role finds it in their account."""

PAGES_OF: Mapping[str, str] = {
    "provisioning.operation": "portal:operation",
    "inventory.resource": "portal:resource",
    "notifications.webhook": "portal:webhook",
}
"""Of what has a page of its own, whatever is told of it."""


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


def page_about(notice: Notice, reader: User, *, at: datetime) -> str | None:
    """The page of what a notice is about; who may not see that any more is told so there. None where there is no such page."""
    if notice.subject_type in PAGES_OF:
        return reverse(PAGES_OF[notice.subject_type], args=[notice.subject_id])
    if notice.subject_type == "organisation.accessreview" and notice.kind != Kind.REVIEW_TO_OPEN:
        return reverse("portal:review", args=[notice.subject_id])
    if notice.kind.startswith("connection."):
        return reverse("portal:unit", args=[notice.subject_id])
    if notice.thread is None:
        scope = scope_of(reader, at=at)
        pages = (page for page in PAGES if notice.kind.startswith(page.begins))
        return next(
            (
                reverse(each.view) + each.query
                for each in pages
                if not each.wanted or scope.holds_any(each.wanted)
            ),
            None,
        )
    number = Order.objects.filter(uuid=notice.thread).values_list("number", flat=True).first()
    return reverse("portal:order", args=[number]) if number else None
