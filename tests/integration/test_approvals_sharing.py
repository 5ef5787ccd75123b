"""Delegating, adding reviewers, asking for opinions, reminding; and that none of them is a way to approve one's own."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from govcloud.approvals import fitness, policies, reminders, sharing
from govcloud.approvals import services as approvals
from govcloud.approvals.lifecycle import ConsultationStatus, StageStatus, Status
from govcloud.approvals.models import Case, Consultation, Decision, Reminder, Seat
from govcloud.approvals.routing import StageRule
from govcloud.audit.models import Event, Outcome
from govcloud.lifecycle import WrongState
from tenants.access.permissions import Permission
from tenants.models import Membership, Role, User
from tenants.policies import limit
from tests.at_once import at_once
from tests.factories.approvals import INTAKE, Chain, case_of, chain, current_stage, decide, delegate, flow
from tests.factories.approvals import add_reviewer as add
from tests.factories.tenants import DepartmentFactory, UserFactory, grant, member


def consult(case: Case, actor: User, person: User, at: datetime, manner: str = "advisory") -> Consultation:
    stage = current_stage(case).code
    return sharing.consult(
        case=case, stage=stage, person=person, question="容量够吗？", manner=manner, actor=actor, at=at
    )


@pytest.mark.django_db
class TestDelegating:
    @pytest.fixture
    def people(self) -> Chain:
        return chain()

    @pytest.fixture
    def case(self, people: Chain, at: datetime) -> Case:
        """Before the unit."""
        return case_of(people, at=at)

    def test_the_delegate_decides_and_nobody_else(self, people: Chain, case: Case, at: datetime) -> None:
        colleague = member(Role.UNIT_APPROVER, people.department)
        delegate(case, people.unit_approver, people.cloud_admin, at)
        assert case in Case.objects.todo(people.cloud_admin, at=at)
        for person, refusal in (
            (people.unit_approver, policies.GivenAway),
            (colleague, policies.StageDecided),
        ):
            assert case not in Case.objects.todo(person, at=at)
            with pytest.raises(refusal):
                decide(case, person, at)
        case = decide(case, people.cloud_admin, at)
        assert current_stage(case).code == "intake"

    def test_what_the_delegate_acts_with_must_be_good_for_the_part(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        delegate(case, people.unit_approver, people.cloud_admin, at)
        duties = [Permission.RUN_CLOUDS, Permission.SEE_ALL]
        for permissions, may in ((duties, False), ([*duties, Permission.APPROVE_FOR_UNIT], True)):
            person = User.objects.get(pk=people.cloud_admin.pk)
            limit(person, to=permissions)
            assert (case in Case.objects.todo(person, at=at)) is may
            if may:
                decide(case, person, at)
            else:
                with pytest.raises(policies.StageDecided):
                    decide(case, person, at)

    def test_it_is_for_this_stage_alone(self, people: Chain, at: datetime) -> None:
        flow(INTAKE, replace(INTAKE, code="second"), at=at)
        case = case_of(people, at=at)
        colleague = member(Role.SERVICE_DESK)
        delegate(case, people.service_desk, people.cloud_admin, at)
        decide(case, people.cloud_admin, at)
        assert case not in Case.objects.todo(people.cloud_admin, at=at)
        assert case in Case.objects.todo(colleague, at=at)

    def test_who_gave_it_and_why_is_kept_and_told(self, people: Chain, case: Case, at: datetime) -> None:
        seat = delegate(case, people.unit_approver, people.cloud_admin, at)
        seat.refresh_from_db()
        assert (seat.origin, seat.person, seat.given_by, seat.reason) == (
            "delegated",
            people.cloud_admin,
            people.unit_approver,
            "出差",
        )
        told = Event.objects.get(verb="case.delegated")
        assert told.before == {"stage": "unit_approval", "person": "unit_approver"}
        assert told.after == {"stage": "unit_approval", "person": people.cloud_admin.audit_ref}
        assert (told.reason, told.thread) == ("出差", case.thread)

    def test_never_to_the_applicant_nor_to_who_submitted(self, people: Chain, at: datetime) -> None:
        submitter = member(Role.APPLICANT, people.department)
        for person in (people.applicant, submitter):
            grant(person, Role.UNIT_APPROVER, people.department)
        case = case_of(people, at=at, submitted_by=submitter)
        for person in (people.applicant, submitter):
            with pytest.raises(policies.SelfApproval):
                delegate(case, people.unit_approver, person, at)
        refusals = Event.objects.filter(verb="case.delegated", outcome=Outcome.REFUSED)
        assert set(refusals.values_list("reason", flat=True)) == {"self-approval"}
        assert not Seat.objects.exclude(person=None).exists()

    def test_never_to_who_has_decided_before(self, people: Chain, case: Case, at: datetime) -> None:
        case = decide(case, people.unit_approver, at)
        with pytest.raises(fitness.PersonUnfit):
            delegate(case, people.service_desk, people.unit_approver, at)

    def test_only_to_somebody_who_decides_and_sees_it(self, people: Chain, case: Case, at: datetime) -> None:
        strangers = [
            UserFactory(),
            member(Role.APPLICANT, people.department),
            member(Role.UNIT_APPROVER, DepartmentFactory()),
            member(Role.LEADER),
            member(Role.SYSTEM_ADMIN),
            member(Role.CLOUD_ADMIN, is_active=False),
            people.unit_approver,
        ]
        for person in strangers:
            with pytest.raises(fitness.PersonUnfit):
                delegate(case, people.unit_approver, person, at)
        offered = sharing.offered(case=case, actor=people.unit_approver, at=at)
        assert not set(strangers) & {*offered.delegates, *offered.reviewers}
        assert people.cloud_admin in offered.delegates

    def test_only_by_who_could_decide_now(self, people: Chain, case: Case, at: datetime) -> None:
        with pytest.raises(policies.OutOfTurn):
            delegate(case, people.service_desk, people.cloud_admin, at)
        with pytest.raises(policies.SelfApproval):
            delegate(case, people.applicant, people.cloud_admin, at)

    def test_with_a_reason(self, people: Chain, case: Case, at: datetime) -> None:
        with pytest.raises(sharing.ReasonMissing):
            delegate(case, people.unit_approver, people.cloud_admin, at, reason=" ")

    def test_the_delegate_does_not_hand_it_on(self, people: Chain, case: Case, at: datetime) -> None:
        delegate(case, people.unit_approver, people.cloud_admin, at)
        with pytest.raises(sharing.NotToBeHandedOn):
            delegate(case, people.cloud_admin, people.technical_reviewer, at)

    def test_who_gave_it_gives_it_to_another_or_takes_it_back(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        member(Role.TECHNICAL_REVIEWER)  # for the step that is theirs
        seat = delegate(case, people.unit_approver, people.cloud_admin, at)
        delegate(case, people.unit_approver, people.technical_reviewer, at, seat=seat.uuid)
        with pytest.raises(policies.NotADecider):
            decide(case, people.cloud_admin, at)
        delegate(case, people.unit_approver, people.unit_approver, at, seat=seat.uuid)
        assert current_stage(decide(case, people.unit_approver, at)).code == "intake"

    def test_who_gave_their_part_away_takes_no_second_seat(self, people: Chain, at: datetime) -> None:
        colleague = member(Role.SERVICE_DESK)
        flow(replace(INTAKE, quorum="some", quorum_count=2), at=at)
        case = case_of(people, at=at)
        delegate(case, people.service_desk, people.cloud_admin, at)
        assert case not in Case.objects.todo(people.service_desk, at=at)
        with pytest.raises(policies.GivenAway, match=str(people.cloud_admin)):
            decide(case, people.service_desk, at)
        with pytest.raises(policies.GivenAway):
            delegate(case, people.service_desk, people.technical_reviewer, at)
        case = decide(case, people.cloud_admin, at)
        assert decide(case, colleague, at).status == Status.APPROVED

    @pytest.mark.parametrize("quorum", [{"quorum": "some", "quorum_count": 2}, {"quorum": "all"}])
    def test_not_to_who_has_to_sign_another_seat_of_the_stage(
        self, people: Chain, at: datetime, quorum: dict
    ) -> None:
        colleague = member(Role.SERVICE_DESK)
        flow(replace(INTAKE, **quorum), at=at)
        case = case_of(people, at=at)
        with pytest.raises(fitness.NobodyLeftToSign):
            delegate(case, people.service_desk, colleague, at)
        assert not Seat.objects.exclude(person=None).exists()
        delegate(case, people.service_desk, people.cloud_admin, at)
        decide(case, people.cloud_admin, at)
        assert decide(case, colleague, at).status == Status.APPROVED

    def test_nor_to_who_alone_can_sign_a_later_stage(self, people: Chain, case: Case, at: datetime) -> None:
        with pytest.raises(fitness.NobodyLeftToSign):
            delegate(case, people.unit_approver, people.service_desk, at)
        assert not Seat.objects.exclude(person=None).exists()
        member(Role.SERVICE_DESK)
        assert delegate(case, people.unit_approver, people.service_desk, at).person == people.service_desk

    def test_nor_where_the_giver_is_short_elsewhere_and_that_is_mended_by_it(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        """The giver was needed twice; with their seat given away they are not, and the later stage lost its only one."""
        Membership.objects.filter(user=people.service_desk).delete()
        grant(people.unit_approver, Role.SERVICE_DESK)
        with pytest.raises(fitness.NobodyLeftToSign):
            delegate(case, people.unit_approver, people.technical_reviewer, at)
        assert delegate(case, people.unit_approver, people.cloud_admin, at).person == people.cloud_admin

    def test_of_two_roles_that_is_given_which_nobody_else_holds(self, people: Chain, at: datetime) -> None:
        member(Role.SERVICE_DESK)
        Membership.objects.filter(user=people.cloud_admin).delete()
        grant(people.service_desk, Role.CLOUD_ADMIN)
        flow(replace(INTAKE, also_roles=(Role.CLOUD_ADMIN,)), at=at)
        case = case_of(people, at=at)
        assert delegate(case, people.service_desk, people.technical_reviewer, at).role == Role.CLOUD_ADMIN

    def test_but_where_enough_others_are_left_to_a_colleague_too(self, people: Chain, at: datetime) -> None:
        colleague, third = member(Role.SERVICE_DESK), member(Role.SERVICE_DESK)
        flow(replace(INTAKE, quorum="some", quorum_count=2), at=at)
        case = case_of(people, at=at)
        delegate(case, people.service_desk, colleague, at)
        assert set(approvals.current_deciders(case=case, at=at)) == {colleague, third}
        decide(case, colleague, at)
        assert decide(case, third, at).status == Status.APPROVED

    def test_a_delegate_who_decides_nothing_any_more_does_not_decide_this(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        delegate(case, people.unit_approver, people.cloud_admin, at)
        Membership.objects.filter(user=people.cloud_admin).update(valid_until=at + timedelta(hours=1))
        with pytest.raises(policies.StageDecided):
            decide(case, people.cloud_admin, at + timedelta(hours=2))
        assert not Decision.objects.exists()

    def test_the_delegates_decision_bars_them_from_later_stages(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        member(Role.SERVICE_DESK)  # for the step that is theirs
        delegate(case, people.unit_approver, people.service_desk, at)
        case = decide(case, people.service_desk, at)
        with pytest.raises(policies.DecidedAlready):
            decide(case, people.service_desk, at)


@pytest.mark.django_db
class TestAddedReviewers:
    @pytest.fixture
    def people(self) -> Chain:
        return chain()

    @pytest.fixture
    def case(self, people: Chain, at: datetime) -> Case:
        return case_of(people, at=at)

    def test_the_stage_stays_open_until_they_have_signed_too(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        add(case, people.unit_approver, people.cloud_admin, at)
        case = decide(case, people.unit_approver, at)
        assert current_stage(case).code == "unit_approval"
        assert list(Case.objects.todo(people.cloud_admin, at=at)) == [case]
        assert current_stage(decide(case, people.cloud_admin, at)).code == "intake"

    def test_they_may_reject(self, people: Chain, case: Case, at: datetime) -> None:
        add(case, people.unit_approver, people.cloud_admin, at)
        assert decide(case, people.cloud_admin, at, "reject").status == Status.REJECTED

    def test_they_sign_their_own_seat_and_leave_that_of_their_role_to_others(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        colleague = member(Role.UNIT_APPROVER, people.department)
        add(case, people.unit_approver, colleague, at)
        case = decide(case, colleague, at)
        assert current_stage(case).code == "unit_approval"
        assert current_stage(decide(case, people.unit_approver, at)).code == "intake"

    def test_not_who_alone_can_sign_for_the_role(self, people: Chain, at: datetime) -> None:
        flow(replace(INTAKE, also_roles=(Role.CLOUD_ADMIN,)), at=at)
        case = case_of(people, at=at)
        with pytest.raises(fitness.NobodyLeftToSign):
            add(case, people.service_desk, people.cloud_admin, at)
        member(Role.CLOUD_ADMIN)
        assert add(case, people.service_desk, people.cloud_admin, at).person == people.cloud_admin

    def test_nor_who_alone_can_sign_for_the_role_at_a_later_stage(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        with pytest.raises(fitness.NobodyLeftToSign):
            add(case, people.unit_approver, people.technical_reviewer, at)
        member(Role.TECHNICAL_REVIEWER)
        assert add(case, people.unit_approver, people.technical_reviewer, at).person

    def test_nor_who_is_needed_as_two_later_stages_have_two_people(self, people: Chain, at: datetime) -> None:
        member(Role.SERVICE_DESK)
        unit = StageRule("unit", "单位审批", "Unit approval", Role.UNIT_APPROVER, 1)
        flow(unit, INTAKE, replace(INTAKE, code="second"), at=at)
        case = case_of(people, at=at)
        with pytest.raises(fitness.NobodyLeftToSign):
            add(case, people.unit_approver, people.service_desk, at)
        member(Role.SERVICE_DESK)
        assert add(case, people.unit_approver, people.service_desk, at).person == people.service_desk

    def test_a_later_stage_that_a_rule_decides_needs_nobody(self, people: Chain, at: datetime) -> None:
        unit = StageRule("unit", "单位审批", "Unit approval", Role.UNIT_APPROVER, 1)
        flow(unit, replace(INTAKE, auto_max_mlps_level=5), at=at)
        case = case_of(people, at=at)
        assert add(case, people.unit_approver, people.service_desk, at).person == people.service_desk

    def test_a_later_stage_that_nobody_could_sign_anyway_bars_nobody(
        self, people: Chain, at: datetime
    ) -> None:
        unit = StageRule("unit", "单位审批", "Unit approval", Role.UNIT_APPROVER, 1)
        flow(unit, replace(INTAKE, role=Role.FINANCE), at=at)
        case = case_of(people, at=at)
        assert add(case, people.unit_approver, people.service_desk, at).person == people.service_desk

    def test_never_the_applicant_nor_the_same_person_twice(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        with pytest.raises(policies.SelfApproval):
            add(case, people.unit_approver, people.applicant, at)
        add(case, people.unit_approver, people.cloud_admin, at)
        for person in (people.cloud_admin, people.unit_approver):
            with pytest.raises(fitness.PersonUnfit):
                add(case, people.unit_approver, person, at)

    def test_who_added_them_can_name_another_instead(self, people: Chain, case: Case, at: datetime) -> None:
        member(Role.TECHNICAL_REVIEWER)  # for the step that is theirs
        seat = add(case, people.unit_approver, people.cloud_admin, at)
        case = decide(case, people.unit_approver, at)
        delegate(case, people.unit_approver, people.technical_reviewer, at, seat=seat.uuid)
        assert current_stage(decide(case, people.technical_reviewer, at)).code == "intake"

    def test_once_they_have_signed_nothing_else_is_given_in_its_place(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        member(Role.TECHNICAL_REVIEWER)  # for the step that is theirs
        seat = add(case, people.unit_approver, people.cloud_admin, at)
        decide(case, people.cloud_admin, at)
        with pytest.raises(sharing.SeatGone):
            delegate(case, people.unit_approver, people.technical_reviewer, at, seat=seat.uuid)
        assert current_stage(decide(case, people.unit_approver, at)).code == "intake"


@pytest.mark.django_db
class TestConsulting:
    @pytest.fixture
    def people(self) -> Chain:
        return chain()

    @pytest.fixture
    def case(self, people: Chain, at: datetime) -> Case:
        return case_of(people, at=at)

    def test_an_opinion_is_asked_for_and_given(self, people: Chain, case: Case, at: datetime) -> None:
        asked = consult(case, people.unit_approver, people.cloud_admin, at)
        answered = sharing.answer(consultation=asked, text="够", actor=people.cloud_admin, at=at)
        assert (answered.status, answered.answer, answered.closed_at) == ("answered", "够", at)
        told = Event.objects.filter(thread=case.thread, verb__startswith="consultation")
        assert list(told.order_by("id").values_list("verb", "reason")) == [
            ("consultation.asked", "容量够吗？"),
            ("consultation.answered", "够"),
        ]

    def test_a_decision_need_not_wait_for_it(self, people: Chain, case: Case, at: datetime) -> None:
        asked = consult(case, people.unit_approver, people.cloud_admin, at)
        assert current_stage(decide(case, people.unit_approver, at)).code == "intake"
        asked.refresh_from_db()
        assert asked.status == ConsultationStatus.WAIVED

    def test_an_awaited_one_keeps_from_approving_but_not_from_returning(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        consult(case, people.unit_approver, people.cloud_admin, at, "awaited")
        for verb in ("approve", "approve_with_conditions"):
            with pytest.raises(approvals.OpinionAwaited, match=str(people.cloud_admin)):
                decide(case, people.unit_approver, at, verb)
        assert decide(case, people.unit_approver, at, "return").status == Status.RETURNED

    def test_an_awaited_one_is_waived_by_who_asked_or_who_decides(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        colleague = member(Role.UNIT_APPROVER, people.department)
        for person in (people.unit_approver, colleague):
            asked = consult(case, people.unit_approver, people.cloud_admin, at, "awaited")
            for stranger in (people.service_desk, people.cloud_admin):
                with pytest.raises(sharing.NotTheAsker):
                    sharing.waive(consultation=asked, actor=stranger, at=at)
            sharing.waive(consultation=asked, actor=person, at=at)
        assert current_stage(decide(case, people.unit_approver, at)).code == "intake"

    def test_only_who_was_asked_answers_and_once(self, people: Chain, case: Case, at: datetime) -> None:
        asked = consult(case, people.unit_approver, people.cloud_admin, at)
        with pytest.raises(sharing.NotConsulted):
            sharing.answer(consultation=asked, text="够", actor=people.service_desk, at=at)
        sharing.answer(consultation=asked, text="够", actor=people.cloud_admin, at=at)
        with pytest.raises(WrongState):
            sharing.answer(consultation=asked, text="不够", actor=people.cloud_admin, at=at)

    def test_the_applicant_is_not_asked_and_nobody_twice_at_a_time(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        with pytest.raises(fitness.PersonUnfit):
            consult(case, people.unit_approver, people.applicant, at)
        consult(case, people.unit_approver, people.cloud_admin, at)
        with pytest.raises(sharing.ConsultedAlready):
            consult(case, people.unit_approver, people.cloud_admin, at)

    def test_an_opinion_decides_nothing(self, people: Chain, case: Case, at: datetime) -> None:
        leader = member(Role.LEADER)
        asked = consult(case, people.unit_approver, leader, at)
        sharing.answer(consultation=asked, text="同意", actor=leader, at=at)
        assert current_stage(case).code == "unit_approval"
        with pytest.raises(policies.NotADecider):
            decide(case, leader, at)


@pytest.mark.django_db
class TestReminding:
    @pytest.fixture
    def people(self) -> Chain:
        return chain()

    def test_a_reminder_is_kept_and_told_and_changes_no_deadline(self, people: Chain, at: datetime) -> None:
        case = case_of(people, at=at)
        due = current_stage(case).due_at
        reminders.remind(case=case, text="周五上线", actor=people.applicant, at=at)
        reminder = Reminder.objects.get()
        assert (reminder.stage, reminder.person, reminder.text) == (
            current_stage(case),
            people.applicant,
            "周五上线",
        )
        assert current_stage(case).due_at == due
        assert Event.objects.get(verb="case.reminded").after == {"stage": "unit_approval"}

    def test_once_a_day_and_stage(self, people: Chain, at: datetime) -> None:
        case = case_of(people, at=at)
        reminders.remind(case=case, text="", actor=people.applicant, at=at)
        with pytest.raises(reminders.RemindedAlready):
            reminders.remind(case=case, text="", actor=member(Role.SUPERVISOR), at=at + timedelta(hours=23))
        reminders.remind(case=case, text="", actor=people.applicant, at=at + timedelta(days=1))
        later = at + timedelta(days=1, minutes=1)
        case = decide(case, people.unit_approver, later)
        reminders.remind(case=case, text="", actor=people.applicant, at=later)
        assert Reminder.objects.count() == 3

    def test_by_those_who_wait_and_those_who_watch(self, people: Chain, at: datetime) -> None:
        case = case_of(people, at=at)
        for person in (people.unit_approver, member(Role.APPLICANT, DepartmentFactory())):
            with pytest.raises(reminders.MayNotRemind):
                reminders.remind(case=case, text="", actor=person, at=at)
        reminders.remind(case=case, text="", actor=member(Role.LEADER), at=at)

    def test_of_what_is_being_decided(self, people: Chain, at: datetime) -> None:
        case = decide(case_of(people, at=at), people.unit_approver, at, "return")
        with pytest.raises(policies.CaseNotOpen):
            reminders.remind(case=case, text="", actor=people.applicant, at=at)


@pytest.mark.django_db(transaction=True)
def test_a_delegation_and_a_decision_at_once_end_in_one_of_the_two(at: datetime) -> None:
    people = chain()
    colleague = member(Role.UNIT_APPROVER, people.department)
    case = case_of(people, at=at)
    outcomes = at_once(
        [
            lambda: delegate(case, people.unit_approver, people.cloud_admin, at, stage="unit_approval"),
            lambda: decide(case, colleague, at, stage="unit_approval"),
        ]
    )
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [policies.StageDecided]
    delegated = Seat.objects.filter(person=people.cloud_admin, status="open").exists()
    assert (current_stage(case).code, delegated) in {("unit_approval", True), ("intake", False)}


@pytest.mark.django_db
def test_withdrawing_frees_seats_and_opinions_that_were_asked_for(at: datetime) -> None:
    people = chain()
    case = case_of(people, at=at)
    asked = consult(case, people.unit_approver, people.cloud_admin, at)
    approvals.withdraw(case=case, actor=people.applicant, at=at)
    asked.refresh_from_db()
    assert asked.status == ConsultationStatus.WAIVED
    assert set(Seat.objects.values_list("status", flat=True)) == {"released"}
    assert set(case.stages.values_list("status", flat=True)) == {StageStatus.CANCELLED}
