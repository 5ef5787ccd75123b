"""Seats by name of people who leave or whose roles end: who signs in their stead, and who is told."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import transaction

from govcloud.approvals import handover, policies
from govcloud.approvals import services as approvals
from govcloud.approvals.models import Case, Decision, Seat
from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.notifications import audience
from govcloud.notifications.models import Notice
from govcloud.organisation import handover as leaving
from govcloud.supervision import services as supervision
from tenants.models import Membership, Role, User
from tests.at_once import at_once, held_up
from tests.factories.approvals import (
    INTAKE,
    Chain,
    add_reviewer,
    case_of,
    chain,
    current_stage,
    decide,
    delegate,
    flow,
)
from tests.factories.tenants import grant, member

BY = SystemActor("tests")


@pytest.fixture
def people() -> Chain:
    return chain()


@pytest.fixture
def case(people: Chain, at: datetime) -> Case:
    """Before the unit."""
    return case_of(people, at=at)


def ended(person: User, at: datetime) -> None:
    Membership.objects.filter(user=person).update(valid_until=at)


def told(at: datetime) -> set[User]:
    """Whom the latest notice is for."""
    notice = Notice.objects.latest("id")
    return {each.person for each in audience.of([notice], at=at)[notice.pk]}


@pytest.mark.django_db
class TestDelegatedSeats:
    def test_a_role_that_is_revoked_frees_what_its_holder_has_by_name(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        delegate(case, people.unit_approver, people.cloud_admin, at)
        security, held = member(Role.SECURITY_ADMIN), Membership.objects.get(user=people.cloud_admin)
        handover.revoke(membership=held, reason="调离岗位", actor=security, at=at)
        seat = Seat.objects.get()
        assert (seat.origin, seat.person, seat.given_by, seat.status) == ("role", None, None, "open")
        event = Event.objects.get(verb="case.seat_freed")
        assert (event.actor, event.before, event.thread) == (
            security.audit_ref, {"person": people.cloud_admin.audit_ref}, case.thread,
        )  # fmt: skip
        assert decide(case, people.unit_approver, at).stages.get(code="unit_approval").status == "approved"

    def test_a_role_that_has_run_out_does_so_by_the_sweep(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        delegate(case, people.unit_approver, people.cloud_admin, at)
        over = at + timedelta(days=1)
        ended(people.cloud_admin, over)
        supervision.sweep(at=over - timedelta(seconds=1))
        assert not Seat.objects.filter(person=None).exists()
        supervision.sweep(at=over)
        seat = Seat.objects.get()
        assert (seat.person, seat.status) == (None, "open")
        assert Event.objects.filter(verb="case.seat_freed", actor="system:supervision").count() == 1
        assert case in Case.objects.todo(people.unit_approver, at=over)

    def test_so_does_a_role_of_who_gave_it(self, people: Chain, case: Case, at: datetime) -> None:
        delegate(case, people.unit_approver, people.cloud_admin, at)
        ended(people.unit_approver, at)
        assert handover.vacate(actor=BY, at=at) == 1

    def test_another_role_that_decides_there_keeps_it(self, people: Chain, case: Case, at: datetime) -> None:
        delegate(case, people.unit_approver, people.cloud_admin, at)
        grant(people.cloud_admin, Role.FINANCE)
        Membership.objects.filter(user=people.cloud_admin, role=Role.CLOUD_ADMIN).update(valid_until=at)
        assert handover.vacate(actor=BY, at=at) == 0

    def test_only_those_who_can_sign_it_are_told(self, people: Chain, at: datetime) -> None:
        giver, signer, other = (member(Role.SERVICE_DESK) for _each in range(3))
        submitter = member(Role.APPLICANT, people.department)
        grant(submitter, Role.SERVICE_DESK)
        flow(replace(INTAKE, quorum="some", quorum_count=3), at=at)
        case = case_of(people, at=at, submitted_by=submitter)
        decide(case, signer, at, "return")
        case = case_of(people, at=at, subject_id=case.subject_id, revision=2)
        assert told(at) == {people.service_desk, giver, signer, other}
        decide(case, signer, at)
        delegate(case, people.service_desk, people.cloud_admin, at)
        delegate(case, giver, people.technical_reviewer, at)
        ended(people.cloud_admin, at)
        assert handover.vacate(actor=BY, at=at) == 1
        assert told(at) == {people.service_desk, other}


@pytest.mark.django_db
class TestAddedSeats:
    def test_beside_another_it_is_not_asked_for_any_more(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        add_reviewer(case, people.unit_approver, people.cloud_admin, at)
        ended(people.cloud_admin, at)
        assert handover.vacate(actor=BY, at=at) == 1
        assert list(Seat.objects.order_by("pk").values_list("status", flat=True)) == ["open", "released"]
        event = Event.objects.get(verb__startswith="case.seat")
        assert (event.verb, event.before, event.after) == (
            "case.seat_released",
            {"person": people.cloud_admin.audit_ref},
            {"stage": "unit_approval"},
        )

    def test_the_last_one_is_signed_by_another_holder_of_the_stages_role(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        colleague = member(Role.UNIT_APPROVER, people.department)
        add_reviewer(case, people.unit_approver, people.cloud_admin, at)
        decide(case, people.unit_approver, at)
        ended(people.cloud_admin, at)
        assert handover.vacate(actor=BY, at=at) == 1
        assert told(at) == {colleague}
        event = Event.objects.get(verb="case.seat_freed")
        assert event.after == {"stage": "unit_approval", "role": "unit_approver"}
        assert approvals.current_deciders(case=case, at=at) == [colleague]
        with pytest.raises(policies.DecidedAlready):
            decide(case, people.unit_approver, at)
        assert current_stage(decide(case, colleague, at)).code == "intake"

    def test_or_of_a_countersigning_one_where_nobody_else_is_left(self, people: Chain, at: datetime) -> None:
        countersigning = member(Role.FINANCE)
        other = member(Role.FINANCE)
        flow(replace(INTAKE, also_roles=(Role.FINANCE,)), at=at)
        case = case_of(people, at=at)
        add_reviewer(case, people.service_desk, people.cloud_admin, at)
        for person in (people.service_desk, countersigning):
            decide(case, person, at)
        ended(people.cloud_admin, at)
        assert handover.vacate(actor=BY, at=at) == 1
        assert told(at) == {other}
        assert decide(case, other, at).status == "approved"

    def test_of_two_that_are_lost_together_one_is_left(self, people: Chain, case: Case, at: datetime) -> None:
        reviewers = [people.cloud_admin, member(Role.FINANCE)]
        for person in reviewers:
            add_reviewer(case, people.unit_approver, person, at)
        decide(case, people.unit_approver, at)
        for person in reviewers:
            ended(person, at)
        assert handover.vacate(actor=BY, at=at) == 2
        added = Seat.objects.order_by("pk")[1:]
        assert [(seat.origin, seat.status) for seat in added] == [("added", "released"), ("role", "open")]


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_what_is_lost_meanwhile_in_a_case_that_is_not_locked_is_left_to_the_next_look(
        self, people: Chain, at: datetime
    ) -> None:
        reviewers = [people.cloud_admin, member(Role.CLOUD_ADMIN)]
        cases = [case_of(people, at=at) for _each in reviewers]
        for case, person in zip(cases, reviewers, strict=True):
            delegate(case, people.unit_approver, person, at)
        ended(reviewers[0], at)
        with transaction.atomic():
            approvals.lock(cases[0])
            vacating = held_up(lambda: handover.vacate(actor=BY, at=at))
            assert at_once([lambda: ended(reviewers[1], at)]) == [None]
        assert vacating.result() == 1
        assert Seat.objects.get(person__isnull=False).stage.case == cases[1]
        assert handover.vacate(actor=BY, at=at) == 1

    def test_who_decides_while_they_are_handed_over_has_decided(
        self, people: Chain, case: Case, at: datetime
    ) -> None:
        delegate(case, people.unit_approver, people.cloud_admin, at)
        keeper = member(Role.SYSTEM_ADMIN)
        with transaction.atomic():
            approvals.lock(case)
            left = held_up(
                lambda: leaving.hand_over(
                    person=people.cloud_admin, successors=[], reason="退休", force=True, actor=keeper, at=at
                )
            )
            decide(case, people.cloud_admin, at)
        assert left.exception() is None
        assert Decision.objects.get().decider == people.cloud_admin
        assert not User.objects.get(pk=people.cloud_admin.pk).is_active
        assert current_stage(case).code == "intake"
