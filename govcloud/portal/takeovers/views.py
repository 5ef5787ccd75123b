"""Projects that were built outside, and how a cloud administrator takes them over: surveyed, assigned, taken, given up."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib import messages as flashes
from django.contrib.auth.decorators import login_required
from django.db.models import Count, F, Value
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from govcloud import clock
from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.errors import DomainError
from govcloud.orders.resolution import as_uuid
from govcloud.portal import deeds, files
from govcloud.portal.deeds import Refused
from govcloud.portal.listing import Narrowing, choices, in_pages
from govcloud.portal.reading import day_in, midnight_after, moment_in, number_in
from govcloud.portal.resuming import resumes
from govcloud.portal.takeovers import rows
from govcloud.takeover import leaving, remarks, services, taking
from govcloud.takeover.lifecycle import CandidateStatus, TakeoverStatus
from govcloud.takeover.models import Candidate, Takeover
from govcloud.takeover.policies import ACTORS, READERS
from govcloud.takeover.taking import Foreseen
from govcloud.takeover.vocabulary import Obstacle
from tenants.models import NetworkZone, System
from tenants.policies import scope_of

if TYPE_CHECKING:
    from tenants.models import User

PAGE_SIZE = 20
ON_A_PAGE = 100
"""Things of one project: what is ticked is of one page."""
MOVING = (TakeoverStatus.DUE, TakeoverStatus.SURVEYING)
UNKNOWN = {
    "flavor": (Obstacle.FLAVOR_UNKNOWN, "flavor_name"),
    "image": (Obstacle.IMAGE_UNKNOWN, "image_name"),
    "storage_class": (Obstacle.CLASS_UNKNOWN, "volume_type"),
}
"""By kind of thing (a key of ``services.CATALOGUE``): the obstacle that its name stands for nothing, and the column of the name."""
TERMS = ("system", "zone", "lease_end", "billing_start")


@require_GET
@login_required
def takeovers(request: HttpRequest) -> HttpResponse:
    """The projects that were surveyed; it works without scripts."""
    deeds.admitted(request, *READERS)
    return _list(request)


@require_POST
@login_required
@resumes
def survey(request: HttpRequest) -> HttpResponse:
    """Have a project surveyed: nothing is changed by that."""
    actor, at = deeds.admitted(request, *ACTORS)
    typed = {name: request.POST.get(name, "").replace("\0", "").strip() for name in ("cloud", "project")}
    cloud = Cloud.objects.filter(code=typed["cloud"]).first()
    if cloud is None or not 1 <= len(typed["project"]) <= 255:
        wrong = deeds.unreadable(
            _("Choose the cloud and give the id or the name of the project."), typed=typed
        )
        return _list(request, refused=wrong)
    asked: list[Takeover] = []
    refused = deeds.attempt(
        lambda: asked.append(services.request(cloud=cloud, project=typed["project"], actor=actor, at=at)),
        typed=typed,
    )
    if refused:
        return _list(request, refused=refused)
    return redirect("portal:takeover", uuid=asked[0].uuid)


@require_GET
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    actor, at = deeds.admitted(request, *READERS)
    filters = Narrowing.read(request.GET.dict(), views={"": ""})
    found = rows.projects(filters)
    return files.hand_out(
        request, found, rows.projects_sheet, form=form, query=filters.query(), actor=actor, at=at
    )


@require_GET
@login_required
@vary_on_headers("HX-Request")
def takeover(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One project: what is in it, what it would become and what stands against it.

    As long as something is under way the page asks how far it is (htmx), and is shown anew once it is done.
    """
    _actor, at = deeds.admitted(request, *READERS)
    if "HX-Request" not in request.headers:
        return _page(request, uuid)
    found = get_object_or_404(Takeover.objects.select_related("cloud", "system__department"), uuid=uuid)
    context = {"takeover": found, **_progress(found), "at": at}
    if not context["moving"]:
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return render(request, "portal/takeover/live.html", context)


@require_GET
@login_required
def candidates_export(request: HttpRequest, uuid: UUID, form: str) -> HttpResponse:
    actor, at = deeds.admitted(request, *READERS)
    filters = Narrowing.read(request.GET.dict(), views=rows.VIEWS)
    found = rows.candidates(get_object_or_404(Takeover, uuid=uuid), filters)
    return files.hand_out(request, found, rows.sheet, form=form, query=filters.query(), actor=actor, at=at)


@require_POST
@login_required
def survey_again(request: HttpRequest, uuid: UUID) -> HttpResponse:
    actor, at = deeds.admitted(request, *ACTORS)
    found = get_object_or_404(Takeover, uuid=uuid)
    refused = deeds.attempt(lambda: services.survey_again(takeover=found, actor=actor, at=at))
    return _done(request, uuid, refused, _("The project is being surveyed."))


@require_POST
@login_required
@resumes
def assignment(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """For which system, and under what terms."""
    actor, at = deeds.admitted(request, *ACTORS)
    found = get_object_or_404(Takeover, uuid=uuid)
    typed = {name: request.POST.get(name, "").replace("\0", "").strip() for name in TERMS}
    system = (
        System.objects.visible_to(actor, at=at)
        .select_related("department")
        .filter(code=typed["system"])
        .first()
    )
    day, begins = day_in(typed["lease_end"]), moment_in(typed["billing_start"])
    if system is None or typed["zone"] not in NetworkZone.values:
        text = _("Give the code of a system that there is, and a network zone.")
        return _page(request, uuid, refused=deeds.unreadable(text, typed=typed))
    if (typed["lease_end"] and day is None) or (typed["billing_start"] and begins is None):
        text = _(
            "Give the end of the lease as a day and the start of billing as a day and a time, or leave them empty."
        )
        return _page(request, uuid, refused=deeds.unreadable(text, typed=typed))
    to = services.Assignment(
        system=system,
        zone=typed["zone"],
        lease_end=midnight_after(day) if day else None,
        billing_start=begins,
    )
    refused = deeds.attempt(lambda: services.assign(takeover=found, to=to, actor=actor, at=at), typed=typed)
    return _done(request, uuid, refused, _("It is taken over for this system and under these terms."))


@require_POST
@login_required
@resumes
def equivalent(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What a name of the cloud is taken for, here and in every takeover from this cloud."""
    actor, at = deeds.admitted(request, *ACTORS)
    found = get_object_or_404(Takeover.objects.select_related("cloud"), uuid=uuid)
    typed = {name: request.POST.get(name, "").replace("\0", "") for name in ("kind", "cloud_name", "code")}
    if typed["kind"] not in services.CATALOGUE or not 1 <= len(typed["cloud_name"]) <= 255:
        wrong = deeds.unreadable(_("Choose what the name is taken for."), typed=typed)
        return _page(request, uuid, refused=wrong)
    refused = deeds.attempt(
        lambda: services.set_equivalent(cloud=found.cloud, **typed, actor=actor, at=at), typed=typed
    )
    return _done(request, uuid, refused, _("The name is known from now on."))


@require_POST
@login_required
@resumes
def renaming(request: HttpRequest, uuid: UUID, candidate_uuid: UUID) -> HttpResponse:
    """What it shall be called here."""
    actor, at = deeds.admitted(request, *ACTORS)
    row = get_object_or_404(Candidate, uuid=candidate_uuid, takeover__uuid=uuid)
    name = request.POST.get("name", "").replace("\0", "").strip()
    refused = deeds.attempt(
        lambda: services.rename(candidate=row, name=name, actor=actor, at=at),
        typed={"renamed": str(candidate_uuid), "name": name},
    )
    if refused:
        return _page(request, uuid, refused=refused)
    flashes.success(request, _("It will have this name here."))
    filters = Narrowing.read(request.GET.dict(), views=rows.VIEWS)
    here = _here(filters, number_in(request.GET.get("page", "")) or 1)
    return redirect(reverse("portal:takeover", args=[uuid]) + here)


@require_POST
@login_required
@resumes
def taking_over(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What is ticked with all that belongs to it, or all that can be. What cannot is told, the rest goes on."""
    actor, at = deeds.admitted(request, *ACTORS)
    found, chosen = get_object_or_404(Takeover, uuid=uuid), _ticked(request.POST)
    everything = "everything" in request.POST
    typed = {name: request.POST.get(name, "") for name in ("everything", "raise_limits")}
    if not everything and not chosen:
        wrong = deeds.unreadable(_("Tick what shall be taken over."), typed=typed)
        return _page(request, uuid, refused=wrong)
    begun: list[taking.Taking] = []
    refused = deeds.attempt(
        lambda: begun.append(
            taking.take(
                takeover=found,
                candidates=None if everything else chosen,
                raise_limits="raise_limits" in request.POST,
                actor=actor,
                at=at,
            )
        ),
        typed=typed,
    )
    if refused:
        return _page(request, uuid, refused=refused, ticked=chosen)
    for each in begun[0].refused:
        flashes.warning(request, f"{each.candidate}: {each.error.detail}")
    count = len(begun[0].begun)
    text = ngettext("%(count)s thing is being taken over.", "%(count)s things are being taken over.", count)
    if count:
        flashes.success(request, text % {"count": count})
    return redirect("portal:takeover", uuid=uuid)


@require_POST
@login_required
@resumes
def giving_up(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Our mark comes off what is ticked; nothing is deleted in the cloud."""
    actor, at = deeds.admitted(request, *ACTORS)
    found, chosen = get_object_or_404(Takeover, uuid=uuid), _ticked(request.POST)
    refused = deeds.attempt_for_reason(
        request,
        lambda reason: leaving.give_up(takeover=found, candidates=chosen, reason=reason, actor=actor, at=at),
    )
    if refused:
        return _page(request, uuid, refused=refused, ticked=chosen)
    flashes.success(request, _("What was ticked is being given up."))
    return redirect("portal:takeover", uuid=uuid)


def _ticked(sent: QueryDict) -> set[UUID]:
    found = (as_uuid(each) for each in sent.getlist("candidate"))
    return {each for each in found if each is not None}


def _here(filters: Narrowing, page: int) -> str:
    """What asks for this page of this view again: a form of a row comes back to where the row is."""
    query = filters.query(page=page if page > 1 else "")
    return "" if query == "?" else query


def _done(request: HttpRequest, uuid: UUID, refused: Refused | None, told: str) -> HttpResponse:
    if refused:
        return _page(request, uuid, refused=refused)
    flashes.success(request, told)
    return redirect("portal:takeover", uuid=uuid)


def _list(request: HttpRequest, *, refused: Refused | None = None) -> HttpResponse:
    actor, at = cast("User", request.user), clock.now()
    filters = Narrowing.read(request.GET.dict(), views={"": ""})
    pages = in_pages(rows.projects(filters), request.GET.get("page"), size=PAGE_SIZE)
    context = {
        "filters": filters,
        **pages.context,
        "acts": scope_of(actor, at=at).holds_any(ACTORS),
        "clouds": Cloud.objects.exclude(status=CloudStatus.RETIRED).order_by("code"),
        "refused": refused,
        "at": at,
    }
    return render(request, "portal/takeover/list.html", context, status=refused.status if refused else 200)


def _page(
    request: HttpRequest, uuid: UUID, *, refused: Refused | None = None, ticked: Collection[UUID] = ()
) -> HttpResponse:
    actor, at = cast("User", request.user), clock.now()
    found = get_object_or_404(Takeover.objects.select_related("cloud", "system__department"), uuid=uuid)
    filters = Narrowing.read(request.GET.dict(), views=rows.VIEWS)
    counts = rows.matching(found, filters).aggregate(
        **{view or "ready": Count("pk", filter=which) for view, which in rows.IN_VIEW.items()}
    )
    pages = in_pages(
        rows.candidates(found, filters),
        request.GET.get("page"),
        size=ON_A_PAGE,
        total=counts[filters.view or "ready"],
    )
    shown = [
        (each, rows.becomes(each), rows.obstacles(each), remarks.told(each.remark))
        for each in pages.page.object_list
    ]
    acts = scope_of(actor, at=at).holds_any(ACTORS)
    context: dict[str, Any] = {
        "takeover": found,
        "filters": filters,
        **pages.context,
        "shown": shown,
        "here": _here(filters, pages.page.number),
        "views": choices(rows.VIEWS, filters, counts, first="ready"),
        **_progress(found),
        "acts": acts,
        "zones": NetworkZone.choices,
        "unknown": _unknown(found) if acts else [],
        "refused": refused,
        "ticked": ticked,
        "most": deeds.LONGEST_REASON,
        **_foreseen(found, at),
        "at": at,
    }
    return render(request, "portal/takeover/page.html", context, status=refused.status if refused else 200)


def _progress(found: Takeover) -> dict[str, Any]:
    """Whether something is under way, and how many of its things are where."""
    counted = dict(found.candidates.order_by().values_list("status").annotate(count=Count("*")))
    under_way = found.status in MOVING or bool(
        counted.keys() & {CandidateStatus.TAKING, CandidateStatus.LEAVING}
    )
    told = [(each.label, counted[each]) for each in CandidateStatus if each in counted]
    return {"moving": under_way, "progress": told}


def _foreseen(found: Takeover, at: datetime) -> dict[str, Foreseen | str | None]:
    """What taking over all that can be would do, or why nothing can be taken over."""
    if found.surveyed_at is None:
        return {"foreseen": None, "not_foreseen": ""}
    try:
        return {"foreseen": taking.foresee(takeover=found, at=at), "not_foreseen": ""}
    except DomainError as refusal:
        return {"foreseen": None, "not_foreseen": refusal.detail}


def _unknown(found: Takeover) -> list[tuple[str, str, list[Any]]]:
    """Names of the cloud that stand for nothing of the catalogue, with their kind and what they can be taken for."""
    still_open = found.candidates.filter(status=CandidateStatus.OPEN)
    queries = [
        still_open.filter(obstacles__contains=[obstacle])
        .order_by()
        .values_list(Value(kind), F(column))
        .distinct()
        for kind, (obstacle, column) in UNKNOWN.items()
    ]
    names = sorted(queries[0].union(*queries[1:]))
    offered = {
        kind: list(services.CATALOGUE[kind].objects.order_by("code")) for kind in {k for k, _n in names}
    }
    return [(kind, name, offered[kind]) for kind, name in names]
