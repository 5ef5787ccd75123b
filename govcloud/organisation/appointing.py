"""An administrator's role takes two security administrators (``tenants.access.grants``): the others hear that one of them is
needed, and those concerned how it ended.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from govcloud.approvals import handover
from govcloud.audit import refusals
from govcloud.lifecycle import transition
from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import Kind
from govcloud.notifications.models import Notice
from govcloud.notifications.texts import in_both
from tenants.access import grants
from tenants.access.models import RequestStatus, RoleRequest
from tenants.models import Membership, Role, User

LATEST = timedelta(days=7)
"""After so long it is no news any more that a request has lapsed."""


def ask(
    *,
    user: User,
    role: str,
    reason: str,
    actor: User,
    at: datetime,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
) -> RoleRequest:
    """Ask for it, and tell everybody who could be the second person. Raises what ``grants.ask`` raises."""
    with _together():
        request = grants.ask(
            user=user, role=role, reason=reason, valid_from=valid_from, valid_until=valid_until, actor=actor, at=at
        )  # fmt: skip
        _tell(Kind.ROLE_REQUESTED, request, actor, at=at, seconds=True)
    return request


def confirm(*, request: RoleRequest, actor: User, at: datetime) -> Membership:
    """Be the second person, and tell who asked and who holds the role now. Raises what ``grants.confirm`` raises."""
    with _together():
        membership = grants.confirm(request=request, actor=actor, at=at)
        people = {request.requested_by_id, request.user_id}
        _tell(Kind.ROLE_CONFIRMED, request, actor, at=at, people=people)
    return membership


def decline(*, request: RoleRequest, actor: User, at: datetime, reason: str) -> None:
    """Decline it, or take one's own back, and tell who asked unless it is them. Raises what ``grants.decline`` raises."""
    with _together():
        grants.decline(request=request, actor=actor, at=at, reason=reason)
        people = {request.requested_by_id} - {actor.pk}
        _tell(Kind.ROLE_DECLINED, request, actor, at=at, people=people, reason=reason)


def revoke(*, membership: Membership, actor: User, at: datetime, reason: str) -> None:
    """Take a role away, and decline what nobody can confirm without it. Raises what ``approvals.handover.revoke`` raises."""
    with _together():
        handover.revoke(membership=membership, actor=actor, at=at, reason=reason)
        decline_void(person=membership.user, actor=actor, at=at, reason=reason)


def decline_void(*, person: User, actor: User, at: datetime, reason: str) -> int:
    """Decline open requests of a ``person`` who may not ask any more, and those for them if they have left; returns how many.

    Runs in the transaction that takes the role or the account away. Who asked for somebody who leaves is told.
    """
    current = User.objects.get(pk=person.pk)
    void = Q(pk__in=[])
    if not grants.may_ask(current, at=at):
        void |= Q(requested_by=current)
    if not current.is_active:
        void |= Q(user=current)
    rows = RoleRequest.objects.filter(void, status=RequestStatus.OPEN).order_by("pk")
    requests = list(rows.select_for_update(of=("self",)).select_related("user"))
    for request in requests:
        transition(
            request,
            RequestStatus.DECLINED,
            actor=actor,
            at=at,
            reason=reason,
            decided_by=actor,
            decided_at=at,
        )
        people = {request.requested_by_id} - {actor.pk, current.pk}
        if people:
            _tell(Kind.ROLE_DECLINED, request, actor, at=at, people=people, reason=reason)
    return len(requests)


def tell_lapsed(*, at: datetime) -> int:
    """Tell who asked that nobody confirmed in time; returns of how many requests.

    A request stays open when its time is over, so whether it was told is in the outbox itself: looked up under the
    request's lock, so that of two at once one tells. Only of the last ``LATEST``, which keeps that a short list.
    """
    with transaction.atomic():
        over = RoleRequest.objects.filter(
            status=RequestStatus.OPEN, expires_at__lte=at, expires_at__gt=at - LATEST
        )
        requests = list(over.select_for_update(of=("self",), skip_locked=True).select_related("user"))
        told = Notice.objects.filter(
            kind=Kind.ROLE_LAPSED, subject_id__in=[request.uuid for request in requests]
        )
        before = set(told.values_list("subject_id", flat=True)) if requests else set()
        due = [request for request in requests if request.uuid not in before]
        for request in due:
            _tell(Kind.ROLE_LAPSED, request, None, at=at, people={request.requested_by_id})
    return len(due)


@contextmanager
def _together() -> Iterator[None]:
    """One transaction for the change and its notice; a refusal, which rolls it back, is written after it."""
    with refusals.kept(), transaction.atomic():
        yield


def _tell(
    kind: Kind,
    request: RoleRequest,
    actor: User | None,
    *,
    at: datetime,
    people: Collection[int] = (),
    seconds: bool = False,
    reason: str = "",
) -> None:
    """``seconds``: those who could be the second person."""
    facts = {
        **in_both(request.get_role_display, name="role"),
        "person": str(request.user),
        "actor": str(actor) if actor else "",
        "reason": reason or request.reason,
        "expires_at": request.expires_at,
    }
    notifications.post(
        kind=kind, subject=request, facts=facts, people=people, roles=[Role.SECURITY_ADMIN] if seconds else (),
        without=[request.requested_by_id, request.user_id], at=at,
    )  # fmt: skip
