"""For which systems somebody may write orders, and which of their orders they may go on writing."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404

from govcloud.audit import refusals
from govcloud.inventory.models import Resource
from govcloud.orders.lifecycle import EDITABLE
from govcloud.orders.models import Order
from govcloud.orders.queries import systems_named
from tenants.access.permissions import DUTIES
from tenants.models import Role, System, User
from tenants.policies import scope_of

MOST_TOLD = 6


def applies_for(system: System, actor: User, *, at: datetime) -> bool:
    """Whether the actor is an applicant of the system's department."""
    return scope_of(actor, at=at).holds(Role.APPLICANT, department=system.department)


def require_applicant(system: System, actor: User, *, at: datetime) -> None:
    """Raises PermissionDenied."""
    if not applies_for(system, actor, at=at):
        raise PermissionDenied


def orderable(actor: User, *, at: datetime) -> QuerySet[System]:
    """The systems in service for which the actor may write orders."""
    systems = System.objects.filter(retired_at=None, department__closed_at=None)
    scope, duty = scope_of(actor, at=at), DUTIES[Role.APPLICANT]
    if duty in scope.permissions:
        return systems
    condition = Q(pk__in=[])
    for permission, path in scope.unit_permissions:
        if permission == duty:
            condition |= Q(department__path__startswith=path)
    return systems.filter(condition)


def meant(text: str, actor: User, *, by_code: bool, at: datetime) -> list[System]:
    """Which of them somebody means by a code or a name: the one with it; else those in whose names it is, not all of many.

    ``by_code`` is for what no person has typed.
    """
    rows = orderable(actor, at=at).select_related("department").order_by("name", "code")
    names = (Q(name=text) | Q(name_en=text), Q(pk__in=systems_named(text)))
    for called in (Q(code=text), *(() if by_code else names)):
        found = list(rows.filter(called)[:MOST_TOLD]) if text else []
        if found:
            return found
    return []


def begun(system: System, actor: User, *, at: datetime) -> QuerySet[Order]:
    """The orders for a system that the actor can still write, the latest first."""
    if not applies_for(system, actor, at=at):
        return Order.objects.none()
    return Order.objects.filter(system=system, status__in=EDITABLE).order_by("-pk")


def require_seen(named: Collection[UUID], actor: User, *, at: datetime) -> None:
    """That the actor may see every resource that is named. Raises Http404 alike whether there is one; what is foreign is audited."""
    if not named:
        return
    visible = Resource.objects.visible_to(actor, at=at).filter(uuid__in=named)
    unseen = set(named) - set(visible.values_list("uuid", flat=True))
    if not unseen:
        return
    for each in Resource.objects.filter(uuid__in=unseen):
        refusals.refuse(actor=actor, verb="access.refused", subject=each, at=at, reason="not-found")
    raise Http404
