"""What departments order in the simulation: planned by the product's own planner, less what happens inside guests."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID, uuid4

from django.db.models import Exists, OuterRef, Q

from govcloud.audit.services import SystemActor
from govcloud.catalog.models import Cloud
from govcloud.inventory import leases, reach
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import (
    Address,
    AddressBlock,
    FloatingAddress,
    Resource,
    ResourceKind,
    VolumeRole,
)
from govcloud.leases import suspending
from govcloud.orders import addressing, containers, planner, releasing, renewing
from govcloud.provisioning import services
from govcloud.provisioning.actions.base import Nothing
from govcloud.provisioning.actions.outside import ConnectNetwork, GiveBackAddress
from govcloud.provisioning.models import Operation, OperationKind, Step
from govcloud.provisioning.services import StepSpec
from govcloud.quotas import services as quotas
from govcloud.quotas.services import Hold
from tenants.models import System

FULFILMENT = SystemActor("fulfilment")
SPACE = frozenset({"project", "access", "keypair", "compute_quota", "volume_quota", "network_quota"})
GUESTS = frozenset({"configure", "confirm", "grow", "let_go", "mount"})
ZONE = "private"
BOOT_GB, DATA_GB, OBJECTS_GB = 20, 10, 50
SHARES = {
    "server": 10, "release": 6, "extension": 4, "network": 1,
    "renewal": 3, "suspension": 1, "address": 3, "address_given_back": 1,
    "container": 2, "requota": 1, "container_release": 1,
}  # fmt: skip
"""How often each is ordered, among them all."""
OF_CONTAINERS = frozenset({"container", "requota", "container_release"})


def without(specs: Iterable[StepSpec], dropped: Iterable[str]) -> list[StepSpec]:
    """The plan without some kinds of steps: who needed one of them needs what that one needed."""
    dropped, left, stand_ins = set(dropped), [], {}
    for spec in specs:
        needs = tuple(dict.fromkeys(each for need in spec.needs for each in stand_ins.get(need, (need,))))
        if spec.kind in dropped:
            stand_ins[spec.key] = needs
        else:
            left.append(replace(spec, needs=needs))
    return left


class Orders:
    """Places orders for the systems of one department. ``write`` has something written into a container."""

    def __init__(
        self,
        systems: Sequence[System],
        random: Random,
        clock: Callable[[], datetime],
        write: Callable[[Resource], None],
    ) -> None:
        self._systems, self._random, self._clock, self._write = systems, random, clock, write
        self.placed = 0
        self.networks: dict[int, UUID] = {}  # of each system, by its key: the unit of its network

    def place(self) -> Operation:
        """Whatever comes next: something about what stands, if there is anything for it, else something new."""
        system = self._random.choice(self._systems)
        what = self._random.choices(list(SHARES), list(SHARES.values()))[0]
        about = self._about(what)
        if about:
            order: Callable[[Resource], Operation] = getattr(self, what)
            return order(self._random.choice(about))
        if what == "network":
            return self.network(system)
        return self.container(system) if what in OF_CONTAINERS else self.server(system)

    @staticmethod
    def _about(what: str) -> list[Resource]:
        """What an order of the kind can be about now."""
        given = Exists(FloatingAddress.objects.filter(server=OuterRef("pk"), released_at=None))
        about: dict[str, Callable[[], list[Resource]]] = {
            "release": lambda: changeable(ResourceKind.SERVER),
            "suspension": lambda: changeable(ResourceKind.SERVER),
            "extension": lambda: changeable(ResourceKind.VOLUME),
            "renewal": renewable,
            "address": reachable,
            "address_given_back": lambda: changeable(ResourceKind.SERVER, given),
            "requota": lambda: changeable(ResourceKind.CONTAINER),
            "container_release": lambda: changeable(ResourceKind.CONTAINER),
        }
        return about[what]() if what in about else []

    # -- built

    def network(self, system: System) -> Operation:
        """With the system's whole space before it."""
        unit, at = uuid4(), self._clock()
        cloud = _cloud()
        block = inventory.reserve_block(cloud=cloud, zone=ZONE, unit=unit)
        quotas.hold(department=system.department, holds=[Hold(unit, {"networks": 1})], at=at)
        plan = planner.NetworkPlan(unit=unit, name=f"{system.code}-net", zone=ZONE, cidr=block.cidr, dns=())
        steps = planner.deliver(order=unit, system=system.uuid, networks=[plan], servers=[], allowances=[])
        self.networks.setdefault(system.pk, unit)
        return self._start(
            OperationKind.DELIVER,
            system,
            without(
                steps,
                SPACE if self._has_space(system) else {"compute_quota", "volume_quota", "network_quota"},
            ),
        )

    @staticmethod
    def _has_space(system: System) -> bool:
        return system.projects.exists()

    def server(self, system: System) -> Operation:
        """A server; every other with a data volume, every third handed over and billed."""
        unit, at = uuid4(), self._clock()
        network = self.networks[system.pk]
        inventory.reserve_address(block=AddressBlock.objects.get(unit=network), unit=unit)
        name = f"app-{self.placed}"
        volumes = [
            planner.VolumePlan(unit=uuid4(), name=f"{name}-system", storage_class="ssd", size_gb=BOOT_GB)
        ]
        if self._random.random() < 0.4:
            volumes.append(
                planner.VolumePlan(
                    unit=uuid4(), name=f"{name}-data", storage_class="sas", size_gb=DATA_GB, label="data1"
                )
            )
        plan = planner.ServerPlan(
            unit=unit, name=name, zone=ZONE, flavor="g.2c4g", image="debian-12", network=network,
            system_volume=volumes[0], data_volumes=tuple(volumes[1:]), lease_end=at + timedelta(days=365),
        )  # fmt: skip
        holds = [Hold(unit, {"servers": 1, "vcpus": 2, "memory_gb": 4})]
        holds += [Hold(volume.unit, {"storage_gb": volume.size_gb}) for volume in volumes]
        quotas.hold(department=system.department, holds=holds, at=at)
        steps = planner.deliver(order=uuid4(), system=system.uuid, networks=[], servers=[plan], allowances=[])
        unbilled = set() if self._random.random() < 0.3 else {"handover"}
        return self._start(OperationKind.DELIVER, system, without(steps, SPACE | GUESTS | unbilled))

    def container(self, system: System) -> Operation:
        unit, at = uuid4(), self._clock()
        name = f"files-{self.placed}"
        plan = planner.ContainerPlan(
            unit=unit, name=name, cloud_name=f"{name}-{unit.hex[:12]}", zone=ZONE, storage_class="object",
            quota_gb=OBJECTS_GB, lease_end=at + timedelta(days=365),
        )  # fmt: skip
        quotas.hold(department=system.department, holds=[Hold(unit, {"object_gb": OBJECTS_GB})], at=at)
        steps = planner.deliver(
            order=uuid4(), system=system.uuid, networks=[], servers=[], allowances=[], containers=[plan]
        )
        return self._start(OperationKind.DELIVER, system, without(steps, SPACE))

    # -- changed and released

    def extension(self, volume: Resource) -> Operation:
        at, unit = self._clock(), uuid4()
        size, grown = volume.volume.size_gb, volume.volume.size_gb + 5
        self._take_in_hand(volume)
        quotas.hold(
            department=volume.system.department, holds=[Hold(unit, {"storage_gb": grown - size})], at=at
        )
        server = volume.volume.server
        plan = planner.ExtensionPlan(
            unit=unit, order=uuid4(), system=volume.system.uuid, name=volume.name, volume=volume.unit,
            volume_id=volume.external_id, server=server.resource.unit if server else None,
            storage_class=volume.volume.storage_class.code, from_gb=size, size_gb=grown,
            online=volume.volume.role == VolumeRole.SYSTEM or self._random.random() < 0.7,
        )  # fmt: skip
        steps = without(planner.extend(plan), SPACE | GUESTS)
        return self._start(OperationKind.EXTEND, volume.system, steps, with_it=[volume])

    def release(self, server: Resource) -> Operation:
        volumes = [each.resource for each in server.server.volumes.select_related("resource").order_by("pk")]
        for resource in (server, *volumes):
            inventory.mark(
                resource=resource, to=Status.RELEASING, actor=FULFILMENT, thread=None, at=self._clock()
            )
        steps = releasing.release_server(
            server=_standing(server),
            port_id=Address.objects.get(unit=server.unit).port_id,
            volumes=[_standing(each) for each in volumes],
            addresses=list(server.server.floating_addresses.filter(released_at=None)),
        )
        return self._start(OperationKind.RELEASE, server.system, steps)

    def requota(self, container: Resource) -> Operation:
        """Up or down."""
        unit, size = uuid4(), container.container.quota_gb
        quota = self._random.choice((size + 30, max(size - 20, 10)))
        self._take_in_hand(container)
        if quota > size:
            holds = [Hold(unit, {"object_gb": quota - size})]
            quotas.hold(department=container.system.department, holds=holds, at=self._clock())
        steps = containers.requote(unit=unit, container=container, quota_gb=quota)
        return self._start(OperationKind.REQUOTA, container.system, steps, with_it=[container])

    def container_release(self, container: Resource) -> Operation:
        """Every other is full of something, and goes with it."""
        full = self._random.random() < 0.5
        if full:
            self._write(container)
        inventory.mark(
            resource=container, to=Status.RELEASING, actor=FULFILMENT, thread=None, at=self._clock()
        )
        steps = containers.release(container, _standing(container), with_contents=full)
        return self._start(OperationKind.RELEASE, container.system, steps)

    # -- let and reached

    def renewal(self, resource: Resource) -> Operation:
        plan = renewing.RenewalPlan(
            unit=uuid4(), resource=resource.unit, name=resource.name, months=self._random.randint(1, 12),
            runs_until=resource.lease_end or self._clock(),
            resumes=resource.kind == ResourceKind.SERVER and resource.status != Status.ACTIVE,
        )  # fmt: skip
        return self._start(OperationKind.RENEW, resource.system, renewing.renew([plan]))

    def suspension(self, server: Resource) -> Operation:
        """Nobody's order: what a lease that ends brings about."""
        leases.prepare_suspension(server.server)
        self._take_in_hand(server)
        steps = suspending.suspend(server, key=str(uuid4()))
        return self._start(OperationKind.SUSPEND, server.system, steps, with_it=[server])

    def address(self, server: Resource) -> Operation:
        """Its network is connected to the outside first, if it is not."""
        network = reach.network_of(server)
        if not network.router_id:
            steps = ConnectNetwork().plan(network.resource, Nothing(), key=str(uuid4()))
            return self._act("connect", network.resource, steps)
        unit = uuid4()
        self._take_in_hand(server)
        reach.reserve_address(server=server, unit=unit, at=self._clock())
        holds = [Hold(unit, {"addresses": 1})]
        quotas.hold(department=server.system.department, holds=holds, at=self._clock())
        steps = addressing.give_address(unit=unit, system=server.system.uuid, name=server.name)
        return self._start(OperationKind.ADDRESS, server.system, without(steps, SPACE), with_it=[server])

    def address_given_back(self, server: Resource) -> Operation:
        steps = GiveBackAddress().plan(server, Nothing(), key=str(uuid4()))
        return self._act(GiveBackAddress.name, server, steps)

    def _act(self, action: str, resource: Resource, steps: list[StepSpec]) -> Operation:
        self._take_in_hand(resource)
        return self._start(
            OperationKind.ACTION, resource.system, without(steps, SPACE), resource=resource, action=action
        )

    def _take_in_hand(self, resource: Resource) -> None:
        inventory.mark(resource=resource, to=Status.CHANGING, actor=FULFILMENT, thread=None, at=self._clock())

    def _start(
        self,
        kind: OperationKind,
        system: System,
        steps: list[StepSpec],
        *,
        with_it: Sequence[Resource] = (),
        resource: Resource | None = None,
        action: str = "",
    ) -> Operation:
        self.placed += 1
        return services.start(
            kind=kind, reason=f"GC-2026-{self.placed:06d}", thread=None, system=system, cloud=_cloud(), steps=steps,
            actor=FULFILMENT, at=self._clock(), with_it=with_it, resource=resource, action=action,
        )  # fmt: skip


def changeable(kind: ResourceKind, *conditions: Exists) -> list[Resource]:
    """What has been handed over and nothing else is about to change; a server together with its volumes."""
    at_work = Step.objects.filter(operation__finished_at=None)
    renewed = at_work.filter(kind="lease").values_list("desired_state__resource", flat=True)
    standing = (
        Resource.objects.filter(*conditions, kind=kind, status=Status.ACTIVE)
        .exclude(unit__in=at_work.values("unit"))
        .exclude(unit__in=list(renewed))
        .select_related(
            "system__department", "volume__storage_class", "volume__server__resource", "server",
            "container__storage_class",
        )
    )  # fmt: skip
    if kind == ResourceKind.VOLUME:
        out_of_use = [Status.RELEASING, Status.SUSPENDED]
        return list(
            standing.exclude(volume__server=None).exclude(volume__server__resource__status__in=out_of_use)
        )
    if kind == ResourceKind.SERVER:
        in_hand = [Status.CHANGING, Status.RELEASING]
        standing = standing.exclude(server__volumes__resource__status__in=in_hand).distinct()
    return list(standing)


def renewable() -> list[Resource]:
    """Servers and containers with nothing else in hand; servers that are suspended, or are being suspended, as well."""
    stopping = Step.objects.filter(kind="suspension", operation__finished_at=None).values("unit")
    renewed = Step.objects.filter(kind="lease", operation__finished_at=None)
    suspended = (
        Resource.objects.filter(Q(status=Status.SUSPENDED) | Q(status=Status.CHANGING, unit__in=stopping))
        .exclude(unit__in=list(renewed.values_list("desired_state__resource", flat=True)))
        .select_related("system__department", "server")
    )
    return [*suspended, *changeable(ResourceKind.SERVER), *changeable(ResourceKind.CONTAINER)]


def reachable() -> list[Resource]:
    """Servers without an address, on networks that are connected or can be."""
    had = Exists(FloatingAddress.objects.filter(server=OuterRef("pk"), released_at=None))
    idle = {network.unit for network in changeable(ResourceKind.NETWORK)}
    return [
        server
        for server in changeable(ResourceKind.SERVER, ~had)
        if reach.network_of(server).resource.unit in idle
    ]


def _standing(resource: Resource) -> releasing.Standing:
    return releasing.Standing(
        built=resource.unit, release=uuid4(), name=resource.name, external_id=resource.external_id
    )


def _cloud() -> Cloud:
    return Cloud.objects.get()
