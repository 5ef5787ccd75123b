"""What each role could do before this table was asked: its duty, and what several roles share."""

from typing import Any

from django.db import migrations

DUTIES = {
    "applicant": "orders.apply",
    "unit_approver": "orders.approve-for-unit",
    "service_desk": "orders.take-in",
    "technical_reviewer": "orders.review",
    "authority_approver": "orders.authorise",
    "cloud_admin": "clouds.run",
    "finance": "months.close",
    "leader": "centre.lead",
    "supervisor": "centre.supervise",
    "system_admin": "system.manage",
    "security_admin": "security.manage",
    "audit_admin": "audit.manage",
}
SHARED = {
    "departments.see-all": (
        "service_desk", "technical_reviewer", "authority_approver", "cloud_admin", "finance", "leader", "supervisor",
        "audit_admin",
    ),
    "departments.register": ("service_desk", "cloud_admin"),
    "clouds.register": ("cloud_admin", "system_admin"),
    "engine.watch": ("cloud_admin", "system_admin", "supervisor"),
    "recovery-points.hold": ("authority_approver",),
    "orders.weigh": (
        "unit_approver", "service_desk", "technical_reviewer", "authority_approver", "cloud_admin", "leader", "supervisor",
    ),
    "months.read": ("finance", "leader", "supervisor", "cloud_admin", "audit_admin"),
    "audit.read": ("audit_admin", "supervisor"),
}


def fill(apps: Any, _schema_editor: Any) -> None:
    RolePermission = apps.get_model("access", "RolePermission")
    rows = [*DUTIES.items(), *((role, permission) for permission, roles in SHARED.items() for role in roles)]
    RolePermission.objects.bulk_create(RolePermission(role=role, permission=permission) for role, permission in rows)


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
