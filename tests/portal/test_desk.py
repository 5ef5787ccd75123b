"""What administrators of the cloud do on pages: apply or dismiss a finding, try an operation again, abandon it."""

from datetime import datetime

import pytest

from govcloud.orders.models import Order
from govcloud.provisioning.models import Operation, Step
from govcloud.reconciliation.models import Finding
from tenants.models import Role
from tests.factories.reconciliation import FindingFactory
from tests.factories.tenants import DepartmentFactory, member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def drifted(people: scenes.Cast) -> Finding:
    return FindingFactory(renamed=True, status="open")


@pytest.fixture
def parked(people: scenes.Cast, at: datetime) -> Operation:
    order = scenes.troubled_engine(people, at=at)
    return Operation.objects.get(thread=order.uuid, kind="deliver")


# -- findings


def test_readers_find_the_list_and_others_neither_see_nor_may_open_it(
    people: scenes.Cast, drifted: Finding, signed_in: Signed
) -> None:
    supervisor = signed_in(member(Role.SUPERVISOR))
    assert 'href="/findings/"' in supervisor.get("/orders/").content.decode()
    assert drifted.name in text(supervisor.get("/findings/"))
    applicant = signed_in(people.applicant)
    assert 'href="/findings/"' not in applicant.get("/orders/").content.decode()
    for url in ("/findings/", f"/findings/{drifted.uuid}/", "/findings/export.csv"):
        assert applicant.get(url).status_code == 403


def test_a_list_is_narrowed_by_state_and_by_words(
    people: scenes.Cast, drifted: Finding, signed_in: Signed
) -> None:
    FindingFactory(status="dismissed", name="left-alone")
    admin = signed_in(people.admin)
    assert "left-alone" not in text(admin.get("/findings/"))
    assert "left-alone" in text(admin.get("/findings/?view=dismissed"))
    assert "No finding matches" in text(admin.get("/findings/?q=nothing-of-that-name"))


def test_the_list_is_had_as_a_file(people: scenes.Cast, drifted: Finding, signed_in: Signed) -> None:
    answer = signed_in(people.admin).get("/findings/export.csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert drifted.name in answer.content.decode("utf-8-sig")


def test_a_finding_shows_what_differs_and_what_can_be_done(
    people: scenes.Cast, drifted: Finding, signed_in: Signed
) -> None:
    page = text(signed_in(people.admin).get(f"/findings/{drifted.uuid}/"))
    for words in ("As recorded", "In the cloud", "Set the cloud back to the record", "Dismiss"):
        assert words.lower() in page.lower()
    looks_on = text(signed_in(member(Role.SUPERVISOR)).get(f"/findings/{drifted.uuid}/"))
    assert "What to do about it" not in looks_on


def test_what_was_opened_by_hand_names_its_network_and_asks_before_it_is_taken_out(
    people: scenes.Cast, signed_in: Signed
) -> None:
    opened = FindingFactory(opened=True)
    page = text(signed_in(people.admin).get(f"/findings/{opened.uuid}/"))
    for words in (
        "Security rule",
        "tcp 22 0.0.0.0/0",
        "From where",
        opened.resource.name,
        "This cannot be taken back.",
    ):
        assert words.lower() in page.lower()


def test_a_dismissal_needs_a_reason_and_keeps_what_was_typed(
    people: scenes.Cast, drifted: Finding, signed_in: Signed
) -> None:
    admin, url = signed_in(people.admin), f"/findings/{drifted.uuid}/dismissal/"
    refused = admin.post(url, {"reason": "  "})
    assert (refused.status_code, "Give a reason" in text(refused)) == (422, True)
    too_long = admin.post(url, {"reason": "long " * 101})
    assert (too_long.status_code, "long long" in too_long.content.decode()) == (422, True)
    assert admin.post(url, {"reason": "known since May"}).status_code == 302
    drifted.refresh_from_db()
    assert (drifted.status, drifted.remark) == ("dismissed", "known since May")
    again = admin.post(url, {"reason": "known since May"})
    assert (again.status_code, "known since May" in again.content.decode()) == (409, True)


def test_a_cloud_that_does_not_answer_is_told_and_nothing_is_done(
    people: scenes.Cast, drifted: Finding, signed_in: Signed
) -> None:
    answer = signed_in(people.admin).post(f"/findings/{drifted.uuid}/application/", {"remedy": "set_back"})
    assert answer.status_code == 503
    assert "cannot be reached" in text(answer)
    drifted.refresh_from_db()
    assert drifted.status == "open"


def test_only_cloud_administrators_act(people: scenes.Cast, drifted: Finding, signed_in: Signed) -> None:
    supervisor = signed_in(member(Role.SUPERVISOR))
    assert supervisor.post(f"/findings/{drifted.uuid}/dismissal/", {"reason": "no"}).status_code == 403
    assert supervisor.post(f"/findings/{drifted.uuid}/application/", {"remedy": "adopt"}).status_code == 403


# -- operations


def test_the_engines_page_leads_to_what_waits(
    people: scenes.Cast, parked: Operation, signed_in: Signed
) -> None:
    admin = signed_in(people.admin)
    assert f'href="/operations/{parked.uuid}/"' in admin.get("/engine/").content.decode()
    page = text(admin.get(f"/operations/{parked.uuid}/"))
    assert "No valid host was found" in page
    assert "Try again" in page


def test_what_waits_is_tried_again_by_one_click(
    people: scenes.Cast, parked: Operation, signed_in: Signed
) -> None:
    admin = signed_in(people.admin)
    assert (
        admin.post(f"/operations/{parked.uuid}/retry/").headers["Location"] == f"/operations/{parked.uuid}/"
    )
    parked.refresh_from_db()
    assert parked.status == "running"
    twice = admin.post(f"/operations/{parked.uuid}/retry/")
    assert (twice.status_code, "No step of this operation waits" in text(twice)) == (409, True)


def test_an_operation_is_abandoned_for_a_reason(
    people: scenes.Cast, parked: Operation, signed_in: Signed
) -> None:
    admin, url = signed_in(people.admin), f"/operations/{parked.uuid}/abandonment/"
    assert admin.post(url, {"reason": ""}).status_code == 422
    assert not Step.objects.filter(operation=parked, called_off_at__isnull=False).exists()
    assert admin.post(url, {"reason": "not needed any more"}).status_code == 302
    assert Step.objects.filter(operation=parked, called_off_at__isnull=False).exists()


def test_departments_see_their_operations_in_plain_words_and_leave_them_alone(
    people: scenes.Cast, parked: Operation, signed_in: Signed
) -> None:
    applicant, url = signed_in(people.applicant), f"/operations/{parked.uuid}/"
    page = text(applicant.get(url))
    assert "steps finished" in page
    assert "No valid host was found" not in page
    assert "Try again" not in page
    assert applicant.post(f"{url}retry/").status_code == 403
    assert applicant.post(f"{url}abandonment/", {"reason": "no"}).status_code == 403


def test_operations_of_others_are_not_known(
    people: scenes.Cast, parked: Operation, signed_in: Signed
) -> None:
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert stranger.get(f"/operations/{parked.uuid}/").status_code == 404
    assert Order.objects.filter(uuid=parked.thread).exists()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_in_both_languages(
    people: scenes.Cast, drifted: Finding, parked: Operation, signed_in: Signed, language: str
) -> None:
    admin = signed_in(people.admin, language=language)
    heading = {"en": "What to do about it", "zh-hans": "处理"}[language]
    for url in (f"/findings/{drifted.uuid}/", f"/operations/{parked.uuid}/"):
        assert heading in text(admin.get(url))
