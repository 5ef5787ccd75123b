"""Which legal holds a list shows: read from the query string, never trusted."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from govcloud.portal.files import Sheet, local
from govcloud.portal.listing import Narrowing
from govcloud.portal.templatetags.portal import named
from govcloud.protection.models import LegalHold
from govcloud.protection.queries import LegalHoldQuerySet
from govcloud.searching import terms_of
from tenants.models import User

VIEWS: Mapping[str, str | Promise] = {
    "": pgettext_lazy("of legal holds", "In force"),
    "points": _("In force on recovery points"),
    "containers": _("In force on containers"),
    "lifted": _("Lifted"),
    "all": _("All of them"),
}
IN_FORCE = Q(lifted_at=None)
WHICH = {
    "": IN_FORCE,
    "points": IN_FORCE & Q(container=None),
    "containers": IN_FORCE & Q(point=None),
    "lifted": ~IN_FORCE,
    "all": Q(),
}

HEADINGS: tuple[str | Promise, ...] = (
    _("Name"),
    _("Kind"),
    _("Recovery point of"),
    _("Department"),
    _("System"),
    _("Reason"),
    _("Placed by"),
    _("Placed on"),
    _("Lifted by"),
    _("Lifted on"),
    _("Lifted because"),
)


def matching(filters: Narrowing, actor: User, *, at: datetime) -> LegalHoldQuerySet:
    """Narrowed by words, but not by the view."""
    rows = LegalHold.objects.visible_to(actor, at=at)
    for word in terms_of(filters.text):
        rows = rows.filter(
            Q(reason__icontains=word)
            | Q(placed_by__display_name__icontains=word)
            | _about("container__resource", word)
            | _about("point__volume__resource", word)
        )
    return rows


def _about(resource: str, word: str) -> Q:
    columns = (
        "name", "system__name", "system__name_en", "system__code", "system__department__name", "system__department__name_en",
    )  # fmt: skip
    found = Q()
    for column in columns:
        found |= Q(**{f"{resource}__{column}__icontains": word})
    return found


def in_view(view: str) -> Q:
    return WHICH[view]


def listed(filters: Narrowing, actor: User, *, at: datetime) -> LegalHoldQuerySet:
    """The latest first."""
    rows = matching(filters, actor, at=at).filter(in_view(filters.view))
    return rows.with_what_is_held().order_by("-placed_at", "-id")


def sheet(rows: Iterable[LegalHold]) -> Sheet:
    """The list as a file."""
    told = (
        (
            each.resource.name,
            each.resource.get_kind_display(),
            local(each.point.taken_at) if each.point else None,
            named(each.resource.system.department),
            named(each.resource.system),
            each.reason,
            str(each.placed_by),
            local(each.placed_at),
            str(each.lifted_by or ""),
            local(each.lifted_at),
            each.lifted_because,
        )
        for each in rows
    )
    return Sheet("legal-holds", _("Legal holds"), HEADINGS, told)
