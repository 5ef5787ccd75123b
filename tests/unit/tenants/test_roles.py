"""Roles as they are written down and taken away."""

from datetime import datetime, timedelta

import pytest

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.organisation import people
from tenants import memberships, roles
from tenants.models import Membership, Role
from tenants.policies import scope_of
from tenants.services import UnitClosed
from tests.factories.tenants import DepartmentFactory, UserFactory, grant, member

pytestmark = pytest.mark.django_db

BY = SystemActor("test")


def test_a_unit_role_holds_in_its_department_and_a_role_of_the_centre_everywhere(at: datetime) -> None:
    person, department = UserFactory(), DepartmentFactory()
    roles.grant_role(user=person, role=Role.APPLICANT, department=department, actor=BY, at=at)
    roles.grant_role(user=person, role=Role.FINANCE, actor=BY, at=at)
    scope = scope_of(person, at=at)
    assert scope.holds(Role.APPLICANT, department=department)
    assert not scope.holds(Role.APPLICANT, department=DepartmentFactory())
    assert scope.holds(Role.FINANCE)


def test_roles_are_held_where_they_belong_and_once(at: datetime) -> None:
    person, department = UserFactory(), DepartmentFactory()
    with pytest.raises(roles.RoleNeedsDepartment):
        roles.grant_role(user=person, role=Role.APPLICANT, actor=BY, at=at)
    with pytest.raises(roles.RoleOfTheCentre):
        roles.grant_role(user=person, role=Role.FINANCE, department=department, actor=BY, at=at)
    roles.grant_role(user=person, role=Role.FINANCE, actor=BY, at=at)
    with pytest.raises(roles.RoleHeldAlready):
        roles.grant_role(user=person, role=Role.FINANCE, actor=BY, at=at)


def test_the_three_administrators_are_different_people(at: datetime) -> None:
    person = member(Role.SECURITY_ADMIN)
    with pytest.raises(roles.SeparatedRoles, match="different people"):
        roles.enter_role(user=person, role=Role.AUDIT_ADMIN, actor=BY, at=at)
    assert [m.role for m in Membership.objects.filter(user=person)] == [Role.SECURITY_ADMIN]


def test_a_role_that_is_revoked_ends_at_that_instant(at: datetime) -> None:
    person = member(Role.FINANCE)
    held = Membership.objects.get(user=person)
    roles.revoke_role(membership=held, actor=BY, at=at, reason="moved to another office")
    assert not scope_of(person, at=at).holds(Role.FINANCE)
    assert scope_of(person, at=at - timedelta(seconds=1)).holds(Role.FINANCE)
    told = Event.objects.get(verb="role.revoked")
    assert (told.subject_id, told.reason) == (person.uuid, "moved to another office")


def test_a_role_that_is_revoked_before_it_begins_never_does(at: datetime) -> None:
    person, later = UserFactory(), at + timedelta(days=3)
    held = grant(person, Role.FINANCE, valid_from=later)
    roles.revoke_role(membership=held, actor=BY, at=at, reason="a mistake")
    assert not Membership.objects.valid(at=later).filter(user=person).exists()


def test_a_role_that_was_revoked_before_it_began_is_over(at: datetime) -> None:
    person, later = UserFactory(), at + timedelta(days=3)
    held = grant(person, Role.FINANCE, valid_from=later)
    roles.revoke_role(membership=held, actor=BY, at=at, reason="a mistake")
    assert not people.not_over(at=at).exists()
    with pytest.raises(roles.RoleEnded):
        roles.revoke_role(membership=held, actor=BY, at=at, reason="again")
    assert not memberships.end(membership=held, reason="left", actor=BY, at=at)
    assert memberships.end_all(user=person, reason="left", actor=BY, at=at) == []
    assert not Event.objects.filter(verb="role.ended").exists()


def test_nobody_gets_a_role_in_a_closed_unit(at: datetime) -> None:
    unit = DepartmentFactory(closed_at=at)
    with pytest.raises(UnitClosed) as refusal:
        roles.grant_role(user=UserFactory(), role=Role.APPLICANT, department=unit, actor=BY, at=at)
    assert refusal.value.pointers == ("/department",)
    assert not Membership.objects.exists()


def test_a_role_that_has_ended_cannot_be_revoked(at: datetime) -> None:
    held = grant(UserFactory(), Role.FINANCE, valid_until=at)
    with pytest.raises(roles.RoleEnded):
        roles.revoke_role(membership=held, actor=BY, at=at, reason="again")


def test_who_has_left_is_given_no_role(at: datetime) -> None:
    with pytest.raises(roles.HolderLeft, match="has left"):
        roles.grant_role(user=UserFactory(is_active=False), role=Role.FINANCE, actor=BY, at=at)
    assert not Membership.objects.exists()
