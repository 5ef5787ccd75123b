"""What follows the end of a lease, on the page of what was let, and putting it off there."""

import re
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from govcloud.audit.models import Event
from govcloud.leases.models import Expiry
from tests.factories.inventory import VolumeFactory
from tests.factories.leases import found, its_grace_is_over, swept
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

DAY = timedelta(days=1)
WHY = "审计尚未结束"


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def expiry(people: scenes.Cast, at: datetime) -> Expiry:
    return found(VolumeFactory(resource__system=people.system, resource__name="spare").resource, at=at)


@pytest.fixture
def page(expiry: Expiry) -> str:
    return f"/resources/{expiry.resource.uuid}/"


@pytest.fixture
def admin(people: scenes.Cast, signed_in: Signed) -> Client:
    return signed_in(people.admin)


def typed(until: datetime) -> str:
    return timezone.localtime(until).strftime("%Y-%m-%dT%H:%M")


def test_taking_back_is_put_off_for_a_reason_that_its_page_tells(
    expiry: Expiry, page: str, admin: Client, people: scenes.Cast, signed_in: Signed
) -> None:
    assert f'href="{page}"' in admin.get("/leases/").content.decode()
    assert "Put taking back off" in text(admin.get(page))
    until = expiry.reclaim_at + 30 * DAY
    answer = admin.post(f"{page}postponement/", {"until": typed(until), "reason": WHY})
    assert (answer.status_code, answer.headers["Location"]) == (302, page)
    expiry.refresh_from_db()
    assert expiry.reclaim_at == until.replace(second=0, microsecond=0)
    assert (expiry.postponed_by, expiry.postponed_because) == (people.admin, WHY)
    assert Event.objects.get(verb="lease.reclaim_postponed").reason == WHY
    told = text(signed_in(people.applicant).get(page))
    assert f"Put off by {people.admin} {WHY}" in told
    assert "Put taking back off" not in told


@pytest.mark.parametrize("later", [timedelta(0), 60 * DAY], ids=["in its grace", "its grace is over"])
def test_the_first_and_the_last_minute_that_are_offered_are_taken(
    expiry: Expiry, admin: Client, at: datetime, monkeypatch: pytest.MonkeyPatch, later: timedelta
) -> None:
    """Also when the form is sent some minutes after it was read; the ends of leases have seconds."""
    before = expiry.reclaim_at.replace(second=31)
    page = f"/resources/{expiry.resource.uuid}/"
    monkeypatch.setattr("govcloud.clock.now", lambda: at + later)
    Expiry.objects.update(reclaim_at=before)
    html = admin.get(page).content.decode()
    for bound in ("min", "max"):
        Expiry.objects.update(reclaim_at=before)
        (offered,) = re.findall(rf'type="datetime-local"[^>]* {bound}="([^"]*)"', html)
        monkeypatch.setattr("govcloud.clock.now", lambda: at + later + timedelta(minutes=14))
        answer = admin.post(f"{page}postponement/", {"until": offered, "reason": WHY})
        assert answer.status_code == 302, (bound, text(answer))
        assert typed(Expiry.objects.get().reclaim_at) == offered


@pytest.mark.parametrize(
    ("until", "reason", "told"),
    [
        ("", WHY, "Give the day and the time"),
        ("soon", WHY, "Give the day and the time"),
        ("2026-01-01T00:00", WHY, "It can be put off to a time after"),
        ("2031-01-01T00:00", WHY, "at most."),
        ("2027-01-05T12:00", "", "Give a reason"),
        ("2027-01-05T12:00", "x" * 501, "Give a reason"),
    ],
)
def test_what_is_wrong_is_told_and_what_was_typed_stays(
    page: str, admin: Client, until: str, reason: str, told: str
) -> None:
    before = Expiry.objects.get().reclaim_at
    answer = admin.post(f"{page}postponement/", {"until": until, "reason": reason})
    html = answer.content.decode()
    assert (answer.status_code, told in text(answer)) == (422, True)
    assert not re.search(r"\d\+08:00", text(answer))
    form = html.split(f'action="{page}postponement/"')[1].split("</form>")[0]
    assert f'value="{until}"' in form
    assert f'value="{reason}"' in form
    assert Expiry.objects.get().reclaim_at == before


def test_only_cloud_administrators_put_it_off(
    expiry: Expiry, page: str, people: scenes.Cast, signed_in: Signed
) -> None:
    browser = signed_in(people.applicant)
    sent = {"until": typed(expiry.reclaim_at + DAY), "reason": WHY}
    assert browser.post(f"{page}postponement/", sent).status_code == 403
    expiry.refresh_from_db()
    assert expiry.postponed_by is None


def test_what_is_being_taken_back_or_still_let_cannot_be_put_off(
    expiry: Expiry, page: str, people: scenes.Cast, admin: Client, at: datetime
) -> None:
    sent = {"until": typed(at + 30 * DAY), "reason": WHY}
    its_grace_is_over(expiry.resource, at=at)
    swept(at=at)
    assert "Its lease has ended" not in text(admin.get(page))
    answer = admin.post(f"{page}postponement/", sent)
    assert (answer.status_code, WHY in text(answer)) == (409, True)
    let = VolumeFactory(resource__system=people.system, resource__lease_end=at + DAY).resource
    there = f"/resources/{let.uuid}/"
    assert "Its lease has ended" not in text(admin.get(there))
    assert admin.post(f"{there}postponement/", sent).status_code == 409


def test_put_off_as_far_as_can_be_it_says_so(
    page: str, admin: Client, settings: Settings, expiry: Expiry
) -> None:
    settings.LEASE_POSTPONEMENT = DAY
    assert "It cannot be put off any further now." in text(admin.get(page))
