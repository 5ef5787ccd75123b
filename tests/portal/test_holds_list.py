"""All legal holds, on a page for those who place and lift them, as a file, and for programs."""

import csv
import io
from datetime import datetime

import pytest
from django.test import Client
from rest_framework.test import APIClient

from govcloud.audit.models import Event
from govcloud.inventory.models import Container
from govcloud.protection import holds
from govcloud.protection.models import LegalHold, RecoveryPoint
from tenants.models import Role, User
from tests.api.house import recovery_point
from tests.factories.inventory import CredentialFactory, whole_server
from tests.factories.orders import Scene, scene
from tests.factories.tenants import DepartmentFactory, member, token_of
from tests.portal.conftest import Signed
from tests.portal.reading import text

pytestmark = pytest.mark.django_db
URL = "/legal-holds/"
WORDS = ("evidence-17", "evidence-18", "audit-2025")


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def authority(db: None) -> User:
    return member(Role.AUTHORITY_APPROVER)


@pytest.fixture
def on(authority: User, at: datetime) -> Scene:
    """A recovery point under a hold, another whose hold was lifted, and a container under one."""
    on = scene()
    volume = whole_server(system=on.system, name="web-1").volumes.get(role="data")
    point = recovery_point(volume)
    holds.place(point=point, reason=WORDS[0], actor=authority, at=at)
    container = CredentialFactory(
        container__resource__system=on.system, container__resource__name="photos"
    ).container.resource
    holds.place_on_container(resource=container, reason=WORDS[2], actor=authority, at=at)
    holds.lift_from_container(resource=container, reason="case closed", actor=authority, at=at)
    holds.place_on_container(resource=container, reason=WORDS[1], actor=authority, at=at)
    return on


@pytest.fixture
def keeper(signed_in: Signed, authority: User) -> Client:
    return signed_in(authority)


def listed(page: str) -> list[str]:
    return sorted(word for word in WORDS if word in page)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [WORDS[0], WORDS[1]]),
        ("view=points", [WORDS[0]]),
        ("view=containers", [WORDS[1]]),
        ("view=lifted", [WORDS[2]]),
        ("view=all", sorted(WORDS)),
        ("q=photos", [WORDS[1]]),
        ("q=evidence-17", [WORDS[0]]),
        ("q=nothing", []),
        ("view=nonsense&page=nonsense", [WORDS[0], WORDS[1]]),
    ],
)
def test_those_in_force_are_listed_and_narrowed(
    on: Scene, keeper: Client, query: str, found: list[str]
) -> None:
    answer = keeper.get(f"{URL}?{query}")
    html = answer.content.decode().split("<tbody>")[-1] if found else ""
    assert (answer.status_code, listed(html)) == (200, sorted(found))


def test_each_leads_to_what_is_held(on: Scene, keeper: Client) -> None:
    page = keeper.get(f"{URL}?view=all").content.decode()
    point, container = RecoveryPoint.objects.get(), Container.objects.get()
    for resource in (point.volume.resource, container.resource):
        assert f'href="/resources/{resource.uuid}/"' in page
    assert "case closed" in page


def test_the_list_is_taken_out_as_it_is_narrowed_and_that_is_told(on: Scene, keeper: Client) -> None:
    response = keeper.get(f"{URL}export.csv?view=lifted")
    (row,) = csv.DictReader(io.StringIO(response.content.decode("utf-8-sig")))
    assert (row["Name"], row["Reason"], row["Lifted because"]) == ("photos", WORDS[2], "case closed")
    event = Event.objects.get(verb="list.exported")
    assert (event.subject_label, event.after["rows"]) == ("legal-holds", 1)


def test_only_those_who_place_them_have_the_page(on: Scene, keeper: Client, signed_in: Signed) -> None:
    assert f'href="{URL}"' in keeper.get("/orders/").content.decode()
    browser = signed_in(on.applicant)
    assert f'href="{URL}"' not in browser.get("/orders/").content.decode()
    assert browser.get(URL).status_code == 403
    assert browser.get(f"{URL}export.csv").status_code == 403


def test_the_page_is_in_both_languages(on: Scene, authority: User, signed_in: Signed) -> None:
    page = text(signed_in(authority, language="zh-hans").get(URL))
    for words in ("法律保全", "生效中", "的恢复点", "对象存储桶"):
        assert words in page


def program_of(user: User) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {token_of(user)[1]}"})


def test_programs_get_those_of_what_they_may_see(on: Scene) -> None:
    client = program_of(on.applicant)
    in_force = client.get("/api/v1/legal-holds?in_force=true").json()["results"]
    assert {each["reason"] for each in in_force} == {WORDS[0], WORDS[1]}
    (of_volumes,) = client.get("/api/v1/legal-holds?resource_kind=volume").json()["results"]
    point = RecoveryPoint.objects.get()
    assert of_volumes["recovery_point"]["uuid"] == str(point.uuid)
    assert of_volumes["resource"]["uuid"] == str(point.volume.resource.uuid)
    lifted = client.get("/api/v1/legal-holds?in_force=false").json()["results"]
    assert [(each["reason"], each["lifted_because"]) for each in lifted] == [(WORDS[2], "case closed")]
    assert lifted[0]["recovery_point"] is None
    stranger = program_of(member(Role.APPLICANT, DepartmentFactory()))
    assert stranger.get("/api/v1/legal-holds").json()["results"] == []
    hold = LegalHold.objects.first()
    assert hold is not None
    assert stranger.get(f"/api/v1/legal-holds/{hold.uuid}").status_code == 404
