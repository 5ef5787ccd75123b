"""The audit trail on pages: found by words and ids, shown with before and after, proved and taken off the machine."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from govcloud.audit import services
from govcloud.audit.models import Event, Export, Outcome
from govcloud.audit.services import SystemActor
from tenants.models import Role
from tests.factories.audit import seal_all, tampering
from tests.factories.tenants import DepartmentFactory, member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

pytestmark = pytest.mark.django_db(transaction=True)  # a seal takes only what has been committed


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime, settings: Settings, tmp_path: Path) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    settings.AUDIT_EXPORT_TO = str(tmp_path / "shelf")


@pytest.fixture
def moved(at: datetime) -> Event:
    """A department's connection, as it was and as it is."""
    with transaction.atomic():
        return services.record(
            actor=SystemActor("tests"), verb="quota.limit_set", subject=DepartmentFactory(name="水利厅"), at=at,
            before={"limit": 10, "dimension": "vcpus"}, after={"limit": 20, "dimension": "vcpus"},
        )  # fmt: skip


def test_only_those_whose_work_it_is_see_the_trail(
    people: scenes.Cast, moved: Event, signed_in: Signed
) -> None:
    supervisor = signed_in(member(Role.SUPERVISOR))
    assert 'href="/audit/"' in supervisor.get("/orders/").content.decode()
    assert "Quota limit set" in text(supervisor.get("/audit/"))
    for reader in (people.applicant, people.admin, member(Role.SYSTEM_ADMIN), member(Role.SECURITY_ADMIN)):
        client = signed_in(reader)
        assert 'href="/audit/"' not in client.get("/orders/").content.decode()
        for url in ("/audit/", f"/audit/{moved.uuid}/", "/audit/export.csv", "/audit/proof/"):
            assert client.get(url).status_code == 403
        for url in ("/audit/proof/verification/", "/audit/proof/export/"):
            assert client.post(url).status_code == 403


def test_the_trail_is_narrowed_by_words_and_by_any_id(moved: Event, at: datetime, signed_in: Signed) -> None:
    with transaction.atomic():
        services.record(
            actor=SystemActor("tests"), verb="session.opened", subject=None, label="someone", at=at,
            outcome=Outcome.REFUSED, reason="wrong-password",
        )  # fmt: skip
    auditor = signed_in(member(Role.AUDIT_ADMIN))
    for query in ("?q=水利厅", "?q=quota.", f"?q={moved.subject_id}", f"?q={moved.uuid}"):
        page = text(auditor.get(f"/audit/{query}"))
        assert ("Quota limit set" in page, "wrong-password" in page) == (True, False), query
    for query in ("?view=refused", "?view=sign-in"):
        page = text(auditor.get(f"/audit/{query}"))
        assert ("Quota limit set" in page, "wrong-password" in page) == (False, True), query
    assert "No event matches" in text(auditor.get("/audit/?q=nothing-of-that-name"))


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("user.password_changed", "Password changed"),
        ("second_factor.reset", "Second factor reset"),
        ("access.refused", "Asked for what is not theirs to see"),
        ("person.left", "Person left"),
    ],
)
def test_the_view_of_access_has_whatever_is_about_who_gets_in(
    verb: str, words: str, at: datetime, signed_in: Signed
) -> None:
    with transaction.atomic():
        services.record(actor=SystemActor("tests"), verb=verb, subject=None, label="someone", at=at)
    assert words in text(signed_in(member(Role.AUDIT_ADMIN)).get("/audit/?view=sign-in"))


def test_an_event_shows_every_value_before_and_after(moved: Event, signed_in: Signed) -> None:
    auditor = signed_in(member(Role.AUDIT_ADMIN))
    page = text(auditor.get(f"/audit/{moved.uuid}/"))
    assert "limit 10 20" in page
    assert "dimension vcpus vcpus" in page
    assert "not sealed yet" in page
    seal_all(moved.at)
    assert "place 1" in text(auditor.get(f"/audit/{moved.uuid}/"))


def test_the_list_is_had_as_a_file_and_that_is_told(moved: Event, signed_in: Signed) -> None:
    answer = signed_in(member(Role.AUDIT_ADMIN)).get("/audit/export.csv?q=水利厅")
    assert answer.content.decode("utf-8-sig").count("\r\n") == 2
    assert Event.objects.filter(verb="list.exported", subject_label="audit").exists()


def test_the_file_tells_outcome_and_actor_in_the_readers_words(at: datetime, signed_in: Signed) -> None:
    with transaction.atomic():
        services.record(
            actor=SystemActor("metering"), verb="usage.opened", subject=None, label="web-1", at=at,
            outcome=Outcome.REFUSED, reason="x",
        )  # fmt: skip
    auditor = signed_in(member(Role.AUDIT_ADMIN), language="zh-hans")
    row = auditor.get("/audit/export.csv?q=web-1").content.decode("utf-8-sig").splitlines()[1]
    assert ("被拒绝" in row, "Refused" in row) == (True, False)
    assert ("metering" in row, "计量" in row) == (False, True)
    assert "计量" in text(auditor.get("/audit/?q=web-1"))


def test_a_workbook_that_would_lose_text_is_not_made_and_the_page_leads_to_the_csv_file(
    moved: Event, at: datetime, signed_in: Signed
) -> None:
    with transaction.atomic():
        services.record(
            actor=SystemActor("tests"), verb="operation.parked", subject=None, label="app-1", at=at, reason="x" * 40_000
        )  # fmt: skip
    auditor = signed_in(member(Role.AUDIT_ADMIN))
    answer = auditor.get("/audit/export.xlsx?q=app-1")
    assert answer.status_code == 409
    assert "Row 1 has more text in “Reason”" in text(answer)
    assert 'href="/audit/export.csv?q=app-1"' in answer.content.decode()
    assert not Event.objects.filter(verb="list.exported").exists()
    assert b"x" * 40_000 in auditor.get("/audit/export.csv?q=app-1").content


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_trail_longer_than_a_file_is_not_cut(
    moved: Event, form: str, signed_in: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = signed_in(member(Role.AUDIT_ADMIN))
    monkeypatch.setattr("govcloud.portal.audit.views.MOST_IN_A_FILE", 1)
    assert auditor.get(f"/audit/export.{form}?q=水利厅").status_code == 200
    answer = auditor.get(f"/audit/export.{form}")
    assert (answer.status_code, "more rows than the 1 " in text(answer)) == (409, True)
    assert 'href="/audit/export.csv' not in answer.content.decode()
    assert Event.objects.filter(verb="list.exported").count() == 1


def test_a_list_of_more_rows_than_a_sheet_holds_is_not_made_into_one(
    moved: Event, signed_in: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = signed_in(member(Role.AUDIT_ADMIN))
    monkeypatch.setattr("govcloud.sheets.MOST_ROWS", 0)
    answer = auditor.get("/audit/export.xlsx")
    assert (answer.status_code, 'href="/audit/export.csv"' in answer.content.decode()) == (409, True)


def test_the_chain_is_verified_by_a_click_and_a_broken_record_is_named(
    moved: Event, at: datetime, signed_in: Signed
) -> None:
    seal_all(at)
    auditor = signed_in(member(Role.AUDIT_ADMIN))
    assert "Intact: 1 seals over" in text(auditor.post("/audit/proof/verification/"))
    with tampering() as cursor:
        cursor.execute("UPDATE audit_event SET actor_name = 'another' WHERE id = %s", [moved.pk])
    page = auditor.post("/audit/proof/verification/")
    assert "The chain is broken at seal 1: the event is not as it was sealed." in text(page)
    assert f"/audit/{moved.uuid}/" in page.content.decode()


def test_that_sealing_has_stopped_is_told(moved: Event, at: datetime, signed_in: Signed) -> None:
    auditor = signed_in(member(Role.AUDIT_ADMIN))
    assert "Sealing has stopped" not in text(auditor.get("/audit/proof/"))
    seal_all(at)
    long_ago = timezone.now() - timedelta(hours=3, seconds=5)
    Event.objects.create(at=at, verb="thing.done", recorded_at=long_ago)
    page = text(auditor.post("/audit/proof/verification/"))
    assert "Intact: 1 seals" in page
    assert "1 the oldest for 3 h 0 min" in page
    assert "Sealing has stopped" in page
    seal_all(at)
    assert "Sealing has stopped" not in text(auditor.get("/audit/proof/"))


def test_the_trail_leaves_the_machine_by_a_click_of_the_auditor_alone(
    moved: Event, at: datetime, signed_in: Signed, settings: Settings
) -> None:
    seal_all(at)
    assert signed_in(member(Role.SUPERVISOR)).post("/audit/proof/export/").status_code == 403
    auditor = signed_in(member(Role.AUDIT_ADMIN))
    assert auditor.post("/audit/proof/export/").status_code == 302
    made = Export.objects.get()
    assert made.file in text(auditor.get("/audit/proof/"))
    again = auditor.post("/audit/proof/export/")
    assert (again.status_code, "exported already" in text(again)) == (409, True)
    settings.AUDIT_EXPORT_TO = ""
    assert "AUDIT_EXPORT_TO is empty" in text(auditor.get("/audit/proof/"))
