"""Acting on resources: what can be asked for, who may, and what is answered."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from api.v1.resource_actions import BODIES
from govcloud.inventory.models import LoginKey, Power, Resource, Server
from govcloud.provisioning.actions.base import actions
from govcloud.provisioning.models import Operation
from tenants.models import Role, User
from tests.factories.catalog import CloudImageFactory
from tests.factories.inventory import AddressFactory, NetworkFactory, VolumeFactory, whole_server
from tests.factories.tenants import DepartmentFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture
def server() -> Resource:
    return whole_server().resource


@pytest.fixture
def applicant(signed_in: SignedIn, server: Resource) -> APIClient:
    return signed_in(member(Role.APPLICANT, server.system.department))


def url(resource: Resource) -> str:
    return f"/api/v1/resources/{resource.uuid}/actions"


def test_every_action_has_a_body_and_every_body_an_action() -> None:
    assert BODIES.keys() == actions().keys()


def test_a_server_lists_what_it_can_take_and_why_not(applicant: APIClient, server: Resource) -> None:
    listed = {row["action"]: row for row in applicant.get(url(server)).json()}
    assert (listed["stop"]["allowed"], listed["stop"]["reason"]) == (True, "")
    assert (listed["start"]["allowed"], bool(listed["start"]["reason"])) == (False, True)


def test_those_who_may_look_but_not_act_are_told_who_may(signed_in: SignedIn, server: Resource) -> None:
    listed = signed_in(member(Role.SUPERVISOR)).get(url(server), headers={"Accept-Language": "en"}).json()
    assert {row["reason"] for row in listed} == {"only applicant, cloud administrator may do this"}


def test_the_answer_is_the_operation_that_does_it(applicant: APIClient, server: Resource) -> None:
    answer = applicant.post(url(server), {"action": "stop"})
    body = answer.json()
    assert (answer.status_code, body["kind"], body["action"], body["status"]) == (
        202,
        "action",
        "stop",
        "running",
    )
    assert body["resource"] == str(server.uuid)
    assert applicant.get(f"/api/v1/operations?resource={server.uuid}").json()["count"] == 1
    assert applicant.get(f"/api/v1/resources/{server.uuid}").json()["status"] == "changing"


def test_a_second_action_meanwhile_is_refused(applicant: APIClient, server: Resource) -> None:
    applicant.post(url(server), {"action": "stop"})
    answer = applicant.post(url(server), {"action": "reboot"})
    assert (answer.status_code, answer.json()["code"]) == (409, "action-not-allowed")
    assert Operation.objects.filter(resource=server).count() == 1


def test_what_the_state_forbids_is_refused_with_what_is_allowed(
    applicant: APIClient, server: Resource
) -> None:
    Server.objects.filter(resource=server).update(power=Power.STOPPED)
    answer = applicant.post(url(server), {"action": "reboot"}, headers={"Accept-Language": "en"})
    assert answer.status_code == 409
    assert "start the server" in answer.json()["params"]["allowed"]


@pytest.mark.parametrize(
    ("factory", "action", "more"),
    [
        (VolumeFactory, "stop", {}),
        (NetworkFactory, "stop", {}),
        (NetworkFactory, "detach", {}),
        (None, "detach", {}),
        (None, "attach", {"server": str(uuid4())}),
        (VolumeFactory, "move-address", {"server": str(uuid4())}),
        (NetworkFactory, "snapshot", {"name": "before"}),
        (None, "remove-rule", {"rule": str(uuid4())}),
    ],
)
def test_a_thing_of_another_kind_takes_none_of_it(
    applicant: APIClient, server: Resource, factory: Any, action: str, more: dict[str, str]
) -> None:
    other = factory(resource__system=server.system).resource if factory else server
    answer = applicant.post(url(other), {"action": action, **more})
    assert (answer.status_code, answer.json()["code"]) == (409, "action-not-allowed")


@pytest.mark.parametrize("body", [{}, {"action": "explode"}, {"action": ["stop"]}, []])
def test_an_action_that_there_is_not_is_refused(applicant: APIClient, server: Resource, body: object) -> None:
    answer = applicant.post(url(server), body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/action"


def test_a_field_that_the_action_does_not_have_is_refused(applicant: APIClient, server: Resource) -> None:
    answer = applicant.post(url(server), {"action": "stop", "force": True})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unknown-field")


def test_a_foreign_server_does_not_exist(signed_in: SignedIn, server: Resource) -> None:
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert stranger.get(url(server)).status_code == 404
    assert stranger.post(url(server), {"action": "stop"}).status_code == 404


def test_sending_it_twice_with_one_key_acts_once(applicant: APIClient, server: Resource) -> None:
    for _time in range(2):
        answer = applicant.post(url(server), {"action": "stop"}, headers={"Idempotency-Key": "once"})
        assert answer.status_code == 202
    assert Operation.objects.filter(resource=server).count() == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"action": "rename"}, "/name"),
        ({"action": "rename", "name": ""}, "/name"),
        ({"action": "rebuild", "image": 7.5}, "/image"),
        ({"action": "add-interface"}, "/network"),
        ({"action": "remove-interface", "network": "app-net"}, "/network"),
        ({"action": "set-login-keys"}, "/keys"),
        ({"action": "set-login-keys", "keys": "ssh-ed25519 AAAA"}, "/keys"),
        ({"action": "set-login-keys", "keys": ["no key"]}, "/keys/0"),
    ],
)
def test_what_an_action_needs_is_told_where_it_is_missing(
    applicant: APIClient, server: Resource, body: dict[str, Any], pointer: str
) -> None:
    answer = applicant.post(url(server), body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert not Operation.objects.exists()


def test_a_rebuild_keeps_the_image_if_none_is_named(applicant: APIClient, server: Resource) -> None:
    CloudImageFactory(cloud=server.cloud, image=server.server.image)
    answer = applicant.post(url(server), {"action": "rebuild"})
    assert answer.status_code == 202
    step = Operation.objects.get(uuid=answer.json()["uuid"]).steps.get(kind="rebuild")
    assert step.desired_state["image"] == server.server.image.code


def test_login_keys_are_shown_by_their_fingerprints(applicant: APIClient, server: Resource) -> None:
    LoginKey.objects.create(server=server.server, public_key="ssh-ed25519 AAAA", fingerprint="SHA256:abc")
    shown = applicant.get(f"/api/v1/resources/{server.uuid}").json()
    assert shown["login_keys"] == ["SHA256:abc"]
    assert "AAAA" not in str(shown)


def test_the_addresses_of_further_interfaces_are_shown(applicant: APIClient, server: Resource) -> None:
    further = AddressFactory(server=server.server)
    AddressFactory(server=server.server, released_at=server.built_at)
    shown = applicant.get(f"/api/v1/resources/{server.uuid}").json()
    assert shown["further_addresses"] == [further.address]


def test_a_console_of_a_stopped_server_is_refused_in_plain_words(
    applicant: APIClient, server: Resource
) -> None:
    Server.objects.filter(resource=server).update(power=Power.STOPPED)
    answer = applicant.post(f"/api/v1/resources/{server.uuid}/console")
    assert (answer.status_code, answer.json()["code"]) == (409, "no-console")
