"""What may be done, by name; which role may do it is in the table ``RolePermission``.

A role's *duty* is what code means when it asks for the role itself. The other permissions are asked for by name.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import Role


class Permission(models.TextChoices):
    APPLY = "orders.apply", _("apply for a department's systems")
    APPROVE_FOR_UNIT = "orders.approve-for-unit", _("approve a department's orders")
    TAKE_IN = "orders.take-in", _("take orders in")
    REVIEW = "orders.review", _("review orders technically")
    AUTHORISE = "orders.authorise", _("approve orders for the authority")
    RUN_CLOUDS = "clouds.run", _("run the clouds")
    CLOSE_MONTHS = "months.close", _("close months and issue statements")
    LEAD = "centre.lead", _("follow the whole centre")
    SUPERVISE = "centre.supervise", _("supervise deadlines")
    MANAGE_SYSTEM = "system.manage", _("manage settings and accounts")
    MANAGE_SECURITY = "security.manage", _("manage roles, tokens and second factors")
    MANAGE_AUDIT = "audit.manage", _("manage the audit trail")
    SEE_ALL = "departments.see-all", _("see every department's orders, resources and bills")
    REGISTER = "departments.register", _("register departments and systems")
    REGISTER_CLOUDS = "clouds.register", _("register clouds and announce maintenance")
    WATCH_ENGINE = "engine.watch", _("watch the engine")
    HOLD = "recovery-points.hold", _("place and lift legal holds")
    WEIGH = "orders.weigh", _("see what an order takes and what the clouds have left")
    READ_MONTHS = "months.read", _("read closed months")
    READ_AUDIT = "audit.read", _("read the audit trail")


DUTIES: dict[str, Permission] = {
    Role.APPLICANT: Permission.APPLY,
    Role.UNIT_APPROVER: Permission.APPROVE_FOR_UNIT,
    Role.SERVICE_DESK: Permission.TAKE_IN,
    Role.TECHNICAL_REVIEWER: Permission.REVIEW,
    Role.AUTHORITY_APPROVER: Permission.AUTHORISE,
    Role.CLOUD_ADMIN: Permission.RUN_CLOUDS,
    Role.FINANCE: Permission.CLOSE_MONTHS,
    Role.LEADER: Permission.LEAD,
    Role.SUPERVISOR: Permission.SUPERVISE,
    Role.SYSTEM_ADMIN: Permission.MANAGE_SYSTEM,
    Role.SECURITY_ADMIN: Permission.MANAGE_SECURITY,
    Role.AUDIT_ADMIN: Permission.MANAGE_AUDIT,
}

ROLES_OF_DUTIES: dict[str, str] = {duty.value: role for role, duty in DUTIES.items()}
