"""Ordering another flavor for a server."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils.translation import override
from rest_framework.test import APIClient

from govcloud.inventory.models import Resource
from govcloud.orders.drafts import ResizeDraft
from govcloud.portal.order.items import lines
from tenants.models import User
from tests.api.story import order_body
from tests.factories.inventory import ServerFactory
from tests.factories.orders import Scene, drafted, scene

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def server(on: Scene) -> Resource:
    """4 vCPU and 16 GB."""
    flavor, image = on.catalogue.flavors["g.4c16g"], on.catalogue.images["debian-12"]
    row = ServerFactory(
        resource__system=on.system, resource__cloud=on.catalogue.cloud, flavor=flavor, image=image
    )
    return row.resource


@pytest.fixture
def applicant(signed_in: SignedIn, on: Scene) -> APIClient:
    return signed_in(on.applicant)


def item(server: Resource, **changes: Any) -> dict[str, Any]:
    return {"action": "change", "kind": "server", "target": str(server.uuid), "flavor": "g.8c32g", **changes}


def test_a_draft_comes_back_with_its_difference(applicant: APIClient, on: Scene, server: Resource) -> None:
    answer = applicant.post("/api/v1/orders", order_body(on.system.uuid, items=[item(server)]))
    assert answer.status_code == 201, answer.json()
    body = answer.json()
    (sent,) = body["items"]
    assert (sent["action"], sent["kind"], sent["target"]["uuid"]) == ("change", "server", str(server.uuid))
    assert (sent["resize"]["flavor"]["code"], sent["server"]) == ("g.8c32g", None)
    assert body["quote"]["monthly_total"] == "456.00"  # 4 vCPU and 16 GB more
    assert {row["dimension"]: row["takes"] for row in body["effect"]} == {"vcpus": 4, "memory_gb": 16}


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "to 8 vCPU, 32 GB memory"), ("zh-hans", "变更为 8 vCPU、32 GB 内存")],
)
def test_the_page_of_the_order_says_to_what(
    on: Scene, server: Resource, at: Any, language: str, told: str
) -> None:
    order = drafted(on, at=at, items=(ResizeDraft(target=server.uuid, flavor="g.8c32g"),))
    with override(language):
        (line,) = lines(order)
    assert (line.name, line.facts) == (server.name, [told])


def test_the_frozen_content_says_from_what_to_what(applicant: APIClient, on: Scene, server: Resource) -> None:
    draft = applicant.post("/api/v1/orders", order_body(on.system.uuid, items=[item(server)])).json()
    applicant.post(f"/api/v1/orders/{draft['uuid']}/submission", headers={"If-Match": "*"})
    content = on.system.orders.get().revisions.get().content["items"][0]
    assert (content["from_flavor"], content["flavor"]) == ("g.4c16g", "g.8c32g")
    assert (content["from_vcpus"], content["vcpus"]) == (4, 8)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"flavor": "g.none"}, ("not-in-catalogue", "/items/0/flavor")),
        ({"flavor": "g.4c16g"}, ("same-flavor", "/items/0/flavor")),
        ({"size_gb": 7}, ("unknown-field", "/items/0/size_gb")),
    ],
)
def test_what_is_wrong_is_told_where_it_is(
    applicant: APIClient, on: Scene, server: Resource, changes: dict[str, Any], told: tuple[str, str]
) -> None:
    answer = applicant.post("/api/v1/orders", order_body(on.system.uuid, items=[item(server, **changes)]))
    errors = [(error["code"], error["pointer"]) for error in answer.json()["errors"]]
    assert (answer.status_code, errors) == (422, [told])


def test_a_shortage_is_told_for_what_grows_only(signed_in: SignedIn) -> None:
    on = scene(level_3=False, limits={"vcpus": 0, "memory_gb": 100})
    flavor, image = on.catalogue.flavors["g.4c16g"], on.catalogue.images["debian-12"]
    row = ServerFactory(
        resource__system=on.system, resource__cloud=on.catalogue.cloud, flavor=flavor, image=image
    )
    client = signed_in(on.applicant)

    def submitted(flavor: str) -> Any:
        items = [item(row.resource, flavor=flavor)]
        draft = client.post("/api/v1/orders", order_body(on.system.uuid, items=items)).json()
        return client.post(f"/api/v1/orders/{draft['uuid']}/submission", headers={"If-Match": "*"})

    refused = submitted("g.8c32g")
    assert refused.status_code == 409
    assert {shortage["requested"] for shortage in refused.json()["params"]["shortages"]} == {4}
    assert submitted("g.4c8g").status_code == 200
