"""What departments do to what stands, without an order: direct actions, asked for as the API does, by the action's own rules.

What happens inside guests is left out, as in ``orders``.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock

from govcloud.catalog.models import Image
from govcloud.errors import Conflict, Invalid, Invalids
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import (
    Address,
    Power,
    Resource,
    ResourceKind,
    SecurityRule,
    Snapshot,
)
from govcloud.protection.models import RecoveryPoint
from govcloud.protection.recovering import OfRecoveryPoint
from govcloud.provisioning import services
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Action, Nothing, actions_of
from govcloud.provisioning.actions.interfaces import OnNetwork
from govcloud.provisioning.actions.rebuilding import NewSystem
from govcloud.provisioning.actions.rules import NewRule, OfRule
from govcloud.provisioning.actions.storage import Named, OfSnapshot, ToServer
from govcloud.provisioning.models import Operation
from tenants.models import System, User
from tests.chaos.plans import GUESTS, SPACE, without

OTHER_IMAGE = "openeuler-24.03"
"""Of the sandbox, besides the catalogue's own: systems are written anew with either."""
SHARES = {
    ResourceKind.SERVER: {
        "stop": 4, "start": 6, "reboot": 2, "hard-reboot": 2, "add-interface": 5, "remove-interface": 5,
        "rebuild": 5,
    },
    ResourceKind.VOLUME: {"attach": 6, "detach": 4, "snapshot": 4, "restore": 3, "delete-snapshot": 3},
    ResourceKind.NETWORK: {"add-rule": 3, "remove-rule": 2},
}  # fmt: skip
"""How often each is asked for, among those of what was chosen."""
KINDS = {ResourceKind.SERVER: 5, ResourceKind.VOLUME: 4, ResourceKind.NETWORK: 2}
"""How often something of each kind is acted on."""
TRIED = 4
"""So many things are asked before something is ordered instead: most actions suit few states."""


class Actions:
    """Of one person who may do all of it. ``refused`` counts what the rules did not let them do, by the errors' codes."""

    def __init__(
        self,
        random: Random,
        clock: Callable[[], datetime],
        person: User,
        *,
        shares: Mapping[ResourceKind, Mapping[str, int]] = SHARES,
    ) -> None:
        self._random, self._clock, self._person = random, clock, person
        self._shares = shares
        self.refused: Counter[str] = Counter()
        self._images = list(Image.objects.order_by("pk").values_list("code", flat=True))

    def take(self, system: System) -> Operation | None:
        """Something that one of the system's things takes now; None if nothing was found that does."""
        kind = self._random.choices(list(KINDS), list(KINDS.values()))[0]
        standing = Resource.objects.filter(system=system, status=Status.ACTIVE, kind=kind)
        keys = list(standing.order_by("pk").values_list("pk", flat=True))
        for pk in self._random.sample(keys, min(TRIED, len(keys))):
            if (taken := self.ask_of(pk)) is not None:
                return taken
        return None

    def ask_of(self, pk: int) -> Operation | None:
        """Something of the resource with this primary key; None if it does not take what was asked for."""
        resource = Resource.objects.with_particulars().get(pk=pk)
        action = self._action(resource)
        parameters = self._parameters(action.name, resource)
        if parameters is None:
            return None
        try:
            return requests.request(
                resource=resource, action=action, parameters=parameters, actor=self._person, at=self._clock()
            )
        except (Conflict, Invalid) as refusal:  # people ask for what cannot be done, too
            told = refusal.errors if isinstance(refusal, Invalids) else [refusal]
            self.refused.update(each.code for each in told)
        return None

    def _action(self, resource: Resource) -> Action[Any]:
        """One that it takes in its present state, if there is any."""
        shares = self._shares[ResourceKind(resource.kind)]
        known = [each for each in actions_of(resource.kind) if each.name in shares]
        fitting = [each for each in known if each.refusal(resource) is None] or known
        return self._random.choices(fitting, [shares[each.name] for each in fitting])[0]

    def _parameters(self, name: str, resource: Resource) -> Any:
        """What is asked for with it; None where there is nothing that it could be about."""
        about = self._one(ABOUT[name](resource)) if name in ABOUT else None
        match name:
            case "snapshot":
                return Named(name=f"s-{self._random.randrange(1_000_000)}")
            case "rebuild":
                return NewSystem(image=self._random.choice(("", *self._images)))
            case "add-rule":
                return NewRule(
                    protocol="tcp", port_min=self._random.choice((80, 443, 8080)), remote="10.200.0.0/16"
                )
            case _:
                return (about and MADE[name](about)) if name in ABOUT else Nothing()

    def _one(self, rows: Any) -> Any:
        found = list(rows)
        return self._random.choice(found) if found else None


def _servers(volume: Resource) -> Any:
    """Where it could go; asked for what has a server already, they do not matter."""
    running = Resource.objects.filter(
        kind=ResourceKind.SERVER, status=Status.ACTIVE, server__power=Power.RUNNING
    )
    return running.filter(system=volume.system).order_by("pk")


def _networks(server: Resource) -> Any:
    networks = Resource.objects.filter(kind=ResourceKind.NETWORK, status=Status.ACTIVE)
    return networks.filter(system=server.system).order_by("pk")


def _further(server: Resource) -> Any:
    """The networks of its interfaces after the first."""
    further = Address.objects.filter(server=server.server, released_at=None)
    return Resource.objects.filter(unit__in=further.values("block__unit")).order_by("pk")


def _snapshots(volume: Resource) -> Any:
    return Snapshot.objects.filter(volume=volume.volume, deleted_at=None).order_by("pk")


def _points(volume: Resource) -> Any:
    """Its own and others', some of them too large."""
    kept = RecoveryPoint.objects.filter(
        expired_at=None, volume__resource__system=volume.system, size_gb__lte=volume.volume.size_gb + 5
    )
    return kept.order_by("pk")


def _rules(network: Resource) -> Any:
    return SecurityRule.objects.filter(network=network.pk, removed_at=None).order_by("pk")


ABOUT: Mapping[str, Callable[[Resource], Any]] = {
    "attach": _servers, "restore": _snapshots, "delete-snapshot": _snapshots, "add-interface": _networks,
    "remove-interface": _further, "remove-rule": _rules, "recover": _points,
}  # fmt: skip
"""What an action is about besides the thing that takes it."""
MADE: Mapping[str, Callable[[Any], Any]] = {
    "attach": lambda server: ToServer(server=server.uuid),
    "restore": lambda kept: OfSnapshot(snapshot=kept.uuid),
    "delete-snapshot": lambda kept: OfSnapshot(snapshot=kept.uuid),
    "add-interface": lambda network: OnNetwork(network=network.uuid),
    "remove-interface": lambda network: OnNetwork(network=network.uuid),
    "remove-rule": lambda rule: OfRule(rule=rule.uuid),
    "recover": lambda point: OfRecoveryPoint(recovery_point=point.uuid),
}


@contextmanager
def outside_guests() -> Iterator[None]:
    """Within, operations of direct actions begin without the steps that enter guests, and without those about limits."""

    def start(*, steps: Any, **how: Any) -> Operation:
        return services.start(steps=without(steps, SPACE | GUESTS), **how)

    with mock.patch.object(requests, "services", SimpleNamespace(start=start)):
        yield
