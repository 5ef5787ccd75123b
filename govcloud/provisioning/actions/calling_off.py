"""Calling off what was asked for directly, while it is done or waits for a person."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Conflict, DomainError
from govcloud.inventory.models import Resource
from govcloud.provisioning import completion, services
from govcloud.provisioning.actions.base import Action, actions
from govcloud.provisioning.actions.requests import Possibility, require_may
from govcloud.provisioning.lifecycle import OperationStatus
from govcloud.provisioning.models import Operation, OperationKind
from govcloud.provisioning.services import CalledOffAlready
from tenants.access import entry
from tenants.models import Role, User
from tenants.policies import require, scope_of


class NoDirectAction(Conflict):
    code = "no-direct-action"
    message = _("Only what was asked of a resource directly is called off so. %(instead)s")


class ActionOver(Conflict):
    code = "action-over"
    message = _(
        "“%(action)s” is over (%(status)s), and cannot be called off any more. What it has done can be changed by another action."
    )


class ActionTakesAway(Conflict):
    code = "action-takes-away"
    message = _(
        "“%(action)s” takes something away, which cannot be taken back: it goes on until it is done. What it waits for is "
        "an administrator's to put right."
    )


THE_ORDERS = frozenset(
    {
        OperationKind.DELIVER, OperationKind.EXTEND, OperationKind.RESIZE, OperationKind.REQUOTA, OperationKind.RETYPE,
        OperationKind.RENEW, OperationKind.ADDRESS, OperationKind.RELEASE,
    }
)  # fmt: skip
"""What is done for an order."""
CALL_OFF_THE_ORDER = _("An order asked for this: call off the order, or a part of it.")
THE_CENTRES = _("This is the centre's own: a cloud administrator can abandon it.")


def cancel(*, operation: Operation, reason: str, actor: User, at: datetime) -> Operation:
    """Have taken back what a direct action has done so far; it ends as one that an administrator abandons.

    Whoever may ask for the action may call it off, whoever asked. What landed and cannot be taken back is recorded as it is.

    Raises RoleMissing, SecondFactorNeeded and SecondFactorUnconfirmed as asking for it does; NoDirectAction, ActionOver,
    CalledOffAlready and ActionTakesAway.
    """
    action, resource = _asked_for(operation, actor=actor, at=at)
    with transaction.atomic():
        operation = completion.lock(operation)
        refusal = _refusal(operation, action)
        if refusal is not None:
            raise refusal
        operation = services.abandon(operation=operation, reason=reason, actor=actor, at=at)
        audit.record(
            actor=actor, verb="resource.action_called_off", subject=resource, at=at, thread=resource.thread,
            after={"action": action.name, "operation": str(operation.uuid)}, reason=reason,
        )  # fmt: skip
    return operation


def possibility(*, operation: Operation, actor: User, at: datetime) -> Possibility | None:
    """The action as somebody finds it who might call it off, with why they cannot; None where it is not theirs, or over."""
    action, resource = actions().get(operation.action), operation.resource
    if action is None or resource is None or operation.finished_at is not None:
        return None
    if not scope_of(actor, at=at).holds_any(action.roles, department=resource.system.department):
        return None
    barred = entry.without_second_factor(actor) if action.sensitive else None
    refusal = _refusal(operation, action) or barred
    return Possibility(action, refusal.detail if refusal else "")


def _asked_for(operation: Operation, *, actor: User, at: datetime) -> tuple[Action[Any], Resource]:
    """The action and its resource, for who may ask for it. How a finding is put right has a resource in hand, and is none."""
    action, resource = actions().get(operation.action), operation.resource
    if action is None or resource is None:
        require(actor, Role.APPLICANT, Role.CLOUD_ADMIN, at=at, department=operation.system.department)
        raise NoDirectAction(instead=CALL_OFF_THE_ORDER if operation.kind in THE_ORDERS else THE_CENTRES)
    require_may(actor, action, resource, at=at)
    return action, resource


def _refusal(operation: Operation, action: Action[Any]) -> DomainError | None:
    if operation.finished_at is not None:
        return ActionOver(action=action.title, status=OperationStatus(operation.status).label)
    if completion.is_undoing(operation):
        return CalledOffAlready()
    return ActionTakesAway(action=action.title) if services.takes_down(operation) else None
