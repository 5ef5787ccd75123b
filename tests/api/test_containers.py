"""Object containers as callers see them: orders, credentials, secrets, counts, holds, wipe records."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from rest_framework.test import APIClient

from govcloud.audit.models import Event
from govcloud.inventory import wiping
from govcloud.inventory.models import Resource
from tenants.models import Role, User
from tests.api.story import order_body
from tests.factories.inventory import ContainerFactory, CredentialFactory, ProjectFactory, whole_server
from tests.factories.orders import Scene, scene
from tests.factories.tenants import DepartmentFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]
FILES = {
    "action": "create", "kind": "container", "name": "files", "zone": "public", "storage_class": "object", "quota_gb": 100,
}  # fmt: skip
AT = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def files(on: Scene) -> Resource:
    resource: Resource = ContainerFactory(resource__system=on.system, resource__name="files").resource
    return resource


@pytest.fixture
def applicant(signed_in: SignedIn, on: Scene) -> APIClient:
    return signed_in(on.applicant)


def ordered(client: APIClient, on: Scene, **item: Any) -> Any:
    return client.post("/api/v1/orders", order_body(on.system.uuid, items=[item]))


def test_a_container_is_ordered_at_its_price_and_counts_as_object_storage(
    applicant: APIClient, on: Scene
) -> None:
    answer = ordered(applicant, on, **FILES)
    assert answer.status_code == 201, answer.json()
    order = answer.json()
    (item,) = order["items"]
    assert (item["container"]["quota_gb"], item["container"]["storage_class"]["code"]) == (100, "object")
    assert order["quote"]["monthly_total"] == "9.00"
    assert {row["dimension"]: row["takes"] for row in order["effect"]} == {"object_gb": 100}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"quota_gb": None}, "/items/0/quota_gb"),
        ({"quota_gb": "many"}, "/items/0/quota_gb"),
        ({"quota_gb": 0}, "/items/0/quota_gb"),
        ({"quota_gb": 10**12}, "/items/0/quota_gb"),
        ({"storage_class": "ssd"}, "/items/0/storage_class"),
        ({"name": "../etc"}, "/items/0/name"),
        ({"zone": "moon"}, "/items/0/zone"),
        ({"lease_months": 13}, "/items/0/lease_months"),
        ({"size_gb": 5}, "/items/0/size_gb"),
    ],
)
def test_a_bad_item_is_refused_where_it_is_bad(
    applicant: APIClient, on: Scene, change: dict[str, Any], pointer: str
) -> None:
    answer = ordered(applicant, on, **{**FILES, **change})
    assert answer.status_code == 422
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}


def test_what_a_release_does_with_the_contents_is_read_in_the_order(
    applicant: APIClient, on: Scene, files: Resource
) -> None:
    wanted = {"action": "release", "kind": "container", "target": str(files.uuid), "delete_contents": True}
    order = ordered(applicant, on, **wanted).json()
    assert order["items"][0]["container"]["delete_contents"] is True
    assert order["quote"]["monthly_total"] == "-9.00"


def test_contents_are_declared_of_containers_only(applicant: APIClient, on: Scene) -> None:
    server = whole_server(system=on.system).resource
    wanted = {"action": "release", "kind": "server", "target": str(server.uuid), "delete_contents": True}
    answer = ordered(applicant, on, **wanted)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/items/0/delete_contents")


def test_a_container_of_another_system_cannot_be_changed(applicant: APIClient, on: Scene) -> None:
    theirs = ContainerFactory().resource
    wanted = {"action": "change", "kind": "container", "target": str(theirs.uuid), "quota_gb": 5}
    answer = ordered(applicant, on, **wanted)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "no-such-resource")


def test_a_container_shows_its_quota_and_what_it_held(applicant: APIClient, files: Resource) -> None:
    shown = applicant.get(f"/api/v1/resources/{files.uuid}").json()
    assert shown["container"] == {
        "storage_class": shown["container"]["storage_class"], "quota_gb": 100, "bytes_used": None, "objects": None,
        "counted_at": None,
    }  # fmt: skip
    assert shown["volume"] is None


def test_what_can_be_done_to_a_container_is_listed_for_each(
    applicant: APIClient, signed_in: SignedIn, files: Resource
) -> None:
    def allowed(client: APIClient) -> set[str]:
        listed = client.get(f"/api/v1/resources/{files.uuid}/actions").json()
        return {row["action"] for row in listed if row["allowed"]}

    assert allowed(applicant) == {"issue-credential"}
    CredentialFactory(container=files.container)
    assert allowed(applicant) == {"issue-credential", "revoke-credential"}
    assert allowed(signed_in(member(Role.CLOUD_ADMIN))) == {"revoke-credential"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"action": "issue-credential", "access": "read"}, "/name"),
        ({"action": "issue-credential", "name": "app", "access": "own"}, "/access"),
        ({"action": "issue-credential", "name": " ", "access": "read"}, "/name"),
        ({"action": "revoke-credential"}, "/credential"),
    ],
)
def test_a_bad_action_is_refused_where_it_is_bad(
    applicant: APIClient, files: Resource, body: dict[str, str], pointer: str
) -> None:
    CredentialFactory(container=files.container)
    answer = applicant.post(f"/api/v1/resources/{files.uuid}/actions", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_credentials_are_shown_to_those_who_see_their_container(
    applicant: APIClient, signed_in: SignedIn, files: Resource
) -> None:
    given = CredentialFactory(container=files.container, name="app")
    CredentialFactory()
    (shown,) = applicant.get(f"/api/v1/container-credentials?container={files.uuid}&in_force=true").json()[
        "results"
    ]
    assert (shown["uuid"], shown["access"], shown["secret_set_at"]) == (str(given.uuid), "read", None)
    assert not [name for name in shown if "password" in name or name == "secret"]
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert stranger.get("/api/v1/container-credentials").json()["count"] == 0
    assert stranger.post(f"/api/v1/container-credentials/{given.uuid}/secret").status_code == 404


def test_a_cloud_out_of_reach_draws_no_secret_and_counts_nothing(
    applicant: APIClient, files: Resource
) -> None:
    given = CredentialFactory(container=files.container)
    ProjectFactory(system=files.system, cloud=files.cloud)
    for url in (f"container-credentials/{given.uuid}/secret", f"resources/{files.uuid}/count"):
        answer = applicant.post(f"/api/v1/{url}")
        assert (answer.status_code, answer.json()["code"]) == (503, "cloud-does-not-answer")
    given.refresh_from_db()
    assert given.secret_set_at is None
    told = Event.objects.filter(verb__startswith="credential.secret").order_by("pk")
    assert list(told.values_list("verb", "outcome")) == [
        ("credential.secret_asked", "done"),
        ("credential.secret_drawn", "refused"),
    ]


def test_a_hold_keeps_a_container_from_being_released(
    applicant: APIClient, signed_in: SignedIn, on: Scene, files: Resource
) -> None:
    authority, url = signed_in(member(Role.AUTHORITY_APPROVER)), f"/api/v1/resources/{files.uuid}/legal-hold"
    assert authority.post(url, {"reason": "案号 12"}).json()["lifted_at"] is None
    assert authority.post(url, {"reason": "案号 12"}).json()["code"] == "legal-hold-in-force"
    wanted = {"action": "release", "kind": "container", "target": str(files.uuid)}
    assert [e["code"] for e in ordered(applicant, on, **wanted).json()["errors"]] == ["container-on-hold"]
    assert authority.post(f"{url}-lifting", {"reason": "结案"}).json()["lifted_because"] == "结案"
    assert ordered(applicant, on, **wanted).status_code == 201
    assert authority.post(f"{url}-lifting", {"reason": "结案"}).json()["code"] == "no-legal-hold"


def test_only_containers_are_held_as_a_whole(signed_in: SignedIn, on: Scene) -> None:
    server = whole_server(system=on.system).resource
    authority = signed_in(member(Role.AUTHORITY_APPROVER))
    answer = authority.post(f"/api/v1/resources/{server.uuid}/legal-hold", {"reason": "案号 12"})
    assert (answer.status_code, answer.json()["code"]) == (409, "cannot-be-held")


def test_a_wiped_container_has_its_record(applicant: APIClient, files: Resource) -> None:
    wiping.record(resource=files, request_id="tx1", requested_at=AT, actor=member(Role.CLOUD_ADMIN), at=AT)
    (shown,) = applicant.get("/api/v1/wipe-records?kind=container").json()["results"]
    assert (shown["resource"], shown["size_gb"], shown["means"]) == (str(files.uuid), 100, "undeclared")
