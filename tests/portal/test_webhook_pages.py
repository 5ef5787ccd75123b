"""The pages of webhooks: for their keepers, with a secret that is shown once, and calls sent again by hand."""

import re
from datetime import datetime, timedelta

import pytest

from govcloud.audit.models import Event
from govcloud.notifications import keeping, payloads
from govcloud.notifications.lifecycle import DeliveryState, WebhookStatus
from govcloud.notifications.models import Delivery, Webhook
from tenants.models import Department, Membership, Role, User
from tests.factories.notifications import delivered, posted, webhook
from tests.factories.tenants import DepartmentFactory, member
from tests.portal.conftest import Signed
from tests.portal.reading import text

pytestmark = pytest.mark.django_db

URL = "/webhooks/"
SECRET = re.compile(r"whsec_[\w+/=]+")
TYPED = {"name": "总线", "url": "https://bus.example/hook", "kinds": ["case.approved"]}


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def keeper() -> User:
    return member(Role.SYSTEM_ADMIN)


@pytest.fixture
def unit() -> Department:
    return DepartmentFactory(name="示例水利厅", name_en="Example Water Resources Department")


@pytest.fixture
def failed(keeper: User, at: datetime) -> Delivery:
    """A call that found nobody, and was given up."""
    webhook("https://localhost:1/", at=at - timedelta(days=30))
    posted(at=at - timedelta(days=30))
    delivered(at=at - timedelta(days=30))
    row = Delivery.objects.get(channel="webhook")
    keeping.give_up_calls(row.webhook, at=at)
    return Delivery.objects.get(pk=row.pk)


@pytest.mark.parametrize("role", sorted(set(Role.values) - {Role.SYSTEM_ADMIN, Role.UNIT_APPROVER}))
def test_they_are_for_nobody_else(role: str, signed_in: Signed, at: datetime) -> None:
    row, _secret = webhook("https://bus.example/", at=at)
    browser = signed_in(member(Role(role), DepartmentFactory()))
    answers = [browser.get(URL), browser.get(f"{URL}{row.uuid}/"), browser.post(URL, TYPED)]
    answers += [browser.post(f"{URL}{row.uuid}/{deed}/") for deed in ("switching-off", "secret")]
    assert {answer.status_code for answer in answers} == {403}
    assert 'href="/webhooks/"' not in browser.get("/orders/").content.decode()


@pytest.mark.parametrize("role", [Role.SYSTEM_ADMIN, Role.UNIT_APPROVER])
def test_keepers_find_them_in_the_menu_in_both_languages(role: Role, signed_in: Signed) -> None:
    person = member(role, DepartmentFactory())
    assert 'href="/webhooks/"' in signed_in(person).get("/orders/").content.decode()
    assert "事件推送" in text(signed_in(person, language="zh-hans").get(URL))


def test_one_is_registered_and_its_secret_shown_once(keeper: User, signed_in: Signed) -> None:
    browser = signed_in(keeper)
    answer = browser.post(URL, TYPED)
    row = Webhook.objects.get()
    (secret,) = SECRET.findall(answer.content.decode())
    assert (payloads.secret_of(row), row.kinds, row.department) == (secret, ["case.approved"], None)
    assert "no-store" in answer.headers["Cache-Control"]
    for page in (browser.get(URL), browser.get(f"{URL}{row.uuid}/")):
        assert not SECRET.search(page.content.decode())


def test_a_form_that_is_sent_again_registers_nothing_more(keeper: User, signed_in: Signed) -> None:
    browser = signed_in(keeper)
    (uuid,) = re.findall(r'name="uuid" value="([\w-]+)"', browser.get(URL).content.decode())
    assert SECRET.search(browser.post(URL, {**TYPED, "uuid": uuid}).content.decode())
    again = browser.post(URL, {**TYPED, "uuid": uuid})
    assert (again.status_code, again.headers["Location"]) == (302, f"{URL}{uuid}/")
    assert str(Webhook.objects.get().uuid) == uuid


def test_pages_of_calls_lead_to_the_webhook_whatever_was_posted(
    keeper: User, signed_in: Signed, at: datetime
) -> None:
    row, _secret = webhook("https://bus.example/", at=at)
    for _number in range(21):
        posted(at=at)
    delivered(at=at)
    browser, posted_to = signed_in(keeper), f"{URL}{row.uuid}/secret/"
    assert 'href="?page=2"' in browser.post(posted_to).content.decode()
    second = browser.get(f"{posted_to}?page=2", follow=True)
    assert second.redirect_chain == [(f"{URL}{row.uuid}/?page=2", 302)]
    assert 'aria-current="page"><span class="visually-hidden">Page </span>2' in second.content.decode()


def test_roles_and_reviews_are_not_offered(keeper: User, signed_in: Signed) -> None:
    page = signed_in(keeper).get(URL).content.decode()
    assert 'value="case.approved"' in page
    assert "role.requested" not in page
    answer = signed_in(keeper).post(URL, {**TYPED, "kinds": ["case.approved", "role.requested"]})
    assert (answer.status_code, "No outside system is told of this" in text(answer)) == (422, True)
    assert not Webhook.objects.exists()


def test_a_units_approver_registers_for_the_unit_whose_code_is_filled_in(
    unit: Department, signed_in: Signed
) -> None:
    browser = signed_in(member(Role.UNIT_APPROVER, unit))
    assert f'value="{unit.credit_code}"' in browser.get(URL).content.decode()
    browser.post(URL, {**TYPED, "credit_code": unit.credit_code})
    assert Webhook.objects.get().department == unit


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"credit_code": ""}, "Name the department whose events it hears of"),
        ({"credit_code": "elsewhere"}, "There is no department with this credit code."),
        ({"url": "https://127.1/"}, "This address is not one that may be called"),
        ({"url": "ftp://bus.example/"}, "This address cannot be called"),
        ({"name": " "}, "A webhook needs a name"),
    ],
)
def test_what_cannot_be_registered_is_told_with_what_was_typed(
    changes: dict[str, str], words: str, unit: Department, signed_in: Signed
) -> None:
    elsewhere = DepartmentFactory()
    typed = {**TYPED, "credit_code": unit.credit_code, **changes}
    if typed["credit_code"] == "elsewhere":
        typed["credit_code"] = elsewhere.credit_code
    answer = signed_in(member(Role.UNIT_APPROVER, unit)).post(URL, typed)
    assert (answer.status_code, words in text(answer)) == (422, True)
    assert f'value="{typed["url"]}"' in answer.content.decode()
    assert re.search(r'value="case.approved"\s+checked', answer.content.decode())
    assert not Webhook.objects.exists()


def test_foreign_ones_are_not_there(
    unit: Department, signed_in: Signed, at: datetime, failed: Delivery
) -> None:
    row, _secret = webhook("https://bus.example/", at=at, department=DepartmentFactory())
    browser = signed_in(member(Role.UNIT_APPROVER, unit))
    assert browser.get(f"{URL}{row.uuid}/").status_code == 404
    for deed in ("switching-off", "switching-on", "secret"):
        assert browser.post(f"{URL}{row.uuid}/{deed}/", {"reason": "x"}).status_code == 404
    assert browser.post(f"{URL}{failed.webhook.uuid}/deliveries/{failed.uuid}/redelivery/").status_code == 404
    assert "总线" not in text(browser.get(URL))


def test_it_is_changed_from_the_version_that_was_seen(keeper: User, signed_in: Signed, at: datetime) -> None:
    row, _secret = webhook("https://bus.example/", at=at)
    browser, path = signed_in(keeper), f"{URL}{row.uuid}/"
    typed = {"name": "新总线", "url": "https://bus.example/2", "kinds": ["lease.ended"], "version": "1"}
    assert browser.post(path, typed).headers["Location"] == path
    row.refresh_from_db()
    assert (row.name, row.url, row.kinds) == ("新总线", "https://bus.example/2", ["lease.ended"])
    assert browser.post(path, {**typed, "name": "再改"}).status_code == 409


def test_it_is_switched_off_for_a_reason_and_on_again(keeper: User, signed_in: Signed, at: datetime) -> None:
    row, _secret = webhook("https://bus.example/", at=at)
    browser, path = signed_in(keeper), f"{URL}{row.uuid}/"
    assert browser.post(f"{path}switching-off/", {"reason": " "}).status_code == 422
    browser.post(f"{path}switching-off/", {"reason": "moved"})
    assert Event.objects.get(verb="webhook.disabled").reason == "moved"
    assert "Switch it on" in text(browser.get(path))
    browser.post(f"{path}switching-on/")
    assert Webhook.objects.get().status == WebhookStatus.ACTIVE
    assert browser.post(f"{path}switching-on/").status_code == 409


def test_one_that_has_lost_its_keeper_is_taken_over_with_a_secret_shown_once(
    unit: Department, signed_in: Signed, at: datetime
) -> None:
    row, former = webhook("https://bus.example/", at=at, department=unit)
    Membership.objects.filter(user=row.keeper).update(valid_until=at)
    posted(at=at, department=unit)
    delivered(at=at)
    person = member(Role.UNIT_APPROVER, unit, display_name="黄岚")
    browser, path = signed_in(person), f"{URL}{row.uuid}/"
    assert "does not keep it any more" in text(browser.get(path))
    (secret,) = SECRET.findall(browser.post(f"{path}switching-on/").content.decode())
    assert payloads.secret_of(Webhook.objects.get()) == secret != former
    page = browser.get(path)
    assert ("kept by 黄岚" in text(page), "any more. Who switches" in text(page)) == (True, False)
    assert not SECRET.search(page.content.decode())
    assert "kept by 黄岚" in text(browser.get(URL))


def test_another_secret_is_drawn_and_shown_once(keeper: User, signed_in: Signed, at: datetime) -> None:
    row, former = webhook("https://bus.example/", at=at)
    browser, path = signed_in(keeper), f"{URL}{row.uuid}/"
    (secret,) = SECRET.findall(browser.post(f"{path}secret/").content.decode())
    assert payloads.secret_of(Webhook.objects.get()) == secret != former
    assert not SECRET.search(browser.get(path).content.decode())


def test_what_was_sent_is_told_with_its_tries_and_sent_again(
    keeper: User, signed_in: Signed, failed: Delivery
) -> None:
    browser, path = signed_in(keeper), f"{URL}{failed.webhook.uuid}/"
    page = text(browser.get(path))
    assert ("given up" in page, "1 try · no answer" in page, "Send again" in page) == (True, True, True)
    again = f"{URL}{failed.webhook.uuid}/deliveries/{failed.uuid}/redelivery/"
    assert browser.post(again).headers["Location"] == path
    assert Delivery.objects.get(pk=failed.pk).state == DeliveryState.DUE
    assert "Send again" not in text(browser.get(path))
    assert browser.post(again).status_code == 409
