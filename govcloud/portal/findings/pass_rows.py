"""Which passes a list shows: read from the query string, never trusted."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from govcloud.portal.files import Sheet, local
from govcloud.portal.listing import Narrowing
from govcloud.portal.reading import days_in, within
from govcloud.portal.templatetags.portal import named
from govcloud.reconciliation.lifecycle import SweepStatus
from govcloud.reconciliation.models import Sweep

VIEWS: Mapping[str, str | Promise] = {
    "": _("All of them"),
    SweepStatus.FAILED: _("Failed"),
}

HEADINGS: tuple[str | Promise, ...] = (
    _("Cloud"),
    pgettext_lazy("a comparison", "Asked for"),
    _("Began"),
    _("Finished"),
    _("Extent"),
    _("Servers"),
    _("Looked at"),
    _("Calls"),
    _("Seconds"),
    _("Seconds per thousand servers"),
    _("Findings opened"),
    _("Findings closed"),
    _("Status"),
    _("Reason"),
)


@dataclass(frozen=True, slots=True)
class Filters:
    """By how they ended, the code of a cloud and the days on which they were asked for, both included."""

    view: str = ""
    cloud: str = ""
    first: date | None = None
    last: date | None = None

    @classmethod
    def read(cls, query: Mapping[str, str], *, clouds: Collection[str]) -> Self:
        view, cloud = Narrowing.read(query, views=VIEWS).view, query.get("cloud", "")
        return cls(view, cloud if cloud in clouds else "", *days_in(query))

    def query(self, **changes: str | int) -> str:
        values: dict[str, str | int] = {
            "view": self.view,
            "cloud": self.cloud,
            "first": self.first.isoformat() if self.first else "",
            "last": self.last.isoformat() if self.last else "",
        }
        return "?" + urlencode({name: value for name, value in (values | changes).items() if value})

    @property
    def narrowed(self) -> bool:
        return bool(self.cloud or self.first or self.last)


def matching(filters: Filters) -> QuerySet[Sweep]:
    """Narrowed by all but the view."""
    rows = Sweep.objects.filter(within("requested_at", filters.first, filters.last))
    return rows.filter(cloud__code=filters.cloud) if filters.cloud else rows


def in_view(view: str) -> Q:
    return Q(status=view) if view else Q()


def listed(filters: Filters) -> QuerySet[Sweep]:
    """The latest first."""
    return matching(filters).filter(in_view(filters.view)).select_related("cloud").order_by("-id")


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def sheet(rows: Iterable[Sweep]) -> Sheet:
    """The list as a file."""
    told = (
        (
            named(each.cloud),
            local(each.requested_at),
            local(each.started_at),
            local(each.finished_at),
            each.get_extent_display(),
            each.servers,
            each.objects_seen,
            each.api_calls,
            _rounded(each.seconds),
            _rounded(each.seconds_per_thousand),
            each.findings_opened,
            each.findings_closed,
            each.get_status_display(),
            each.failure,
        )
        for each in rows
    )
    return Sheet("comparisons", _("Comparisons with the clouds"), HEADINGS, told)
