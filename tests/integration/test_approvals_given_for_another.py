"""What substitutes do with a part that is not theirs: giving it to somebody else, doing without an opinion, signing."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db.models import Prefetch

from govcloud.approvals import handover, policies, sharing
from govcloud.approvals.models import Absence, Case, Consultation, Seat
from govcloud.approvals.routing import StageRule
from govcloud.approvals.services import current_deciders, stages_of
from govcloud.audit.models import Event, Outcome
from govcloud.audit.services import SystemActor
from govcloud.notifications import audience
from govcloud.notifications.models import Notice
from govcloud.portal.deciding import offers
from tenants.models import Membership, Role, User
from tests.factories.approvals import (
    INTAKE,
    Chain,
    absence,
    add_reviewer,
    case_of,
    chain,
    current_stage,
    decide,
    delegate,
    flow,
)
from tests.factories.tenants import grant, member

pytestmark = pytest.mark.django_db

BY = SystemActor("tests")
BOARD = StageRule("board", "会审", "Board", Role.AUTHORITY_APPROVER, 2, quorum="some", quorum_count=2)


def again(person: User | None) -> User:
    """As of another request."""
    assert person is not None
    return User.objects.get(pk=person.pk)


def told(at: datetime) -> set[User]:
    """Whom the latest notice of something that waits is for."""
    notice = Notice.objects.filter(kind="case.waiting").latest("id")
    return {each.person for each in audience.of([notice], at=at)[notice.pk]}


@pytest.fixture
def people(at: datetime) -> Chain:
    people = chain()
    flow(BOARD, INTAKE, at=at)
    return people


@pytest.fixture
def absent(people: Chain, at: datetime) -> User:
    """One of the authority's two, for whom the cloud's administrator decides."""
    absence(people.authority_approver, people.cloud_admin, begins=at)
    return people.authority_approver


@pytest.fixture
def substitute(people: Chain) -> User:
    return people.cloud_admin


@pytest.fixture
def other(db: None) -> User:
    """The authority's second."""
    return member(Role.AUTHORITY_APPROVER)


@pytest.fixture
def case(people: Chain, other: User, at: datetime) -> Case:
    return case_of(people, at=at)


@pytest.fixture
def given(case: Case, absent: User, substitute: User, people: Chain, at: datetime) -> Seat:
    """The absent one's part, given to the unit's approver."""
    return delegate(case, substitute, people.unit_approver, at)


class TestGiving:
    def test_whose_part_it_was_is_kept_and_told(self, given: Seat, absent: User, substitute: User) -> None:
        given.refresh_from_db()
        assert (given.given_by, given.given_for) == (substitute, absent)
        assert Event.objects.get(verb="case.delegated").after["on_behalf_of"] == absent.audit_ref

    def test_neither_of_the_two_signs_anything_else_there(
        self, given: Seat, case: Case, other: User, at: datetime
    ) -> None:
        absent, substitute = given.given_for, given.given_by
        assert substitute is not None
        grant(substitute, Role.AUTHORITY_APPROVER)
        for person in (again(absent), again(substitute)):
            assert case not in Case.objects.todo(person, at=at)
            assert person not in current_deciders(case=case, at=at)
            with pytest.raises(policies.GivenAway):
                decide(case, person, at)
        assert case in Case.objects.todo(other, at=at)
        assert case in Case.objects.todo(given.person, at=at)

    @pytest.mark.usefixtures("given")
    def test_the_substitute_gives_away_one_part_only(
        self, case: Case, substitute: User, people: Chain, at: datetime
    ) -> None:
        with pytest.raises(policies.GivenAway):
            delegate(case, again(substitute), people.technical_reviewer, at)

    def test_who_was_away_takes_it_back_and_signs(
        self, given: Seat, case: Case, absent: User, other: User, at: datetime
    ) -> None:
        delegate(case, again(absent), absent, at, seat=given.uuid)
        given.refresh_from_db()
        assert (given.person, given.given_by, given.given_for) == (absent, absent, absent)
        for person in (again(absent), other):
            assert case in Case.objects.todo(person, at=at)
            decide(case, person, at)
        assert current_stage(case).code == "intake"

    def test_or_gives_it_to_yet_another(
        self, given: Seat, case: Case, absent: User, people: Chain, at: datetime
    ) -> None:
        actor = again(absent)
        assert [seat for seat, _people in sharing.offered(case=case, actor=actor, at=at).again] == [given]
        delegate(case, actor, people.technical_reviewer, at, seat=given.uuid)
        given.refresh_from_db()
        assert (given.person, given.given_by, given.given_for) == (people.technical_reviewer, absent, absent)
        with pytest.raises(policies.GivenAway):
            decide(case, again(absent), at)

    def test_the_substitute_can_give_it_back(
        self, given: Seat, case: Case, absent: User, substitute: User, at: datetime
    ) -> None:
        grant(substitute, Role.AUTHORITY_APPROVER)
        delegate(case, again(substitute), absent, at, seat=given.uuid)
        for person in (again(absent), again(substitute)):
            assert case in Case.objects.todo(person, at=at)
        decide(case, again(substitute), at)

    def test_or_take_it_themselves_which_is_still_the_absent_ones_only_part(
        self, given: Seat, case: Case, absent: User, substitute: User, at: datetime
    ) -> None:
        delegate(case, again(substitute), substitute, at, seat=given.uuid)
        with pytest.raises(policies.GivenAway):
            decide(case, again(absent), at)
        decide(case, again(substitute), at)

    def test_but_not_once_they_stand_in_for_them_no_more(
        self, given: Seat, case: Case, substitute: User, people: Chain, at: datetime
    ) -> None:
        Absence.objects.update(ends_at=at)
        actor = again(substitute)
        assert sharing.offered(case=case, actor=actor, at=at).again == []
        with pytest.raises(policies.NotADecider):
            delegate(case, actor, people.technical_reviewer, at, seat=given.uuid)

    def test_it_is_free_again_once_whose_part_it_was_decides_no_more(
        self, given: Seat, absent: User, at: datetime
    ) -> None:
        Membership.objects.filter(user=absent).update(valid_until=at)
        assert handover.vacate(actor=BY, at=at) == 1
        given.refresh_from_db()
        assert (given.person, given.given_by, given.given_for) == (None, None, None)

    @pytest.mark.usefixtures("given")
    def test_nobody_of_the_two_becomes_the_applicant(
        self, case: Case, absent: User, substitute: User
    ) -> None:
        assert {(case.pk, absent.pk), (case.pk, substitute.pk)} <= handover.deciders_of([case.pk])

    def test_of_an_added_reviewer_as_well(
        self, case: Case, absent: User, substitute: User, people: Chain, at: datetime
    ) -> None:
        added = add_reviewer(case, substitute, people.unit_approver, at)
        assert (added.given_by, added.given_for) == (substitute, absent)
        assert policies.given_away([added]) == set()


class TestDoingWithoutAnOpinion:
    @pytest.fixture
    def asked(self, case: Case, other: User, people: Chain, at: datetime) -> Consultation:
        return sharing.consult(
            case=case, stage="board", person=people.technical_reviewer, question="容量够吗？", manner="awaited",
            actor=other, at=at,
        )  # fmt: skip

    @pytest.mark.usefixtures("absent")
    def test_a_substitute_who_decides_now_may(
        self, asked: Consultation, case: Case, substitute: User, at: datetime
    ) -> None:
        stages = list(case.stages.filter(revision=1).prefetch_related("seats__person", "decisions"))
        for stage in stages:
            stage.consulted, stage.reminded_at = True, None  # type: ignore[attr-defined]
        assert asked in offers.offer(case, stages, again(substitute), at=at).asking
        sharing.waive(consultation=asked, actor=again(substitute), at=at)
        decide(case, again(substitute), at)

    def test_who_has_decided_an_earlier_step_may_not(self, people: Chain, other: User, at: datetime) -> None:
        grant(people.service_desk, Role.AUTHORITY_APPROVER)
        flow(INTAKE, replace(BOARD, quorum="one", quorum_count=None), at=at)
        case = decide(case_of(people, at=at), people.service_desk, at)
        asked = sharing.consult(
            case=case, stage="board", person=people.technical_reviewer, question="容量够吗？", manner="awaited",
            actor=other, at=at,
        )  # fmt: skip
        with pytest.raises(sharing.NotTheAsker):
            sharing.waive(consultation=asked, actor=again(people.service_desk), at=at)
        assert Event.objects.get(verb="consultation.waived").outcome == Outcome.REFUSED
        sharing.waive(consultation=asked, actor=again(people.authority_approver), at=at)


def test_who_has_signed_through_a_substitute_is_not_told_that_the_next_step_waits_for_them(
    people: Chain, at: datetime
) -> None:
    flow(INTAKE, replace(INTAKE, code="second"), at=at)
    colleague = member(Role.SERVICE_DESK)
    absence(people.service_desk, people.cloud_admin, begins=at - timedelta(hours=1))
    decide(case_of(people, at=at), people.cloud_admin, at)
    assert told(at) == {colleague}


def test_a_page_that_is_read_while_the_last_decision_is_taken_offers_nothing(
    case: Case, people: Chain, other: User, at: datetime
) -> None:
    case.stages.update(status="approved")
    stages = list(case.stages.prefetch_related(Prefetch("seats"), "decisions"))
    assert offers.offer(case, stages, other, at=at) == offers.Offer()
    with pytest.raises(policies.StageDecided):
        policies.require_decider(case, stages_of(case), seen="", revision_hash=None, actor=other, at=at)
