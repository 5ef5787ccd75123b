"""One person, and what becomes of their work when they leave: looked at first, then done."""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from govcloud.audit import watching
from govcloud.audit.queries import history
from govcloud.organisation import handover
from govcloud.organisation.handover import Foreseen
from govcloud.organisation.people import kept_by, require_keeper, with_roles
from govcloud.organisation.policies import KEEPERS_OF_PEOPLE
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import seen_or_404
from govcloud.portal.tellings import told
from tenants.models import Role, User
from tenants.policies import RoleMissing, scope_of

if TYPE_CHECKING:
    from collections.abc import Sequence

HISTORY = 100


@require_GET
@login_required
def person(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One of them, with their roles."""
    actor, at = deeds.admitted(request, *KEEPERS_OF_PEOPLE)
    return _page(request, _found(uuid, actor, at=at), actor, at=at)


@require_POST
@login_required
@resumes
def departure(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Look what would move to whom, and in a second step, of what was looked at, have them leave."""
    actor, at = deeds.admitted(request, *KEEPERS_OF_PEOPLE)
    found = _found(uuid, actor, at=at)
    if not _may_let_go(found, actor, at=at):
        raise PermissionDenied
    chosen = _chosen(request, found, at=at)
    reason = request.POST.get("reason", "").replace("\0", "").strip()[: deeds.LONGEST_REASON]
    typed = {"reason": reason, "force": "yes" if "force" in request.POST else ""}
    foreseen = handover.foresee(person=found, successors=chosen, at=at)
    if "leave" not in request.POST and deeds.held_back() is None:
        watching.note(only_looks=True)
        return _page(request, found, actor, at=at, chosen=chosen, foreseen=foreseen, typed=typed)
    refused = deeds.attempt(
        lambda: handover.hand_over(
            person=found, successors=chosen, reason=reason, force="force" in request.POST,
            seen=request.POST.get("seen", ""), actor=actor, at=at,
        ),
        typed=typed,
    )  # fmt: skip
    if refused is None:
        return redirect("portal:people")
    return _page(request, found, actor, at=at, chosen=chosen, foreseen=foreseen, refused=refused, typed=typed)


def _chosen(request: HttpRequest, found: User, *, at: datetime) -> list[User]:
    """Of those whom the page offers."""
    named = set(request.POST.getlist("successor"))
    return [each for each in handover.possible_successors(person=found, at=at) if str(each.uuid) in named]


def _found(uuid: UUID, actor: User, *, at: datetime) -> User:
    """Who is not of the actor's units answers as if there were nobody, audited."""
    kept = with_roles(kept_by(actor, at=at), actor, at=at)
    return seen_or_404(kept, User.objects.all(), actor, at=at, uuid=uuid)


def _may_let_go(found: User, actor: User, *, at: datetime) -> bool:
    try:
        require_keeper(person=found, actor=actor, at=at)
    except RoleMissing:
        return False
    return found.pk != actor.pk and found.is_active


def _page(
    request: HttpRequest,
    found: User,
    actor: User,
    *,
    at: datetime,
    chosen: "Sequence[User]" = (),
    foreseen: Foreseen | None = None,
    refused: Refused | None = None,
    typed: dict[str, str] | None = None,
) -> HttpResponse:
    may_let_go = _may_let_go(found, actor, at=at)
    context: dict[str, Any] = {
        "person": found,
        "may_let_go": may_let_go,
        "possible": handover.possible_successors(person=found, at=at) if may_let_go else [],
        "chosen": {each.pk for each in chosen},
        "foreseen": foreseen,
        "seen": foreseen.seal if foreseen else "",
        "refused": refused,
        "typed": typed or {},
        "most": deeds.LONGEST_REASON,
        "history": [(event, told(event)) for event in history(found.uuid).reverse()[:HISTORY]]
        if scope_of(actor, at=at).holds(Role.SECURITY_ADMIN)
        else [],
        "at": at,
    }
    return render(request, "portal/person/page.html", context, status=refused.status if refused else 200)
