from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from govcloud import clock
from govcloud.audit.models import Event, Outcome
from govcloud.catalog.models import Cloud
from govcloud.orders import cancellation as orders
from govcloud.orders.models import Order
from govcloud.portal import deeds, files
from govcloud.portal.deeds import Refused
from govcloud.portal.listing import Narrowing, choices, in_pages
from govcloud.portal.operation.rows import VIEWS, Filters, in_view, listed, matching, sheet, shown, what
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import seen_or_404
from govcloud.provisioning import by_hand, services
from govcloud.provisioning.actions import calling_off
from govcloud.provisioning.lifecycle import FINISHED, OperationStatus, StepState
from govcloud.provisioning.models import CloudCall, Operation
from tenants.models import Role
from tenants.policies import scope_of

if TYPE_CHECKING:
    from tenants.models import User

PAGE_SIZE = 20
MOST_IN_A_FILE = 20_000
CALLS_ON_A_PAGE = 50


@require_GET
@login_required
def operations(request: HttpRequest) -> HttpResponse:
    """What is being done to the clouds, waits, or has ended; it works without scripts."""
    actor, at = cast("User", request.user), clock.now()
    clouds = list(Cloud.objects.order_by("code"))
    filters = Filters.read(request.GET.dict(), clouds={each.code for each in clouds})
    counts = matching(filters, actor, at=at).aggregate(
        **{view or "running": Count("pk", filter=in_view(view, at=at)) for view in VIEWS}
    )
    total = counts[filters.view or "running"]
    pages = in_pages(listed(filters, actor, at=at), request.GET.get("page"), size=PAGE_SIZE, total=total)
    context = {
        "filters": filters,
        **pages.context,
        "rows": shown(pages.page.object_list, actor, at=at),
        "clouds": clouds,
        "views": choices(VIEWS, filters, counts, first="running"),
        "at": at,
    }
    return render(request, "portal/operation/list.html", context)


@require_GET
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    """The current list as a file, all pages of it or none."""
    actor, at = cast("User", request.user), clock.now()
    filters = Filters.read(request.GET.dict(), clouds=set(Cloud.objects.values_list("code", flat=True)))

    return files.hand_out(
        request,
        listed(filters, actor, at=at),
        lambda rows: sheet(rows, actor, at=at),
        most=MOST_IN_A_FILE,
        form=form,
        query=filters.query(),
        actor=actor,
        at=at,
    )


@require_GET
@login_required
@vary_on_headers("HX-Request")
def operation(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What is being done to a cloud, step by step, and what an administrator can do about it.

    Asked by the page itself (htmx) it answers with the part that changes until all is finished.
    """
    actor, at = cast("User", request.user), clock.now()
    return _page(request, _visible(uuid, actor, at=at), actor, at=at)


@require_POST
@login_required
def retry(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Try the steps that wait for an administrator again."""
    actor, at = deeds.admitted(request, Role.CLOUD_ADMIN)
    found = _visible(uuid, actor, at=at)
    refused = deeds.attempt(lambda: services.retry(operation=found, actor=actor, at=at))
    return _answer(request, uuid, actor, refused, at=at)


@require_POST
@login_required
@resumes
def abandonment(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Take down what it has made and nobody has been given yet."""
    actor, at = deeds.admitted(request, Role.CLOUD_ADMIN)
    found = _visible(uuid, actor, at=at)
    refused = deeds.attempt_for_reason(
        request, lambda reason: orders.abandon(operation=found, reason=reason, actor=actor, at=at)
    )
    return _answer(request, uuid, actor, refused, at=at)


@require_POST
@login_required
@resumes
def cancellation(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Call off what was asked for directly, for whoever may ask for it."""
    actor, at = cast("User", request.user), clock.now()
    found = _visible(uuid, actor, at=at)
    refused = deeds.attempt_for_reason(
        request, lambda reason: calling_off.cancel(operation=found, reason=reason, actor=actor, at=at)
    )
    return _answer(request, uuid, actor, refused, at=at)


def _visible(uuid: UUID, actor: "User", *, at: datetime) -> Operation:
    """Foreign operations answer as if there were none, audited."""
    rows = Operation.objects.select_related("cloud", "system__department", "resource")
    return seen_or_404(rows.visible_to(actor, at=at), rows, actor, at=at, uuid=uuid)


def _answer(
    request: HttpRequest, uuid: UUID, actor: "User", refused: Refused | None, *, at: datetime
) -> HttpResponse:
    if refused is None:
        return redirect("portal:operation", uuid=uuid)
    return _page(request, _visible(uuid, actor, at=at), actor, at=at, refused=refused)


def _page(
    request: HttpRequest, found: Operation, actor: "User", *, at: datetime, refused: Refused | None = None
) -> HttpResponse:
    administers = scope_of(actor, at=at).holds(Role.CLOUD_ADMIN)
    steps = list(found.steps.order_by("position"))
    parked = sum(step.state == StepState.PARKED for step in steps)
    abandonable = administers and found.finished_at is None
    bar = orders.bar_to_abandoning(found, steps) if abandonable else None
    may_abandon = abandonable and bar is None
    calls_off = None if may_abandon else calling_off.possibility(operation=found, actor=actor, at=at)
    context: dict[str, Any] = {
        "operation": found,
        "what": what(found),
        "order": Order.objects.visible_to(actor, at=at).filter(uuid=found.thread).first()
        if found.thread
        else None,
        "steps": steps,
        "left": [
            (step.label, left)
            for step in steps
            if (left := by_hand.left_by(kind=step.kind, reason=step.outputs.get("reason")))
        ],
        "finished": sum(step.state in FINISHED for step in steps),
        "parked": parked,
        "technical": administers,
        **(_calls(request, found) if administers and refused is None else {}),
        "may_retry": administers and parked,
        "may_abandon": may_abandon,
        "not_abandoned": bar.detail if bar is not None and calls_off is None else "",
        "calls_off": calls_off,
        "called_off": _called_off(found),
        "refilled": may_abandon or (calls_off is not None and not calls_off.refusal),
        "refused": refused,
        "most": deeds.LONGEST_REASON,
        "live": found.finished_at is None and refused is None,
        "at": at,
    }
    template = "live" if "HX-Request" in request.headers else "page"
    return render(
        request, f"portal/operation/{template}.html", context, status=refused.status if refused else 200
    )


def _called_off(found: Operation) -> Event | None:
    """Who had it taken back, when and why, as the audit trail has it."""
    if found.status not in {OperationStatus.UNDOING, OperationStatus.UNDONE, OperationStatus.PARKED}:
        return None
    undoing = f"operation.{OperationStatus.UNDOING}"
    return (
        Event.objects.filter(subject_id=found.uuid, verb=undoing, outcome=Outcome.DONE).order_by("pk").first()
    )


def _calls(request: HttpRequest, found: Operation) -> dict[str, Any]:
    """A page of the calls made for it, the latest first, as ``portal/pages.html`` wants it."""
    rows = (
        CloudCall.objects.filter(step__operation=found)
        .select_related("step__operation__system")
        .order_by("-id")
    )
    pages = in_pages(rows, request.GET.get("page"), size=CALLS_ON_A_PAGE)
    return {"shows_calls": True, "filters": Narrowing(), **pages.context}
