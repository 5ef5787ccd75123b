"""The page on which somebody decides about an order, and what else people do about a case: share it, answer, remind."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from govcloud import clock
from govcloud.approvals import reminders, sharing
from govcloud.approvals.models import Case, Consultation, Manner, Verb
from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.orders import services as orders
from govcloud.orders.grounds import grounds_of
from govcloud.orders.models import Order
from govcloud.orders.resolution import as_uuid
from govcloud.portal import deeds
from govcloud.portal.deciding import objections
from govcloud.portal.deciding.forms import LONGEST, bounded, chosen, typed, verb_of
from govcloud.portal.deciding.offers import Offer
from govcloud.portal.deeds import Refused
from govcloud.portal.order import views as order_page
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import seen_or_404
from govcloud.provisioning import capacity
from tenants.models import User


@dataclass(frozen=True, slots=True)
class Pool:
    """A cloud's pool of storage, in GB; None where its back end does not say."""

    name: str
    total: Decimal | None
    free: Decimal | None


Deed = Callable[[Order, Case, dict[str, str], User, datetime], object]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@resumes
def decision(request: HttpRequest, number: str) -> HttpResponse:
    """What an approver needs to decide, and the form; who has nothing to decide is led to the order itself."""
    if request.method == "POST":
        return _do(request, number, _decide, "decision", ("verb", "opinion", "revision_hash", "stage"))
    actor, at = cast("User", request.user), clock.now()
    order = order_page.visible(number, actor, at=at)
    return _page(request, order, actor, at=at)


@require_POST
@login_required
@resumes
def delegation(request: HttpRequest, number: str) -> HttpResponse:
    """Give one's seat to another person, or a seat one gave to yet another."""
    return _do(request, number, _delegate, "delegation", ("person", "reason", "stage", "seat"))


@require_POST
@login_required
@resumes
def reviewer(request: HttpRequest, number: str) -> HttpResponse:
    """Have somebody sign as well."""
    return _do(request, number, _add_reviewer, "reviewer", ("person", "reason", "stage"))


@require_POST
@login_required
@resumes
def consultation(request: HttpRequest, number: str) -> HttpResponse:
    """Ask for an opinion."""
    return _do(request, number, _consult, "consultation", ("person", "question", "manner", "stage"))


@require_POST
@login_required
@resumes
def reminder(request: HttpRequest, number: str) -> HttpResponse:
    """Ask for haste."""
    return _do(request, number, _remind, "reminder", ("text",))


@require_POST
@login_required
@resumes
def answer(request: HttpRequest, number: str, uuid: UUID) -> HttpResponse:
    """Give the opinion that one was asked for."""

    def give(_order: Order, case: Case, given: dict[str, str], actor: User, at: datetime) -> object:
        text = bounded(given["answer"])
        return sharing.answer(consultation=_of(case, uuid, actor, at=at), text=text, actor=actor, at=at)

    return _do(request, number, give, "answer", ("answer",), about=str(uuid))


@require_POST
@login_required
def waiver(request: HttpRequest, number: str, uuid: UUID) -> HttpResponse:
    """Do without an opinion."""

    def do_without(_order: Order, case: Case, _given: dict[str, str], actor: User, at: datetime) -> object:
        return sharing.waive(consultation=_of(case, uuid, actor, at=at), actor=actor, at=at)

    return _do(request, number, do_without, "waiver", ())


def _decide(order: Order, _case: Case, given: dict[str, str], actor: User, at: datetime) -> object:
    return orders.decide(
        order=order,
        verb=verb_of(given["verb"]),
        opinion=bounded(given["opinion"]),
        revision_hash=given["revision_hash"],
        stage=given["stage"],
        actor=actor,
        at=at,
    )


def _delegate(_order: Order, case: Case, given: dict[str, str], actor: User, at: datetime) -> object:
    return sharing.delegate(
        case=case,
        stage=given["stage"],
        person=chosen(sharing.eligible(case=case, at=at), given["person"]),
        reason=bounded(given["reason"]),
        seat=as_uuid(given["seat"]),
        actor=actor,
        at=at,
    )


def _add_reviewer(_order: Order, case: Case, given: dict[str, str], actor: User, at: datetime) -> object:
    return sharing.add_reviewer(
        case=case,
        stage=given["stage"],
        person=chosen(sharing.eligible(case=case, at=at), given["person"]),
        reason=bounded(given["reason"]),
        actor=actor,
        at=at,
    )


def _consult(_order: Order, case: Case, given: dict[str, str], actor: User, at: datetime) -> object:
    return sharing.consult(
        case=case,
        stage=given["stage"],
        person=chosen(sharing.consulted(case=case, at=at), given["person"]),
        question=bounded(given["question"]),
        manner=Manner.AWAITED if given["manner"] == Manner.AWAITED else Manner.ADVISORY,
        actor=actor,
        at=at,
    )


def _remind(_order: Order, case: Case, given: dict[str, str], actor: User, at: datetime) -> object:
    return reminders.remind(case=case, text=bounded(given["text"], 200), actor=actor, at=at)


def _of(case: Case, uuid: UUID, actor: User, *, at: datetime) -> Consultation:
    """One that was asked for in this case. Foreign ones answer as if there were none, audited."""
    rows = Consultation.objects.select_related("stage__case__department")
    visible = rows.visible_to(actor, at=at)
    return seen_or_404(rows.filter(stage__case=case), rows, actor, at=at, uuid=uuid, elsewhere=visible)


def _do(
    request: HttpRequest, number: str, deed: Deed, form: str, fields: tuple[str, ...], *, about: str = ""
) -> HttpResponse:
    """Do it and lead to the order as it is then; or show the page again with why not and what was typed.

    ``about`` tells apart forms of which the page has several.
    """
    actor, at = cast("User", request.user), clock.now()
    order = order_page.visible(number, actor, at=at)
    case = order.case
    if case is None:
        raise Http404
    given = typed(request, *fields)
    told = {**given, "form": form, "about": about or given.get("seat", "")}
    refused = deeds.attempt(lambda: deed(order, case, given, actor, at), typed=told)
    if refused is None:
        return redirect("portal:order", number=number)
    return _page(request, order_page.visible(number, actor, at=at), actor, at=at, refused=refused)


def _has_form(refused: Refused, offered: Offer, people: sharing.Offered | None) -> bool:
    """Whether the page still has the form that was refused: the turn may be gone, or the opinion not wanted any more."""
    form, about = refused.typed.get("form"), refused.typed.get("about")
    if people is None:
        asked = form == "answer" and about in {str(one.uuid) for one in offered.asked}
        return asked or (form == "reminder" and offered.reminds)
    if about:
        return form == "delegation" and about in {str(seat.uuid) for seat, _persons in people.again}
    if offered.turn is None:
        return False
    return form in {"decision", "reviewer", "consultation"} or (
        form == "delegation" and not offered.turn.seat.person_id
    )


def _page(
    request: HttpRequest, order: Order, actor: User, *, at: datetime, refused: Refused | None = None
) -> HttpResponse:
    shown = order_page.context(order, actor, {}, at=at)
    case, offered = order.case, shown["offer"]
    if case is None or (refused is None and not offered.decides):
        return redirect("portal:order", number=order.number)
    people = sharing.offered(case=case, actor=actor, at=at) if offered.decides else None
    grounds = grounds_of(order=order, at=at)
    context = {
        **shown,
        "people": people,
        "refused": refused,
        "refilled": refused is not None and _has_form(refused, offered, people),
        "bar": grounds.bar,
        "objections": objections.told(grounds.objections, order),
        "effect": grounds.effect,
        "limits": grounds.limits,
        "capacity": _capacity(at=at),
        "verbs": Verb.choices,
        "manners": Manner.choices,
        "most": LONGEST,
    }
    return render(request, "portal/deciding/page.html", context, status=refused.status if refused else 200)


def _capacity(*, at: datetime) -> list[tuple[Cloud, capacity.Capacity, list[Pool]]]:
    """What the clouds had left when they were last looked at, with their pools of storage; a page asks no cloud."""
    clouds = list(Cloud.objects.filter(status=CloudStatus.ENABLED).order_by("name"))
    known = capacity.stored(clouds, at=at)
    return [(cloud, known[cloud.pk], _pools(known[cloud.pk])) for cloud in clouds if cloud.pk in known]


def _pools(left: capacity.Capacity) -> list[Pool]:
    return [Pool(name, total, free) for name, (total, free) in sorted(left.storage.items())]
