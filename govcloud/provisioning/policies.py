"""Who may look at the engine itself, which belongs to no department (see ``overview``), and at the clouds' own limits."""

from tenants.access.permissions import Permission
from tenants.models import Role

OPERATORS = (Permission.WATCH_ENGINE,)

LIMIT_READERS = (Role.CLOUD_ADMIN, Role.TECHNICAL_REVIEWER, Role.LEADER, Role.SUPERVISOR)
"""Who knows what a project of a cloud is: they read its limits there (see ``project_limits``)."""
