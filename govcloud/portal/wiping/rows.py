"""Which wipe records a list shows: read from the query string, never trusted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Self
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Wiping
from govcloud.inventory.models import ResourceKind, WipeRecord
from govcloud.portal.files import Sheet, local
from govcloud.portal.listing import Narrowing
from govcloud.portal.reading import days_in, within
from govcloud.portal.templatetags.portal import named
from govcloud.searching import terms_of
from tenants.models import User

VIEWS: Mapping[str, str | Promise] = {
    "": _("All of them"),
    ResourceKind.VOLUME: _("Volumes"),
    ResourceKind.CONTAINER: _("Object containers"),
}

HEADINGS: tuple[str | Promise, ...] = (
    _("Name"),
    _("Kind"),
    _("Department"),
    _("System"),
    _("Cloud"),
    _("Id in the cloud"),
    _("Size, GB"),
    _("Means of wiping"),
    _("Deletion asked for"),
    _("Deletion confirmed"),
    _("The cloud's id of the request"),
)


@dataclass(frozen=True, slots=True)
class Filters:
    """As ``Narrowing``, by the means, and by the days on which the cloud confirmed it, both included."""

    view: str = ""
    text: str = ""
    means: str = ""
    first: date | None = None
    last: date | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        plain, means = Narrowing.read(query, views=VIEWS), query.get("means", "")
        return cls(plain.view, plain.text, means if means in Wiping.values else "", *days_in(query))

    def query(self, **changes: str | int) -> str:
        values: dict[str, str | int] = {
            "view": self.view,
            "q": self.text,
            "means": self.means,
            "first": self.first.isoformat() if self.first else "",
            "last": self.last.isoformat() if self.last else "",
        }
        return "?" + urlencode({name: value for name, value in (values | changes).items() if value})

    @property
    def narrowed(self) -> bool:
        return bool(self.text or self.means or self.first or self.last)


def matching(filters: Filters, actor: User, *, at: datetime) -> QuerySet[WipeRecord]:
    """Narrowed by all but the view."""
    rows = WipeRecord.objects.visible_to(actor, at=at)
    if filters.means:
        rows = rows.filter(means=filters.means)
    rows = rows.filter(within("confirmed_at", filters.first, filters.last))
    for word in terms_of(filters.text):
        rows = rows.filter(
            Q(resource__name__icontains=word)
            | Q(external_id__icontains=word)
            | Q(request_id__icontains=word)
            | Q(resource__system__name__icontains=word)
            | Q(resource__system__name_en__icontains=word)
            | Q(resource__system__code__icontains=word)
            | Q(resource__system__department__name__icontains=word)
            | Q(resource__system__department__name_en__icontains=word)
        )
    return rows


def in_view(view: str) -> Q:
    return Q(resource__kind=view) if view else Q()


def listed(filters: Filters, actor: User, *, at: datetime) -> QuerySet[WipeRecord]:
    """The latest first."""
    rows = matching(filters, actor, at=at).filter(in_view(filters.view))
    return rows.select_related("resource__system__department", "resource__cloud")


def sheet(rows: Iterable[WipeRecord]) -> Sheet:
    """The list as a file."""
    told = (
        (
            each.resource.name,
            each.resource.get_kind_display(),
            named(each.resource.system.department),
            named(each.resource.system),
            named(each.resource.cloud),
            each.external_id,
            each.size_gb,
            each.get_means_display(),
            local(each.requested_at),
            local(each.confirmed_at),
            each.request_id,
        )
        for each in rows
    )
    return Sheet("wipe-records", _("Wipe records"), HEADINGS, told)
