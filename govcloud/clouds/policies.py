"""The register of clouds is the centre's: everybody sees where things are built, its keepers look after it."""

from tenants.access.permissions import Permission

KEEPERS = (Permission.REGISTER_CLOUDS,)
