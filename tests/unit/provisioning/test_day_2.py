"""The table of actions of ``docs/day-2.md`` against the actions themselves, and what they say to a server in each state."""

import re
from pathlib import Path

import pytest
from pytest_django import Settings

from govcloud.audit.services import SystemActor
from govcloud.clouds import guest_keys
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Power, Resource
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import actions, actions_of
from tenants.models import Role
from tests.factories.inventory import AddressFactory, FloatingAddressFactory, whole_server
from tests.factories.tenants import member

DOCUMENT = Path(__file__).parents[3] / "docs" / "day-2.md"
ROW = re.compile(r"^\| ((?:`[a-z-]+`(?:, )?)+) \| (yes|no) \| (yes|no) \| no \|", re.MULTILINE)
TABLE = {
    name: (running == "yes", stopped == "yes")
    for names, running, stopped in ROW.findall(DOCUMENT.read_text(encoding="utf-8"))
    for name in re.findall("[a-z-]+", names)
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings: Settings, tmp_path: Path) -> Resource:
    """On two networks, reached from outside and with a former key of ours, so that it has everything that some action needs."""
    settings.GUEST_KEY_FILE = tmp_path / "key"
    guest_keys.make(settings.GUEST_KEY_FILE)
    row = whole_server()
    guest_keys.replace(actor=SystemActor("test"), at=row.resource.built_at)
    AddressFactory(server=row)
    FloatingAddressFactory(server=row)
    return row.resource


def allowed(server: Resource) -> dict[str, bool]:
    found = requests.possibilities(resource=server, actor=member(Role.CLOUD_ADMIN), at=server.built_at)
    return {possibility.action.name: possibility.refusal == "" for possibility in found}


@pytest.mark.parametrize(("power", "column"), [(Power.RUNNING, 0), (Power.STOPPED, 1)])
def test_the_documented_table_is_what_a_server_answers(server: Resource, power: str, column: int) -> None:
    server.server.power = power
    answered = allowed(server)
    assert {name: answered[name] for name in TABLE} == {name: row[column] for name, row in TABLE.items()}


def test_the_table_has_every_action_on_servers() -> None:
    assert TABLE.keys() == {action.name for action in actions_of("server")}


@pytest.mark.parametrize("status", [Status.CHANGING, Status.RELEASING, Status.RELEASED])
def test_a_server_that_something_has_in_hand_takes_nothing(server: Resource, status: str) -> None:
    server.status = status
    assert not any(allowed(server).values())


def test_a_server_on_one_network_stays_there() -> None:
    assert not allowed(whole_server().resource)["remove-interface"]


def test_the_keys_of_steps_have_room_for_every_action() -> None:
    longest = max(len(name) for name in actions())
    assert 36 + 1 + longest + 1 + 36 + 1 + len("resize_confirmation") <= 120
