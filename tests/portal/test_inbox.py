from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import pytest

from govcloud.notifications import dispatch
from govcloud.notifications.kinds import Kind, Way
from govcloud.notifications.models import KindPreference, Message, Preference
from govcloud.provisioning.models import Operation
from tenants.models import ADMINISTRATORS, DECIDING, UNIT_ROLES, Role
from tests.factories.inventory import VolumeFactory
from tests.factories.notifications import posted, webhook
from tests.factories.organisation import review_of
from tests.factories.tenants import UserFactory, member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

URL = "/inbox/"


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def told(people: scenes.Cast, at: datetime) -> Message:
    """The applicant was told that something is returned."""
    posted(people.applicant, at=at, facts={"label": "GC-2026-000007 门户", "opinion": "请补充"})
    dispatch.dispatch(at=at)
    return Message.objects.get()


def test_the_head_of_every_page_counts_what_is_unread(
    people: scenes.Cast, told: Message, signed_in: Signed
) -> None:
    assert "Notices 1 unread" in text(signed_in(people.applicant).get("/leases/"))
    assert "1 unread" not in text(signed_in(people.approver).get("/leases/"))


def test_the_inbox_tells_it_in_the_language_of_the_page(
    people: scenes.Cast, told: Message, signed_in: Signed
) -> None:
    assert "Returned for correction: GC-2026-000007 门户" in text(signed_in(people.applicant).get(URL))
    assert "退回补正：GC-2026-000007 门户" in text(signed_in(people.applicant, language="zh-hans").get(URL))


def test_looking_at_a_message_does_not_mark_it_as_read(
    people: scenes.Cast, told: Message, signed_in: Signed
) -> None:
    assert "请补充" in text(signed_in(people.applicant).get(f"{URL}{told.uuid}/"))
    assert Message.objects.unread().exists()


def test_opening_one_marks_it_as_read_and_leads_to_its_order(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.submitted(people, at=at)
    posted(people.applicant, at=at, subject=order, thread=order.uuid)
    dispatch.dispatch(at=at)
    message = Message.objects.get(person=people.applicant)
    answer = signed_in(people.applicant).post(f"{URL}{message.uuid}/opening/")
    assert answer.headers["Location"] == f"/orders/{order.number}/"
    message.refresh_from_db()
    assert message.read_at == at


@pytest.mark.parametrize(
    ("kind", "leads_to"),
    [
        (Kind.LEASE_ENDING, "/leases/"),
        (Kind.QUOTA_NEAR_LIMIT, "/quota/"),
        (Kind.ROLE_CONFIRMED, "/account/"),
        (Kind.CARD_YELLOW, "/inbox/"),
    ],
)
def test_each_kind_leads_to_its_page(
    people: scenes.Cast, signed_in: Signed, at: datetime, kind: Kind, leads_to: str
) -> None:
    posted(people.applicant, at=at, kind=kind)
    dispatch.dispatch(at=at)
    message = Message.objects.get()
    answer = signed_in(people.applicant).post(f"{URL}{message.uuid}/opening/")
    assert answer.headers["Location"] == leads_to


OWNERS = (Role.APPLICANT, Role.UNIT_APPROVER)
TOLD: Mapping[Kind, Collection[Role]] = {
    **dict.fromkeys(
        (
            Kind.CASE_WAITING,
            Kind.CASE_GIVEN,
            Kind.CASE_CONSULTED,
            Kind.CASE_ANSWERED,
            Kind.CASE_REMINDED,
            Kind.CARD_YELLOW,
            Kind.ABSENCE_BEGAN,
        ),
        DECIDING,
    ),
    **dict.fromkeys((Kind.CARD_RED, Kind.CARD_REASON), (*DECIDING, Role.SUPERVISOR)),
    Kind.CARD_ESCALATED: (Role.LEADER, Role.SUPERVISOR),
    **dict.fromkeys(
        (
            Kind.CASE_STAGE_APPROVED,
            Kind.CASE_APPROVED,
            Kind.CASE_RETURNED,
            Kind.CASE_REJECTED,
            Kind.ORDER_FULFILLED,
            Kind.ORDER_CANCELLED,
            Kind.ORDER_REMEDIED,
            Kind.QUOTA_GRANTED,
        ),
        (Role.APPLICANT,),
    ),
    Kind.OPERATION_PARKED: (Role.CLOUD_ADMIN, Role.APPLICANT),
    **dict.fromkeys((Kind.RECOVERY_POINT_LOST, Kind.RECOVERY_POINT_FOUND), (Role.APPLICANT,)),
    Kind.ORDER_DISPUTED: (Role.CLOUD_ADMIN,),
    **dict.fromkeys((Kind.QUOTA_NEAR_LIMIT, Kind.QUOTA_FALLS_BACK, Kind.QUOTA_FELL_BACK), OWNERS),
    **dict.fromkeys((kind for kind in Kind if kind.startswith("lease.")), OWNERS),
    **dict.fromkeys((Kind.ROLE_REQUESTED, Kind.ROLE_DECLINED, Kind.ROLE_LAPSED), (Role.SECURITY_ADMIN,)),
    Kind.ROLE_CONFIRMED: ADMINISTRATORS,
    **dict.fromkeys((Kind.REVIEW_DUE, Kind.REVIEW_OVERDUE), (Role.SECURITY_ADMIN, Role.UNIT_APPROVER)),
    Kind.ACCOUNT_FACTOR_WAITING: (Role.SECURITY_ADMIN,),
    **dict.fromkeys(
        (Kind.ACCOUNT_FACTOR_CONFIRMED, Kind.ACCOUNT_FACTOR_RESET, Kind.ACCOUNT_PASSWORD_RESET),
        (*ADMINISTRATORS, Role.APPLICANT),
    ),
    Kind.ORDERS_HANDED_OVER: (Role.APPLICANT,),
    Kind.CONNECTION_REQUESTED: (Role.SERVICE_DESK,),
    **dict.fromkeys((Kind.CONNECTION_MADE, Kind.CONNECTION_ENDED), OWNERS),
    Kind.REVIEW_TO_OPEN: (Role.SECURITY_ADMIN,),
    Kind.ABSENCE_SUBSTITUTE_LEFT: DECIDING,
    Kind.WEBHOOK_DISABLED: (Role.SYSTEM_ADMIN, Role.UNIT_APPROVER),
}
"""Whoever hears of each kind, by the role for which they do."""


def about(kind: Kind, people: scenes.Cast, *, at: datetime) -> dict[str, Any]:  # noqa: PLR0911  a table
    """What a notice of this kind is about, as its posting has it."""
    match kind.split(".")[0]:
        case "operation":
            order = scenes.building(people, at=at)
            return {
                "subject": Operation.objects.filter(thread=order.uuid).earliest("pk"),
                "thread": order.uuid,
            }
        case "case" | "card" | "order":
            order = scenes.submitted(people, at=at)
            return {"subject": order.case, "thread": order.uuid}
        case "quota" if kind == Kind.QUOTA_GRANTED:
            order = scenes.submitted(people, at=at)
            return {"subject": order, "thread": order.uuid}
        case "review":
            return {"subject": review_of(people.department, at=at)}
        case "connection":
            return {"subject": people.department}
        case "recovery_point":
            return {"subject": VolumeFactory(resource__system=people.system).resource}
        case "webhook":
            return {"subject": webhook("https://localhost:1/", at=at, department=people.department)[0]}
        case _:
            return {}


@pytest.mark.parametrize("kind", list(Kind))
def test_whoever_is_told_may_open_what_it_is_about(
    people: scenes.Cast, signed_in: Signed, at: datetime, kind: Kind
) -> None:
    subject = about(kind, people, at=at)
    told = [member(role, people.department if role in UNIT_ROLES else None) for role in TOLD[kind]]
    posted(*told, at=at, kind=kind, **subject)
    dispatch.dispatch(at=at)
    for message in Message.objects.filter(notice__kind=kind, person__in=told).select_related("person"):
        answer = signed_in(message.person).post(f"{URL}{message.uuid}/opening/", follow=True)
        assert (answer.status_code, answer.request["PATH_INFO"] == URL) == (200, False), message.person
    assert Message.objects.filter(notice__kind=kind, person__in=told).unread().count() == 0


def test_what_waits_for_an_administrator_leads_to_its_operation(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    operation = Operation.objects.filter(thread=scenes.building(people, at=at).uuid).earliest("pk")
    posted(people.admin, at=at, kind=Kind.OPERATION_PARKED, subject=operation)
    dispatch.dispatch(at=at)
    message = Message.objects.get()
    answer = signed_in(people.admin).post(f"{URL}{message.uuid}/opening/")
    assert answer.headers["Location"] == f"/operations/{operation.uuid}/"


def test_the_inbox_of_somebody_else_is_not_there(
    people: scenes.Cast, told: Message, signed_in: Signed
) -> None:
    admin = signed_in(people.admin)
    assert admin.get(f"{URL}{told.uuid}/").status_code == 404
    assert admin.post(f"{URL}{told.uuid}/opening/").status_code == 404
    assert "GC-2026-000007" not in text(admin.get(URL))
    assert Message.objects.unread().exists()


def test_all_are_marked_as_read_at_once_and_stay_to_be_looked_up(
    people: scenes.Cast, told: Message, signed_in: Signed
) -> None:
    browser = signed_in(people.applicant)
    page = text(browser.post(f"{URL}reading/", follow=True))
    assert "1 notice marked as read." in page
    assert "Nothing new" in page
    assert "GC-2026-000007" in text(browser.get(f"{URL}?view=all"))


def test_nothing_changes_by_following_a_link(people: scenes.Cast, told: Message, signed_in: Signed) -> None:
    browser = signed_in(people.applicant)
    for deed, page in (("reading/", ""), (f"{told.uuid}/opening/", f"{told.uuid}/")):
        assert browser.get(f"{URL}{deed}").headers["Location"] == f"{URL}{page}"
    told.refresh_from_db()
    assert told.read_at is None


def test_a_long_inbox_comes_in_pages(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    for _notice in range(25):
        posted(people.applicant, at=at)
    dispatch.dispatch(at=at)
    browser = signed_in(people.applicant)
    assert "1 to 20 of 25" in text(browser.get(URL))
    assert "21 to 25 of 25" in text(browser.get(f"{URL}?page=2"))


def test_choices_are_kept_and_shown_again(people: scenes.Cast, signed_in: Signed) -> None:
    browser = signed_in(people.applicant)
    form = {"digest_hour": "9", "case.waiting": "not", "case.approved": "inbox", "case.rejected": "sometimes"}
    page = text(browser.post(f"{URL}preferences/", form, follow=True))
    assert "Your choices are kept." in page
    assert Preference.objects.get().digest_hour == 9
    kept = dict(KindPreference.objects.values_list("kind", "way"))
    assert kept == {"case.waiting": Way.NOT, "case.approved": Way.INBOX}
    assert '<option value="9" selected>' in browser.get(f"{URL}preferences/").content.decode()


def test_what_must_arrive_is_not_offered_to_be_switched_off_and_refused_where_it_is_sent(
    people: scenes.Cast, signed_in: Signed
) -> None:
    form = {"case.rejected": "not", "case.waiting": "not", "digest_hour": "9"}
    answer = signed_in(people.applicant).post(f"{URL}preferences/", form)
    assert (answer.status_code, "cannot be switched off" in text(answer)) == (422, True)
    page = answer.content.decode()  # what else was chosen stays chosen
    assert '<option value="9" selected>' in page
    assert page.split('name="case.waiting"')[1].split("</select>")[0].count('value="not" selected') == 1
    assert not KindPreference.objects.exists()


def test_the_pages_are_in_both_languages(people: scenes.Cast, told: Message, signed_in: Signed) -> None:
    browser = signed_in(people.applicant, language="zh-hans")
    assert "全部标为已读" in text(browser.get(URL))
    assert "每个工作日" in text(browser.get(f"{URL}preferences/"))


def test_who_has_not_signed_in_is_led_to_it(people: scenes.Cast, told: Message, signed_in: Signed) -> None:
    browser = signed_in(UserFactory())
    browser.logout()
    for url in (URL, f"{URL}{told.uuid}/", f"{URL}preferences/"):
        assert browser.get(url).headers["Location"].startswith("/sign-in/")
