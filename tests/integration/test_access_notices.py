"""What the keepers of access hear of: roles that wait for a second person, and reviews near their deadline or past it."""

from datetime import datetime, timedelta

import pytest
from django.conf import LazySettings
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from govcloud.audit.models import Event, Outcome
from govcloud.notifications import dispatch
from govcloud.notifications.models import Message, Notice
from govcloud.notifications.texts import told
from govcloud.organisation import appointing, handover, reviews, rhythm, telling
from govcloud.organisation.lifecycle import Verdict
from govcloud.portal.inbox.rows import page_about
from tenants.access import grants
from tenants.access.models import RoleRequest
from tenants.models import Role, User
from tests.at_once import at_once
from tests.factories.organisation import review_of
from tests.factories.tenants import BEGINNING, DepartmentFactory, UserFactory, grant, member
from tests.portal.reading import text

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def heard(person: User, *, at: datetime) -> list[str]:
    dispatch.dispatch(at=at)
    return list(Message.objects.visible_to(person).order_by("pk").values_list("notice__kind", flat=True))


def asked(*, user: User, actor: User, at: datetime) -> RoleRequest:
    return appointing.ask(user=user, role=Role.AUDIT_ADMIN, reason="岗位空缺", actor=actor, at=at)


# -- roles that take two


def test_who_could_be_the_second_person_hears_of_a_request(at: datetime) -> None:
    officer, second, candidate = member(Role.SECURITY_ADMIN), member(Role.SECURITY_ADMIN), UserFactory()
    other = member(Role.SYSTEM_ADMIN)
    asked(user=candidate, actor=officer, at=at)
    assert heard(second, at=at) == ["role.requested"]
    assert [heard(person, at=at) for person in (officer, candidate, other)] == [[], [], []]
    said = told(Notice.objects.get(), language="en")
    assert ("audit administrator" in said.title.lower(), "岗位空缺" in said.text) == (True, True)


def test_who_asked_and_who_holds_it_now_hear_of_the_confirmation(at: datetime) -> None:
    officer, second, candidate = member(Role.SECURITY_ADMIN), member(Role.SECURITY_ADMIN), UserFactory()
    request = asked(user=candidate, actor=officer, at=at)
    appointing.confirm(request=request, actor=second, at=at)
    assert [heard(person, at=at) for person in (officer, candidate)] == [["role.confirmed"]] * 2


def test_who_asked_hears_why_it_was_declined(at: datetime) -> None:
    officer, second, candidate = member(Role.SECURITY_ADMIN), member(Role.SECURITY_ADMIN), UserFactory()
    appointing.decline(
        request=asked(user=candidate, actor=officer, at=at), reason="已有两名", actor=second, at=at
    )
    assert (heard(officer, at=at), heard(candidate, at=at)) == (["role.declined"], [])
    assert "已有两名" in told(Notice.objects.get(kind="role.declined"), language="zh-hans").text


def test_who_asked_hears_once_that_nobody_confirmed_in_time(at: datetime) -> None:
    officer, second = member(Role.SECURITY_ADMIN), member(Role.SECURITY_ADMIN)
    request = asked(user=UserFactory(), actor=officer, at=at)
    confirmed = asked(user=UserFactory(), actor=officer, at=at)
    appointing.confirm(request=confirmed, actor=second, at=at)
    over = request.expires_at
    times = (over - timedelta(seconds=1), over, over, over + DAY, over + 30 * DAY)
    assert [appointing.tell_lapsed(at=moment) for moment in times] == [0, 1, 0, 0, 0]
    assert heard(officer, at=over) == ["role.confirmed", "role.lapsed"]


def test_whether_it_was_told_is_looked_up_by_an_index(at: datetime) -> None:
    """The outbox is never emptied, and this is asked again and again."""
    member(Role.SECURITY_ADMIN)
    request = asked(user=UserFactory(), actor=member(Role.SECURITY_ADMIN), at=at)
    with CaptureQueriesContext(connection) as captured:
        appointing.tell_lapsed(at=request.expires_at)
    (statement,) = [each["sql"] for each in captured if 'SELECT "notifications_notice"' in each["sql"]]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # of a handful of rows
        cursor.execute(f"EXPLAIN {statement}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "notice_of_lapse" in plan


def test_what_was_asked_for_somebody_who_leaves_is_declined_and_who_asked_hears_of_it(at: datetime) -> None:
    officer, second, candidate = member(Role.SECURITY_ADMIN), member(Role.SECURITY_ADMIN), UserFactory()
    request = asked(user=candidate, actor=officer, at=at)
    other = asked(user=UserFactory(), actor=officer, at=at)
    handover.hand_over(person=candidate, successors=[], reason="退休", force=False, actor=second, at=at)
    request.refresh_from_db()
    other.refresh_from_db()
    assert (request.status, request.decided_by, other.status) == ("declined", second, "open")
    assert heard(officer, at=at) == ["role.declined"]
    assert Event.objects.get(verb="rolerequest.declined").reason == "退休"


@pytest.mark.parametrize("how", ["revoked", "reviewed", "left"])
def test_what_somebody_asked_for_goes_with_the_role_to_ask(at: datetime, how: str) -> None:
    officer, second, candidate = member(Role.SECURITY_ADMIN), member(Role.SECURITY_ADMIN), UserFactory()
    request = asked(user=candidate, actor=officer, at=at)
    if how == "revoked":
        appointing.revoke(membership=officer.memberships.get(), actor=second, at=at, reason="调岗")
    elif how == "left":
        handover.hand_over(person=officer, successors=[], reason="调岗", force=False, actor=second, at=at)
    else:
        review = reviews.open_review(title="t", departments=[], due_at=at + DAY, actor=second, at=at)
        line = review.lines.select_related("review", "membership").get(membership__user=officer)
        reviews.decide(line=line, verdict=Verdict.ENDED, reason="调岗", actor=second, at=at)
    request.refresh_from_db()
    assert (request.status, request.decided_by) == ("declined", second)
    assert heard(officer, at=at) == []


def test_what_somebody_asked_for_stays_while_they_may_ask(at: datetime) -> None:
    officer, second, candidate = member(Role.SECURITY_ADMIN), member(Role.SECURITY_ADMIN), UserFactory()
    held = grant(officer, Role.LEADER)
    request = asked(user=candidate, actor=officer, at=at)
    appointing.revoke(membership=held, actor=second, at=at, reason="调岗")
    request.refresh_from_db()
    assert request.status == "open"


def test_a_refused_confirmation_is_audited_and_tells_nobody(at: datetime) -> None:
    officer = member(Role.SECURITY_ADMIN)
    request = asked(user=UserFactory(), actor=officer, at=at)
    with pytest.raises(grants.OwnRequest):
        appointing.confirm(request=request, actor=officer, at=at)
    assert Event.objects.get(verb="rolerequest.confirmed").outcome == Outcome.REFUSED
    assert not Notice.objects.filter(kind="role.confirmed").exists()


# -- access reviews


def test_reviewers_hear_once_that_the_deadline_is_near_and_once_that_it_is_past(at: datetime) -> None:
    above = DepartmentFactory()
    unit = DepartmentFactory(parent=above)
    chief, approver = member(Role.UNIT_APPROVER, above), member(Role.UNIT_APPROVER, unit)
    for _role in range(2):
        member(Role.APPLICANT, unit)
    officer = member(Role.SECURITY_ADMIN)
    stranger = member(Role.UNIT_APPROVER, DepartmentFactory())
    review = review_of(above, at=at, by=officer, days=30)
    near, over = review.due_at - 2 * DAY, review.due_at
    assert [telling.tell(at=moment) for moment in (at, near, near, over, over)] == [0, 1, 0, 1, 0]
    for person in (chief, approver, officer):
        assert heard(person, at=over) == ["review.due", "review.overdue"]
    assert heard(stranger, at=over) == []
    counts = {
        message.person_id: message.notice.facts["count"]
        for message in Message.objects.filter(notice__kind="review.due")
    }
    assert counts == {chief.pk: 3, approver.pk: 2, officer.pk: 4}  # nobody decides on their own


def test_who_has_decided_on_everything_is_not_reminded(at: datetime) -> None:
    unit = DepartmentFactory()
    approver, applicant = member(Role.UNIT_APPROVER, unit), member(Role.APPLICANT, unit)
    officer = member(Role.SECURITY_ADMIN)
    review = review_of(unit, at=at, by=officer)
    line = review.lines.get(membership__user=applicant)
    reviews.decide(line=line, verdict=Verdict.CONFIRMED, reason="", actor=approver, at=at)
    telling.tell(at=review.due_at)
    assert (heard(approver, at=at), heard(officer, at=at)) == ([], ["review.overdue"])


def test_a_review_with_nothing_left_to_decide_tells_nobody(at: datetime) -> None:
    unit = DepartmentFactory()
    member(Role.APPLICANT, unit)
    officer = member(Role.SECURITY_ADMIN)
    review = review_of(unit, at=at, by=officer)
    for line in review.lines.all():
        reviews.decide(line=line, verdict=Verdict.CONFIRMED, reason="", actor=officer, at=at)
    telling.tell(at=review.due_at)
    assert not Notice.objects.exists()


def test_a_sweep_that_is_cut_off_tells_nobody_and_the_next_one_does(at: datetime) -> None:
    unit = DepartmentFactory()
    member(Role.APPLICANT, unit)
    review = review_of(unit, at=at)
    with transaction.atomic():
        assert telling.tell(at=review.due_at) == 1
        transaction.set_rollback(True)
    assert not Notice.objects.exists()
    assert [telling.tell(at=review.due_at) for _again in range(2)] == [1, 0]


@pytest.mark.django_db(transaction=True)
def test_of_many_who_sweep_at_once_one_tells(at: datetime) -> None:
    unit = DepartmentFactory()
    grant(UserFactory(), Role.APPLICANT, unit)
    review = review_of(unit, at=at)
    at_once([lambda: telling.tell(at=review.due_at)] * 5)
    assert Notice.objects.filter(kind="review.overdue").count() == 1


# -- the next review


def test_who_opens_reviews_hears_once_that_the_next_is_due(at: datetime, settings: LazySettings) -> None:
    settings.REVIEW_EVERY_DAYS = 180
    officer, unit = member(Role.SECURITY_ADMIN), DepartmentFactory()
    member(Role.UNIT_APPROVER, unit)
    first = BEGINNING + 180 * DAY
    assert [rhythm.tell(at=moment) for moment in (first - DAY, first, first + DAY)] == [False, True, False]
    assert heard(officer, at=first) == ["review.to_open"]
    assert "180 days" in told(Notice.objects.get(), language="en").text
    assert page_about(Notice.objects.get(), officer, at=at) == "/access-reviews/"
    review = reviews.open_review(
        title="t", departments=[], due_at=first + 20 * DAY, actor=officer, at=first + DAY
    )
    assert (rhythm.next_round(), rhythm.late_seconds(at=first + 900 * DAY)) == (None, 0)
    closed_at = first + 20 * DAY
    reviews.close(review=review, reason="", actor=officer, at=closed_at)
    times = [closed_at, closed_at + 179 * DAY, closed_at + 180 * DAY, closed_at + 500 * DAY]
    assert [rhythm.tell(at=moment) for moment in times] == [False, False, True, False]
    assert page_about(Notice.objects.latest("pk"), officer, at=at) == "/access-reviews/"
    assert rhythm.late_seconds(at=closed_at + 181 * DAY) == DAY.total_seconds()
    settings.REVIEW_EVERY_DAYS = 0
    assert rhythm.next_round() is None


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_tell_of_the_next_review_once(at: datetime) -> None:
    member(Role.SECURITY_ADMIN)
    later = at + 900 * DAY
    assert at_once([lambda: rhythm.tell(at=later)] * 4) == [None] * 4
    assert Notice.objects.filter(kind="review.to_open").count() == 1


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_the_pages_say_when_the_next_review_is_due(
    client: Client, settings: LazySettings, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    settings.REVIEW_EVERY_DAYS = 180
    client.force_login(member(Role.SECURITY_ADMIN))
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    late, early = ("has been due since", "is due on") if language == "en" else ("起应开展", "应于")
    for days, said, on_people in ((179, early, False), (181, late, True)):
        now = BEGINNING + days * DAY
        monkeypatch.setattr("govcloud.clock.now", lambda now=now: now)
        assert said in text(client.get("/access-reviews/"))
        assert (said in text(client.get("/people/"))) is on_people
    answer = client.get("/metrics").content.decode()
    assert "govcloud_access_review_late_seconds 86400.0" in answer
