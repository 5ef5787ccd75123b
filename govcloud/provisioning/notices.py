"""Who is told that an operation waits for a person: those who can see to it, and the department that waits as well."""

from datetime import datetime

from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import Kind
from govcloud.provisioning.models import Operation
from tenants.models import Role


def parked(operation: Operation, *, at: datetime) -> None:
    """In plain words; what the cloud said is on the operation's page, for those who may read it."""
    system = operation.system
    notifications.post(
        kind=Kind.OPERATION_PARKED, subject=operation,
        facts={"system": system.name, "system_en": system.name_en},
        roles=[Role.CLOUD_ADMIN, Role.APPLICANT], department=system.department, thread=operation.thread, at=at,
    )  # fmt: skip
