"""What departments order in the simulation: planned by the product's own planner, less what happens inside guests."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Exists, OuterRef

from govcloud.audit.services import SystemActor
from govcloud.catalog.models import Cloud, Flavor, StorageClass
from govcloud.inventory import leases, reach
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import (
    Address,
    AddressBlock,
    FloatingAddress,
    Power,
    Resource,
    ResourceKind,
    Snapshot,
    VolumeRole,
)
from govcloud.leases import suspending
from govcloud.orders import addressing, containers, dismantling, planner, renewing, resizing
from govcloud.orders.dismantling import Going
from govcloud.protection.holds import UnderLegalHold
from govcloud.provisioning import services
from govcloud.provisioning.actions.base import Nothing
from govcloud.provisioning.actions.outside import ConnectNetwork, GiveBackAddress
from govcloud.provisioning.models import Operation, OperationKind
from govcloud.provisioning.services import StepSpec
from govcloud.quotas import services as quotas
from govcloud.quotas.services import Hold
from tenants.models import Role, System
from tests.chaos.actions import Actions
from tests.chaos.backups import CAPACITY_GB, Backups, running
from tests.chaos.plans import GUESTS, SPACE, without
from tests.chaos.standing import changeable, detached, reachable, renewable
from tests.factories.tenants import member

FULFILMENT = SystemActor("fulfilment")
ZONE = "private"
BOOT_GB, DATA_GB, OBJECTS_GB = 20, 10, 50
SHARES = {
    "server": 10, "release": 6, "extension": 4, "network": 2,
    "renewal": 3, "suspension": 1, "address": 3, "address_given_back": 1,
    "container": 2, "requota": 1, "container_release": 1, "volume_release": 2, "resize": 3, "retype": 3, "allowance": 2, "run": 4,
    "allowance_release": 1, "action": 12,
}  # fmt: skip
"""How often each is ordered, among them all."""
BUILDING = {**SHARES, "server": 200}
"""Where nearly all that is ordered is new servers."""
SIZES = ("g.2c4g", "g.2c8g", "g.4c8g")
CLASSES = ("capacity", "sas", "ssd")
OF_CONTAINERS = frozenset({"container", "requota", "container_release"})


class Orders:
    """Places orders for the systems of one department, each kind by its share. ``write`` has something written into a container."""

    def __init__(
        self,
        systems: Sequence[System],
        random: Random,
        clock: Callable[[], datetime],
        write: Callable[[Resource], None],
        shares: Mapping[str, int],
    ) -> None:
        self.systems, self._random, self._clock, self._write = list(systems), random, clock, write
        self._shares = shares
        self._actions = Actions(random, clock, member(Role.CLOUD_ADMIN))
        self._backups = Backups(random, clock)
        self._flavors = list(Flavor.objects.filter(code__in=SIZES).order_by("pk"))
        self._classes = list(StorageClass.objects.filter(code__in=CLASSES).order_by("pk"))
        self.placed = 0
        self.refused = 0  # releases of what is under a legal hold
        self.networks: dict[int, UUID] = {}  # of each system, by its key: the unit of its network

    def welcome(self, system: System, network: UUID) -> None:
        """One more orders from now on, for the network of this unit that it has already."""
        if system not in self.systems:
            self.systems.append(system)
            self.networks[system.pk] = network

    def place(self) -> Operation:
        """Whatever comes next: something about what stands, if there is anything for it, else something new."""
        system = self._random.choice(self.systems)
        what = self._random.choices(list(self._shares), list(self._shares.values()))[0]
        about = self._about(what)
        if about:
            order: Callable[[Resource], Operation] = getattr(self, what)
            try:
                return order(self._random.choice(about))
            except UnderLegalHold:
                self.refused += 1
        if what == "network":
            return self.network(system)
        if what == "allowance":
            return self.allowance(system)
        if what == "action" and (taken := self._actions.take(system)) is not None:
            self.placed += 1
            return taken
        return self.container(system) if what in OF_CONTAINERS else self.server(system)

    @staticmethod
    def _about(what: str) -> list[Resource]:
        """What an order of the kind can be about now."""
        given = Exists(FloatingAddress.objects.filter(server=OuterRef("pk"), released_at=None))
        kept = Exists(Snapshot.objects.filter(volume=OuterRef("pk"), deleted_at=None))
        about: dict[str, Callable[[], list[Resource]]] = {
            "release": lambda: changeable(ResourceKind.SERVER),
            "suspension": lambda: changeable(ResourceKind.SERVER),
            "extension": lambda: changeable(ResourceKind.VOLUME),
            "volume_release": detached,
            "resize": lambda: changeable(ResourceKind.SERVER),
            "retype": lambda: changeable(ResourceKind.VOLUME, ~kept) + detached(~kept),
            "run": lambda: changeable(ResourceKind.BACKUP, running()),
            "allowance_release": lambda: changeable(ResourceKind.BACKUP),
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
        """A server; every other with a data volume."""
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
        return self._start(OperationKind.DELIVER, system, without(steps, SPACE | GUESTS))

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

    def allowance(self, system: System) -> Operation:
        plan = self._backups.plan(f"backup-{self.placed}", ZONE)
        quotas.hold(
            department=system.department,
            holds=[Hold(plan.unit, {"backup_gb": CAPACITY_GB})],
            at=self._clock(),
        )
        return self._start(
            OperationKind.DELIVER, system, without(self._backups.allowance(plan, system), SPACE)
        )

    # -- changed and released

    def extension(self, volume: Resource) -> Operation:
        at, unit = self._clock(), uuid4()
        size, grown = volume.volume.size_gb, volume.volume.size_gb + 5
        server = volume.volume.server
        in_hand = [*([server.resource] if server else []), volume]
        for each in in_hand:
            self._take_in_hand(each)
        quotas.hold(
            department=volume.system.department, holds=[Hold(unit, {"storage_gb": grown - size})], at=at
        )
        plan = planner.ExtensionPlan(
            unit=unit, order=uuid4(), system=volume.system.uuid, name=volume.name, volume=volume.unit,
            volume_id=volume.external_id, server=server.resource.unit if server else None,
            storage_class=volume.volume.storage_class.code, from_gb=size, size_gb=grown,
            online=volume.volume.role == VolumeRole.SYSTEM or self._random.random() < 0.7,
        )  # fmt: skip
        steps = without(planner.extend(plan), SPACE | GUESTS)
        return self._start(OperationKind.EXTEND, volume.system, steps, with_it=in_hand)

    def retype(self, volume: Resource) -> Operation:
        """Where it is; or, as other clouds have it, while its running server does without."""
        server = volume.volume.server
        others = [each for each in self._classes if each != volume.volume.storage_class]
        in_hand = [*([server.resource] if server else []), volume]
        for each in in_hand:
            self._take_in_hand(each)
        let_go = (
            server is not None and server.power == Power.RUNNING and volume.volume.role == VolumeRole.DATA
        )
        plan = planner.RetypePlan(
            unit=uuid4(), name=volume.name, volume=volume.unit, volume_id=volume.external_id,
            server=server.resource.unit if server else None, storage_class=self._random.choice(others).code,
            attached=not let_go or self._random.random() < 0.3,
        )  # fmt: skip
        steps = without(planner.retype(plan), GUESTS)
        return self._start(OperationKind.RETYPE, volume.system, steps, with_it=in_hand)

    def resize(self, server: Resource) -> Operation:
        """Up or down, running or stopped; kept without a look into the guest."""
        at, unit = self._clock(), uuid4()
        before = server.server.flavor
        others = [each for each in self._flavors if each != before]
        after = self._random.choice(others)
        more = {"vcpus": after.vcpus - before.vcpus, "memory_gb": after.memory_gb - before.memory_gb}
        takes = {dimension: amount for dimension, amount in more.items() if amount > 0}
        self._take_in_hand(server)
        if takes:
            quotas.hold(department=server.system.department, holds=[Hold(unit, takes)], at=at)
        volumes = server.server.volumes.filter(resource__released_at=None).order_by("pk")
        units = {
            role: tuple(volumes.filter(role=role).values_list("resource__unit", flat=True))
            for role in VolumeRole
        }
        plan = resizing.ResizePlan(
            unit=unit, system=server.system.uuid, name=server.name, server=server.unit, from_flavor=before.code,
            flavor=after.code, system_volumes=units[VolumeRole.SYSTEM], data_volumes=units[VolumeRole.DATA],
            running=server.server.power == Power.RUNNING,
        )  # fmt: skip
        steps = without(resizing.resize(plan), SPACE | GUESTS)
        return self._start(OperationKind.RESIZE, server.system, steps, with_it=[server])

    def release(self, server: Resource) -> Operation:
        """With the volumes that it has, and their snapshots."""
        return self._take_down(server, self._with_it(server))

    @staticmethod
    def _with_it(resource: Resource) -> tuple[Going, ...]:
        if resource.kind != ResourceKind.SERVER:
            return ()
        volumes = resource.server.volumes.select_related("resource").order_by("pk")
        return tuple(_going(each.resource) for each in volumes)

    def volume_release(self, volume: Resource) -> Operation:
        return self._take_down(volume)

    def refuses_release(self, volume: Resource) -> bool:
        """Whether the release of what a held point is of is refused: of the server that has the volume, else of the volume."""
        server = volume.volume.server
        going = volume if server is None else server.resource
        try:
            with transaction.atomic():
                self._take_down(going, self._with_it(going))
        except UnderLegalHold:
            self.refused += 1
            return True
        return False

    def empty(self, system: System, kind: ResourceKind) -> None:
        """Nothing of the kind stays, but for what is under a legal hold, and networks that something is on."""
        used = Address.objects.filter(released_at=None).exclude(port_id="").values("block__unit")
        going = detached() if kind == ResourceKind.VOLUME else changeable(kind)
        for each in going:
            if each.system == system and each.unit not in set(used.values_list("block__unit", flat=True)):
                with suppress(UnderLegalHold):
                    self._take_down(each, self._with_it(each))

    def allowance_release(self, allowance: Resource) -> Operation:
        return self._take_down(allowance)

    def run(self, allowance: Resource) -> Operation:
        """Nobody's order: a backup of all that its plan covers."""
        self.placed += 1
        return self._backups.run(allowance)

    def run_all(self) -> None:
        """Nobody's order: every plan that has something to back up is due once more."""
        for allowance in changeable(ResourceKind.BACKUP, running()):
            self._backups.run(allowance)

    def clear(self) -> bool:
        """Nobody's order: recovery points go that nothing keeps any more. Whether there were any."""
        return bool(self._backups.clear())

    def _take_down(self, resource: Resource, volumes: tuple[Going, ...] = ()) -> Operation:
        going = replace(_going(resource), volumes=volumes)
        steps = dismantling.begin(
            going=[going],
            part=uuid4(),
            system=resource.system.uuid,
            actor=FULFILMENT,
            thread=None,
            at=self._clock(),
        )
        return self._start(OperationKind.RELEASE, resource.system, without(steps, SPACE | GUESTS))

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
        going = replace(_going(container), with_contents=full)
        steps = dismantling.begin(
            going=[going],
            part=uuid4(),
            system=container.system.uuid,
            actor=FULFILMENT,
            thread=None,
            at=self._clock(),
        )
        return self._start(OperationKind.RELEASE, container.system, without(steps, SPACE))

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


def _going(resource: Resource) -> Going:
    return Going(resource=resource, release=uuid4())


def _cloud() -> Cloud:
    return Cloud.objects.get()
