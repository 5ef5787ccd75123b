"""How people get in, and what their roles allow: permissions, requests for roles, second factors, former passwords, API tokens."""

from datetime import datetime
from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from tenants.access.permissions import DUTIES, Permission
from tenants.access.queries import ApiTokenQuerySet, RoleRequestQuerySet
from tenants.models import ADMINISTRATORS, Role, User


class RolePermission(models.Model):
    """One thing that a role may do.

    The three administrators share nothing, and what makes them administrators nobody else has: the database sees to it.
    """

    role = models.CharField(max_length=30, choices=Role)
    permission = models.CharField(max_length=40, choices=Permission)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["role", "permission"], name="role_permission_once"),
            models.UniqueConstraint(
                fields=["permission"],
                condition=Q(role__in=sorted(ADMINISTRATORS)),
                name="role_permission_administrators_are_disjoint",
            ),
            models.CheckConstraint(
                condition=~Q(permission__in=[DUTIES[role] for role in sorted(ADMINISTRATORS)])
                | Q(
                    *[Q(role=role, permission=DUTIES[role]) for role in sorted(ADMINISTRATORS)],
                    _connector=Q.OR,
                ),
                name="role_permission_administration_is_not_shared",
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="role_permission_of_a_role"),
            models.CheckConstraint(
                condition=Q(permission__in=Permission.values), name="role_permission_that_is_asked_for"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.permission}"


class RequestStatus(models.TextChoices):
    OPEN = "open", _("waiting for a second person")
    CONFIRMED = "confirmed", _("confirmed")
    DECLINED = "declined", _("declined")


class RoleRequest(models.Model):
    """An administrator's role that one security administrator asked for and another one confirms."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="role_requests")
    role = models.CharField(max_length=30, choices=Role)
    valid_from = models.DateTimeField(null=True, blank=True)  # null: from the confirmation on
    valid_until = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500)
    status = models.CharField(max_length=10, choices=RequestStatus, default=RequestStatus.OPEN)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)

    TRANSITIONS: ClassVar = {
        RequestStatus.OPEN: frozenset({RequestStatus.CONFIRMED, RequestStatus.DECLINED}),
        RequestStatus.CONFIRMED: frozenset(),
        RequestStatus.DECLINED: frozenset(),
    }

    objects = RoleRequestQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(role__in=sorted(ADMINISTRATORS)), name="role_request_for_an_administrator"
            ),
            models.CheckConstraint(condition=~Q(requested_by=F("user")), name="role_request_not_for_oneself"),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True)
                | (~Q(decided_by=F("requested_by")) & ~Q(decided_by=F("user")))
                | Q(status=RequestStatus.DECLINED),
                name="role_request_takes_two",
            ),
            models.CheckConstraint(
                condition=Q(status=RequestStatus.OPEN, decided_by__isnull=True, decided_at__isnull=True)
                | (~Q(status=RequestStatus.OPEN) & Q(decided_by__isnull=False, decided_at__isnull=False)),
                name="role_request_decided_by_somebody",
            ),
            models.UniqueConstraint(
                fields=["user", "role"],
                condition=Q(status=RequestStatus.OPEN),
                name="role_request_open_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()}"

    def has_expired(self, *, at: datetime) -> bool:
        return self.status == RequestStatus.OPEN and self.expires_at <= at


class FormerPassword(models.Model):
    """A password that a person had: its digest, so that it does not come back."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="former_passwords")
    digest = models.CharField(max_length=128)
    replaced_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["user", "-id"], name="former_password_of_user")]


class Enrolment(models.Model):
    """A second factor that somebody has set up, and who has confirmed since when that it is that person's.

    It goes with allauth's row, which keeps the secret. Confirmed by nobody of the people: on the machine, or before
    confirmations were asked for.
    """

    authenticator = models.OneToOneField(
        "mfa.Authenticator", on_delete=models.CASCADE, primary_key=True, related_name="enrolment"
    )
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="enrolment")
    enrolled_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, blank=True)  # when security administrators heard that it waits
    confirmed_at = models.DateTimeField(null=True, blank=True)
    confirmed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True) | ~Q(confirmed_by=F("user")),
                name="second_factor_not_confirmed_by_oneself",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True) | Q(confirmed_at__isnull=False),
                name="second_factor_confirmed_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return str(self.user)


class TokenKind(models.TextChoices):
    SIGN_IN = "sign_in", _("signed in")
    NAMED = "named", _("named token")


class TokenScope(models.TextChoices):
    READ = "read", _("read only")
    ROLES = "roles", _("what the roles allow")
    CHOSEN = "chosen", _("chosen permissions")


class ApiToken(models.Model):
    """What somebody may use the API with. The secret is knox's, which keeps its digest only.

    A token of signing in ends after a quarter of an hour without use, as a session does; a named one at its own end.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    token = models.OneToOneField(
        "knox.AuthToken", on_delete=models.CASCADE, primary_key=True, related_name="label"
    )
    kind = models.CharField(max_length=10, choices=TokenKind, default=TokenKind.SIGN_IN)
    name = models.CharField(max_length=80)
    scope = models.CharField(max_length=10, choices=TokenScope, default=TokenScope.ROLES)
    permissions = ArrayField(
        models.CharField(max_length=40, choices=Permission), default=list, blank=True
    )  # of the scope “chosen”
    networks = ArrayField(
        models.CharField(max_length=43), default=list, blank=True
    )  # CIDR; none: from anywhere
    last_used_at = models.DateTimeField(null=True, blank=True)  # to the minute
    last_used_from = models.GenericIPAddressField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(scope=TokenScope.CHOSEN) | Q(permissions=[]),
                name="api_token_chooses_permissions_by_its_scope",
            ),
            models.CheckConstraint(
                condition=Q(kind=TokenKind.NAMED) | Q(scope=TokenScope.ROLES, networks=[]),
                name="api_token_of_signing_in_is_not_limited",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AttemptCount(models.Model):
    """How often signing in was tried within a minute: from an address, or for a name from an address. No audit: it is nobody's deed.

    ``who`` is a digest of that under our key. The table is not logged: a minute's counts may go with a crash.
    """

    who = models.CharField(max_length=64, primary_key=True)
    attempts = models.PositiveIntegerField()
    until = models.DateTimeField()

    def __str__(self) -> str:
        return self.who
