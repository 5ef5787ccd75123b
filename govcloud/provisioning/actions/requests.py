"""Asking for a direct action: policy, state, and the operation that carries it out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Conflict
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Power, Resource, ResourceKind
from govcloud.provisioning import services
from govcloud.provisioning.actions.base import BROKEN, Action, Nothing, actions_of, claimed
from govcloud.provisioning.models import Operation, OperationKind
from govcloud.provisioning.queries import being_built
from govcloud.provisioning.services import StepSpec
from tenants.access import entry
from tenants.models import User
from tenants.policies import require, scope_of


class ActionNotAllowed(Conflict):
    code = "action-not-allowed"
    message = _("“%(name)s” cannot take “%(action)s” now: %(reason)s. What it can take: %(allowed)s.")
    nothing = _("“%(name)s” cannot take “%(action)s” now: %(reason)s. It can take nothing else either.")

    @property
    def detail(self) -> str:
        return super().detail if self.params["allowed"] else str(self.nothing) % self.params


ANOTHER_KIND = _("it is not that kind of thing")


@dataclass(frozen=True, slots=True)
class Possibility:
    """An action as somebody finds it on a resource; ``refusal`` is empty when they can ask for it now."""

    action: Action[Any]
    refusal: str


def possibilities(*, resource: Resource, actor: User, at: datetime) -> Iterator[Possibility]:
    """Every action that this kind of resource has for them, each with whether it can be asked for and why not."""
    scope, department = scope_of(actor, at=at), resource.system.department
    general, claim = _in_no_state_for_any(resource), claimed(resource)
    known = list(actions_of(resource.kind))
    barred = entry.without_second_factor(actor) if any(action.sensitive for action in known) else None
    for action in known:
        if scope.holds_any(action.roles, department=department):
            why = (
                barred.detail
                if barred and action.sensitive
                else general or _refusal(action, resource, claim) or action.in_vain(resource)
            )
            yield Possibility(action, str(why or ""))
        elif not action.for_the_centre:
            roles = gettext(", ").join(str(role.label) for role in action.roles)
            yield Possibility(action, gettext("only %(roles)s may do this") % {"roles": roles})


def request(
    *, resource: Resource, action: Action[Any], parameters: Any, actor: User, at: datetime
) -> Operation:
    """Start what was asked for. The resource is ``changing`` until the operation ends, and takes nothing else meanwhile.

    Raises RoleMissing, SecondFactorNeeded and SecondFactorUnconfirmed, ActionNotAllowed with what is allowed instead, and
    what the action's own rules refuse.
    """
    require_may(actor, action, resource, at=at)
    if action.resource_kind != resource.kind:
        # before the action looks for what only its own kind has
        raise _not_now(action, resource, ANOTHER_KIND)
    with transaction.atomic():
        action.lock(resource)
        with_it = _locked(resource, action.with_it(resource, parameters))
        resource = _taking(action, resource, with_it)
        action.check(resource, parameters)
        steps = _planned(action, resource, with_it, parameters, actor=actor, at=at)
        action.begin(resource, parameters, steps, actor=actor, at=at)
        return _started(action, resource, with_it, steps, actor=actor, at=at)


def ask(*, resource: Resource, action: Action[Any], actor: User, at: datetime) -> None:
    """Whether ``request`` would take it, whatever the parameters: for a form, before it is read.

    Raises RoleMissing, SecondFactorNeeded, SecondFactorUnconfirmed and ActionNotAllowed.
    """
    require_may(actor, action, resource, at=at)
    _require_now(action, resource)


def require_may(actor: User, action: Action[Any], resource: Resource, *, at: datetime) -> None:
    """Whatever the resource's state. Raises RoleMissing, SecondFactorNeeded and SecondFactorUnconfirmed."""
    require(actor, *action.roles, at=at, department=resource.system.department)
    if action.sensitive:
        entry.require_second_factor(actor)


def carry_out(
    *, resource: Resource, action: Action[Nothing], actor: audit.SystemActor, at: datetime
) -> Operation:
    """Start what nobody asked for and the system does by itself. Raises ActionNotAllowed."""
    with transaction.atomic():
        resource = _taking(action, resource)
        steps = _planned(action, resource, (), Nothing(), actor=actor, at=at)
        return _started(action, resource, (), steps, actor=actor, at=at)


def _taking(action: Action[Any], resource: Resource, with_it: Sequence[Resource] = ()) -> Resource:
    """The resource, locked and fresh. Raises ActionNotAllowed when it does not take the action now."""
    resource = Resource.objects.select_for_update(of=("self",)).with_particulars().get(pk=resource.pk)
    _require_now(action, resource, with_it)
    return resource


def _require_now(action: Action[Any], resource: Resource, with_it: Sequence[Resource] = ()) -> None:
    claim = claimed(resource)
    reason = (
        _in_no_state_for_any(resource)
        or _refusal(action, resource, claim)
        or next(filter(None, (_in_hand(each, action) for each in with_it)), None)
    )
    if reason is not None:
        raise _not_now(action, resource, reason, claim)


def _not_now(
    action: Action[Any], resource: Resource, reason: str | Promise, claim: str | None = None
) -> ActionNotAllowed:
    allowed = "" if _in_no_state_for_any(resource) else _allowed(resource, claim, besides=action)
    return ActionNotAllowed(name=resource.name, action=str(action.title), reason=str(reason), allowed=allowed)


def _planned(
    action: Action[Any],
    resource: Resource,
    with_it: Sequence[Resource],
    parameters: Any,
    *,
    actor: audit.Actor,
    at: datetime,
) -> list[StepSpec]:
    """The steps for what is marked as being changed from now on."""
    for each in (resource, *with_it):
        inventory.mark(resource=each, to=Status.CHANGING, actor=actor, thread=each.thread, at=at)
    return action.plan(resource, parameters, key=f"{resource.unit}:{action.name}:{uuid4()}")


def _started(
    action: Action[Any],
    resource: Resource,
    with_it: Sequence[Resource],
    steps: Sequence[StepSpec],
    *,
    actor: audit.Actor,
    at: datetime,
) -> Operation:
    return services.start(
        kind=OperationKind.ACTION,
        reason=resource.name,
        thread=None,
        system=resource.system,
        cloud=resource.cloud,
        steps=steps,
        actor=actor,
        at=at,
        resource=resource,
        action=action.name,
        with_it=with_it,
    )


def _locked(resource: Resource, keys: Sequence[int]) -> list[Resource]:
    """What is in hand with the resource, locked with it in the order that all keep."""
    if not keys:
        return []
    rows = Resource.objects.select_for_update(of=("self",)).filter(pk__in=[resource.pk, *keys])
    return [each for each in rows.order_by(inventory.SERVERS_FIRST, "pk") if each.pk != resource.pk]


def _in_hand(resource: Resource, action: Action[Any]) -> str | None:
    if resource.status == Status.ACTIVE and _is_broken(resource):
        return gettext("“%(name)s” is in error: %(reason)s") % {"name": resource.name, "reason": BROKEN}
    if resource.status == Status.ACTIVE and being_built(resource):  # it may be called off yet
        return gettext("“%(name)s” is still being built") % {"name": resource.name}
    if resource.status == Status.ACTIVE:
        return None if action.leaves_it_as_ordered else claimed(resource)
    told = {"name": resource.name, "status": Status(resource.status).label}
    return gettext("“%(name)s” is %(status)s") % told


def _in_no_state_for_any(resource: Resource) -> str | None:
    """Why it can take nothing at all now; None when it depends on the action."""
    if resource.status == Status.SUSPENDED:
        told = {"day": formats.date_format(timezone.localtime(resource.lease_end), "DATE_FORMAT")}
        return gettext("its lease ended on %(day)s. Order its renewal, or its release") % told
    if resource.status != Status.ACTIVE:
        return gettext("it is %(status)s") % {"status": Status(resource.status).label}
    return gettext("it is still being built") if being_built(resource) else None


def _refusal(action: Action[Any], resource: Resource, claim: str | None) -> str | Promise | None:
    """``claim`` is why something else is about to change or release it: that was judged on what it is now."""
    if action.resource_kind != resource.kind:
        return ANOTHER_KIND
    if not action.puts_right and _is_broken(resource):
        return BROKEN
    return action.refusal(resource) or (None if action.leaves_it_as_ordered else claim)


def _is_broken(resource: Resource) -> bool:
    return resource.kind == ResourceKind.SERVER and resource.server.power == Power.BROKEN


def _allowed(resource: Resource, claim: str | None, *, besides: Action[Any]) -> str:
    """What it can take; not what was just refused, as that may be for the sake of something else that it would have in hand."""
    known = (
        other
        for other in actions_of(resource.kind)
        if not other.for_the_centre and other.name != besides.name
    )
    possible = (
        other for other in known if (_refusal(other, resource, claim) or other.in_vain(resource)) is None
    )
    titles = [str(other.title) for other in possible]
    return gettext(", ").join(titles)
