"""Two who decide at the same moment, each with a connection of their own."""

from datetime import datetime
from uuid import uuid4

import pytest

from govcloud.approvals import policies
from govcloud.approvals import services as approvals
from govcloud.approvals.lifecycle import Status
from govcloud.approvals.models import Case, Decision
from govcloud.audit.models import Event
from govcloud.errors import Conflict
from tenants.models import Role
from tests.at_once import at_once
from tests.factories.approvals import INSTANT, approved_up_to, case_of, chain, current_stage
from tests.factories.tenants import grant, member

pytestmark = pytest.mark.django_db(transaction=True)


def decision(case: Case, actor, at: datetime, verb: str = "approve", stage: str = ""):
    return lambda: approvals.decide(
        case=case,
        verb=verb,
        opinion="Because.",
        revision_hash=case.revision_hash,
        actor=actor,
        at=at,
        stage=stage,
    )


def test_of_two_approvals_at_once_one_wins_and_the_other_is_a_conflict(at: datetime) -> None:
    people = chain()
    colleague = member(Role.UNIT_APPROVER, people.department)
    case = case_of(people, at=at)
    outcomes = at_once([decision(case, people.unit_approver, at), decision(case, colleague, at)])
    (refusal,) = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(refusal, Conflict)
    assert Decision.objects.count() == 1
    assert current_stage(case).code == "intake"
    assert Event.objects.filter(verb="case.decided", outcome="done").count() == 1


def test_a_colleague_with_the_next_role_as_well_does_not_approve_two_stages_by_one_click(
    at: datetime,
) -> None:
    people = chain()
    colleague = member(Role.UNIT_APPROVER, people.department)
    for person in (people.unit_approver, colleague):
        grant(person, Role.SERVICE_DESK)
    case = case_of(people, at=at)
    clicks = [
        decision(case, person, at, stage="unit_approval") for person in (people.unit_approver, colleague)
    ]
    outcomes = at_once(clicks)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [policies.StageDecided]
    assert current_stage(case).code == "intake"


def test_a_double_click_decides_once(at: datetime) -> None:
    people = chain()
    case = case_of(people, at=at)
    outcomes = at_once([decision(case, people.unit_approver, at)] * 4)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [policies.DecidedAlready] * 3
    assert Decision.objects.count() == 1


def test_the_last_approval_and_a_rejection_at_once_end_the_case_one_way(at: datetime) -> None:
    people = chain()
    colleague = member(Role.SERVICE_DESK)
    case = approved_up_to(case_of(people, at=at, matter=INSTANT), "instant_intake", people, at=at)
    outcomes = at_once(
        [decision(case, people.service_desk, at), decision(case, colleague, at, verb="reject")]
    )
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [policies.CaseNotOpen]
    case.refresh_from_db()
    assert case.status == (Status.APPROVED if outcomes[0] is None else Status.REJECTED)
    assert Event.objects.filter(verb__in=["case.approved", "case.rejected"]).count() == 1


def test_approval_and_withdrawal_at_once_never_both_end_the_case(at: datetime) -> None:
    people = chain()
    case = approved_up_to(case_of(people, at=at, matter=INSTANT), "instant_intake", people, at=at)
    withdrawal = lambda: approvals.withdraw(case=case, actor=people.applicant, at=at)  # noqa: E731
    outcomes = at_once([decision(case, people.service_desk, at), withdrawal])
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [policies.CaseNotOpen]


def test_a_subject_submitted_twice_at_once_gets_one_case(at: datetime) -> None:
    people, subject = chain(), uuid4()
    outcomes = at_once([lambda: case_of(people, at=at, subject_id=subject)] * 4)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [approvals.CaseRunning] * 3
    assert Case.objects.get(subject_id=subject).stages.count() == 4
