"""Who may change what departments are allowed to have."""

from datetime import datetime

from tenants.models import Role, User
from tenants.policies import require


def require_limit_keeper(actor: User, *, at: datetime) -> None:
    """Limits are set by the centre's cloud administrators. Raises RoleMissing for anybody else."""
    require(actor, Role.CLOUD_ADMIN, at=at)
