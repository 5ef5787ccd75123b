"""Divisions, departments with valid credit codes, people with roles, application systems."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import factory
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.utils import timezone
from factory.django import DjangoModelFactory
from knox.models import AuthToken
from stdnum.cn import uscc

from tenants.access.models import ApiToken, RoleRequest, TokenKind
from tenants.models import (
    UNIT_ROLES,
    Connection,
    Department,
    Division,
    Membership,
    NetworkZone,
    Role,
    System,
    User,
)

BEGINNING = datetime(2025, 12, 31, 16, 0, tzinfo=UTC)
"""The start of 2026 in Beijing: everything the factories make exists, and every membership holds, from then on."""

PASSWORD = "correct horse battery staple"
"""The password of every person the factories make."""


@cache
def hashed_password() -> str:
    """Hashed once for all of them: hashing is slow on purpose."""
    return make_password(PASSWORD)


def credit_code(number: int, *, division: str = "450000") -> str:
    """The unified social credit code (GB 32100) of the n-th invented department, right by both of its checksums."""
    body = f"MB9{number:05d}"
    weighted = sum(
        weight * int(character, 36) for weight, character in zip((3, 7, 9, 10, 5, 8, 4, 2), body, strict=True)
    )
    organisation = body + "0123456789X"[-weighted % 11]  # GB 11714
    stem = f"11{division}{organisation}"
    return stem + uscc.calc_check_digit(stem)


class DivisionFactory(DjangoModelFactory[Division]):
    class Meta:
        model = Division
        django_get_or_create = ("code",)

    code = "450000"
    name = "示例自治区"
    name_en = "Example region"


class DepartmentFactory(DjangoModelFactory[Department]):
    """A connected department; give ``parent=`` for a subordinate unit."""

    class Meta:
        model = Department

    credit_code = factory.LazyAttributeSequence(lambda unit, n: credit_code(n, division=unit.division.code))
    name = factory.Sequence(lambda n: f"示例{n}厅")
    name_en = factory.Sequence(lambda n: f"Example department {n}")
    division = factory.SubFactory(DivisionFactory)
    parent = None
    connection = Connection.CONNECTED
    created_at = BEGINNING

    @classmethod
    def _create(cls, model_class: type[Department], *args: Any, **kwargs: Any) -> Department:
        """The path holds the row's own key, so the key is drawn first."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval(pg_get_serial_sequence('tenants_department', 'id'))")
            (pk,) = cursor.fetchone()
        above = kwargs["parent"].path if kwargs["parent"] else "/"
        return super()._create(model_class, *args, **{"id": pk, "path": f"{above}{pk}/", **kwargs})


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    username = factory.Sequence(lambda n: f"person{n}")
    display_name = factory.Sequence(lambda n: f"人员{n}")
    email = factory.LazyAttribute(lambda person: f"{person.username}@example.org")
    language = "en"
    password = factory.LazyFunction(hashed_password)
    password_changed_at = BEGINNING


class MembershipFactory(DjangoModelFactory[Membership]):
    """A unit role, in a department of its own unless one is given; see ``member`` for roles of the centre."""

    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    role = Role.APPLICANT
    department = factory.SubFactory(DepartmentFactory)
    valid_from = BEGINNING
    valid_until = None


def member(role: Role, department: Department | None = None, **person: Any) -> User:
    """A person who holds the role: in the department for unit roles, for the whole centre otherwise."""
    user = UserFactory(**person)
    grant(user, role, department)
    return user


def grant(user: User, role: Role, department: Department | None = None, **validity: datetime) -> Membership:
    """Give a person one more role."""
    where = department if role in UNIT_ROLES else None
    return MembershipFactory(user=user, role=role, department=where, **validity)


def token_of(user: User, *, name: str = "a test", **limits: Any) -> tuple[ApiToken, str]:
    """A named token of the person's, used a moment ago, and its text."""
    token, text = AuthToken.objects.create(user=user)
    label = ApiToken.objects.create(
        **{"kind": TokenKind.NAMED, "last_used_at": timezone.now(), **limits}, token=token, name=name
    )
    return label, text


def asked_for(user: User, role: Role = Role.AUDIT_ADMIN, *, by: User, at: datetime) -> RoleRequest:
    """A request for an administrator's role that waits for its second person."""
    return RoleRequest.objects.create(
        user=user, role=role, reason="the post is vacant", requested_by=by, requested_at=at,
        expires_at=at + timedelta(days=7),
    )  # fmt: skip


class SystemFactory(DjangoModelFactory[System]):
    """A public-zone system of level 2 with its filing number; ``level_3=True`` for one that may be ordered for at level 3."""

    class Meta:
        model = System

    class Params:
        level_3 = factory.Trait(
            mlps_level=3, zone=NetworkZone.PRIVATE, dr_level=3, cryptography_assessed_on=BEGINNING.date()
        )

    code = factory.Sequence(lambda n: f"system-{n}")
    name = factory.Sequence(lambda n: f"示例业务系统{n}")
    name_en = factory.Sequence(lambda n: f"Example system {n}")
    department = factory.SubFactory(DepartmentFactory)
    mlps_level = 2
    filing_number = factory.Sequence(lambda n: f"450000-{n:05d}-26001")
    zone = NetworkZone.PUBLIC
    created_at = BEGINNING
