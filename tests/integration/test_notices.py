"""From a change to the inboxes: what is posted, for whom, and what each of them has chosen."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from govcloud.approvals import reminders, sharing
from govcloud.audit.models import Event
from govcloud.calendars.models import DayKind, SpecialDay
from govcloud.notifications import dispatch, services, texts
from govcloud.notifications.kinds import Kind, Way
from govcloud.notifications.models import Channel, Delivery, Message, Notice
from govcloud.provisioning import completion
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.models import Operation, Step
from tenants.models import Role, User
from tests.factories.inventory import whole_server
from tests.factories.leases import ending, swept
from tests.factories.notifications import facts_of, posted
from tests.factories.orders import Scene, approve_all, decided, returned, scene, submitted
from tests.factories.tenants import DepartmentFactory, SystemFactory, UserFactory, grant, member

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def inbox(person: User) -> list[str]:
    return list(Message.objects.visible_to(person).order_by("pk").values_list("notice__kind", flat=True))


def prefer(person: User, at: datetime, hour: int | None = None, **ways: str) -> None:
    named = {kind.replace("_", ".", 1): way for kind, way in ways.items()}
    services.prefer(person=person, digest_hour=hour, ways=named, at=at)


# -- posting


def test_a_notice_is_gone_with_the_change_that_was_rolled_back(at: datetime) -> None:
    with transaction.atomic():
        posted(UserFactory(), at=at)
        transaction.set_rollback(True)
    assert not Notice.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_nothing_is_posted_outside_of_a_change(at: datetime) -> None:
    with pytest.raises(RuntimeError, match="in the transaction"):
        services.post(
            kind=Kind.CASE_APPROVED, subject=SystemFactory(), facts=facts_of(Kind.CASE_APPROVED), at=at
        )


def test_words_without_their_facts_are_not_posted(at: datetime) -> None:
    with pytest.raises(ValueError, match="opinion"):
        services.post(kind=Kind.CASE_RETURNED, subject=SystemFactory(), facts={"label": "x"}, at=at)


def test_everybody_has_it_once_however_often_it_is_dispatched(at: datetime) -> None:
    department = DepartmentFactory()
    twice = member(Role.APPLICANT, department)
    posted(twice, at=at, roles=[Role.APPLICANT], department=department)
    assert dispatch.dispatch(at=at) == 1
    assert dispatch.dispatch(at=at) == 0
    assert Message.objects.count() == 1


def test_a_units_role_counts_in_the_department_and_above_it(at: datetime) -> None:
    above = DepartmentFactory()
    unit, sister = DepartmentFactory(parent=above), DepartmentFactory(parent=above)
    told = [member(Role.APPLICANT, above), member(Role.APPLICANT, unit), member(Role.CLOUD_ADMIN)]
    left_out = member(Role.APPLICANT, unit)
    member(Role.APPLICANT, sister)
    member(Role.APPLICANT, unit, is_active=False)
    posted(
        at=at, roles=[Role.APPLICANT, Role.CLOUD_ADMIN], without=[left_out.pk], department=unit
    )  # fmt: skip
    dispatch.dispatch(at=at)
    assert set(Message.objects.values_list("person", flat=True)) == {person.pk for person in told}


def test_dispatching_takes_as_many_statements_for_many_as_for_few(at: datetime) -> None:
    def statements(many: int) -> int:
        for _each in range(many):
            posted(UserFactory(), at=at, roles=[Role.LEADER], department=DepartmentFactory())
        with CaptureQueriesContext(connection) as queries:
            assert dispatch.dispatch(at=at) == many
        return len(queries)

    assert statements(3) == statements(30)


# -- what each has chosen


def test_a_kind_goes_the_way_that_its_reader_chose(at: datetime) -> None:
    by_mail, inbox_only, never = (UserFactory() for _ in range(3))
    prefer(inbox_only, at, case_waiting=Way.INBOX)
    prefer(never, at, case_waiting=Way.NOT)
    posted(by_mail, inbox_only, never, at=at, kind=Kind.CASE_WAITING)
    dispatch.dispatch(at=at)
    assert [inbox(person) for person in (by_mail, inbox_only, never)] == [["case.waiting"]] * 2 + [[]]
    assert list(Delivery.objects.values_list("person", flat=True)) == [by_mail.pk]


def test_who_has_no_address_reads_it_in_the_inbox(at: datetime) -> None:
    person = UserFactory(email="")
    posted(person, at=at)
    dispatch.dispatch(at=at)
    assert inbox(person) == ["case.returned"]
    assert not Delivery.objects.exists()


def test_what_must_arrive_cannot_be_switched_off(at: datetime) -> None:
    person = UserFactory()
    with pytest.raises(services.Invalids) as refused:
        services.prefer(
            person=person, digest_hour=24, ways={"case.rejected": "not", "case.eaten": "mail"}, at=at
        )
    assert [(error.code, error.pointers) for error in refused.value.errors] == [
        ("notice-must-arrive", ("/ways/case.rejected",)),
        ("unknown-notice-kind", ("/ways/case.eaten",)),
        ("bad-digest-hour", ("/digest_hour",)),
    ]
    assert services.preferences(person=person).ways[Kind.CASE_REJECTED] == Way.MAIL


def test_a_choice_is_told_in_the_audit_trail_with_before_and_after(at: datetime) -> None:
    person = UserFactory()
    prefer(person, at, hour=9)
    prefer(person, at, hour=None, case_approved=Way.INBOX)
    event = Event.objects.filter(verb="user.notices_chosen").latest("pk")
    assert (event.before["digest_hour"], event.after["digest_hour"]) == (9, None)
    assert (event.before["ways"]["case.approved"], event.after["ways"]["case.approved"]) == ("mail", "inbox")


def test_a_digest_gathers_what_comes_until_its_hour(at: datetime) -> None:
    person = UserFactory()
    prefer(person, at, hour=17)
    for later in range(3):
        posted(person, at=at + timedelta(hours=later))
        dispatch.dispatch(at=at + timedelta(hours=later))
    digest = Delivery.objects.get(channel=Channel.DIGEST)
    assert digest.messages.count() == 3
    assert digest.next_run_at == datetime(2026, 11, 18, 9, 0, tzinfo=UTC)  # 17:00 in Beijing


def test_what_comes_after_its_hour_is_in_the_next_digest(at: datetime) -> None:
    person = UserFactory()
    prefer(person, at, hour=17)
    for day in range(2):
        posted(person, at=at + day * DAY)
        dispatch.dispatch(at=at + day * DAY)
    assert Delivery.objects.filter(channel=Channel.DIGEST).count() == 2


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-20T08:59+08:00", "2026-11-20T09:00+08:00"),
        ("2026-11-20T09:00+08:00", "2026-11-21T09:00+08:00"),  # a Saturday that is worked
        ("2026-11-21T12:00+08:00", "2026-11-24T09:00+08:00"),  # the Monday is a holiday
        ("2026-11-22T03:00+08:00", "2026-11-24T09:00+08:00"),
    ],
)
def test_digests_come_on_working_days(now: str, due: str) -> None:
    SpecialDay.objects.create(day="2026-11-21", kind=DayKind.WORK, name="补班")
    SpecialDay.objects.create(day="2026-11-23", kind=DayKind.REST, name="节日")
    assert dispatch.digest_time(9, at=datetime.fromisoformat(now)) == datetime.fromisoformat(due)


def test_messages_are_read_by_their_owner_alone(at: datetime) -> None:
    owner, other = UserFactory(), UserFactory()
    posted(owner, other, at=at)
    dispatch.dispatch(at=at)
    theirs = Message.objects.get(person=owner)
    assert services.read(person=other, messages=[theirs.uuid], at=at) == 0
    assert services.read(person=owner, messages=[theirs.uuid], at=at) == 1
    assert services.read(person=owner, at=at) == 0
    assert Message.objects.unread().get().person == other
    assert Event.objects.get(verb="notice.read").after == {"messages": 1}


# -- what is told of


@pytest.fixture
def on() -> Scene:
    return scene()


def test_those_who_can_decide_hear_of_what_waits_for_them(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at)
    dispatch.dispatch(at=at)
    assert inbox(on.chain[Role.UNIT_APPROVER]) == ["case.waiting"]
    assert inbox(on.chain[Role.SERVICE_DESK]) == []
    decided(on, order, at=at)
    dispatch.dispatch(at=at)
    assert inbox(on.chain[Role.SERVICE_DESK]) == ["case.waiting"]
    assert inbox(on.chain[Role.UNIT_APPROVER]) == ["case.waiting"]
    assert inbox(on.applicant) == ["case.stage_approved"]


def test_who_applied_is_not_asked_to_decide(on: Scene, at: datetime) -> None:
    grant(on.applicant, Role.UNIT_APPROVER, on.department)
    submitted(on, at=at)
    dispatch.dispatch(at=at)
    assert inbox(on.applicant) == []


def test_the_applicant_hears_how_it_was_decided(on: Scene, at: datetime) -> None:
    returned(on, at=at)
    dispatch.dispatch(at=at)
    (message,) = Message.objects.visible_to(on.applicant)
    assert message.notice.kind == "case.returned"
    assert message.notice.facts["opinion"] == "请补充说明"
    assert message.notice.thread is not None


def test_the_applicant_hears_of_the_approval(on: Scene, at: datetime) -> None:
    approve_all(on, submitted(on, at=at), at=at)
    dispatch.dispatch(at=at)
    assert inbox(on.applicant)[-1] == "case.approved"


def test_administrators_and_the_department_hear_of_what_is_parked(on: Scene, at: datetime) -> None:
    admin = member(Role.CLOUD_ADMIN)
    order = approve_all(on, submitted(on, at=at), at=at)
    step = Step.objects.filter(operation__thread=order.uuid).select_related("operation").earliest("pk")
    with transaction.atomic():
        step.operation = completion.lock(Operation.objects.get(pk=step.operation_id))
        completion.parked(step, reason="No valid host was found", at=at)
    dispatch.dispatch(at=at)
    assert inbox(admin) == ["operation.parked"]
    assert inbox(on.applicant)[-1] == "operation.parked"
    assert "host" not in str(Notice.objects.latest("pk").facts)


def test_what_is_told_of_a_parked_action_names_the_action_and_its_resource(on: Scene, at: datetime) -> None:
    server = whole_server(system=on.system, cloud=on.catalogue.cloud, name="web-3")
    operation = requests.request(
        resource=server.resource, action=actions()["stop"], parameters=Nothing(), actor=on.applicant, at=at
    )
    step = operation.steps.get()
    with transaction.atomic():
        step.operation = completion.lock(operation)
        completion.parked(step, reason="409", at=at)
    notice = Notice.objects.get(kind="operation.parked")
    english = texts.told(notice, language="en").text
    assert english.startswith("“stop the server” of “web-3” of the system")
    assert "“web-3”的“停止服务器”操作" in texts.told(notice, language="zh-hans").text


def test_a_remedy_that_ends_with_a_full_stop_is_told_without_a_second_one() -> None:
    facts = {"label": "GC-1", "text": "Web-4 was never ordered.", "due_at": "2026-03-02T10:00:00Z"}
    told = texts.told(Notice(kind="order.remedied", facts=facts), language="en").text
    assert told.endswith("What was done: Web-4 was never ordered.")
    assert "confirm it by" in told


def test_a_department_hears_of_its_leases_once_for_each_system(on: Scene, at: datetime) -> None:
    for _server in range(5):
        ending(whole_server(system=on.system).resource, at=at + DAY)
    other = whole_server()
    ending(other.resource, at=at + DAY)
    swept(at=at)
    dispatch.dispatch(at=at)
    assert inbox(on.applicant) == ["lease.ending"]
    facts = Message.objects.visible_to(on.applicant).get().notice.facts
    assert (facts["count"], facts["names"].endswith(", …")) == (5, True)


# -- who is asked by name


def test_who_is_given_a_step_asked_or_reminded_hears_of_it(at: datetime) -> None:
    on = scene()
    case = submitted(on, at=at).case
    assert case is not None
    approver = on.chain[Role.UNIT_APPROVER]
    delegate, adviser = member(Role.UNIT_APPROVER, on.department), member(Role.TECHNICAL_REVIEWER)
    now = {"case": case, "stage": "unit_approval", "at": at}
    asked = sharing.consult(**now, person=adviser, question="容量够吗？", manner="advisory", actor=approver)
    sharing.answer(consultation=asked, text="够", actor=adviser, at=at)
    sharing.delegate(**now, person=delegate, reason="出差", actor=approver)
    reminders.remind(case=case, text="请尽快", actor=on.applicant, at=at)
    dispatch.dispatch(at=at)
    assert "case.consulted" in inbox(adviser)
    assert "case.answered" in inbox(approver)
    assert [kind for kind in inbox(delegate) if kind != "case.waiting"] == ["case.given", "case.reminded"]
    assert "case.reminded" not in inbox(approver)
