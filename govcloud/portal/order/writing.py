"""What who reads an order may do to write it: go on writing it, take it back, call it off, order changes of what it has built."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils.translation import gettext

from govcloud.catalog.models import Kind
from govcloud.orders.cancellation import Left, Separable, left_of
from govcloud.orders.lifecycle import EDITABLE, Status
from govcloud.orders.models import Order
from govcloud.portal.deeds import LONGEST_REASON
from govcloud.portal.writing import places
from govcloud.portal.writing.choices import CHOICES, Choice
from govcloud.portal.writing.offers import Option
from tenants.models import Role, System, User
from tenants.policies import scope_of


@dataclass(frozen=True, slots=True)
class Offer:
    """``new`` and ``changes`` are what can be put into it, if it can be edited; ``most`` the characters of a reason.

    ``changes_built`` says whether changes of what stands can be ordered; ``parts`` are what can be called off by itself, where
    there is more than that one.
    """

    edits: bool = False
    withdraws: bool = False
    calls_off: bool = False
    given_back: bool = False
    parts: Sequence[Option] = ()
    changes_built: bool = False
    new: Sequence[Choice] = ()
    changes: Sequence[Choice] = ()
    most: int = LONGEST_REASON


def offer(order: Order, actor: User, *, at: datetime) -> Offer:
    """Nothing for who is no applicant of the department; calling off also for cloud administrators."""
    of_system = offer_of_system(order.system, actor, at=at)
    if order.status == Status.FULFILLING:
        callers = (Role.APPLICANT, Role.CLOUD_ADMIN)
        if not scope_of(actor, at=at).holds_any(callers, department=order.system.department):
            return of_system
        left = left_of(order)
        calls_off = left.all_goes or bool(left.parts)
        return replace(
            of_system, calls_off=calls_off, given_back=left.barred and not calls_off, parts=_parts(left)
        )
    if not places.applies_for(order.system, actor, at=at):
        return of_system
    edits = order.status in EDITABLE
    return replace(
        of_system,
        edits=edits,
        withdraws=order.status in {Status.IN_APPROVAL, Status.RETURNED},
        new=[each for each in CHOICES.values() if each.creates] if edits else (),
        changes=[each for each in CHOICES.values() if not each.creates] if edits else (),
    )


def _parts(left: Left) -> Sequence[Option]:
    if len(left.parts) == 1 and not left.more:
        return ()
    return [Option(str(part.unit.uuid), _told(part)) for part in left.parts]


def _told(part: Separable) -> str:
    told = f"{part.unit.name} ({Kind(part.unit.item.kind).label})"
    if not part.taking:
        return told
    servers = gettext(", ").join(server.name for server in part.taking)
    return gettext("%(network)s, and with it the servers on it: %(servers)s") % {
        "network": told,
        "servers": servers,
    }


def offer_of_system(system: System, actor: User, *, at: datetime) -> Offer:
    """Orders for a system that is in service."""
    in_service = system.retired_at is None
    return Offer(changes_built=in_service and places.applies_for(system, actor, at=at))
