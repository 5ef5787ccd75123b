"""Who answers for a webhook: one whose keeper does not keep its department any more gets nothing.

Roles run out without anybody doing anything, so it is asked at every use, and not only when somebody leaves.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from govcloud import lifecycle
from govcloud.audit import services as audit
from govcloud.notifications import services
from govcloud.notifications.kinds import LOST_ITS_KEEPER, Kind
from govcloud.notifications.lifecycle import DeliveryState, WebhookStatus
from govcloud.notifications.models import Delivery, Webhook
from govcloud.notifications.policies import KEEPERS
from tenants.models import Role, User
from tenants.policies import read_scopes

KEEPING = audit.SystemActor("notifications")
REASON = "its keeper does not keep it any more"


def kept_by(person: User, *, at: datetime) -> list[Webhook]:
    """Those in use that the person answers for and may, as far as their roles go."""
    rows = _in_use().filter(keeper=person).order_by("name", "pk")
    lost = {each.pk for each in unkept(rows, at=at)}
    return [each for each in rows if each.pk not in lost]


def unkept(webhooks: Iterable[Webhook], *, at: datetime) -> list[Webhook]:
    """Those whose keeper has left, or has no role for it any more. One query, and none without webhooks."""
    rows = list(webhooks)
    if not rows:
        return []
    scopes = read_scopes([row.keeper for row in rows], at=at)
    return [
        row
        for row in rows
        if not row.keeper.is_active
        or not scopes[row.keeper_id].holds_any(
            (Role.SYSTEM_ADMIN,) if row.department is None else KEEPERS, department=row.department
        )
    ]


@transaction.atomic
def disable_unkept(
    webhooks: Iterable[Webhook] | None = None, *, at: datetime, actor: audit.Actor = KEEPING
) -> set[int]:
    """Of these (of all in use) disable those that nobody answers for, and tell who may take them over.

    Returns the keys of the unkept, also of those that somebody else has disabled meanwhile.
    """
    lost = {row.pk for row in unkept(_in_use() if webhooks is None else webhooks, at=at)}
    locked = _in_use().select_for_update(of=("self",)).filter(pk__in=lost).order_by("pk") if lost else ()
    for row in unkept(locked, at=at):  # as they are now that nobody takes one over
        disable(row, actor=actor, at=at, reason=REASON)
        services.post(
            kind=Kind.WEBHOOK_DISABLED,
            subject=row,
            facts={"name": row.name, "since_at": at, "action": LOST_ITS_KEEPER},
            roles=[Role.SYSTEM_ADMIN, *([] if row.department is None else [Role.UNIT_APPROVER])],
            without=[row.keeper_id],
            department=row.department,
            at=at,
        )
    return lost


def disable_those_of(person: User, *, actor: audit.Actor, at: datetime) -> None:
    """When somebody leaves, once their roles have ended."""
    disable_unkept(_in_use().filter(keeper=person), at=at, actor=actor)


def disable(webhook: Webhook, *, actor: audit.Actor, at: datetime, reason: str) -> None:
    """It gets nothing any more, not even what is on its way. The caller has locked it. Raises WrongState."""
    lifecycle.transition(
        webhook, WebhookStatus.DISABLED, actor=actor, at=at, reason=reason, version=webhook.version + 1
    )
    give_up_calls(webhook, at=at)


def give_up_calls(webhook: Webhook, *, at: datetime) -> int:
    """What was on its way to a webhook that gets nothing any more; each can be sent again by hand."""
    waiting = Delivery.objects.filter(webhook=webhook, state=DeliveryState.DUE)
    return waiting.update(state=DeliveryState.GIVEN_UP, next_run_at=None, lease_until=None, finished_at=at)


def _in_use() -> QuerySet[Webhook]:
    rows = Webhook.objects.filter(status=WebhookStatus.ACTIVE)
    return rows.select_related("department", "keeper")
