"""Whether a department is connected to the extranet (``tenants.connections``): those who have to act on it, or waited for it, are told."""

from datetime import datetime

from django.db import transaction

from govcloud.audit import services as audit
from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import Kind
from govcloud.organisation.policies import OF_A_UNIT
from tenants import connections
from tenants.models import Connection, Department, Role, User

TELLS = {
    Connection.REQUESTED: (Kind.CONNECTION_REQUESTED, (Role.SERVICE_DESK,)),
    Connection.CONNECTED: (Kind.CONNECTION_MADE, OF_A_UNIT),
    Connection.NOT_CONNECTED: (Kind.CONNECTION_ENDED, OF_A_UNIT),
}


def change(*, department: Department, to: str, reason: str, actor: audit.Actor, at: datetime) -> Department:
    """Move it on or back, and tell of it: the service desk of what is asked for, the unit's own people of what came of it.

    Raises what ``connections.change`` raises.
    """
    with transaction.atomic():
        current = connections.change(department=department, to=to, reason=reason, actor=actor, at=at)
        kind, roles = TELLS[Connection(to)]
        facts = {
            "department": current.name,
            "department_en": current.name_en,
            "actor": actor.audit_name,
            "reason": reason.strip(),
        }
        notifications.post(
            kind=kind, subject=current, facts=facts, roles=roles, department=current, at=at,
            without=[actor.pk] if isinstance(actor, User) else (),
        )  # fmt: skip
    return current
