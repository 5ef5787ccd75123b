"""What a department says to its statement."""

import pytest

from govcloud.audit.models import Event
from govcloud.chargeback.lifecycle import Status
from govcloud.chargeback.models import Statement
from govcloud.chargeback.services import DisputeNeedsReason, confirm, dispute
from govcloud.lifecycle import ChangedMeanwhile, WrongState
from tenants.models import Role
from tenants.policies import RoleMissing
from tests.factories.chargeback import statement, statements
from tests.factories.tenants import DepartmentFactory, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def issued():
    return statement()


@pytest.fixture
def approver(issued):
    return member(Role.UNIT_APPROVER, issued.department)


def test_the_department_confirms_its_statement(issued, approver, at):
    confirm(statement=issued, actor=approver, at=at)

    issued.refresh_from_db()
    assert (issued.status, issued.version) == (Status.CONFIRMED, 2)
    told = Event.objects.get(verb="statement.confirmed")
    assert (told.actor, told.subject_id) == (approver.audit_ref, issued.uuid)


def test_a_dispute_keeps_its_reason_and_can_be_settled(issued, approver, at):
    dispute(statement=issued, reason="released on the 3rd", actor=approver, at=at)
    confirm(statement=issued, actor=approver, at=at)

    assert Statement.objects.get().status == Status.CONFIRMED
    assert Event.objects.get(verb="statement.disputed").reason == "released on the 3rd"


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_dispute_without_a_reason_is_refused_at_its_field(issued, approver, at, reason):
    with pytest.raises(DisputeNeedsReason) as refused:
        dispute(statement=issued, reason=reason, actor=approver, at=at)

    assert refused.value.pointers == ("/reason",)


def test_what_is_confirmed_is_not_disputed_any_more(issued, approver, at):
    confirm(statement=issued, actor=approver, at=at)

    with pytest.raises(WrongState):
        dispute(statement=issued, reason="late", actor=approver, at=at)


def test_of_two_answers_to_the_same_statement_the_second_is_told(issued, approver, at):
    stale = Statement.objects.get()
    confirm(statement=issued, actor=approver, at=at)

    with pytest.raises(ChangedMeanwhile):
        dispute(statement=stale, reason="no", actor=approver, at=at)


@pytest.mark.parametrize("role", [Role.APPLICANT, Role.FINANCE, Role.CLOUD_ADMIN])
def test_nobody_answers_for_the_department_but_its_approver(issued, role, at):
    with pytest.raises(RoleMissing):
        confirm(statement=issued, actor=member(role, issued.department), at=at)


def test_another_department_s_approver_neither_sees_nor_answers(issued, at):
    foreign = member(Role.UNIT_APPROVER, DepartmentFactory())

    assert not Statement.objects.visible_to(foreign, at=at).exists()
    with pytest.raises(RoleMissing):
        confirm(statement=issued, actor=foreign, at=at)


def test_the_parent_department_sees_its_subordinate_units_statements(at):
    parent = DepartmentFactory()
    below, _other = statements(DepartmentFactory(parent=parent), DepartmentFactory())

    seen = Statement.objects.visible_to(member(Role.UNIT_APPROVER, parent), at=at)

    assert list(seen) == [below]
