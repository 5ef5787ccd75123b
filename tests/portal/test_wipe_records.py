"""Wipe records in the portal: the list, narrowed and as a file, and the page of one."""

import csv
import io
from datetime import datetime, timedelta

import pytest

from govcloud.audit.models import Event
from govcloud.catalog.models import Wiping
from govcloud.inventory.models import WipeRecord
from tests.factories.inventory import CredentialFactory, VolumeFactory, WipeRecordFactory
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

URL = "/wipe-records/"
NAMES = ("ledger", "spare", "photos", "foreign")


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def shelf(people: scenes.Cast, at: datetime) -> scenes.Cast:
    """Two volumes and a container of the unit, and one volume of somebody else."""
    for days, (name, means) in enumerate([("ledger", Wiping.OVERWRITTEN), ("spare", Wiping.UNMAPPED)]):
        WipeRecordFactory(
            volume=VolumeFactory(resource__system=people.system, resource__name=name),
            means=means,
            confirmed_at=at - timedelta(days=days),
            request_id=f"req-of-{name}",
        )
    container = CredentialFactory(
        container__resource__system=people.system, container__resource__name="photos"
    ).container
    WipeRecord.objects.create(
        resource=container.resource, external_id="c-1", size_gb=5, means=Wiping.UNDECLARED, confirmed_at=at - timedelta(days=9)
    )  # fmt: skip
    WipeRecordFactory(volume=VolumeFactory(resource__name="foreign"))
    return people


def listed(page: str) -> list[str]:
    return [word for word in page.split() if word in NAMES]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["ledger", "spare", "photos"]),
        ("view=container", ["photos"]),
        ("view=volume&means=unmapped", ["spare"]),
        ("q=req-of-ledger", ["ledger"]),
        ("q=nothing", []),
        ("first=2026-01-01&last=2026-01-02", []),
        ("view=x&means=x&first=x&last=9999-12-31&page=x", ["ledger", "spare", "photos"]),
    ],
)
def test_people_of_a_department_see_and_narrow_what_was_wiped_of_theirs(
    shelf: scenes.Cast, signed_in: Signed, query: str, found: list[str]
) -> None:
    answer = signed_in(shelf.applicant).get(f"{URL}?{query}")
    assert (answer.status_code, listed(text(answer))) == (200, found)


def test_days_are_whole_ones_with_both_ends(shelf: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    day = (at - timedelta(days=1)).astimezone().date()
    browser = signed_in(shelf.applicant)
    assert listed(text(browser.get(f"{URL}?first={day}&last={day}"))) == ["spare"]
    assert listed(text(browser.get(f"{URL}?last={day}"))) == ["spare", "photos"]


def test_the_list_is_taken_out_as_it_is_narrowed_and_that_is_told(
    shelf: scenes.Cast, signed_in: Signed
) -> None:
    browser = signed_in(shelf.admin)
    assert set(listed(text(browser.get(URL)))) == set(NAMES)
    query = "?view=volume&q=ledger&means=overwritten"
    assert f'href="{URL}export.csv{query.replace("&", "&amp;")}"' in browser.get(f"{URL}{query}").content.decode()  # fmt: skip
    response = browser.get(f"{URL}export.csv{query}")
    (row,) = csv.DictReader(io.StringIO(response.content.decode("utf-8-sig")))
    record = WipeRecord.objects.get(resource__name="ledger")
    assert (row["Name"], row["Size, GB"], row["The cloud's id of the request"]) == (
        "ledger",
        str(record.size_gb),
        "req-of-ledger",
    )
    event = Event.objects.get(verb="list.exported")
    assert (event.subject_label, event.after["rows"]) == ("wipe-records", 1)


def test_one_has_a_page_with_all_that_is_evidence(shelf: scenes.Cast, signed_in: Signed) -> None:
    record = WipeRecord.objects.get(resource__name="ledger")
    page = text(signed_in(shelf.applicant).get(f"{URL}{record.uuid}/"))
    for words in (record.external_id, "req-of-ledger", "overwritten with zeros", "ledger"):
        assert words in page, words
    assert "数据清除记录" in text(signed_in(shelf.applicant, language="zh-hans").get(f"{URL}{record.uuid}/"))
    foreign = WipeRecord.objects.get(resource__name="foreign")
    assert signed_in(shelf.applicant).get(f"{URL}{foreign.uuid}/").status_code == 404


def test_leases_what_a_system_has_and_what_is_gone_lead_to_them(
    shelf: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    browser = signed_in(shelf.applicant)
    assert f'href="{URL}"' in browser.get("/leases/").content.decode()
    standing = browser.get(f"/systems/{shelf.system.uuid}/standing/").content.decode()
    assert f'href="{URL}?q={shelf.system.code}"' in standing
    record = WipeRecord.objects.get(resource__name="spare")
    there = f"/resources/{record.resource.uuid}/"
    assert f"{URL}{record.uuid}/" not in browser.get(there).content.decode()
    record.resource.status, record.resource.released_at = "released", at
    record.resource.save()
    assert f'href="{URL}{record.uuid}/"' in browser.get(there).content.decode()
