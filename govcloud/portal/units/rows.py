"""Which units the page shows: those the reader may see, as the tree has them."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db.models import Count, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from govcloud.portal.files import Sheet, local
from govcloud.portal.listing import Narrowing
from govcloud.portal.templatetags.portal import named
from govcloud.searching import terms_of
from tenants.models import Connection, Department, User

VIEWS: Mapping[str, str | Promise] = {
    "": _("In service"),
    "requested": _("Ask for a connection"),
    "unconnected": _("Not connected"),
    "closed": _("Closed"),
}

HEADINGS: tuple[str | Promise, ...] = (
    _("Name"),
    _("Credit code"),
    _("Division"),
    _("Unit above"),
    _("Connection"),
    _("Systems"),
    pgettext_lazy("date", "Registered"),
)


def concerned(filters: Narrowing, actor: User, *, at: datetime) -> QuerySet[Department]:
    """Narrowed by words, but not by the view."""
    rows = Department.objects.visible_to(actor, at=at)
    for word in terms_of(filters.text):
        rows = rows.filter(
            Q(name__icontains=word)
            | Q(name_en__icontains=word)
            | Q(credit_code__icontains=word)
            | Q(division__name__icontains=word)
        )
    return rows


def in_view(view: str) -> Q:
    match view:
        case "requested":
            return Q(closed_at=None, connection=Connection.REQUESTED)
        case "unconnected":
            return Q(closed_at=None, connection=Connection.NOT_CONNECTED)
        case "closed":
            return Q(closed_at__isnull=False)
    return Q(closed_at=None)


def listed(filters: Narrowing, actor: User, *, at: datetime) -> QuerySet[Department]:
    """As the tree has them, each with how many systems are in service."""
    rows = concerned(filters, actor, at=at).filter(in_view(filters.view))
    return (
        rows.select_related("division", "parent")
        .annotate(in_service=Count("systems", filter=Q(systems__retired_at=None)))
        .order_by("path")
    )


def sheet(rows: Iterable[Department]) -> Sheet:
    """The list as a file."""
    told = (
        (
            named(each),
            each.credit_code,
            named(each.division),
            named(each.parent) if each.parent else "",
            each.get_connection_display(),
            each.in_service,  # type: ignore[attr-defined]  # of ``listed``
            local(each.created_at),
        )
        for each in rows
    )
    return Sheet("units", _("Units"), HEADINGS, told)
