"""Cases decided stage by stage, and everything that must be refused on the way."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from govcloud.approvals import policies
from govcloud.approvals import services as approvals
from govcloud.approvals.lifecycle import Status
from govcloud.approvals.models import Case, Decision
from govcloud.audit.models import Event, Outcome
from govcloud.calendars.services import due_after
from tenants.models import Role, User
from tests.factories.approvals import (
    COMMITTED,
    DIGEST,
    INSTANT,
    Chain,
    approved_up_to,
    case_of,
    chain,
    current_stage,
    one_stage_flow,
)
from tests.factories.tenants import DepartmentFactory, UserFactory, grant, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> Chain:
    return chain()


def decide(case: Case, actor: User, at: datetime, verb: str = "approve", **how) -> Case:
    how = {
        "opinion": "" if verb == "approve" else "Which data is it for?",
        "revision_hash": case.revision_hash,
        **how,
    }
    return approvals.decide(case=case, verb=verb, actor=actor, at=at, **how)


def statuses(case: Case) -> list[tuple[str, str]]:
    return list(case.stages.values_list("code", "status"))


def test_opened_case_is_with_the_unit_approver_and_due_when_the_whole_chain_is(
    people: Chain, at: datetime
) -> None:
    case = case_of(people, at=at)
    assert statuses(case) == [
        ("unit_approval", "current"),
        ("intake", "waiting"),
        ("technical_review", "waiting"),
        ("authority_approval", "waiting"),
    ]
    assert current_stage(case).opened_at == at
    assert case.due_at == due_after(start=at, working_days=7) == case.stages.last().due_at


def test_four_approvals_in_turn_approve_the_case(people: Chain, at: datetime) -> None:
    case = case_of(people, at=at)
    for hours, role in enumerate(
        ("unit_approver", "service_desk", "technical_reviewer", "authority_approver")
    ):
        case = decide(case, people.of(role), at + timedelta(hours=hours))
    assert (case.status, case.closed_at) == (Status.APPROVED, at + timedelta(hours=3))
    assert {status for _code, status in statuses(case)} == {"approved"}
    deciders = Decision.objects.order_by("at").values_list("decider__username", flat=True)
    assert list(deciders) == [
        people.of(role).username
        for role in ("unit_approver", "service_desk", "technical_reviewer", "authority_approver")
    ]


def test_the_next_stage_counts_its_days_from_when_it_became_current(people: Chain, at: datetime) -> None:
    case, later = case_of(people, at=at), at + timedelta(days=5)
    decide(case, people.unit_approver, later)
    stage = current_stage(case)
    assert (stage.code, stage.opened_at, stage.due_at) == (
        "intake",
        later,
        due_after(start=later, working_days=1),
    )


def test_instant_matter_is_approved_by_the_unit_and_the_service_desk(people: Chain, at: datetime) -> None:
    case = case_of(people, at=at, matter=INSTANT)
    case = decide(decide(case, people.unit_approver, at), people.service_desk, at)
    assert case.status == Status.APPROVED


def test_rejection_ends_the_case_and_cancels_what_was_to_come(people: Chain, at: datetime) -> None:
    case = decide(case_of(people, at=at), people.unit_approver, at, verb="reject")
    assert (case.status, case.closed_at) == (Status.REJECTED, at)
    assert [status for _code, status in statuses(case)] == ["rejected", "cancelled", "cancelled", "cancelled"]


@pytest.mark.parametrize("verb", ["return", "reject"])
@pytest.mark.parametrize("opinion", ["", "  \n"])
def test_no_returning_or_rejecting_without_a_reason(
    people: Chain, at: datetime, verb: str, opinion: str
) -> None:
    case = case_of(people, at=at)
    with pytest.raises(approvals.OpinionMissing) as refusal:
        decide(case, people.unit_approver, at, verb=verb, opinion=opinion)
    assert refusal.value.pointers == ("/opinion",)
    assert not Decision.objects.exists()


def test_an_unknown_verb_is_refused(people: Chain, at: datetime) -> None:
    with pytest.raises(approvals.UnknownVerb, match="approve, approve_with_conditions, return, reject"):
        decide(case_of(people, at=at), people.unit_approver, at, verb="maybe")


class TestReturned:
    """Back for correction: the same case goes on with the next revision."""

    @pytest.fixture
    def returned(self, people: Chain, at: datetime) -> Case:
        case = approved_up_to(case_of(people, at=at), "intake", people, at=at)
        return decide(case, people.service_desk, at, verb="return")

    def again(self, returned: Case, people: Chain, at: datetime, **how) -> Case:
        how = {"revision": 2, "revision_hash": "b" * 64, **how}
        return case_of(people, at=at, subject_id=returned.subject_id, **how)

    def test_it_is_with_nobody_until_it_comes_back(self, returned: Case, people: Chain, at: datetime) -> None:
        assert returned.status == Status.RETURNED
        assert [status for _code, status in statuses(returned)] == [
            "approved",
            "returned",
            "cancelled",
            "cancelled",
        ]
        assert not Case.objects.todo(people.unit_approver, at=at).exists()
        with pytest.raises(policies.CaseNotOpen):
            decide(returned, people.technical_reviewer, at)

    def test_the_next_revision_starts_the_chain_over_and_keeps_what_was_decided(
        self, returned: Case, people: Chain, at: datetime
    ) -> None:
        later = at + timedelta(days=3)
        case = self.again(returned, people, later)
        assert (case.pk, case.status, case.revision) == (returned.pk, Status.OPEN, 2)
        assert case.due_at == due_after(
            start=at, working_days=7 + 3
        )  # the ends of Wednesday, Thursday and Friday at rest
        assert [status for _code, status in statuses(case)[:4]] == [
            "approved",
            "returned",
            "cancelled",
            "cancelled",
        ]
        assert [status for _code, status in statuses(case)[4:]] == [
            "current",
            "waiting",
            "waiting",
            "waiting",
        ]
        assert approved_up_to(case, "", people, at=later).status == Status.APPROVED

    def test_it_stays_on_its_version_of_the_flow(self, returned: Case, people: Chain, at: datetime) -> None:
        one_stage_flow(at)
        planned = approvals.preview(
            department=people.department, applicant=people.applicant, matter=COMMITTED, at=at, case=returned
        )
        case = self.again(returned, people, at)
        assert case.flow == returned.flow
        assert [stage.code for stage in planned] == [code for code, _status in statuses(case)[4:]]

    def test_approval_of_the_old_revision_does_not_count_for_the_new_one(
        self, returned: Case, people: Chain, at: datetime
    ) -> None:
        case = self.again(returned, people, at)
        with pytest.raises(policies.RevisionChanged):
            decide(case, people.unit_approver, at, revision_hash=DIGEST)
        assert current_stage(case).code == "unit_approval"

    def test_who_submitted_the_new_revision_does_not_decide_it(
        self, returned: Case, people: Chain, at: datetime
    ) -> None:
        case = self.again(returned, people, at, submitted_by=people.unit_approver)
        with pytest.raises(policies.SelfApproval):
            decide(case, people.unit_approver, at)


class TestRefused:
    def test_nobody_decides_their_own_application(self, people: Chain, at: datetime) -> None:
        grant(people.applicant, Role.UNIT_APPROVER, people.department)
        case = case_of(people, at=at)
        with pytest.raises(policies.SelfApproval):
            decide(case, people.applicant, at)
        assert current_stage(case).code == "unit_approval"
        event = Event.objects.get(outcome=Outcome.REFUSED)
        assert (event.actor, event.reason) == (people.applicant.audit_ref, "self-approval")
        assert (event.subject_id, event.thread) == (case.uuid, case.thread)

    def test_nobody_decides_twice_although_they_hold_the_next_role_too(
        self, people: Chain, at: datetime
    ) -> None:
        grant(people.unit_approver, Role.SERVICE_DESK)
        case = decide(case_of(people, at=at), people.unit_approver, at)
        with pytest.raises(policies.DecidedAlready):
            decide(case, people.unit_approver, at)
        assert current_stage(case).code == "intake"

    def test_nobody_decides_before_it_is_their_turn(self, people: Chain, at: datetime) -> None:
        case = case_of(people, at=at)
        with pytest.raises(policies.OutOfTurn, match="unit approver"):
            decide(case, people.service_desk, at)

    def test_nobody_decides_after_their_turn_has_passed(self, people: Chain, at: datetime) -> None:
        colleague = member(Role.UNIT_APPROVER, people.department)
        case = decide(case_of(people, at=at), people.unit_approver, at)
        with pytest.raises(policies.OutOfTurn, match="service desk"):
            decide(case, colleague, at)

    def test_who_looked_at_a_stage_that_is_decided_since_is_told_so(
        self, people: Chain, at: datetime
    ) -> None:
        colleague = member(Role.UNIT_APPROVER, people.department)
        grant(colleague, Role.SERVICE_DESK)
        case = decide(case_of(people, at=at), people.unit_approver, at)
        with pytest.raises(policies.StageDecided):
            decide(case, colleague, at, stage="unit_approval")
        assert current_stage(case).code == "intake"

    @pytest.mark.parametrize("stage", ["intake", "authority_approval", "no-such-stage"])
    def test_who_names_a_stage_that_is_not_the_current_one_is_told_so(
        self, people: Chain, at: datetime, stage: str
    ) -> None:
        case = case_of(people, at=at)
        with pytest.raises(policies.StageNotCurrent, match="unit approver") as refused:
            decide(case, people.unit_approver, at, stage=stage)
        assert (refused.value.code, refused.value.pointers) == ("stage-not-current", ("/stage",))
        assert current_stage(case).code == "unit_approval"

    @pytest.mark.parametrize("role", [Role.FINANCE, Role.LEADER, Role.SUPERVISOR, Role.SYSTEM_ADMIN])
    def test_other_roles_decide_nothing_and_leave_a_trace(
        self, people: Chain, at: datetime, role: Role
    ) -> None:
        case, other = case_of(people, at=at), member(role)
        with pytest.raises(policies.NotADecider):
            decide(case, other, at)
        assert Event.objects.filter(outcome=Outcome.REFUSED, actor=other.audit_ref).count() == 1

    def test_unit_approvers_of_other_departments_decide_nothing(self, people: Chain, at: datetime) -> None:
        below = DepartmentFactory(parent=people.department)
        for department in (DepartmentFactory(), below):
            with pytest.raises(policies.NotADecider):
                decide(case_of(people, at=at), member(Role.UNIT_APPROVER, department), at)

    def test_nothing_is_decided_once_the_case_is_closed(self, people: Chain, at: datetime) -> None:
        case = approved_up_to(case_of(people, at=at), "", people, at=at)
        with pytest.raises(policies.CaseNotOpen, match="approved"):
            decide(case, member(Role.AUTHORITY_APPROVER), at)
        assert Decision.objects.count() == 4

    def test_a_stale_hash_decides_nothing(self, people: Chain, at: datetime) -> None:
        case = case_of(people, at=at)
        with pytest.raises(policies.RevisionChanged) as refusal:
            decide(case, people.unit_approver, at, revision_hash="b" * 64)
        assert refusal.value.pointers == ("/revision_hash",)
        assert not Decision.objects.exists()


def test_a_subject_is_decided_once_at_a_time(people: Chain, at: datetime) -> None:
    case = case_of(people, at=at)
    with pytest.raises(approvals.CaseRunning):
        case_of(people, at=at, subject_id=case.subject_id, revision=2)


@pytest.mark.parametrize(
    "statement", ["UPDATE approvals_decision SET opinion = 'x'", "DELETE FROM approvals_decision"]
)
def test_a_decision_is_never_changed(people: Chain, at: datetime, statement: str) -> None:
    decide(case_of(people, at=at), people.unit_approver, at)
    with (
        pytest.raises(DatabaseError, match="never changed"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


class TestWithdrawn:
    def test_applicant_takes_it_back_and_nobody_decides_it_any_more(
        self, people: Chain, at: datetime
    ) -> None:
        case = approvals.withdraw(
            case=case_of(people, at=at), actor=people.applicant, at=at, reason="Not needed"
        )
        assert (case.status, case.closed_at) == (Status.WITHDRAWN, at)
        assert {status for _code, status in statuses(case)} == {"cancelled"}
        assert Event.objects.get(verb="case.withdrawn").reason == "Not needed"
        with pytest.raises(policies.CaseNotOpen):
            decide(case, people.unit_approver, at)

    def test_a_colleague_who_may_apply_can_take_it_back_and_others_cannot(
        self, people: Chain, at: datetime
    ) -> None:
        case = case_of(people, at=at)
        with pytest.raises(policies.NotTheApplicant):
            approvals.withdraw(case=case, actor=people.unit_approver, at=at)
        assert Event.objects.get(outcome=Outcome.REFUSED).reason == "not-the-applicant"
        colleague = member(Role.APPLICANT, people.department)
        assert approvals.withdraw(case=case, actor=colleague, at=at).status == Status.WITHDRAWN

    def test_what_is_approved_is_not_taken_back(self, people: Chain, at: datetime) -> None:
        case = approved_up_to(case_of(people, at=at, matter=INSTANT), "", people, at=at)
        with pytest.raises(policies.CaseNotOpen):
            approvals.withdraw(case=case, actor=people.applicant, at=at)


class TestTodo:
    def test_a_case_is_on_the_list_of_whose_turn_it_is_and_of_nobody_else(
        self, people: Chain, at: datetime
    ) -> None:
        case = case_of(people, at=at)
        everybody = [people.of(role) for role in Chain.__annotations__ if role != "department"]
        assert [who for who in everybody if case in Case.objects.todo(who, at=at)] == [people.unit_approver]
        decide(case, people.unit_approver, at)
        assert [who for who in everybody if case in Case.objects.todo(who, at=at)] == [people.service_desk]

    def test_an_approver_above_has_it_too_and_one_of_another_department_has_not(self, at: datetime) -> None:
        above = DepartmentFactory()
        case = case_of(chain(DepartmentFactory(parent=above)), at=at)
        assert list(Case.objects.todo(member(Role.UNIT_APPROVER, above), at=at)) == [case]
        assert not Case.objects.todo(member(Role.UNIT_APPROVER, DepartmentFactory()), at=at).exists()

    def test_it_leaves_out_what_is_ones_own_or_decided_by_oneself(self, people: Chain, at: datetime) -> None:
        grant(people.applicant, Role.UNIT_APPROVER, people.department)
        grant(people.unit_approver, Role.SERVICE_DESK)
        case = case_of(people, at=at)
        assert not Case.objects.todo(people.applicant, at=at).exists()
        decide(case, people.unit_approver, at)
        assert not Case.objects.todo(people.unit_approver, at=at).exists()

    def test_somebody_without_a_role_has_nothing_to_do(self, people: Chain, at: datetime) -> None:
        case_of(people, at=at)
        assert not Case.objects.todo(UserFactory(), at=at).exists()

    def test_fifty_cases_with_all_their_stages_take_five_queries(
        self, people: Chain, at: datetime, django_assert_num_queries
    ) -> None:
        for _case in range(50):
            case_of(people, at=at)
        with django_assert_num_queries(5):  # the roles, absences, the cases, their stages, decisions
            cases = list(Case.objects.todo(people.unit_approver, at=at).with_stages())
            assert sum(len(case.stages.all()) for case in cases) == 200


def test_who_can_decide_now_leaves_out_who_is_involved(people: Chain, at: datetime) -> None:
    grant(people.applicant, Role.UNIT_APPROVER, people.department)
    grant(people.unit_approver, Role.SERVICE_DESK)
    case = case_of(people, at=at)
    assert approvals.current_deciders(case=case, at=at) == [people.unit_approver]
    case = decide(case, people.unit_approver, at)
    assert approvals.current_deciders(case=case, at=at) == [people.service_desk]
    case = approvals.withdraw(case=case, actor=people.applicant, at=at)
    assert approvals.current_deciders(case=case, at=at) == []


def test_every_step_is_told_under_the_thread_of_the_subject(people: Chain, at: datetime) -> None:
    case = approved_up_to(case_of(people, at=at, matter=INSTANT), "", people, at=at)
    told = Event.objects.filter(thread=case.thread).order_by("id").values_list("verb", "actor_name")
    assert list(told) == [
        ("case.opened", str(people.applicant)),
        ("case.decided", str(people.unit_approver)),
        ("case.decided", str(people.service_desk)),
        ("case.approved", str(people.service_desk)),
    ]


def test_departments_see_their_own_cases_only(people: Chain, at: datetime) -> None:
    case_of(people, at=at)
    assert Case.objects.visible_to(people.applicant, at=at).count() == 1
    assert not Case.objects.visible_to(member(Role.APPLICANT, DepartmentFactory()), at=at).exists()
    assert Case.objects.visible_to(member(Role.SUPERVISOR), at=at).count() == 1


def test_opening_and_deciding_stay_within_their_statements(
    people: Chain, at: datetime, django_assert_max_num_queries
) -> None:
    with django_assert_max_num_queries(10):
        case = case_of(people, at=at)
    with django_assert_max_num_queries(17):
        decide(case, people.unit_approver, at)


def test_without_a_flow_nothing_is_opened(at: datetime) -> None:
    department = DepartmentFactory()
    with pytest.raises(approvals.NoFlow):
        approvals.open_case(
            matter=COMMITTED,
            subject_kind="order",
            subject_id=uuid4(),
            label="GC-2026-000001",
            department=department,
            applicant=member(Role.APPLICANT, department),
            revision=1,
            revision_hash=DIGEST,
            thread=uuid4(),
            at=at,
        )
    assert not Case.objects.exists()
