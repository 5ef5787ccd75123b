"""Stages that several people sign, and stages that nobody has to."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from django.db import IntegrityError, transaction

from govcloud.approvals import policies
from govcloud.approvals import services as approvals
from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import Case, Decision, Seat
from govcloud.approvals.routing import StageRule
from govcloud.audit.models import Event
from govcloud.calendars.services import due_after
from tenants.models import Membership, Role, User
from tests.at_once import at_once
from tests.factories.approvals import (
    COMMITTED,
    INSTANT,
    INTAKE,
    Chain,
    case_of,
    chain,
    current_stage,
    decide,
    flow,
)
from tests.factories.tenants import grant, member

BOARD = StageRule("board", "会审", "Board", Role.AUTHORITY_APPROVER, 2)


@pytest.mark.django_db
class TestQuorum:
    @pytest.fixture
    def people(self) -> Chain:
        return chain()

    @pytest.fixture
    def board(self, people: Chain) -> list[User]:
        """Three who hold the authority's role."""
        return [people.authority_approver, *(member(Role.AUTHORITY_APPROVER) for _one in range(2))]

    def test_two_of_three_sign_and_the_third_need_not(
        self, people: Chain, board: list[User], at: datetime
    ) -> None:
        flow(replace(BOARD, quorum="some", quorum_count=2), at=at)
        case = decide(case_of(people, at=at), board[0], at)
        assert (case.status, current_stage(case).code) == (Status.OPEN, "board")
        assert decide(case, board[2], at).status == Status.APPROVED
        with pytest.raises(policies.CaseNotOpen):
            decide(case, board[1], at)

    def test_nobody_signs_twice_for_the_others(self, people: Chain, board: list[User], at: datetime) -> None:
        flow(replace(BOARD, quorum="some", quorum_count=2), at=at)
        case = decide(case_of(people, at=at), board[0], at)
        with pytest.raises(policies.DecidedAlready):
            decide(case, board[0], at)
        assert case not in Case.objects.todo(board[0], at=at)
        assert case in Case.objects.todo(board[1], at=at)

    def test_the_database_keeps_one_person_from_signing_a_stage_twice(
        self, people: Chain, board: list[User], at: datetime
    ) -> None:
        flow(replace(BOARD, quorum="some", quorum_count=2), at=at)
        case = decide(case_of(people, at=at), board[0], at)
        stage, free = current_stage(case), Seat.objects.get(status="open")
        with pytest.raises(IntegrityError, match="decision_once_per_person"), transaction.atomic():
            Decision.objects.create(
                stage=stage, seat=free, verb="approve", decider=board[0], revision_hash="x", at=at
            )

    def test_a_single_rejection_ends_it_and_a_single_return_sends_it_back(
        self, people: Chain, board: list[User], at: datetime
    ) -> None:
        flow(replace(BOARD, quorum="some", quorum_count=2), at=at)
        for verb, status in (("reject", Status.REJECTED), ("return", Status.RETURNED)):
            case = decide(case_of(people, at=at), board[0], at)
            assert decide(case, board[1], at, verb).status == status
            assert not Seat.objects.filter(stage__case=case, status="open").exists()

    def test_where_all_sign_the_last_one_closes_it(
        self, people: Chain, board: list[User], at: datetime
    ) -> None:
        flow(replace(BOARD, quorum="all"), at=at)
        case = case_of(people, at=at)
        for person in board:
            assert case.status == Status.OPEN
            case = decide(case, person, at)
        assert case.status == Status.APPROVED

    def test_where_all_sign_those_who_may_not_do_not_count(
        self, people: Chain, board: list[User], at: datetime
    ) -> None:
        grant(people.applicant, Role.AUTHORITY_APPROVER)
        flow(replace(BOARD, quorum="all"), at=at)
        assert current_stage(case_of(people, at=at)).seats.count() == len(board)

    def test_where_all_sign_who_leaves_meanwhile_is_not_waited_for(
        self, people: Chain, board: list[User], at: datetime
    ) -> None:
        flow(replace(BOARD, quorum="all"), at=at)
        case = decide(case_of(people, at=at), board[0], at)
        Membership.objects.filter(user=board[2]).update(valid_until=at + timedelta(hours=1))
        case = decide(case, board[1], at + timedelta(hours=2))
        assert case.status == Status.APPROVED
        assert sorted(Seat.objects.values_list("status", flat=True)) == ["released", "signed", "signed"]

    def test_the_limit_of_a_stage_runs_on_while_further_signatures_are_awaited(
        self, people: Chain, board: list[User], at: datetime
    ) -> None:
        flow(replace(BOARD, quorum="some", quorum_count=2), at=at)
        case = decide(case_of(people, at=at), board[0], at + timedelta(hours=3))
        stage = current_stage(case)
        assert (stage.opened_at, stage.due_at) == (at, due_after(start=at, working_days=2))


@pytest.mark.django_db
class TestCountersigning:
    @pytest.fixture
    def people(self, at: datetime) -> Chain:
        people = chain()
        flow(replace(BOARD, also_roles=(Role.CLOUD_ADMIN, Role.TECHNICAL_REVIEWER)), INTAKE, at=at)
        return people

    def test_every_role_signs_in_any_order(self, people: Chain, at: datetime) -> None:
        case = case_of(people, at=at)
        for role in (Role.TECHNICAL_REVIEWER, Role.AUTHORITY_APPROVER, Role.CLOUD_ADMIN):
            assert current_stage(case).code == "board"
            case = decide(case, people.of(role), at)
        assert current_stage(case).code == "intake"

    def test_who_holds_two_of_the_roles_signs_for_one(self, people: Chain, at: datetime) -> None:
        grant(people.cloud_admin, Role.TECHNICAL_REVIEWER)
        case = decide(case_of(people, at=at), people.cloud_admin, at)
        signed = Decision.objects.get().seat
        left = set(Seat.objects.filter(status="open").values_list("role", flat=True))
        assert left == {Role.AUTHORITY_APPROVER, Role.CLOUD_ADMIN, Role.TECHNICAL_REVIEWER} - {signed.role}
        with pytest.raises(policies.DecidedAlready):
            decide(case, people.cloud_admin, at)

    def test_who_holds_two_of_the_roles_signs_for_the_one_that_nobody_else_can(
        self, people: Chain, at: datetime
    ) -> None:
        """The first of the two seats is the desk's, but a colleague can sign that as well."""
        flow(replace(INTAKE, also_roles=(Role.CLOUD_ADMIN,)), at=at)
        grant(people.cloud_admin, Role.SERVICE_DESK)
        case = decide(case_of(people, at=at), people.cloud_admin, at)
        assert decide(case, people.service_desk, at).status == Status.APPROVED

    def test_a_colleague_whose_role_has_signed_is_told_and_has_nothing_to_do(
        self, people: Chain, at: datetime
    ) -> None:
        colleague = member(Role.CLOUD_ADMIN)
        case = decide(case_of(people, at=at), people.cloud_admin, at)
        assert case not in Case.objects.todo(colleague, at=at)
        with pytest.raises(policies.StageDecided):
            decide(case, colleague, at)

    def test_whose_turn_has_not_come_is_told_whom_it_waits_for(self, people: Chain, at: datetime) -> None:
        case = decide(case_of(people, at=at), people.cloud_admin, at)
        with pytest.raises(policies.OutOfTurn, match="authority approver, technical reviewer"):
            decide(case, people.service_desk, at)

    def test_those_who_can_decide_now_are_named_once_each(self, people: Chain, at: datetime) -> None:
        grant(people.cloud_admin, Role.TECHNICAL_REVIEWER)
        found = approvals.current_deciders(case=case_of(people, at=at), at=at)
        assert sorted(str(one) for one in found) == sorted(
            str(one) for one in (people.authority_approver, people.cloud_admin, people.technical_reviewer)
        )


@pytest.mark.django_db
class TestConditions:
    def test_conditions_are_kept_shown_and_told(self, at: datetime) -> None:
        people = chain()
        case = decide(
            case_of(people, at=at),
            people.unit_approver,
            at,
            "approve_with_conditions",
            opinion="三个月后复核用量",
        )
        assert current_stage(case).code == "intake"
        decision = Decision.objects.get()
        assert (decision.verb, decision.opinion) == ("approve_with_conditions", "三个月后复核用量")
        told = Event.objects.get(verb="case.decided")
        assert (told.reason, told.after["verb"]) == ("三个月后复核用量", "approve_with_conditions")

    def test_conditions_have_to_be_said(self, at: datetime) -> None:
        people = chain()
        with pytest.raises(approvals.OpinionMissing):
            decide(case_of(people, at=at), people.unit_approver, at, "approve_with_conditions", opinion=" ")


@pytest.mark.django_db
class TestByRule:
    """Within quota, standard flavors, below 500 yuan a month: nobody need look at it."""

    CHEAP = replace(
        BOARD, code="cheap", auto_quota="within", auto_sizes="standard", auto_below_amount=Decimal(500)
    )
    SMALL = replace(INSTANT, amount=Decimal(499))

    def test_a_rule_decides_the_stage_and_its_reason_is_written_down(self, at: datetime) -> None:
        people = chain()
        flow(self.CHEAP, INTAKE, at=at)
        case = case_of(people, at=at, matter=self.SMALL)
        assert [s.status for s in case.stages.all()] == [StageStatus.APPROVED, StageStatus.CURRENT]
        decision = Decision.objects.get()
        assert (decision.decider, decision.opinion) == (None, "配额之内、标准规格、每月低于 500 元")
        stage = decision.stage
        assert stage.auto_reason_en == "within quota, standard flavors, below 500 yuan a month"
        told = Event.objects.get(verb="case.decided")
        assert (told.actor, told.reason) == ("system:approvals", stage.auto_reason)

    def test_what_the_rule_does_not_hold_for_is_decided_by_people(self, at: datetime) -> None:
        people = chain()
        flow(self.CHEAP, INTAKE, at=at)
        case = case_of(people, at=at, matter=replace(self.SMALL, amount=Decimal(500)))
        assert current_stage(case).code == "cheap"
        assert not Decision.objects.exists()

    def test_a_rule_between_two_people_decides_when_its_turn_comes(self, at: datetime) -> None:
        people = chain()
        last = replace(INTAKE, code="last", role=Role.CLOUD_ADMIN)
        flow(INTAKE, self.CHEAP, last, at=at)
        case = case_of(people, at=at, matter=self.SMALL)
        later = at + timedelta(hours=2)
        case = decide(case, people.service_desk, later)
        assert current_stage(case).code == "last"
        assert current_stage(case).due_at == due_after(start=later, working_days=1)
        assert case.stages.get(code="cheap").decided_at == later

    def test_where_rules_decide_everything_the_case_is_approved_at_once(self, at: datetime) -> None:
        people = chain()
        flow(self.CHEAP, replace(self.CHEAP, code="again"), at=at)
        case = case_of(people, at=at, matter=self.SMALL)
        assert (case.status, case.closed_at, case.due_at) == (Status.APPROVED, at, at)
        assert Decision.objects.count() == 2
        assert Event.objects.get(verb="case.approved").actor == "system:approvals"

    def test_a_rule_takes_no_working_days_of_the_chain(self, at: datetime) -> None:
        people = chain()
        flow(self.CHEAP, INTAKE, at=at)
        case = case_of(people, at=at, matter=self.SMALL)
        assert case.due_at == due_after(start=at, working_days=1)

    def test_a_plan_names_the_rule_in_place_of_people(self, at: datetime) -> None:
        people = chain()
        flow(self.CHEAP, INTAKE, at=at)
        first, second = approvals.preview(
            department=people.department, applicant=people.applicant, matter=self.SMALL, at=at
        )
        assert (first.deciders, first.auto_reason_en) == (
            [],
            "within quota, standard flavors, below 500 yuan a month",
        )
        assert (second.deciders, second.auto_reason) == ([people.service_desk], "")


@pytest.mark.django_db(transaction=True)
def test_of_five_who_sign_two_seats_at_once_two_do_and_three_are_told(at: datetime) -> None:
    people = chain()
    flow(replace(BOARD, quorum="some", quorum_count=2), INTAKE, at=at)
    board = [people.authority_approver, *(member(Role.AUTHORITY_APPROVER) for _one in range(4))]
    case = case_of(people, at=at, matter=COMMITTED)
    outcomes = at_once([lambda p=p: decide(case, p, at, stage="board") for p in board])
    refusals = [outcome for outcome in outcomes if outcome is not None]
    assert [type(refusal) for refusal in refusals] == [policies.StageDecided] * 3
    assert Decision.objects.count() == 2
    seats = Seat.objects.filter(stage__code="board").order_by("id")
    assert all(one.decision.decider != other.decision.decider for one, other in pairwise(seats))
    assert current_stage(case).code == "intake"
