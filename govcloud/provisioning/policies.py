"""Who may look at the engine itself. What it shows belongs to no department (see ``overview``)."""

from tenants.access.permissions import Permission

OPERATORS = (Permission.WATCH_ENGINE,)
