"""Access reviews: every role is confirmed or ended, nobody decides on their own, and the evidence stays."""

from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, transaction

from govcloud.audit.models import Event
from govcloud.errors import DomainError
from govcloud.lifecycle import WrongState
from govcloud.organisation import reviews
from govcloud.organisation.lifecycle import ReviewStatus, Verdict
from govcloud.organisation.models import AccessReview, ReviewLine
from tenants import memberships
from tenants.models import Department, Role, User
from tenants.policies import RoleMissing, scope_of
from tests.factories.tenants import DepartmentFactory, UserFactory, grant, member

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def keeper(db: None) -> User:
    return member(Role.SECURITY_ADMIN)


@pytest.fixture
def unit(db: None) -> Department:
    return DepartmentFactory()


@pytest.fixture
def approver(unit: Department) -> User:
    return member(Role.UNIT_APPROVER, unit)


@pytest.fixture
def applicant(unit: Department) -> User:
    return member(Role.APPLICANT, unit)


def opened(keeper: User, *units: Department, at: datetime) -> AccessReview:
    return reviews.open_review(
        title="2026 年下半年复核", departments=units, due_at=at + 10 * DAY, actor=keeper, at=at
    )


def line_of(person: User) -> ReviewLine:
    return ReviewLine.objects.get(membership__user=person)


def decide(
    line: ReviewLine, by: User, verdict: str = "confirmed", *, at: datetime, reason: str = ""
) -> ReviewLine:
    return reviews.decide(line=line, verdict=verdict, reason=reason, actor=by, at=at)


def test_a_review_has_every_role_held_in_the_units_and_below(
    keeper: User, unit: Department, approver: User, applicant: User, at: datetime
) -> None:
    below = member(Role.APPLICANT, DepartmentFactory(parent=unit))
    member(Role.APPLICANT, DepartmentFactory())
    grant(UserFactory(), Role.APPLICANT, unit, valid_until=at)
    opened(keeper, unit, at=at)
    people = set(ReviewLine.objects.values_list("membership__user", flat=True))
    assert people == {approver.pk, applicant.pk, below.pk}


def test_a_review_of_everybody_has_the_centres_roles_too(keeper: User, applicant: User, at: datetime) -> None:
    opened(keeper, at=at)
    assert set(ReviewLine.objects.values_list("membership__role", flat=True)) == {
        Role.SECURITY_ADMIN,
        Role.APPLICANT,
    }


def test_only_the_security_administrator_opens_one(approver: User, unit: Department, at: datetime) -> None:
    with pytest.raises(RoleMissing):
        opened(approver, unit, at=at)


def test_a_review_needs_time_and_something_to_review(keeper: User, unit: Department, at: datetime) -> None:
    with pytest.raises(reviews.DeadlinePassed):
        reviews.open_review(title="x", departments=[], due_at=at, actor=keeper, at=at)
    with pytest.raises(reviews.NothingToReview):
        opened(keeper, unit, at=at)


def test_a_confirmed_role_stays_and_who_confirmed_it_is_kept(
    keeper: User, unit: Department, approver: User, applicant: User, at: datetime
) -> None:
    opened(keeper, unit, at=at)
    decide(line_of(applicant), approver, at=at + DAY)
    line = line_of(applicant)
    assert (line.verdict, line.decided_by, line.decided_at) == (Verdict.CONFIRMED, approver, at + DAY)
    assert scope_of(applicant, at=at + DAY).unit_roles
    event = Event.objects.get(verb="accessreview.decided")
    assert event.after == {"verdict": "confirmed", "person": applicant.audit_ref, "role": "applicant"}


def test_an_ended_role_ends_at_once(
    keeper: User, unit: Department, approver: User, applicant: User, at: datetime
) -> None:
    opened(keeper, unit, at=at)
    decide(line_of(applicant), approver, "ended", reason="moved on", at=at + DAY)
    assert not scope_of(applicant, at=at + DAY).unit_roles
    assert Event.objects.get(verb="role.ended").reason == "moved on"


def test_nobody_decides_on_their_own(keeper: User, unit: Department, approver: User, at: datetime) -> None:
    opened(keeper, at=at)
    for person in (approver, keeper):
        with pytest.raises(reviews.OwnAccess):
            decide(line_of(person), person, at=at)
    assert Event.objects.filter(verb="accessreview.decided", outcome="refused").count() == 2
    decide(line_of(approver), keeper, at=at)
    assert line_of(approver).verdict == Verdict.CONFIRMED


def test_another_units_approver_decides_nothing(
    keeper: User, unit: Department, applicant: User, at: datetime
) -> None:
    opened(keeper, unit, at=at)
    with pytest.raises(reviews.NotAReviewer):
        decide(line_of(applicant), member(Role.UNIT_APPROVER, DepartmentFactory()), at=at)


def test_the_approver_of_the_unit_above_decides(
    keeper: User, approver: User, unit: Department, at: datetime
) -> None:
    below = member(Role.UNIT_APPROVER, DepartmentFactory(parent=unit))
    opened(keeper, unit, at=at)
    assert decide(line_of(below), approver, at=at).verdict == Verdict.CONFIRMED


@pytest.mark.parametrize(
    ("verdict", "reason", "code"),
    [("ended", " ", "ending-reason-missing"), ("lapsed", "", "no-verdict"), ("perhaps", "", "no-verdict")],
)
def test_what_is_no_decision_is_refused(
    applicant: User, *, verdict: str, reason: str, code: str, at: datetime
) -> None:
    keeper = member(Role.SECURITY_ADMIN)
    opened(keeper, at=at)
    with pytest.raises(DomainError) as refusal:
        decide(line_of(applicant), keeper, verdict, reason=reason, at=at)
    assert refusal.value.code == code


def test_a_line_is_decided_once_and_not_when_the_role_has_ended(
    keeper: User, unit: Department, approver: User, applicant: User, at: datetime
) -> None:
    opened(keeper, unit, at=at)
    decide(line_of(applicant), approver, at=at)
    memberships.end(membership=line_of(approver).membership, reason="left", actor=keeper, at=at + DAY)
    for person in (applicant, approver):
        with pytest.raises(reviews.LineDecided):
            decide(line_of(person), keeper, at=at + DAY)


def test_a_decided_line_cannot_be_altered_by_anybody(
    keeper: User, unit: Department, applicant: User, at: datetime
) -> None:
    opened(keeper, unit, at=at)
    decide(line_of(applicant), keeper, at=at)
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        ReviewLine.objects.update(verdict=Verdict.PENDING, decided_at=None, decided_by=None)
    with pytest.raises(DatabaseError, match="none is deleted"), transaction.atomic():
        ReviewLine.objects.all()._raw_delete("default")


def test_what_is_undecided_after_the_deadline_is_overdue_and_may_still_be_decided(
    keeper: User, unit: Department, applicant: User, at: datetime
) -> None:
    opened(keeper, unit, at=at)
    assert not ReviewLine.objects.overdue(at=at + 9 * DAY).exists()
    assert ReviewLine.objects.overdue(at=at + 10 * DAY).get() == line_of(applicant)
    decide(line_of(applicant), keeper, at=at + 11 * DAY)
    assert not ReviewLine.objects.overdue(at=at + 11 * DAY).exists()


def test_a_review_closes_before_its_deadline_when_all_is_decided(
    keeper: User, unit: Department, approver: User, applicant: User, at: datetime
) -> None:
    review = opened(keeper, unit, at=at)
    decide(line_of(applicant), keeper, at=at)
    with pytest.raises(reviews.ReviewUnfinished):
        reviews.close(review=review, reason="", actor=keeper, at=at + DAY)
    memberships.end(membership=line_of(approver).membership, reason="left", actor=keeper, at=at + DAY)
    closed = reviews.close(review=review, reason="", actor=keeper, at=at + 2 * DAY)
    assert (closed.status, closed.closed_at) == (ReviewStatus.CLOSED, at + 2 * DAY)
    assert line_of(approver).verdict == Verdict.LAPSED


def test_what_nobody_decided_on_stays_in_the_evidence_as_such(
    keeper: User, unit: Department, applicant: User, at: datetime
) -> None:
    review = opened(keeper, unit, at=at)
    reviews.close(review=review, reason="unit did not answer", actor=keeper, at=at + 10 * DAY)
    assert line_of(applicant).verdict == Verdict.PENDING
    with pytest.raises(reviews.ReviewOver):
        decide(line_of(applicant), keeper, at=at + 11 * DAY)
    with pytest.raises(WrongState):
        reviews.close(review=review, reason="", actor=keeper, at=at + 11 * DAY)
