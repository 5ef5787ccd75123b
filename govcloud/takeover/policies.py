"""Takeovers (纳管) are the centre's: its readers see them, its cloud administrators carry them out."""

from tenants.models import Role
from tenants.policies import SEES_EVERYTHING

READERS = tuple(role for role in Role if role in SEES_EVERYTHING)
ACTORS = (Role.CLOUD_ADMIN,)
