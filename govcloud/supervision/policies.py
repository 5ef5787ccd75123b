from tenants.models import Role

READERS = (Role.SUPERVISOR, Role.LEADER)
"""Who looks at the figures of the whole centre, and takes the appraisal out."""
