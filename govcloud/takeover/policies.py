"""Takeovers (纳管) are the centre's: its readers see them, its cloud administrators carry them out."""

from tenants.access.permissions import Permission
from tenants.models import Role

READERS = (Permission.SEE_ALL,)
ACTORS = (Role.CLOUD_ADMIN,)
