"""Who may change what departments are allowed to have."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from govcloud.errors import Conflict
from tenants.models import Department, Role, User
from tenants.policies import require

CAPACITY_READERS = (
    Role.CLOUD_ADMIN,
    Role.LEADER,
    Role.SUPERVISOR,
    Role.TECHNICAL_REVIEWER,
    Role.AUTHORITY_APPROVER,
)
"""Who sees what is granted to all units together against what there is: the centre's own, and those who decide on more."""


LIMIT_KEEPERS = (Role.CLOUD_ADMIN,)
"""Who sets limits and lifts them: the centre's own."""


class NothingAbove(Conflict):
    code = "quota-nothing-above"
    message = _("No unit is above this one that could hand quota on to it: its limit is raised by an order.")


def require_limit_keeper(actor: User, *, at: datetime) -> None:
    """Limits are set by the centre's cloud administrators. Raises RoleMissing for anybody else."""
    require(actor, *LIMIT_KEEPERS, at=at)


def require_allotter(actor: User, *, department: Department, at: datetime) -> None:
    """Quota is handed on, and taken back, by the unit approvers of the unit above, or of one above that.

    Raises RoleMissing for anybody else, and NothingAbove for a unit at the top.
    """
    require(actor, Role.UNIT_APPROVER, at=at, department=department.parent or department)
    if department.parent is None:
        raise NothingAbove
