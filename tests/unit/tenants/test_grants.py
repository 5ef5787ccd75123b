"""Who gives and takes roles, and that the three administrators stay apart."""

from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client

from govcloud.audit.models import Event, Outcome
from govcloud.audit.services import SystemActor
from tenants import roles
from tenants.access import grants, tokens
from tenants.access.models import ApiToken, RequestStatus, RolePermission, RoleRequest
from tenants.access.permissions import DUTIES, Permission
from tenants.models import ADMINISTRATORS, Membership, Role, User
from tenants.policies import RoleMissing, limit, require, scope_of
from tests.factories.tenants import DepartmentFactory, UserFactory, asked_for, grant, member, token_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def officer() -> User:
    return member(Role.SECURITY_ADMIN)


def permissions_of(role: str) -> set[str]:
    return set(RolePermission.objects.filter(role=role).values_list("permission", flat=True))


def test_the_three_administrators_have_rights_and_share_none() -> None:
    sets = [permissions_of(role) for role in ADMINISTRATORS]
    assert all(sets)
    assert len(set.union(*sets)) == sum(len(each) for each in sets)


@pytest.mark.parametrize("role", sorted(ADMINISTRATORS))
def test_the_database_refuses_to_give_one_what_another_has(role: str) -> None:
    others = set.union(*(permissions_of(other) for other in ADMINISTRATORS - {role}))
    for permission in others:
        with pytest.raises(IntegrityError, match=r"are_disjoint|is_not_shared"), transaction.atomic():
            RolePermission.objects.create(role=role, permission=permission)


@pytest.mark.parametrize("role", sorted(ADMINISTRATORS))
def test_the_database_refuses_an_administrators_duty_to_any_other_role(role: str) -> None:
    for other in set(Role.values) - {role}:
        with pytest.raises(IntegrityError), transaction.atomic():
            RolePermission.objects.create(role=other, permission=DUTIES[role])


@pytest.mark.parametrize("first", sorted(ADMINISTRATORS))
@pytest.mark.parametrize("second", sorted(ADMINISTRATORS))
def test_the_database_lets_nobody_be_two_of_them_at_any_time(first: str, second: str, at: datetime) -> None:
    user = UserFactory()
    grant(user, Role(first), valid_from=at, valid_until=at + timedelta(days=10))
    overlap = "membership_administrators_are_different_people"
    with pytest.raises(IntegrityError, match=overlap), transaction.atomic():
        grant(user, Role(second), valid_from=at + timedelta(days=9))
    grant(user, Role(second), valid_from=at + timedelta(days=10))


def test_every_role_has_its_duty_and_every_permission_somebody_who_has_it() -> None:
    assert {row.role for row in RolePermission.objects.all()} == set(Role.values)
    assert {row.permission for row in RolePermission.objects.all()} == set(Permission.values)


def test_what_a_role_may_do_is_what_the_table_says(at: datetime) -> None:
    reviewer = member(Role.TECHNICAL_REVIEWER)
    with pytest.raises(RoleMissing):
        require(reviewer, Role.SERVICE_DESK, at=at)
    RolePermission.objects.create(role=Role.TECHNICAL_REVIEWER, permission=Permission.TAKE_IN)
    later = at + timedelta(seconds=1)
    require(reviewer, Role.SERVICE_DESK, at=later)
    RolePermission.objects.filter(role=Role.TECHNICAL_REVIEWER, permission=Permission.REVIEW).delete()
    with pytest.raises(RoleMissing, match="Only"):
        require(reviewer, Role.TECHNICAL_REVIEWER, at=later + timedelta(seconds=1))


def test_a_limit_holds_for_units_and_for_the_centre(at: datetime) -> None:
    department = DepartmentFactory()
    user = member(Role.APPLICANT, department)
    grant(user, Role.CLOUD_ADMIN)
    limit(user, to=[Permission.APPLY])
    scope = scope_of(user, at=at)
    assert scope.holds(Role.APPLICANT, department=department)
    assert not scope.holds(Role.CLOUD_ADMIN)
    assert not scope.everywhere


def test_one_security_administrator_grants_a_role_between_two_days(officer: User, at: datetime) -> None:
    user, begins, ends = UserFactory(), at + timedelta(days=1), at + timedelta(days=30)
    grants.grant(user=user, role=Role.FINANCE, valid_from=begins, valid_until=ends, actor=officer, at=at)
    held = [
        scope_of(user, at=when).holds(Role.FINANCE)
        for when in (at, begins, ends - timedelta(seconds=1), ends)
    ]
    assert held == [False, True, True, False]


def test_a_role_cannot_end_before_it_begins(officer: User, at: datetime) -> None:
    with pytest.raises(roles.RoleEndsTooEarly):
        grants.grant(user=UserFactory(), role=Role.FINANCE, valid_until=at, actor=officer, at=at)


@pytest.mark.parametrize("role", sorted(set(Role.values) - {Role.SECURITY_ADMIN}))
def test_nobody_else_grants_roles(role: str, at: datetime) -> None:
    actor = member(Role(role), DepartmentFactory())
    with pytest.raises(RoleMissing):
        grants.grant(user=UserFactory(), role=Role.FINANCE, actor=actor, at=at)
    with pytest.raises(RoleMissing):
        grants.ask(user=UserFactory(), role=Role.AUDIT_ADMIN, reason="r", actor=actor, at=at)


def test_nobody_gives_themselves_a_role_and_the_attempt_is_audited(officer: User, at: datetime) -> None:
    with pytest.raises(grants.OwnRole):
        grants.grant(user=officer, role=Role.FINANCE, actor=officer, at=at)
    refused = Event.objects.get(verb="role.granted")
    assert (refused.outcome, refused.reason) == (Outcome.REFUSED, "own-role")


@pytest.mark.parametrize("role", sorted(ADMINISTRATORS))
def test_an_administrators_role_cannot_be_granted_by_one(role: str, officer: User, at: datetime) -> None:
    with pytest.raises(roles.RoleTakesTwo):
        grants.grant(user=UserFactory(), role=role, actor=officer, at=at)
    with pytest.raises(roles.RoleTakesTwo):
        roles.grant_role(user=UserFactory(), role=role, actor=SystemActor("import"), at=at)


def test_two_security_administrators_grant_it_together(officer: User, at: datetime) -> None:
    user = UserFactory()
    asked = grants.ask(user=user, role=Role.AUDIT_ADMIN, reason="vacant", actor=officer, at=at)
    assert not scope_of(user, at=at).holds(Role.AUDIT_ADMIN)
    later = at + timedelta(hours=1)
    grants.confirm(request=asked, actor=member(Role.SECURITY_ADMIN), at=later)
    assert scope_of(user, at=later).holds(Role.AUDIT_ADMIN)
    told = Event.objects.filter(verb__startswith="role").order_by("id").values_list("verb", flat=True)
    assert list(told) == ["role.requested", "rolerequest.confirmed", "role.granted"]


def test_nobody_confirms_it_for_who_has_left(officer: User, at: datetime) -> None:
    asked, second = asked_for(UserFactory(), by=officer, at=at), member(Role.SECURITY_ADMIN)
    User.objects.filter(pk=asked.user.pk).update(is_active=False)
    with pytest.raises(roles.HolderLeft):
        grants.confirm(request=asked, actor=second, at=at)
    with pytest.raises(roles.HolderLeft):
        grants.ask(user=asked.user, role=Role.SYSTEM_ADMIN, reason="r", actor=officer, at=at)
    assert not Membership.objects.filter(user=asked.user).exists()
    assert RoleRequest.objects.get().status == RequestStatus.OPEN


@pytest.mark.parametrize("how", ["left", "over"])
def test_nobody_confirms_what_was_asked_for_by_who_is_no_security_administrator_any_more(
    officer: User, at: datetime, how: str
) -> None:
    asked, second = asked_for(UserFactory(), by=officer, at=at), member(Role.SECURITY_ADMIN)
    if how == "left":
        User.objects.filter(pk=officer.pk).update(is_active=False)
    else:
        officer.memberships.update(valid_until=at)
    with pytest.raises(grants.RequesterNotInOffice):
        grants.confirm(request=asked, actor=second, at=at)
    assert not Membership.objects.filter(user=asked.user).exists()


def test_the_one_who_asked_cannot_confirm(officer: User, at: datetime) -> None:
    asked = asked_for(UserFactory(), by=officer, at=at)
    with pytest.raises(grants.OwnRequest):
        grants.confirm(request=asked, actor=officer, at=at)
    assert Event.objects.get(verb="rolerequest.confirmed").outcome == Outcome.REFUSED
    assert not Membership.objects.filter(user=asked.user).exists()


def test_the_one_whom_it_is_for_cannot_confirm(officer: User, at: datetime) -> None:
    other = member(Role.SECURITY_ADMIN)
    asked = asked_for(other, by=officer, at=at)
    with pytest.raises(grants.OwnRequest):
        grants.confirm(request=asked, actor=other, at=at)


def test_the_database_refuses_a_confirmation_by_the_same_person(officer: User, at: datetime) -> None:
    asked = asked_for(UserFactory(), by=officer, at=at)
    with pytest.raises(IntegrityError, match="role_request_takes_two"), transaction.atomic():
        RoleRequest.objects.filter(pk=asked.pk).update(
            status=RequestStatus.CONFIRMED, decided_by=officer, decided_at=at
        )


def test_after_a_week_it_cannot_be_confirmed_and_may_be_asked_for_again(officer: User, at: datetime) -> None:
    asked = asked_for(UserFactory(), by=officer, at=at)
    later = at + grants.OPEN_FOR
    with pytest.raises(grants.RequestExpired):
        grants.confirm(request=asked, actor=member(Role.SECURITY_ADMIN), at=later)
    again = grants.ask(user=asked.user, role=asked.role, reason="still vacant", actor=officer, at=later)
    grants.confirm(request=again, actor=member(Role.SECURITY_ADMIN), at=later)


def test_it_is_asked_for_once_at_a_time(officer: User, at: datetime) -> None:
    asked = asked_for(UserFactory(), by=officer, at=at)
    with pytest.raises(grants.RequestedAlready):
        grants.ask(user=asked.user, role=asked.role, reason="r", actor=member(Role.SECURITY_ADMIN), at=at)


def test_whoever_declined_it_does_not_confirm_it_afterwards(officer: User, at: datetime) -> None:
    asked, other = asked_for(UserFactory(), by=officer, at=at), member(Role.SECURITY_ADMIN)
    grants.decline(request=asked, actor=officer, at=at, reason="a mistake")
    with pytest.raises(Exception, match="final"):
        grants.confirm(request=asked, actor=other, at=at)


def test_revoking_a_role_ends_the_sessions_of_the_person(officer: User, at: datetime) -> None:
    user = member(Role.FINANCE)
    browser = Client()
    browser.force_login(user)
    assert browser.get("/orders/").status_code == 200
    grants.revoke(membership=user.memberships.get(), actor=officer, at=at, reason="moved")
    assert browser.get("/orders/").url.startswith("/sign-in/")


def test_named_tokens_stay_as_long_as_a_role_is_left(officer: User, at: datetime) -> None:
    user = member(Role.FINANCE)
    grant(user, Role.LEADER)
    tokens.sign_in(user=user, name="laptop", at=at)
    token_of(user, name="nightly")
    first, last = user.memberships.order_by("pk")
    grants.revoke(membership=first, actor=officer, at=at, reason="moved")
    assert [token.name for token in ApiToken.objects.filter(token__user=user)] == ["nightly"]
    grants.revoke(membership=last, actor=officer, at=at, reason="left")
    assert not ApiToken.objects.filter(token__user=user).exists()


def test_the_first_administrators_are_appointed_until_two_can_confirm(at: datetime) -> None:
    names = ("system_admin", "audit_admin", "security_admin", "security_admin")
    for number, role in enumerate(names):
        UserFactory(username=f"first-{number}")
        call_command("appoint", f"first-{number}", role, verbosity=0)
    UserFactory(username="one-more")
    with pytest.raises(CommandError, match="two together"):
        call_command("appoint", "one-more", "system_admin", verbosity=0)


@pytest.mark.parametrize("flag", ["is_superuser", "is_staff"])
def test_nobody_can_be_a_superuser(flag: str) -> None:
    user = UserFactory()
    with pytest.raises(IntegrityError, match="user_is_no_superuser"), transaction.atomic():
        User.objects.filter(pk=user.pk).update(**{flag: True})


def test_not_even_by_the_command_for_it() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_superuser("root", password="Abcdefgh-1234")
