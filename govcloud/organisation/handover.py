"""Somebody leaves: what they have open goes to their successors, and at the same moment they are nobody here any more."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from govcloud.approvals import absences
from govcloud.approvals import handover as approvals
from govcloud.audit import services as audit
from govcloud.audit.services import Entry
from govcloud.errors import Conflict, Invalid
from govcloud.notifications import keeping
from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import Kind
from govcloud.notifications.models import Webhook
from govcloud.orders.lifecycle import EDITABLE, OPEN
from govcloud.orders.models import Order
from govcloud.organisation import appointing
from govcloud.organisation.people import not_over
from tenants import memberships
from tenants.access import sessions, tokens
from tenants.access.models import ApiToken
from tenants.models import Membership, Role, User
from tenants.policies import scope_of

NAMED = 5
"""Of the orders in one notice; the others are counted."""


class LeavingOneself(Conflict):
    code = "leaving-oneself"
    message = _("Nobody hands over their own work: ask another administrator, or your unit's approver.")


class GoneAlready(Conflict):
    code = "gone-already"
    message = _("%(person)s has left already.")


class NoSuccessor(Invalid):
    code = "no-successor"
    message = _(
        "%(successor)s cannot take anything over: the account is not active, or it is the one that leaves."
    )


class NobodyTakesOver(Conflict):
    code = "nobody-takes-over"
    message = _(
        "None of the successors may take over: %(orders)s. Name somebody who applies for the department, has not decided on it and is not the only one who can."
    )


class UnitLeftWithout(Conflict):
    code = "unit-left-without"
    message = _("Nobody else would be %(roles)s. Give the role to somebody first, or force it with a reason.")


class NotAsSeen(Conflict):
    code = "handover-not-as-seen"
    message = _("This is not what you have looked at: look again, then confirm.")


class LeavingReasonMissing(Invalid):
    code = "leaving-reason-missing"
    message = _("Say why somebody leaves, and why it is forced where it is.")


@dataclass(frozen=True, slots=True)
class Move:
    """``successor`` None: nobody of those named may take it over."""

    order: Order
    successor: User | None


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a handover does, or has done. ``uncovered`` are the roles that nobody else holds where the leaver holds them, and
    ``webhooks`` those that get nothing any more until somebody takes them over.
    """

    moves: list[Move]
    held: list[Membership]
    uncovered: list[Membership]
    tokens: int
    webhooks: list[Webhook]

    @property
    def stuck(self) -> list[Order]:
        return [move.order for move in self.moves if move.successor is None]

    @property
    def seal(self) -> str:
        """The same for the same orders, successors, roles, tokens and webhooks."""
        moves = [f"{move.order.pk}>{move.successor.pk if move.successor else ''}" for move in self.moves]
        rows = (self.held, self.uncovered, self.webhooks)
        keys = (",".join(str(each.pk) for each in listed) for listed in rows)
        told = "|".join((",".join(moves), *keys, str(self.tokens)))
        return hashlib.sha256(told.encode()).hexdigest()


def foresee(*, person: User, successors: Sequence[User], at: datetime) -> Foreseen:
    """Raises NoSuccessor."""
    for each in successors:
        if not each.is_active or each.pk == person.pk:
            raise NoSuccessor(successor=each.audit_name, pointers=("/successors",))
    held = list(
        not_over(at=at).filter(user=person).select_related("department").order_by("department__path", "role")
    )
    return Foreseen(
        moves=_moves(_open_orders(person), successors, at=at),
        held=held,
        uncovered=[each for each in held if not _covered(each, at=at)],
        tokens=ApiToken.objects.filter(token__user=person).count(),
        webhooks=keeping.kept_by(person, at=at),
    )


def hand_over(
    *,
    person: User,
    successors: Sequence[User],
    reason: str,
    force: bool,
    actor: User,
    at: datetime,
    seen: str | None = None,
) -> Foreseen:
    """Reassign what is open, end every role, decline requests for roles, end what they stand in for, revoke tokens and sessions, disable the webhooks they keep, and deactivate
    the account: all at once.

    Forced, orders that no successor may take stay with the leaver's name (the department's other applicants work on them
    all the same), and roles may be left without a holder. With ``seen``, the seal of what was looked at, only that is done.
    Raises LeavingOneself, GoneAlready, NoSuccessor, LeavingReasonMissing, NotAsSeen, NobodyTakesOver and UnitLeftWithout.
    """
    if actor.pk == person.pk:
        raise LeavingOneself
    if not reason.strip():
        raise LeavingReasonMissing(pointers=("/reason",))
    with transaction.atomic():
        leaver, *successors = _locked(person, *successors)
        if not leaver.is_active:
            raise GoneAlready(person=leaver.audit_name)
        _lock_orders(leaver)
        approvals.lock(person=leaver)
        foreseen = foresee(person=leaver, successors=successors, at=at)
        if seen is not None and seen != foreseen.seal:
            raise NotAsSeen
        if not force:
            _require_whole(foreseen)
        _reassign(foreseen.moves, actor=actor, at=at)
        memberships.end_all(user=leaver, reason=reason.strip(), actor=actor, at=at)
        _shut_out(leaver, reason=reason.strip(), actor=actor, at=at)
        absences.end_substitutions(of=leaver, reason=reason.strip(), actor=actor, at=at)
        appointing.decline_void(person=leaver, actor=actor, at=at, reason=reason.strip())
        approvals.vacate(person=leaver, actor=actor, at=at)
        keeping.disable_those_of(leaver, actor=actor, at=at)
        _tell(leaver, foreseen, successors, reason.strip(), forced=force, actor=actor, at=at)
    return foreseen


def possible_successors(*, person: User, at: datetime) -> list[User]:
    """Who may take over at least something of what the person has open, or else who holds a role where they do."""
    units = {order.system.department for order in _open_orders(person)}
    units |= {
        each.department
        for each in not_over(at=at).filter(user=person).select_related("department")
        if each.department
    }
    above = {pk for unit in units for pk in unit.ancestor_ids}
    holders = Membership.objects.valid(at=at).filter(role=Role.APPLICANT, department__in=above)
    people = User.objects.filter(pk__in=holders.values("user"), is_active=True).exclude(pk=person.pk)
    return list(people.order_by("display_name", "username"))


def _locked(*people: User) -> list[User]:
    """As they are now, locked in one order, so that two who leave to each other do not wait in a ring."""
    rows = (
        User.objects.select_for_update(no_key=True).filter(pk__in=[each.pk for each in people]).order_by("pk")
    )
    found = {each.pk: each for each in rows}
    return [found[each.pk] for each in people]


def _lock_orders(person: User) -> None:
    """Nobody submits or withdraws one of them meanwhile."""
    rows = Order.objects.filter(applicant=person, status__in=EDITABLE | OPEN).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk", flat=True))


def _open_orders(person: User) -> list[Order]:
    orders = Order.objects.filter(applicant=person, status__in=EDITABLE | OPEN)
    return list(orders.select_related("system__department", "case", "applicant").order_by("pk"))


def _moves(orders: Iterable[Order], successors: Sequence[User], *, at: datetime) -> list[Move]:
    listed = list(orders)
    barred = approvals.deciders_of([order.case_id for order in listed if order.case_id is not None])
    # Nobody approves what they apply for: the only approver must not become the applicant.
    cases = [order.case for order in listed if order.case is not None]
    barred |= approvals.missed(cases=cases, people=successors, at=at)
    scopes = [(each, scope_of(each, at=at)) for each in successors]
    return [
        Move(
            order,
            next(
                (
                    each
                    for each, scope in scopes
                    if scope.holds(Role.APPLICANT, department=order.system.department)
                    and (order.case_id, each.pk) not in barred
                ),
                None,
            ),
        )
        for order in listed
    ]


def _covered(membership: Membership, *, at: datetime) -> bool:
    """Whether somebody else holds the role there, or above; a unit that is closed needs nobody."""
    department = membership.department
    if department is not None and department.closed_at is not None:
        return True
    where = Q(department__isnull=True) if department is None else Q(department__in=department.ancestor_ids)
    others = Membership.objects.valid(at=at).filter(where, role=membership.role, user__is_active=True)
    return others.exclude(user=membership.user_id).exists()


def _require_whole(foreseen: Foreseen) -> None:
    if foreseen.stuck:
        numbers = gettext(", ").join(order.number for order in foreseen.stuck)
        raise NobodyTakesOver(orders=numbers, pointers=("/successors",))
    if foreseen.uncovered:
        told = [
            f"{each.get_role_display()} ({each.department})"
            if each.department
            else str(each.get_role_display())
            for each in foreseen.uncovered
        ]
        raise UnitLeftWithout(roles=gettext(", ").join(told), pointers=("/force",))


def _reassign(moves: Sequence[Move], *, actor: audit.Actor, at: datetime) -> None:
    for successor in dict.fromkeys(move.successor for move in moves if move.successor is not None):
        orders = [move.order for move in moves if move.successor == successor]
        Order.objects.filter(pk__in=[order.pk for order in orders]).update(applicant=successor)
        entries = [
            Entry(
                order,
                {"applicant": successor.audit_ref},
                before={"applicant": order.applicant.audit_ref},
                thread=order.uuid,
            )
            for order in orders
        ]
        audit.record_many(actor=actor, verb="order.reassigned", entries=entries, at=at)
        cases = [order.case for order in orders if order.case is not None]
        approvals.reassign(cases=cases, to=successor, actor=actor, at=at)
        if successor != actor:
            _tell_successor(successor, orders, at=at)


def _tell_successor(successor: User, orders: Sequence[Order], *, at: datetime) -> None:
    """In one notice; of a single order it leads to that one."""
    labels = ", ".join(order.number for order in orders[:NAMED])
    facts = {
        "person": orders[0].applicant.audit_name,
        "count": len(orders),
        "labels": labels if len(orders) <= NAMED else f"{labels}, …",
    }
    notifications.post(
        kind=Kind.ORDERS_HANDED_OVER, subject=successor, facts=facts, people=[successor.pk],
        thread=orders[0].uuid if len(orders) == 1 else None, at=at,
    )  # fmt: skip


def _shut_out(person: User, *, reason: str, actor: audit.Actor, at: datetime) -> None:
    """At once: a token or a session that is open this moment is good for nothing the next."""
    tokens.revoke_all(user=person, actor=actor, at=at, reason=reason)
    sessions.end(user=person)
    person.is_active = False
    person.set_unusable_password()
    person.save(update_fields=["is_active", "password"])


def _tell(
    person: User,
    foreseen: Foreseen,
    successors: Sequence[User],
    reason: str,
    *,
    forced: bool,
    actor: audit.Actor,
    at: datetime,
) -> None:
    after = {
        "active": False,
        "successors": [each.audit_ref for each in successors],
        "orders": len(foreseen.moves) - len(foreseen.stuck),
        "orders_left": [order.number for order in foreseen.stuck],
        "roles": len(foreseen.held),
        "roles_without_holder": [each.role for each in foreseen.uncovered],
        "tokens": foreseen.tokens,
        "webhooks": [each.name for each in foreseen.webhooks],
        "forced": forced,
    }
    audit.record(
        actor=actor,
        verb="person.left",
        subject=person,
        at=at,
        before={"active": True},
        after=after,
        reason=reason,
    )
