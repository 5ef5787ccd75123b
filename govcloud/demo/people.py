"""Invented people in every role, with one password that only a demonstration may have."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.utils.timezone import get_default_timezone

from govcloud.demo.loading import ensure
from govcloud.demo.places import ORDERING
from tenants.models import UNIT_ROLES, Department, Membership, Role, User

TITLES = {
    Role.APPLICANT: "申请人",
    Role.UNIT_APPROVER: "单位审批人",
    Role.SERVICE_DESK: "服务台",
    Role.TECHNICAL_REVIEWER: "技术评审员",
    Role.AUTHORITY_APPROVER: "主管审批人",
    Role.CLOUD_ADMIN: "云管理员",
    Role.FINANCE: "计费管理员",
    Role.LEADER: "领导",
    Role.SUPERVISOR: "监察员",
    Role.SYSTEM_ADMIN: "系统管理员",
    Role.SECURITY_ADMIN: "安全管理员",
    Role.AUDIT_ADMIN: "审计管理员",
}


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    display_name: str
    role: Role
    department: Department | None


def people(departments: Sequence[Department]) -> list[Person]:
    """One in each role of the centre, and an applicant and an approver in each department.

    Those of the ordering department are plainly ``applicant`` and ``unit-approver``; there is a second security and a
    second system administrator, because granting an administrator's role and publishing a flow take two.
    """
    centre = [
        Person(_username(role), f"云中心{TITLES[role]}", role, None)
        for role in Role
        if role not in UNIT_ROLES
    ]
    centre += [
        Person("security-admin.2", "云中心安全管理员乙", Role.SECURITY_ADMIN, None),
        Person("system-admin.2", "云中心系统管理员乙", Role.SYSTEM_ADMIN, None),
    ]
    units = [
        Person(
            _username(role) + ("" if n == ORDERING else f".{n + 1:03d}"),
            f"{department.name}{TITLES[role]}",
            role,
            department,
        )
        for n, department in enumerate(departments)
        for role in (Role.APPLICANT, Role.UNIT_APPROVER)
    ]
    return centre + units


def _username(role: Role) -> str:
    return role.value.replace("_", "-")


def load(departments: Sequence[Department], *, at: datetime) -> str:
    """Make those who are missing, and give all of them the demo's password, which is returned.

    It counts as their own: nobody has to change it before the first look around.
    """
    wanted = people(departments)
    word, fresh = password()
    missing = len(wanted) - User.objects.filter(username__in=[person.username for person in wanted]).count()
    hashed = make_password(word) if fresh or missing else ""
    users = ensure(
        User,
        (
            User(
                username=person.username,
                display_name=person.display_name[:80],
                password=hashed,
                password_changed_at=at,
            )
            for person in wanted
        ),
        by="username",
    )
    everybody = User.objects.filter(pk__in=[user.pk for user in users.values()])
    everybody.filter(password_changed_at=None).update(password_changed_at=at)
    if fresh:
        everybody.update(password=hashed)
    since = datetime(2026, 1, 1, tzinfo=get_default_timezone())
    Membership.objects.bulk_create(
        (
            Membership(
                user=users[person.username], role=person.role, department=person.department, valid_from=since
            )
            for person in wanted
        ),
        ignore_conflicts=True,
    )
    return word


def password() -> tuple[str, bool]:
    """The password of everybody in the demo, and whether it was made just now. Kept for the owner of the installation."""
    path = Path(settings.VAR_DIR) / "demo_password"
    if path.exists():
        return path.read_text(), False
    word = secrets.token_urlsafe(9)
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(word)
    return word, True
