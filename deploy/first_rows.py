"""The first rows of an installation: an example, to be changed before it is run, once.

    manage.py shell < deploy/first_rows.py

It starts from the demo's catalogue and price book (its figures are a province's published ones: change them), names
one cloud of clouds.yaml, and registers one department with a system and its first people. They get no password: set
each with ``manage.py changepassword NAME``; they change it, and set up their second factor, at the first sign-in.
"""

# ruff: noqa: INP001  run by hand, imported by nobody

from django.utils import timezone

from govcloud.approvals.services import publish_default_flow
from govcloud.audit.services import SystemActor
from govcloud.calendars import services as calendars
from govcloud.catalog.models import Cloud, CloudFlavor, Zone
from govcloud.demo import clouds, offers
from govcloud.quotas.models import Dimension
from govcloud.quotas.services import open_accounts
from tenants.access.grants import appoint
from tenants.models import ADMINISTRATORS, Connection, Division, Role, User
from tenants.roles import grant_role
from tenants.services import register_department, register_system

CLOUD = "mycloud"  # its name in clouds.yaml
told = {"actor": SystemActor("first rows"), "at": timezone.now()}

# Working days, the approval flow, what can be ordered and what it costs
calendars.seed(years=(2025, 2026))
publish_default_flow(**told)
offers.load()

# A cloud: things bear the catalogue's codes there, unless a row says otherwise
clouds.load(CLOUD)
cloud = Cloud.objects.get(code=CLOUD)
Cloud.objects.filter(pk=cloud.pk).update(
    name="区本级云", name_en="Regional cloud", management_cidr="10.100.0.0/24"
)
Zone.objects.filter(cloud=cloud, zone="private").update(
    address_pool="10.120.0.0/16", dns_servers="10.100.0.53"
)
CloudFlavor.objects.filter(cloud=cloud, flavor__code="g.4c16g").update(cloud_name="m1.large")

# A department with its quota, a system, and people
division = Division.objects.create(code="450000", name="广西壮族自治区", name_en="Guangxi")
department = register_department(
    name="示范局", name_en="Model Bureau", credit_code="11450000MB9900013R", division=division,
    connection_status=Connection.CONNECTED, **told,
)  # fmt: skip
open_accounts(department=department, limits=dict.fromkeys(Dimension.values, 1_000), **told)
register_system(
    department=department, code="model-portal", name="示范门户", name_en="Model portal", mlps_level=2,
    filing_number="450100-99000-26001", **told,
)  # fmt: skip


def person(name: str, label: str) -> User:
    """An account without a password yet."""
    made = User(username=name, display_name=label)
    made.set_unusable_password()
    made.save()
    return made


# Administrators first: two system administrators, because publishing an approval flow takes both, and last of all the second
# security administrator, because from then on an administrator's role takes both of these
for role in (Role.SYSTEM_ADMIN, Role.AUDIT_ADMIN, Role.SECURITY_ADMIN):
    appoint(user=person(role.value.replace("_", "-"), str(role.label)), role=role, **told)
for role in (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN):
    appoint(user=person(f"{role.value.replace('_', '-')}.2", str(role.label)), role=role, **told)
for role in set(Role) - ADMINISTRATORS:
    in_department = department if role in {Role.APPLICANT, Role.UNIT_APPROVER} else None
    grant_role(
        user=person(role.value.replace("_", "-"), str(role.label)),
        role=role,
        department=in_department,
        **told,
    )
