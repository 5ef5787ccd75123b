"""Who may ask: divisions, departments, application systems, people and the roles they hold."""

from collections.abc import Iterator
from typing import ClassVar
from uuid import uuid4

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from tenants.queries import DepartmentQuerySet, MembershipQuerySet, SystemQuerySet


class Role(models.TextChoices):
    """Roles of the approval chain and of the centre; see docs/glossary.md for who they are in a department."""

    APPLICANT = "applicant", _("applicant")
    UNIT_APPROVER = "unit_approver", _("unit approver")
    SERVICE_DESK = "service_desk", _("service desk")
    TECHNICAL_REVIEWER = "technical_reviewer", _("technical reviewer")
    AUTHORITY_APPROVER = "authority_approver", _("authority approver")
    CLOUD_ADMIN = "cloud_admin", _("cloud administrator")
    FINANCE = "finance", _("finance")
    LEADER = "leader", _("leader")
    SUPERVISOR = "supervisor", _("supervisor")
    SYSTEM_ADMIN = "system_admin", _("system administrator")
    SECURITY_ADMIN = "security_admin", _("security administrator")
    AUDIT_ADMIN = "audit_admin", _("audit administrator")


UNIT_ROLES = frozenset({Role.APPLICANT, Role.UNIT_APPROVER})
"""Roles held in one department (and its subordinate units); the others are held for the whole centre."""


ADMINISTRATORS = frozenset({Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN})
"""Three people with disjoint rights (GB/T 22239 level 3)."""


DECIDING = frozenset(
    {
        Role.UNIT_APPROVER,
        Role.SERVICE_DESK,
        Role.TECHNICAL_REVIEWER,
        Role.AUTHORITY_APPROVER,
        Role.CLOUD_ADMIN,
        Role.FINANCE,
    }
)
"""Roles that a stage can be decided by. Applicants ask; leaders, supervisors and the three administrators decide nothing."""


class User(AbstractUser):
    """A person. Roles are memberships; Django's own staff and superuser flags open nothing here, and nobody has them."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    display_name = models.CharField(max_length=80)
    language = models.CharField(max_length=10, default="zh-hans")
    password_changed_at = models.DateTimeField(
        null=True, blank=True
    )  # by the person; null: somebody else set it
    session_epoch = models.PositiveIntegerField(default=0)  # counted up to end every session of the person

    limited_to: frozenset[str] | None = None
    """Permissions of the token that the person acts with, where it is limited to some (``tenants.policies.limit``)."""

    class Meta(AbstractUser.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(is_superuser=False, is_staff=False), name="user_is_no_superuser"
            ),
        ]

    def set_password(self, raw_password: str | None) -> None:
        """As somebody else does it: the person changes it at the next sign-in (``tenants.access.passwords``)."""
        super().set_password(raw_password)
        self.password_changed_at = None

    def get_session_auth_hash(self) -> str:
        """What a session holds of the person; it ends when the password or the epoch changes."""
        return salted_hmac(
            "tenants.User.session", f"{self.password}|{self.session_epoch}", algorithm="sha256"
        ).hexdigest()

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        yield from ()

    @property
    def audit_ref(self) -> str:
        return f"user:{self.uuid}"

    @property
    def audit_name(self) -> str:
        return self.display_name or self.username

    def __str__(self) -> str:
        return self.display_name or self.username


class Division(models.Model):
    """An administrative division, coded after GB/T 2260 (six digits: region, city, county)."""

    code = models.CharField(max_length=6, unique=True, validators=[RegexValidator(r"^\d{6}$")])
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120, blank=True)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )

    def __str__(self) -> str:
        return self.name


class Connection(models.TextChoices):
    """Of a department to the extranet; what follows what is in ``tenants.connections``."""

    CONNECTED = "connected", _("connected")
    REQUESTED = "requested", _("requested")
    NOT_CONNECTED = "not_connected", _("not connected")


class Department(models.Model):
    """A department (委办局) or a subordinate unit of one.

    ``path`` is the chain of primary keys from the top of the tree to this row, ``/1/5/9/``: a subtree is a prefix.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120)
    name_en = models.CharField(max_length=160, blank=True)
    credit_code = models.CharField(max_length=18, unique=True)  # GB 32100, checked by tenants.services
    division = models.ForeignKey(Division, on_delete=models.PROTECT, related_name="departments")
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    path = models.CharField(max_length=255, unique=True)
    connection = models.CharField(max_length=20, choices=Connection, default=Connection.NOT_CONNECTED)
    version = models.PositiveIntegerField(default=1)  # counts edits, for ETag
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)  # dissolved, or merged into another: for good

    objects = DepartmentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["path"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(parent=F("pk")), name="department_is_not_its_own_parent"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ancestor_ids(self) -> list[int]:
        """Primary keys from the top of the tree down to this department itself."""
        return [int(part) for part in self.path.strip("/").split("/")]


class Membership(models.Model):
    """A role held by a person from one instant to another; in a department, or (null) for the whole centre."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=30, choices=Role)
    department = models.ForeignKey(
        Department, null=True, blank=True, on_delete=models.PROTECT, related_name="memberships"
    )
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, blank=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(role__in=sorted(UNIT_ROLES), department__isnull=False)
                | (~Q(role__in=sorted(UNIT_ROLES)) & Q(department__isnull=True)),
                name="membership_unit_roles_name_their_unit",
            ),
            models.CheckConstraint(  # ended when it started: taken back before it began
                condition=Q(valid_until__isnull=True) | Q(valid_until__gte=F("valid_from")),
                name="membership_ends_no_earlier_than_it_starts",
            ),
            models.UniqueConstraint(
                fields=["user", "role", "department"],
                condition=Q(valid_until__isnull=True),
                nulls_distinct=False,
                name="membership_held_once",
            ),
            ExclusionConstraint(
                name="membership_administrators_are_different_people",
                expressions=[
                    (
                        Func(F("user_id"), F("user_id"), Value("[]"), function="int8range"),
                        RangeOperators.EQUAL,
                    ),
                    (Func(F("valid_from"), F("valid_until"), function="tstzrange"), RangeOperators.OVERLAPS),
                ],
                condition=Q(role__in=sorted(ADMINISTRATORS)),
            ),
        ]


class NetworkZone(models.TextChoices):
    PUBLIC = "public", _("public zone")
    PRIVATE = "private", _("private zone")
    INTERNET = "internet", _("Internet zone")


class DataClass(models.TextChoices):
    """The gravest kind of data in a system. Important data (重要数据) are those of GB/T 43697; the rest is the centre's grading."""

    PUBLIC = "public", _("public data")
    INTERNAL = "internal", _("internal data")
    SENSITIVE = "sensitive", _("sensitive data")
    IMPORTANT = "important", _("important data")


class ServiceScope(models.TextChoices):
    """Whom a system serves."""

    UNIT = "unit", _("this unit")
    CROSS_DEPARTMENT = "cross_department", _("several departments")
    SOCIETY = "society", _("the public")


class System(models.Model):
    """An application system (业务系统): what an order is for and what resources belong to.

    Its owner, a person, is kept apart and encrypted (``SystemOwner``).
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    name_en = models.CharField(max_length=160, blank=True)
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="systems")
    mlps_level = models.PositiveSmallIntegerField()  # GB/T 22240, 1 to 5; the platform takes up to 3
    filing_number = models.CharField(max_length=40, blank=True)
    cryptography_assessed_on = models.DateField(null=True, blank=True)
    zone = models.CharField(max_length=10, choices=NetworkZone, default=NetworkZone.PUBLIC)
    dr_level = models.PositiveSmallIntegerField(default=1)  # GB/T 20988
    data_class = models.CharField(max_length=10, choices=DataClass, blank=True)  # empty: not said yet
    service_scope = models.CharField(max_length=20, choices=ServiceScope, blank=True)  # empty: not said yet
    authority = models.ForeignKey(
        Department, null=True, blank=True, on_delete=models.PROTECT, related_name="systems_in_charge"
    )  # the competent authority (主管部门)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    objects = SystemQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(mlps_level__gte=1, mlps_level__lte=5), name="system_mlps_level_of_the_standard"
            ),
            models.CheckConstraint(
                condition=Q(dr_level__gte=1, dr_level__lte=6), name="system_dr_level_of_the_standard"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SystemOwner(models.Model):
    """Who answers for a system: name, telephone and mail, encrypted for this system alone (see ``tenants.owners``)."""

    system = models.OneToOneField(
        System, on_delete=models.CASCADE, primary_key=True, related_name="sealed_owner"
    )
    algorithm = models.CharField(max_length=20)
    key = models.CharField(max_length=16)  # fingerprint of the key it is encrypted with
    sealed = models.BinaryField()
