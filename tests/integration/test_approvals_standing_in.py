"""Substitutes: who stands in for whom, wherever that person could decide; and that it is no way to approve one's own."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from govcloud.approvals import absences, policies
from govcloud.approvals.models import Absence, Case, Decision
from govcloud.audit.models import Event, Outcome
from tenants.access.permissions import Permission
from tenants.models import Membership, Role, User
from tenants.policies import RoleMissing, limit
from tests.at_once import at_once
from tests.factories.approvals import INTAKE, Chain, case_of, chain, decide, flow
from tests.factories.tenants import DepartmentFactory, grant, member


def away(person: User, substitute: User, at: datetime, *, days: int = 7) -> Absence:
    return absences.name_substitute(
        substitute=substitute,
        starts_at=at,
        ends_at=at + timedelta(days=days),
        reason="年休假",
        actor=person,
        at=at,
    )


@pytest.mark.django_db
class TestStandingIn:
    @pytest.fixture
    def people(self) -> Chain:
        return chain()

    def test_the_substitute_decides_and_both_names_are_kept(self, people: Chain, at: datetime) -> None:
        case = case_of(people, at=at)
        away(people.unit_approver, people.cloud_admin, at)
        assert list(Case.objects.todo(people.cloud_admin, at=at)) == [case]
        decide(case, people.cloud_admin, at)
        decision = Decision.objects.get()
        assert (decision.decider, decision.on_behalf_of) == (people.cloud_admin, people.unit_approver)
        told = Event.objects.get(verb="case.decided")
        assert told.after["on_behalf_of"] == people.unit_approver.audit_ref

    def test_what_the_substitute_acts_with_opens_no_more_on_behalf_of_another(
        self, people: Chain, at: datetime
    ) -> None:
        case = case_of(people, at=at)
        away(people.unit_approver, people.cloud_admin, at)
        substitute = member_again(people.cloud_admin)
        limit(substitute, to=[Permission.RUN_CLOUDS, Permission.SEE_ALL])
        assert not Case.objects.todo(substitute, at=at).exists()
        with pytest.raises(policies.NotADecider):
            decide(case, substitute, at)
        substitute = member_again(people.cloud_admin)
        limit(substitute, to=[Permission.RUN_CLOUDS, Permission.SEE_ALL, Permission.APPROVE_FOR_UNIT])
        assert case in Case.objects.todo(substitute, at=at)
        decide(case, substitute, at)

    def test_only_while_the_absence_lasts(self, people: Chain, at: datetime) -> None:
        case = case_of(people, at=at)
        away(people.unit_approver, people.cloud_admin, at, days=2)
        for later in (at - timedelta(minutes=1), at + timedelta(days=2)):
            assert not Case.objects.todo(people.cloud_admin, at=later).exists()
            with pytest.raises(policies.NotADecider):
                decide(case, member_again(people.cloud_admin), later)

    def test_an_absence_ends_early(self, people: Chain, at: datetime) -> None:
        absence = away(people.unit_approver, people.cloud_admin, at)
        with pytest.raises(absences.NotYourAbsence):
            absences.end(absence=absence, actor=people.cloud_admin, at=at)
        absences.end(absence=absence, actor=people.unit_approver, at=at + timedelta(hours=1))
        later = at + timedelta(hours=2)
        case_of(people, at=later)
        assert not Case.objects.todo(people.cloud_admin, at=later).exists()
        with pytest.raises(absences.AbsenceOver):
            absences.end(absence=absence, actor=people.unit_approver, at=later)

    def test_nobody_stands_in_for_the_applicant(self, people: Chain, at: datetime) -> None:
        """An approver who applies and is away: their substitute may not decide what they could not."""
        grant(people.applicant, Role.UNIT_APPROVER, people.department)
        away(people.applicant, people.service_desk, at)
        flow(replace(INTAKE, role=Role.UNIT_APPROVER), at=at)
        case = case_of(people, at=at)
        assert not Case.objects.todo(people.service_desk, at=at).exists()
        with pytest.raises(policies.SelfApproval):
            decide(case, people.service_desk, at)
        assert Event.objects.filter(reason="self-approval", outcome=Outcome.REFUSED).count() == 1

    def test_the_applicant_stands_in_for_nobody_in_what_is_their_own(
        self, people: Chain, at: datetime
    ) -> None:
        grant(people.applicant, Role.UNIT_APPROVER, people.department)
        away(people.unit_approver, people.applicant, at)
        case = case_of(people, at=at)
        assert not Case.objects.todo(people.applicant, at=at).exists()
        with pytest.raises(policies.SelfApproval):
            decide(case, people.applicant, at)

    def test_neither_of_the_two_decides_again(self, people: Chain, at: datetime) -> None:
        flow(INTAKE, replace(INTAKE, code="second"), at=at)
        away(people.service_desk, people.cloud_admin, at)
        case = decide(case_of(people, at=at), people.cloud_admin, at)
        for person in (people.service_desk, people.cloud_admin):
            assert not Case.objects.todo(person, at=at).exists()
            with pytest.raises(policies.DecidedAlready):
                decide(case, person, at)

    def test_a_substitutes_substitute_decides_nothing(self, people: Chain, at: datetime) -> None:
        case = case_of(people, at=at)
        away(people.unit_approver, people.cloud_admin, at)
        away(people.cloud_admin, people.technical_reviewer, at)
        assert not Case.objects.todo(people.technical_reviewer, at=at).exists()
        with pytest.raises(policies.OutOfTurn):
            decide(case, people.technical_reviewer, at)

    def test_a_role_that_ends_takes_the_substitute_along(self, people: Chain, at: datetime) -> None:
        case = case_of(people, at=at)
        away(people.unit_approver, people.cloud_admin, at)
        Membership.objects.filter(user=people.unit_approver).update(valid_until=at + timedelta(hours=1))
        with pytest.raises(policies.NotADecider):
            decide(case, people.cloud_admin, at + timedelta(hours=2))

    def test_only_somebody_who_decides_wherever_one_does(self, people: Chain, at: datetime) -> None:
        elsewhere = member(Role.UNIT_APPROVER, DepartmentFactory())
        for person in (elsewhere, member(Role.LEADER), people.applicant, people.unit_approver):
            with pytest.raises(absences.SubstituteUnfit):
                away(people.unit_approver, person, at)
        with pytest.raises(RoleMissing):
            away(people.applicant, people.unit_approver, at)

    def test_one_substitute_at_a_time(self, people: Chain, at: datetime) -> None:
        away(people.unit_approver, people.cloud_admin, at, days=3)
        with pytest.raises(absences.AbsenceOverlaps):
            away(people.unit_approver, people.service_desk, at + timedelta(days=2))
        away(people.unit_approver, people.service_desk, at + timedelta(days=3))

    def test_nor_until_the_end_of_all_dates(self, people: Chain, at: datetime) -> None:
        last = datetime(9999, 12, 30, tzinfo=UTC)
        for begins, ends in ((last, last + timedelta(days=1)), (at, last)):
            with pytest.raises(absences.AbsenceUnfit):
                absences.name_substitute(
                    substitute=people.cloud_admin, starts_at=begins, ends_at=ends, reason="", at=at,
                    actor=people.unit_approver,
                )  # fmt: skip

    @pytest.mark.parametrize(("begins", "ends"), [(0, 0), (-3, -1), (0, 400)])
    def test_an_absence_lasts_and_not_for_ever(
        self, people: Chain, at: datetime, begins: int, ends: int
    ) -> None:
        with pytest.raises(absences.AbsenceUnfit):
            absences.name_substitute(
                substitute=people.cloud_admin,
                starts_at=at + timedelta(days=begins),
                ends_at=at + timedelta(days=ends),
                reason="",
                actor=people.unit_approver,
                at=at,
            )


@pytest.mark.django_db(transaction=True)
def test_of_two_who_name_a_substitute_for_the_same_days_at_once_one_is_named(at: datetime) -> None:
    people = chain()
    outcomes = at_once(
        [lambda s=s: away(people.unit_approver, s, at) for s in (people.cloud_admin, people.service_desk)]
    )
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [absences.AbsenceOverlaps]
    assert Absence.objects.count() == 1


def member_again(person: User) -> User:
    """The person as another request reads them: what is known of them for an instant is kept on the object."""
    return User.objects.get(pk=person.pk)
