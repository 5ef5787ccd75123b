"""The pages of the clouds: what everybody sees, and what their keepers do there."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from govcloud.audit.models import Event
from govcloud.catalog.models import Cloud
from govcloud.clouds.models import CloudCapacity, HealthChange, Maintenance, ServiceAnswer, StoragePool
from tenants.models import Role
from tests.factories.catalog import ZoneFactory
from tests.factories.clouds import AvailabilityZoneFactory, MaintenanceFactory, differing, healthy
from tests.factories.inventory import ServerFactory
from tests.factories.tenants import member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

WHY = "更换核心交换机"


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def cloud(people: scenes.Cast, at: datetime) -> Cloud:
    cloud = ZoneFactory(cloud__code="east", cloud__name="东区云", cloud__name_en="East cloud").cloud
    AvailabilityZoneFactory(cloud=cloud)
    healthy(cloud, at=at, state="failing")
    HealthChange.objects.create(
        cloud=cloud, at=at, state="failing", service="volume", detail="502 Bad Gateway"
    )
    ServiceAnswer.objects.create(cloud=cloud, service="compute", state="ok", milliseconds=41, at=at)
    CloudCapacity.objects.create(
        cloud=cloud, vcpus_total=2048, vcpus_used=1536, memory_gb_total=8192, memory_gb_used=2048, read_at=at
    )
    for name, free in (("ssd@ceph", Decimal(250)), ("silent", None)):
        StoragePool.objects.create(cloud=cloud, name=name, total_gb=free and Decimal(1000), free_gb=free)
    return cloud


@pytest.fixture
def keeper(signed_in: Signed, people: scenes.Cast) -> Client:
    return signed_in(people.admin)


def test_everybody_sees_where_things_are_built_and_how_it_fares(
    people: scenes.Cast, cloud: Cloud, signed_in: Signed, at: datetime
) -> None:
    MaintenanceFactory(cloud=cloud, announced_at=at, reason=WHY)
    browser = signed_in(people.applicant)
    page = text(browser.get("/clouds/"))
    for words in (
        "East cloud",
        "main site",
        "fails",
        "vCPU: 1,536 of 2,048",
        "Storage, GB: 750 of 1,000",
        WHY,
    ):
        assert words in page, words
    one = browser.get(f"/clouds/{cloud.uuid}/")
    assert (one.status_code, "a区" in text(one) or "a" in text(one)) == (200, True)
    for hidden in ("502 Bad Gateway", "How its services answer", "Retire it for good", "End it now"):
        assert hidden not in text(one), hidden


def test_keepers_see_what_the_cloud_answers_and_what_stands_there(
    people: scenes.Cast, cloud: Cloud, keeper: Client, at: datetime
) -> None:
    ServerFactory(resource__cloud=cloud)
    differing(cloud, "g.4c16g")
    page = text(keeper.get(f"/clouds/{cloud.uuid}/"))
    for words in (
        "502 Bad Gateway",
        "compute",
        "41",
        "ssd@ceph",
        "Servers: 1",
        "Other than in the catalogue",
    ):
        assert words in page, words


@pytest.mark.parametrize(
    ("role", "led"), [(Role.CLOUD_ADMIN, True), (Role.SYSTEM_ADMIN, True), (Role.APPLICANT, False)]
)
def test_who_works_with_them_finds_them_in_the_navigation(
    people: scenes.Cast, signed_in: Signed, role: Role, *, led: bool
) -> None:
    person = people.applicant if role == Role.APPLICANT else member(role)
    assert ('href="/clouds/"' in signed_in(person).get("/orders/").content.decode()) == led


def test_a_maintenance_is_announced_and_called_off(cloud: Cloud, keeper: Client, at: datetime) -> None:
    typed = {
        "starts_at": "2026-12-01T20:00",
        "ends_at": "2026-12-02T06:00",
        "running": "pause",
        "reason": WHY,
    }
    page = keeper.post(f"/clouds/{cloud.uuid}/maintenance/", typed, follow=True)
    assert "The maintenance is announced." in text(page)
    row = Maintenance.objects.get()
    assert (row.running, row.reason, row.ends_at - row.starts_at) == ("pause", WHY, timedelta(hours=10))
    page = keeper.post(f"/clouds/{cloud.uuid}/maintenance/{row.uuid}/ending/", follow=True)
    assert "None is announced." in text(page)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ends_at": ""}, "Give the day and the time at which it ends"),
        ({"starts_at": "tomorrow"}, "Give the day and the time at which it ends"),
        ({"running": "stop"}, "Give the day and the time at which it ends"),
        ({"ends_at": "2020-01-01T00:00"}, "A maintenance ends after it begins, and not in the past."),
        ({"reason": ""}, "Give a reason of at most 300 characters."),
        ({"reason": "x" * 301}, "Give a reason of at most 300 characters."),
    ],
)
def test_a_wrong_maintenance_is_refused_with_what_was_typed(
    cloud: Cloud, keeper: Client, wrong: dict[str, str], told: str
) -> None:
    typed = {"starts_at": "", "ends_at": "2026-12-02T06:00", "running": "pause", "reason": WHY, **wrong}
    page = keeper.post(f"/clouds/{cloud.uuid}/maintenance/", typed)
    assert (page.status_code, told in text(page)) == (422, True)
    for value in filter(None, (typed["starts_at"], typed["ends_at"], typed["reason"])):
        assert f'value="{value}"' in page.content.decode()
    assert "What you had written" not in text(page), "it is in the form again"
    assert not Maintenance.objects.exists()


def test_two_maintenances_do_not_overlap(cloud: Cloud, keeper: Client, at: datetime) -> None:
    MaintenanceFactory(cloud=cloud, announced_at=at)
    typed = {"ends_at": "2030-12-02T06:00", "running": "finish", "reason": WHY}
    page = keeper.post(f"/clouds/{cloud.uuid}/maintenance/", typed)
    assert (page.status_code, "The cloud has a maintenance already" in text(page)) == (409, True)


def test_it_is_closed_opened_and_retired_with_reasons(cloud: Cloud, keeper: Client) -> None:
    for deed, reason, status in (
        ("deactivation", WHY, "disabled"),
        ("activation", "", "enabled"),
        ("retirement", "租期已满", "retired"),
    ):
        answer = keeper.post(f"/clouds/{cloud.uuid}/{deed}/", {"reason": reason})
        assert answer.status_code == 302, deed
        cloud.refresh_from_db()
        assert cloud.status == status
    assert set(Event.objects.filter(subject_id=cloud.uuid).values_list("reason", flat=True)) >= {
        WHY,
        "租期已满",
    }
    assert "Retire it for good" not in text(keeper.get(f"/clouds/{cloud.uuid}/"))


def test_one_that_holds_something_is_not_retired_and_the_reason_is_kept(cloud: Cloud, keeper: Client) -> None:
    ServerFactory(resource__cloud=cloud)
    page = keeper.post(f"/clouds/{cloud.uuid}/retirement/", {"reason": WHY})
    assert (page.status_code, "it cannot be retired" in text(page)) == (409, True)
    assert f'value="{WHY}"' in page.content.decode()
    assert keeper.post(f"/clouds/{cloud.uuid}/deactivation/", {"reason": ""}).status_code == 422


@pytest.mark.parametrize("deed", ["maintenance", "activation", "deactivation", "retirement"])
def test_nobody_else_does_any_of_it(people: scenes.Cast, cloud: Cloud, signed_in: Signed, deed: str) -> None:
    for person in (people.applicant, people.approver, people.desk):
        answer = signed_in(person).post(f"/clouds/{cloud.uuid}/{deed}/", {"reason": WHY})
        assert answer.status_code == 403
    cloud.refresh_from_db()
    assert cloud.status == "enabled"


def test_a_maintenance_is_ended_below_its_own_cloud_alone(cloud: Cloud, keeper: Client, at: datetime) -> None:
    row = MaintenanceFactory(cloud=ZoneFactory(cloud__code="west").cloud, announced_at=at)
    assert keeper.post(f"/clouds/{cloud.uuid}/maintenance/{row.uuid}/ending/").status_code == 404


def test_the_list_is_exported(cloud: Cloud, keeper: Client) -> None:
    rows = keeper.get("/clouds/export.csv").content.decode("utf-8-sig").splitlines()
    (line,) = (row for row in rows if row.startswith("east"))
    assert "1536,2048,2048,8192,750.00,1000.00" in line
