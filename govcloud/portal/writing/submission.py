"""Submitting an order that is written, taking it back, throwing a draft away, and calling off what is being built."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from govcloud import clock
from govcloud.approvals.services import PlannedStage
from govcloud.errors import DomainError, Invalid
from govcloud.orders import services
from govcloud.orders.cancellation import cancel
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order
from govcloud.orders.readiness import digest_of, files_of, fingerprint_of, obstacles, reckon, submit_as_read
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.order import items, quotes
from govcloud.portal.order import views as order_views
from govcloud.portal.order.items import Line
from govcloud.portal.order.parts import Asked
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import id_or_nobody
from govcloud.portal.writing import views as writing
from govcloud.portal.writing.sheets import ITEM, Problem
from tenants.models import Role, User

ALL = "all"  # of what does not stand yet is to be called off


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def submission(request: HttpRequest, number: str) -> HttpResponse:
    """What will be frozen, and what keeps it from being submitted; then submitting it."""
    found, actor, at = writing.asked(request, number)
    barred = writing.barred_from(request, found, actor, at=at)
    if barred is not None:
        return barred
    refused = None
    if request.method == "POST":
        refused = deeds.attempt(
            lambda: submit_as_read(
                order=found,
                expected_version=writing.version_of(request),
                expected_files=request.POST.get("files", ""),
                expected=request.POST.get("read", ""),
                actor=actor,
                at=at,
            )
        )
        if refused is None:
            return redirect("portal:order", number)
        found = order_views.visible(number, actor, at=at)
    return _page(request, found, at=at, refused=refused)


@require_POST
@login_required
@resumes
def withdrawal(request: HttpRequest, number: str) -> HttpResponse:
    """Take it back; a draft, which nobody has seen, without a reason."""
    found, actor, at = writing.asked(request, number)

    def withdraw(reason: str) -> object:
        return services.withdraw(order=found, reason=reason, actor=actor, at=at)

    if found.status == Status.DRAFT:
        refused = deeds.attempt(lambda: withdraw(""))
    else:
        refused = deeds.attempt_for_reason(request, withdraw)
    if refused is not None:
        return order_views.page(request, found, actor, at=at, refused=refused)
    return redirect("portal:order", number)


class NothingChosen(Invalid):
    """Nothing chosen is never all: what was chosen may have been finished since the page was read."""

    code = "nothing-chosen"
    message = gettext_lazy("Choose what is to be called off: one thing, or all of it.")


@require_POST
@login_required
@resumes
def cancellation(request: HttpRequest, number: str) -> HttpResponse:
    """Call off what of an order that is being built does not stand yet, or one thing of it; cloud administrators may, who
    write no orders.
    """
    actor, at = cast("User", request.user), clock.now()
    found = order_views.visible(number, actor, at=at)
    part = request.POST.get("part", "")
    units = None if part == ALL else {id_or_nobody(part)}

    def call_off(reason: str) -> object:
        if not part:
            raise NothingChosen
        return cancel(order=found, reason=reason, units=units, actor=actor, at=at)

    refused = deeds.attempt_for_reason(request, call_off)
    if refused is not None:
        refused = replace(refused, typed={**refused.typed, "part": part})
        return order_views.page(request, found, actor, at=at, refused=refused)
    return redirect("portal:order", number)


def _page(
    request: HttpRequest, order: Order, *, at: datetime, refused: Refused | None = None
) -> HttpResponse:
    lines = items.lines(order)
    asked = Asked.read(request.path, request.GET)
    reckoned = reckon(order=order, at=at)
    files = files_of(order)
    context = {
        "order": order,
        "lines": asked.part("items", lines),
        "quote": quotes.quote(order, lines, asked, reckoned=reckoned),
        "effect": reckoned.effect,
        "files": files,
        "files_digest": digest_of(files),
        "fingerprint": fingerprint_of(order, reckoned),
        "over": [one for one in reckoned.effect if not one.fits],
        "route": [(stage, _whose(stage)) for stage in reckoned.route],
        "problems": [
            *([Problem(reckoned.trouble)] if reckoned.trouble else ()),
            *(_problem(error, lines) for error in obstacles(order=order, reckoned=reckoned, at=at)),
        ],
        "refused": refused,
        "at": at,
    }
    return render(
        request, "portal/writing/submission.html", context, status=refused.status if refused else 200
    )


def _whose(stage: PlannedStage) -> str:
    return _(" and ").join(str(Role(role).label) for role in (stage.role, *stage.also_roles))


def _problem(error: DomainError, lines: Sequence[Line]) -> Problem:
    found = ITEM.fullmatch(error.pointers[0]) if error.pointers else None
    if found is None:
        return Problem(error.detail)
    position = int(found[1])
    return Problem(error.detail, position, next(line.name for line in lines if line.position == position))
