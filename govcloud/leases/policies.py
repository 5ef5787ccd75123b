"""Who has things taken back later than their grace says."""

from tenants.models import Role

POSTPONERS = (Role.CLOUD_ADMIN,)
