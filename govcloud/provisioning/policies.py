"""Who may look at the engine itself. What it shows belongs to no department (see ``overview``)."""

from tenants.models import Role

OPERATORS = (Role.CLOUD_ADMIN, Role.SYSTEM_ADMIN, Role.SUPERVISOR)
