"""Which leases the page shows: those that end soon, and those that have ended."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from govcloud.inventory.models import Resource
from govcloud.leases.models import Expiry, Obstacle
from govcloud.leases.queries import let
from govcloud.portal.files import Sheet, local
from govcloud.portal.listing import Narrowing
from govcloud.portal.order.items import ICONS
from govcloud.portal.templatetags.portal import named
from govcloud.searching import terms_of
from tenants.models import User

VIEWS: Mapping[str, str | Promise] = {"": _("All of them"), "ending": _("Ending soon"), "ended": _("Ended")}

HEADINGS: tuple[str | Promise, ...] = (
    _("Name"),
    _("Kind"),
    _("Department"),
    _("System"),
    _("Status"),
    _("Lease ends"),
    _("Days left"),
    _("Taken back on"),
    _("Waits, because"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A lease in words; ``days`` are counted by the calendar, below zero once it has ended."""

    row: Any
    icon: str
    days: int
    ended: bool
    left: str
    reclaim_at: datetime | None
    waits_for: str


def concerned(filters: Narrowing, actor: User, *, at: datetime) -> QuerySet[Resource]:
    """Leases that end within the longest notice, or have ended, narrowed by words but not by the view."""
    soon = at + timedelta(days=max(settings.LEASE_NOTICE_DAYS, default=0))
    rows = let().filter(lease_end__lte=soon, pk__in=Resource.objects.visible_to(actor, at=at))
    for word in terms_of(filters.text):
        rows = rows.filter(
            Q(name__icontains=word)
            | Q(system__name__icontains=word)
            | Q(system__name_en__icontains=word)
            | Q(system__department__name__icontains=word)
        )
    return rows


def in_view(view: str, *, at: datetime) -> Q:
    match view:
        case "ending":
            return Q(lease_end__gt=at)
        case "ended":
            return Q(lease_end__lte=at)
    return Q()


def listed(filters: Narrowing, actor: User, *, at: datetime) -> QuerySet[Resource]:
    """The earliest end first."""
    expiry = Expiry.objects.filter(resource=OuterRef("pk"), lease_end=OuterRef("lease_end"))
    return (
        concerned(filters, actor, at=at)
        .filter(in_view(filters.view, at=at))
        .select_related("system__department")
        .annotate(
            reclaim_at=Subquery(expiry.values("reclaim_at")[:1]),
            obstacle=Subquery(expiry.values("obstacle")[:1]),
            obstacle_detail=Subquery(expiry.values("obstacle_detail")[:1]),
        )
        .order_by("lease_end", "pk")
    )


def shown(rows: Iterable[Any], *, at: datetime) -> Iterator[Shown]:
    """``rows`` are those of ``listed``."""
    today = timezone.localdate(at)
    for row in rows:
        days = (timezone.localdate(row.lease_end) - today).days
        yield Shown(
            row=row,
            icon=ICONS[row.kind],
            days=days,
            ended=row.lease_end <= at,
            left=_left(days, ended=row.lease_end <= at),
            reclaim_at=row.reclaim_at,
            waits_for=waits_for(row),
        )


def _left(days: int, *, ended: bool) -> str:
    if not days:
        return gettext("ended today") if ended else gettext("ends today")
    if ended:
        ago = -days
        return ngettext("ended %(days)s day ago", "ended %(days)s days ago", ago) % {"days": ago}
    return ngettext("%(days)s day left", "%(days)s days left", days) % {"days": days}


def waits_for(row: Any) -> str:
    """Why what is due of a lease that has ended is not done, in words; empty if for nothing."""
    if not row.obstacle:
        return ""
    label = Obstacle(row.obstacle).label
    if not row.obstacle_detail:
        return str(label)
    return gettext("%(obstacle)s: %(detail)s") % {"obstacle": label, "detail": row.obstacle_detail}


def sheet(rows: Iterable[Any], *, at: datetime) -> Sheet:
    """The list as a file."""
    told = (
        (
            each.row.name,
            each.row.get_kind_display(),
            named(each.row.system.department),
            named(each.row.system),
            each.row.get_status_display(),
            local(each.row.lease_end),
            each.days,
            local(each.reclaim_at),
            each.waits_for,
        )
        for each in shown(rows, at=at)
    )
    return Sheet("leases", _("Leases"), HEADINGS, told)
