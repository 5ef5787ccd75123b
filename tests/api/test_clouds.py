"""Clouds and their maintenance as administrators keep them through the API."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from api.models import IdempotencyRecord
from govcloud import clock
from govcloud.audit.models import Event
from govcloud.catalog.models import Cloud
from govcloud.clouds import sizes
from govcloud.clouds.models import CloudCredential, ServiceAnswer
from tenants.models import Role, User
from tests.api.story import order_body
from tests.factories.catalog import CloudFactory, FlavorFactory
from tests.factories.clouds import CREDENTIALS, MaintenanceFactory, differing, healthy, room, signed_in_with
from tests.factories.inventory import whole_server
from tests.factories.orders import Scene, approved, scene, submitted
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]
ROOT = "/api/v1"
EAST: dict[str, Any] = {
    "code": "east",
    "name": "东区云",
    "name_en": "East cloud",
    "site": "main",
    "zones": [{"zone": "private", "address_pool": "10.20.0.0/16"}],
    "availability_zones": [{"code": "a", "name": "A区", "compute_zone": "nova", "volume_zone": "nova"}],
}


@pytest.fixture
def keeper(signed_in: SignedIn) -> APIClient:
    return signed_in(member(Role.CLOUD_ADMIN))


@pytest.fixture
def reader(signed_in: SignedIn) -> APIClient:
    return signed_in(member(Role.LEADER))


def changing(client: APIClient, url: str, body: Any, *, method: str = "put", path: str = "") -> Any:
    """With the ETag that a look at the cloud gives."""
    return getattr(client, method)(url + path, body, headers={"If-Match": client.get(url)["ETag"]})


def codes(answer: Any) -> list[tuple[str, str]]:
    return [(each["pointer"], each["code"]) for each in answer.json()["errors"]]


def test_a_cloud_goes_its_way_from_registration_to_retirement(keeper: APIClient) -> None:
    FlavorFactory()
    created = keeper.post(f"{ROOT}/clouds", EAST)
    assert (created.status_code, created.json()["status"]) == (201, "disabled"), created.json()
    url = created["Location"]
    assert keeper.post(f"{url}/activation").json()["code"] == "cloud-without-credentials"
    assert changing(keeper, url, CREDENTIALS, path="/credentials").status_code == 200
    named = changing(keeper, url, {"flavors": {"g.4c16g": "m1.large"}}, path="/names")
    assert named.json() == {
        "flavors": {"g.4c16g": "m1.large"}, "storage_classes": {}, "images": {}, "wiping": {},
    }  # fmt: skip
    assert keeper.get(f"{url}/names").json() == named.json()
    change = {"mlps_level": 2, "build_width": 5, "retyping": "attached"}
    changed = changing(keeper, url, change, method="patch").json()
    told = changed["technical"]
    assert (changed["mlps_level"], told["build_width"], told["retyping"]) == (2, 5, "attached")
    assert keeper.post(f"{url}/activation").json()["status"] == "enabled"
    assert keeper.post(f"{url}/deactivation", {"reason": "full"}).json()["status"] == "disabled"
    assert keeper.post(f"{url}/retirement", {"reason": "replaced"}).json()["status"] == "retired"
    assert keeper.post(f"{url}/activation").json()["code"] == "wrong-state"
    assert not CloudCredential.objects.exists()


def test_credentials_are_shown_nowhere(keeper: APIClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    url = keeper.post(f"{ROOT}/clouds", EAST)["Location"]
    answers = [
        changing(keeper, url, CREDENTIALS, path="/credentials"),
        keeper.get(url),
        keeper.get(f"{ROOT}/clouds"),
        keeper.get(f"{ROOT}/clouds?format=csv"),
        changing(keeper, url, {**CREDENTIALS, "auth_url": "nowhere"}, path="/credentials"),
    ]
    shown = "".join(
        b"".join(answer).decode() if answer.streaming else answer.content.decode() for answer in answers
    )
    events = " ".join(f"{event.before} {event.after} {event.reason}" for event in Event.objects.all())
    kept = " ".join(f"{record.body} {record.fingerprint}" for record in IdempotencyRecord.objects.all())
    for secret in (CREDENTIALS["password"], CREDENTIALS["username"], CREDENTIALS["auth_url"]):
        assert secret not in shown + events + kept + caplog.text
    assert keeper.get(url).json()["technical"]["credentials_stored_at"] is not None


def test_both_a_profile_and_credentials_are_refused(keeper: APIClient) -> None:
    cloud = CloudFactory()
    url = f"{ROOT}/clouds/{cloud.uuid}"
    answer = changing(keeper, url, CREDENTIALS, path="/credentials")
    assert (answer.status_code, answer.json()["code"]) == (409, "profile-and-credentials")


def test_an_unknown_profile_is_refused(
    keeper: APIClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "known.yaml"
    path.write_text("clouds: {east: {auth: {auth_url: 'http://127.0.0.1:1'}}}\n")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    refused = keeper.post(f"{ROOT}/clouds", {**EAST, "profile": "west"})
    assert (refused.status_code, codes(refused)) == (422, [("/profile", "unknown-profile")])
    assert keeper.post(f"{ROOT}/clouds", {**EAST, "profile": "east"}).status_code == 201


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"application_credential_id": "a"}, "/application_credential_id", "application-credential"),
        ({"auth_url": "ftp://identity"}, "/auth_url", "bad-service-address"),
        ({"auth_url": "https://operator:secret@identity:5000"}, "/auth_url", "user-in-service-address"),
        ({"ca_certificate": "-----BEGIN CERTIFICATE-----"}, "/ca_certificate", "bad-certificate"),
        ({"endpoint_overrides": {"mail": "https://a"}}, "/endpoint_overrides/mail", "unknown-cloud-service"),
        ({"interface": "secret"}, "/interface", "invalid-choice"),
        ({"password": ""}, "/password", "blank"),
        ({"tenant": "x"}, "/tenant", "unknown-field"),
    ],
)
def test_credentials_that_cannot_be_are_refused_by_field(
    keeper: APIClient, changes: dict[str, Any], pointer: str, code: str
) -> None:
    url = keeper.post(f"{ROOT}/clouds", EAST)["Location"]
    answer = changing(keeper, url, {**CREDENTIALS, **changes}, path="/credentials")
    assert (answer.status_code, codes(answer)) == (422, [(pointer, code)])
    assert not CloudCredential.objects.exists()


@pytest.mark.parametrize("body", [[], "text", 7])
def test_a_body_that_is_no_object_is_refused(keeper: APIClient, body: Any) -> None:
    url = keeper.post(f"{ROOT}/clouds", EAST)["Location"]
    for method, path in (("put", "/credentials"), ("patch", ""), ("put", "/names")):
        answer = changing(keeper, url, body, method=method, path=path)
        assert answer.status_code in {400, 422}, (method, path, answer.content)


def test_a_change_names_the_version_it_was_made_from(keeper: APIClient) -> None:
    url = keeper.post(f"{ROOT}/clouds", EAST)["Location"]
    old = keeper.get(url)["ETag"]
    assert keeper.patch(url, {"name": "x"}).status_code == 428
    assert keeper.patch(url, {"name": "x"}, headers={"If-Match": old}).status_code == 200
    assert keeper.patch(url, {"name": "y"}, headers={"If-Match": old}).status_code == 412
    assert keeper.put(f"{url}/credentials", CREDENTIALS, headers={"If-Match": old}).status_code == 412
    assert not CloudCredential.objects.exists()


def test_a_cloud_that_holds_resources_is_not_retired(keeper: APIClient) -> None:
    cloud = whole_server().resource.cloud
    answer = keeper.post(f"{ROOT}/clouds/{cloud.uuid}/retirement", {"reason": "old"})
    assert (answer.status_code, answer.json()["code"]) == (409, "cloud-not-empty")
    assert answer.json()["params"]["resources"] == cloud.resources.count()
    assert Cloud.objects.get(pk=cloud.pk).status == "enabled"


def test_what_administrators_read_of_a_cloud_others_do_not(keeper: APIClient, reader: APIClient) -> None:
    at = clock.now()
    cloud = signed_in_with(CloudFactory(), at=at)
    health = healthy(cloud, at=at, state="failing")
    health.service, health.detail = "compute", "the cloud's own words"
    health.save()
    ServiceAnswer.objects.create(cloud=cloud, service="compute", state="failing", milliseconds=12, at=at)
    room(cloud, at=at, vcpus=100, used=40)
    url = f"{ROOT}/clouds/{cloud.uuid}"
    technical = keeper.get(url).json()["technical"]
    assert (technical["health_service"], technical["health_detail"]) == ("compute", "the cloud's own words")
    assert technical["services"][0]["milliseconds"] == 12
    seen = reader.get(url).json()
    assert (seen["technical"], seen["health"]["state"]) == (None, "failing")
    assert (seen["capacity"]["vcpus_total"], seen["promised"]["vcpus"]) == (100, 0)
    assert "the cloud's own words" not in reader.get(f"{ROOT}/clouds").content.decode()
    assert reader.get(f"{url}/health-changes").status_code == 403
    assert keeper.get(f"{url}/health-changes").json()["count"] == 0


def test_sizes_that_differ_are_told_to_keepers_and_need_not_match_where_it_is_said(
    keeper: APIClient, reader: APIClient
) -> None:
    url = keeper.post(f"{ROOT}/clouds", EAST)["Location"]
    cloud, at = Cloud.objects.get(), clock.now()
    healthy(cloud, at=at)
    sizes.store(cloud=cloud, found=[], at=at)
    differing(cloud, "g.4c16g")
    technical = keeper.get(url).json()["technical"]
    assert (technical["sizes_must_match"], technical["sizes_compared_at"] is not None) == (True, True)
    assert technical["size_differences"] == [
        {"kind": "flavors", "code": "g.4c16g", "cloud_name": "g.4c16g", "measure": "vcpus", "expected": 4, "found": 1}
    ]  # fmt: skip
    changed = changing(keeper, url, {"sizes_must_match": False}, method="patch")
    assert changed.json()["technical"]["sizes_must_match"] is False
    event = Event.objects.get(verb="cloud.changed")
    assert (event.before["sizes_must_match"], event.after["sizes_must_match"]) == (True, False)
    assert reader.get(url).json()["technical"] is None
    assert "g.4c16g" not in reader.get(f"{ROOT}/clouds").content.decode()


# -- maintenance


def maintenance_body(cloud: Cloud, **changes: Any) -> dict[str, Any]:
    ends_at = (clock.now() + timedelta(hours=2)).isoformat()
    return {
        "cloud": str(cloud.uuid),
        "ends_at": ends_at,
        "running": "pause",
        "reason": "new switches",
        **changes,
    }


def test_a_maintenance_is_announced_shown_with_its_cloud_and_ended(
    keeper: APIClient, reader: APIClient
) -> None:
    cloud = CloudFactory()
    announced = keeper.post(f"{ROOT}/maintenances", maintenance_body(cloud))
    assert announced.status_code == 201, announced.json()
    (shown,) = reader.get(f"{ROOT}/clouds/{cloud.uuid}").json()["maintenances"]
    assert (shown["uuid"], shown["running"], shown["reason"]) == (
        announced.json()["uuid"], "pause", "new switches",
    )  # fmt: skip
    ended = keeper.post(f"{announced['Location']}/ending")
    assert ended.status_code == 200
    assert reader.get(f"{ROOT}/clouds/{cloud.uuid}").json()["maintenances"] == []
    again = keeper.post(f"{announced['Location']}/ending")
    assert (again.status_code, again.json()["code"]) == (409, "maintenance-over")


def test_two_maintenances_of_a_cloud_do_not_overlap(keeper: APIClient) -> None:
    cloud = CloudFactory()
    MaintenanceFactory(cloud=cloud, announced_at=clock.now())
    answer = keeper.post(f"{ROOT}/maintenances", maintenance_body(cloud))
    assert (answer.status_code, answer.json()["code"]) == (409, "maintenance-overlaps")


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at", "maintenance-ends-too-early"),
        ({"running": "stop"}, "/running", "invalid-choice"),
        ({"reason": ""}, "/reason", "blank"),
    ],
)
def test_a_maintenance_that_cannot_be_is_refused_by_field(
    keeper: APIClient, changes: dict[str, Any], pointer: str, code: str
) -> None:
    answer = keeper.post(f"{ROOT}/maintenances", maintenance_body(CloudFactory(), **changes))
    assert (answer.status_code, codes(answer)) == (422, [(pointer, code)])


def test_a_cloud_that_is_not_there_has_no_maintenance(keeper: APIClient, on: Scene) -> None:
    body = {**maintenance_body(on.catalogue.cloud), "cloud": str(on.system.uuid)}
    answer = keeper.post(f"{ROOT}/maintenances", body)
    assert (answer.status_code, codes(answer)) == (404, [("/cloud", "not-found")])


# -- orders


@pytest.fixture
def on() -> Scene:
    return scene()


def test_who_decides_sees_where_an_order_would_go_and_what_was_not_taken(
    on: Scene, signed_in: SignedIn
) -> None:
    at = clock.now()
    room(on.catalogue.cloud, at=at, vcpus=2_048, used=1_636)
    other = CloudFactory(code="other", name_en="Other cloud")
    order = submitted(on, at=at)
    reviewer = signed_in(on.chain[Role.TECHNICAL_REVIEWER])
    (placement,) = reviewer.get(f"{ROOT}/orders/{order.uuid}/review").json()["placements"]
    assert placement["cloud"] == "sandbox"
    assert (
        placement["why"] == "main site, Example cloud: no other comes into question; 412 of 2,048 vCPUs free"
    )
    assert [(each["cloud"], each["verdict"], each["why"]) for each in placement["weighed"][1:]] == [
        (other.code, "other_zone", "main site, Other cloud: does not offer the private zone")
    ]
    assert not order.placements.exists()


def test_an_order_tells_its_applicant_where_it_goes_in_their_language(on: Scene, signed_in: SignedIn) -> None:
    order = approved(on, at=clock.now())
    url = f"{ROOT}/orders/{order.uuid}"
    client = signed_in(on.applicant)
    answer = client.get(url).json()
    (placement,) = answer["placements"]
    assert set(placement["units"]) == {unit["uuid"] for unit in answer["units"]}
    assert placement["why"] == "main site, Example cloud: no other comes into question"
    chinese = client.get(url, headers={"Accept-Language": "zh-hans"}).json()["placements"][0]["why"]
    assert chinese.startswith("主站点")
    assert Event.objects.get(verb="order.placed").after["cloud"] == "sandbox"


def test_an_order_that_waits_for_a_maintenance_says_so(on: Scene, signed_in: SignedIn) -> None:
    at: datetime = clock.now()
    MaintenanceFactory(cloud=on.catalogue.cloud, announced_at=at)
    order = approved(on, at=at)
    (placement,) = signed_in(on.applicant).get(f"{ROOT}/orders/{order.uuid}").json()["placements"]
    assert (placement["cloud"], order.status) == (None, "fulfilling")
    assert placement["why"].startswith("It waits: main site, Example cloud: is under maintenance until")
    assert Event.objects.filter(verb="order.placement_waits", thread=order.uuid).count() == 1


def test_a_network_can_be_ordered_at_the_other_site_only_where_there_is_a_cloud(
    on: Scene, signed_in: SignedIn
) -> None:
    body = order_body(on.system.uuid)
    body["items"] = [{**body["items"][0], "site": "dr"}, *body["items"][1:]]
    answer = signed_in(on.applicant).post(f"{ROOT}/orders", body)
    assert answer.status_code == 422
    assert ("/items/0/zone", "no-cloud-for-zone") in codes(answer)
    body["items"][0]["site"] = "moon"
    assert "/items/0/site" in dict(codes(signed_in(on.applicant).post(f"{ROOT}/orders", body)))


def test_a_list_of_clouds_takes_as_many_statements_however_many_there_are(
    reader: APIClient, django_assert_max_num_queries: CaptureQueriesContext
) -> None:
    for number in range(20):
        cloud = CloudFactory(code=f"cloud-{number}")
        healthy(cloud, at=clock.now())
        MaintenanceFactory(cloud=cloud, announced_at=clock.now())
    with django_assert_max_num_queries(9):
        assert reader.get(f"{ROOT}/clouds").json()["count"] == 20
