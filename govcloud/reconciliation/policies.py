"""Findings are the centre's: its readers see them, its cloud administrators act on them, departments do neither."""

from tenants.models import Role
from tenants.policies import SEES_EVERYTHING

READERS = tuple(role for role in Role if role in SEES_EVERYTHING)
ACTORS = (Role.CLOUD_ADMIN,)
