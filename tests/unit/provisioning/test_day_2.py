"""The tables of actions of ``docs/day-2.md`` against the actions themselves, and what they say to a thing in each state."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from api import problems
from govcloud.audit.services import SystemActor
from govcloud.clouds import guest_keys
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Network, Power, Resource, Server, Volume
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing, actions, actions_of
from govcloud.provisioning.actions.objects import MOST_CREDENTIALS
from govcloud.provisioning.actions.requests import ActionNotAllowed
from govcloud.provisioning.actions.storage import ToServer
from tenants.models import Role, User
from tests.api.house import recovery_point
from tests.factories.inventory import (
    AddressFactory,
    ContainerFactory,
    CredentialFactory,
    FloatingAddressFactory,
    NetworkFactory,
    SecurityRuleFactory,
    SnapshotFactory,
    whole_server,
)
from tests.factories.tenants import grant, member

DOCUMENT = Path(__file__).parents[3] / "docs" / "day-2.md"
IN_HAND = "changing, releasing"
KINDS = {
    "action": "server",
    "action on a volume": "volume",
    "action on a network": "network",
    "action on a container": "container",
}
"""What the tables are about, by the heading of their first column."""

Table = Mapping[str, Mapping[str, bool]]
"""By state and action, whether it can be asked for."""


def documented() -> Iterator[tuple[str, Table]]:
    """The tables with a column for what is in hand, by kind; rows of what is no action are left out."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
    ]
    for start, heading in enumerate(lines):
        if IN_HAND not in heading:
            continue
        states: dict[str, dict[str, bool]] = {state: {} for state in heading[1 : heading.index(IN_HAND) + 1]}
        for row in lines[start + 2 :]:
            if row == [""]:
                break
            if re.fullmatch(r"`[a-z-]+`(, `[a-z-]+`)*", row[0]):
                for name in re.findall("[a-z-]+", row[0]):
                    for state, cell in zip(states, row[1:], strict=False):
                        states[state][name] = {"yes": True, "no": False}[cell]
        yield KINDS[heading[0]], states


TABLES: Mapping[str, Table] = dict(documented())

pytestmark = pytest.mark.django_db


# -- each kind of thing in each of the documented states, with everything that some action needs


def _server(power: Power) -> Resource:
    """On two networks, reached from outside and with a former key of ours."""
    row = whole_server()
    guest_keys.replace(actor=SystemActor("test"), at=row.resource.built_at)
    AddressFactory(server=row)
    FloatingAddressFactory(server=row)
    Server.objects.filter(pk=row.pk).update(power=power)
    return row.resource


def _volume(
    role: str = "data", *, power: Power = Power.RUNNING, free: bool = False, snapshots: int = 1
) -> Resource:
    """With a recovery point."""
    server = whole_server()
    Server.objects.filter(pk=server.pk).update(power=power)
    volume = server.volumes.get(role=role)
    SnapshotFactory.create_batch(snapshots, volume=volume)
    recovery_point(volume)
    if free:
        Volume.objects.filter(pk=volume.pk).update(server=None)
    return volume.resource


def _network(*, connected: bool = False, reached: bool = False) -> Resource:
    """Opened to somebody."""
    network = FloatingAddressFactory().network if reached else NetworkFactory()
    if connected:
        Network.objects.filter(pk=network.pk).update(router_id=str(uuid4()), external_network_id=str(uuid4()))
    SecurityRuleFactory(network=network)
    return network.resource


def _container(credentials: int) -> Resource:
    row = ContainerFactory()
    CredentialFactory.create_batch(credentials, container=row)
    return row.resource


STATES: Mapping[str, Mapping[str, Callable[[], Resource]]] = {
    "server": {
        "running": lambda: _server(Power.RUNNING),
        "stopped": lambda: _server(Power.STOPPED),
    },
    "volume": {
        "system volume": lambda: _volume("system"),
        "at a running server": _volume,
        "at a stopped server": lambda: _volume(power=Power.STOPPED),
        "at no server, without snapshots": lambda: _volume(free=True, snapshots=0),
        "at no server, with a snapshot": lambda: _volume(free=True),
    },
    "network": {
        "not connected": _network,
        "connected": lambda: _network(connected=True),
        "reached by a floating address": lambda: _network(reached=True),
    },
    "container": {
        "without a credential": lambda: _container(0),
        "with credentials": lambda: _container(2),
        f"with {MOST_CREDENTIALS} credentials": lambda: _container(MOST_CREDENTIALS),
    },
}
EACH = [(kind, state) for kind, states in STATES.items() for state in states]


@dataclass(frozen=True, slots=True)
class Found:
    """A thing, and somebody who may ask for every action on it."""

    resource: Resource
    person: User

    @classmethod
    def of(cls, resource: Resource) -> "Found":
        person = member(Role.CLOUD_ADMIN)
        grant(person, Role.APPLICANT, resource.system.department)
        return cls(Resource.objects.with_particulars().get(pk=resource.pk), person)

    def allowed(self) -> dict[str, bool]:
        found = requests.possibilities(resource=self.resource, actor=self.person, at=self.resource.built_at)
        return {possibility.action.name: possibility.refusal == "" for possibility in found}

    def refused(self, name: str) -> ActionNotAllowed:
        """The refusal of a request."""
        parameters: Any = ToServer(server=uuid4()) if name in {"attach", "move-address"} else Nothing()
        with pytest.raises(ActionNotAllowed) as refusal:
            requests.request(
                resource=self.resource, action=actions()[name], parameters=parameters, actor=self.person,
                at=self.resource.built_at,
            )  # fmt: skip
        assert problems.status_of(refusal.value) == 409
        assert refusal.value.code == "action-not-allowed"
        return refusal.value


@pytest.fixture(autouse=True)
def _key(settings: Settings, tmp_path: Path) -> None:
    settings.GUEST_KEY_FILE = tmp_path / "key"
    guest_keys.make(settings.GUEST_KEY_FILE)


def test_there_is_a_table_for_everything_that_takes_actions() -> None:
    assert TABLES.keys() == STATES.keys() == {action.resource_kind for action in actions().values()}
    for kind, table in TABLES.items():
        assert list(table) == [*STATES[kind], IN_HAND]
        assert all(row.keys() == {action.name for action in actions_of(kind)} for row in table.values())
        assert not any(table[IN_HAND].values())


@pytest.mark.parametrize(("kind", "state"), EACH)
def test_the_documented_table_is_what_it_answers(kind: str, state: str) -> None:
    assert Found.of(STATES[kind][state]()).allowed() == TABLES[kind][state]


@pytest.mark.parametrize(("kind", "state"), EACH)
def test_what_is_not_allowed_is_refused_with_the_reason_and_what_is(kind: str, state: str) -> None:
    found, row = Found.of(STATES[kind][state]()), TABLES[kind][state]
    known = [action for action in actions_of(kind) if row[action.name] and not action.for_the_centre]
    allowed = ", ".join(str(action.title) for action in known)
    for name in (name for name, possible in row.items() if not possible):
        refusal = found.refused(name)
        assert refusal.params["allowed"] == allowed, name
        assert str(refusal.params["reason"]).strip(), name
        assert allowed in refusal.detail


@pytest.mark.parametrize("status", [Status.CHANGING, Status.RELEASING, Status.RELEASED])
@pytest.mark.parametrize("kind", STATES)
def test_what_something_has_in_hand_takes_nothing_and_says_why(kind: str, status: Status) -> None:
    resource = next(iter(STATES[kind].values()))()
    ended = {"released_at": resource.built_at} if status == Status.RELEASED else {}
    Resource.objects.filter(pk=resource.pk).update(status=status, **ended)
    found = Found.of(resource)
    assert not any(found.allowed().values())
    for action in actions_of(kind):
        refusal = found.refused(action.name)
        assert (refusal.params["reason"], refusal.params["allowed"]) == (f"it is {status.label}", "")


@pytest.mark.parametrize("name", sorted(actions()))
def test_what_is_another_kind_of_thing_says_what_it_can_take(name: str) -> None:
    other = "network" if actions()[name].resource_kind != "network" else "container"
    state, make = next(iter(STATES[other].items()))
    refusal = Found.of(make()).refused(name)
    possible = [action for action in actions_of(other) if TABLES[other][state][action.name]]
    assert refusal.params["allowed"] == ", ".join(str(action.title) for action in possible)
    assert refusal.params["reason"] == "it is not that kind of thing"


def test_a_server_on_one_network_stays_there() -> None:
    assert not Found.of(whole_server().resource).allowed()["remove-interface"]


def test_the_keys_of_steps_have_room_for_every_action() -> None:
    longest = max(len(name) for name in actions())
    assert 36 + 1 + longest + 1 + 36 + 1 + len("resize_confirmation") <= 120
