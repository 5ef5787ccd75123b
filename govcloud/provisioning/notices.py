"""Who is told that an operation waits for a person: those who can see to it, and the department that waits as well."""

from datetime import datetime

from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import DONE_DIRECTLY, Kind
from govcloud.notifications.texts import in_both
from govcloud.provisioning.models import Operation
from tenants.models import Role


def parked(operation: Operation, *, at: datetime) -> None:
    """In plain words; what the cloud said is on the operation's page, for those who may read it."""
    from govcloud.provisioning.actions.base import title_of  # noqa: PLC0415  actions plan steps, whose end this tells

    system = operation.system
    facts = {"action": str(operation.kind), "system": system.name, "system_en": system.name_en}
    if operation.resource is not None:
        facts |= {"action": DONE_DIRECTLY, "resource": operation.resource.name}
        facts |= in_both(lambda: title_of(operation.action), name="deed")
    notifications.post(
        kind=Kind.OPERATION_PARKED, subject=operation, facts=facts,
        roles=[Role.CLOUD_ADMIN, Role.APPLICANT], department=system.department, thread=operation.thread, at=at,
    )  # fmt: skip
