"""Which findings a list shows: read from the query string, never trusted."""

from collections.abc import Iterable, Mapping

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from govcloud.portal.files import Sheet, local
from govcloud.portal.findings.values import in_words
from govcloud.portal.listing import Narrowing
from govcloud.portal.templatetags.portal import named
from govcloud.reconciliation.lifecycle import FindingStatus
from govcloud.reconciliation.models import Finding
from govcloud.searching import terms_of

VIEWS: Mapping[str, str | Promise] = {
    "": _("To be decided"),
    "suspected": _("Seen once"),
    "dismissed": _("Dismissed"),
    "resolved": _("Resolved"),
    "all": _("All of them"),
}
STATUSES = {
    "": (FindingStatus.OPEN, FindingStatus.APPLYING),
    "suspected": (FindingStatus.SUSPECTED,),
    "dismissed": (FindingStatus.DISMISSED,),
    "resolved": (FindingStatus.RESOLVED,),
    "all": tuple(FindingStatus),
}

HEADINGS: tuple[str | Promise, ...] = (
    _("What"),
    _("Name"),
    _("Finding"),
    _("What differs"),
    _("Cloud"),
    _("System"),
    _("Proposal"),
    _("Status"),
    _("First seen"),
    _("Last seen"),
)


def matching(filters: Narrowing) -> QuerySet[Finding]:
    """Narrowed by words, but not by the view."""
    rows = Finding.objects.all()
    for word in terms_of(filters.text):
        rows = rows.filter(
            Q(name__icontains=word)
            | Q(external_id__icontains=word)
            | Q(cloud__code__icontains=word)
            | Q(system__name__icontains=word)
            | Q(system__name_en__icontains=word)
        )
    return rows


def in_view(view: str) -> Q:
    return Q(status__in=STATUSES[view])


def listed(filters: Narrowing) -> QuerySet[Finding]:
    """The latest first."""
    rows = matching(filters).filter(in_view(filters.view))
    return rows.select_related("cloud", "system").prefetch_related("differences").order_by("-id")


def _colon() -> str:
    return pgettext("before what is said of it", ": ")


def sheet(rows: Iterable[Finding]) -> Sheet:
    """The list as a file."""
    told = (
        (
            each.get_subject_display(),
            each.name or each.external_id,
            each.get_kind_display(),
            "; ".join(
                f"{one.get_field_display()}{_colon()}{in_words(one.expected, one.field)} → {in_words(one.found, one.field)}"
                for one in each.differences.all()
            ),
            named(each.cloud) if each.cloud else "",
            named(each.system) if each.system else "",
            each.get_remedy_display(),
            each.get_status_display(),
            local(each.first_seen_at),
            local(each.last_seen_at),
        )
        for each in rows
    )
    return Sheet("findings", _("Findings"), HEADINGS, told)
