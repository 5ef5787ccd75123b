"""Projects that were built outside and what is in them, as lists show them and as files have them."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.inventory.models import ResourceKind
from govcloud.portal.files import Sheet, local
from govcloud.portal.listing import Narrowing
from govcloud.portal.templatetags.portal import named
from govcloud.searching import terms_of
from govcloud.takeover import remarks
from govcloud.takeover.lifecycle import OURS, CandidateStatus
from govcloud.takeover.models import Candidate, Takeover
from govcloud.takeover.queries import counted
from govcloud.takeover.vocabulary import Obstacle

OPEN = Q(status=CandidateStatus.OPEN)
VIEWS: Mapping[str, str | Promise] = {
    "": _("Can be taken over"),
    "obstructed": _("Cannot be taken over as it is"),
    "ours": _("Taken over"),
    "all": _("All of them"),
}
IN_VIEW: Mapping[str, Q] = {
    "": OPEN & Q(obstacles=[]),
    "obstructed": OPEN & ~Q(obstacles=[]),
    "ours": Q(status__in=OURS),
    "all": Q(),
}

HEADINGS: tuple[str | Promise, ...] = (
    _("Kind"),
    _("Id in the cloud"),
    _("Name in the cloud"),
    _("Name here"),
    _("Status"),
    _("Obstacles"),
    _("Remark"),
    _("Flavor"),
    _("Image"),
    _("Storage class"),
    _("Size, GB"),
    _("Range"),
)
PROJECTS: tuple[str | Promise, ...] = (
    _("Project"),
    _("Id in the cloud"),
    _("Cloud"),
    _("Survey"),
    _("Surveyed"),
    _("System"),
    _("Things in it"),
    _("Cannot be taken over as it is"),
    _("Taken over"),
)


def projects(filters: Narrowing) -> QuerySet[Takeover]:
    """With what was counted in each, the latest first."""
    rows = counted(Takeover.objects.select_related("cloud", "system__department"))
    for word in terms_of(filters.text):
        rows = rows.filter(
            Q(project_name__icontains=word)
            | Q(project_id__icontains=word)
            | Q(cloud__code__icontains=word)
            | Q(system__name__icontains=word)
            | Q(system__code__icontains=word)
        )
    return rows.order_by("-id")


def candidates(takeover: Takeover, filters: Narrowing) -> QuerySet[Candidate]:
    """Of one project, in one view."""
    return matching(takeover, filters).filter(IN_VIEW[filters.view]).order_by("kind", "found_name", "id")


def matching(takeover: Takeover, filters: Narrowing) -> QuerySet[Candidate]:
    """Narrowed by words, but not by the view; without what is not there any more."""
    rows = takeover.candidates.exclude(status=CandidateStatus.GONE)
    for word in terms_of(filters.text):
        rows = rows.filter(
            Q(found_name__icontains=word) | Q(name__icontains=word) | Q(external_id__icontains=word)
        )
    return rows.select_related("flavor", "image", "storage_class", "resource", "operation")


def obstacles(candidate: Candidate) -> list[str]:
    """In plain words; of what is not somebody else's there are none."""
    if candidate.status != CandidateStatus.OPEN:
        return []
    return [str(Obstacle(each).label) for each in candidate.obstacles]


def becomes(candidate: Candidate) -> list[str]:
    """What it is in the cloud, and what it is taken for here."""
    match candidate.kind:
        case ResourceKind.SERVER:
            return [
                _taken_for(candidate.flavor_name, candidate.flavor),
                _taken_for(candidate.image_name, candidate.image),
            ]
        case ResourceKind.VOLUME:
            return [_taken_for(candidate.volume_type, candidate.storage_class), f"{candidate.size_gib} GiB"]
        case _:
            return [candidate.cidr]


def _taken_for(name: str, thing: Any) -> str:
    return f"{name} → {thing.code if thing is not None else '?'}"


def sheet(rows: Iterable[Candidate]) -> Sheet:
    told = (
        (
            each.get_kind_display(),
            each.external_id,
            each.found_name,
            each.name,
            each.get_status_display(),
            "; ".join(obstacles(each)),
            remarks.told(each.remark),
            each.flavor_name,
            each.image_name,
            each.volume_type,
            each.size_gb or None,
            each.cidr,
        )
        for each in rows
    )
    return Sheet("candidates", _("Things in the project"), HEADINGS, told)


def projects_sheet(rows: Iterable[Any]) -> Sheet:
    told = (
        (
            each.project_name,
            each.project_id,
            named(each.cloud),
            each.get_status_display(),
            local(each.surveyed_at),
            named(each.system) if each.system else "",
            each.found,
            each.obstructed,
            each.taken,
        )
        for each in rows
    )
    return Sheet("takeovers", _("Projects built outside"), PROJECTS, told)
