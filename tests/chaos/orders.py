"""What departments order in the simulation: planned by the product's own planner, less what happens inside guests."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID, uuid4

from govcloud.audit.services import SystemActor
from govcloud.catalog.models import Cloud
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Address, AddressBlock, Resource, ResourceKind, VolumeRole
from govcloud.orders import planner, releasing
from govcloud.provisioning import services
from govcloud.provisioning.lifecycle import OperationStatus
from govcloud.provisioning.models import Operation, OperationKind, Step
from govcloud.provisioning.services import StepSpec
from govcloud.quotas import services as quotas
from govcloud.quotas.services import Hold
from tenants.models import System

FULFILMENT = SystemActor("fulfilment")
SPACE = frozenset({"project", "access", "keypair", "compute_quota", "volume_quota", "network_quota"})
GUESTS = frozenset({"configure", "confirm", "grow", "let_go", "mount"})
ZONE = "private"
BOOT_GB, DATA_GB = 20, 10


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
    """Places orders for the systems of one department."""

    def __init__(self, systems: dict[int, System], random: Random, clock: Callable[[], datetime]) -> None:
        self._systems, self._random, self._clock = systems, random, clock
        self.placed = 0
        self.networks: dict[int, UUID] = {}  # of each system, by its key: the unit of its network

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

    # -- changed and released

    def extension(self, volume: Resource) -> Operation:
        at, unit = self._clock(), uuid4()
        size, grown = volume.volume.size_gb, volume.volume.size_gb + 5
        inventory.mark(resource=volume, to=Status.CHANGING, actor=FULFILMENT, thread=None, at=at)
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
        port = Address.objects.get(unit=server.unit).port_id
        steps = releasing.release_server(
            server=_standing(server), port_id=port, volumes=[_standing(each) for each in volumes]
        )
        return self._start(OperationKind.RELEASE, server.system, steps)

    def _start(
        self,
        kind: OperationKind,
        system: System,
        steps: list[StepSpec],
        *,
        with_it: Sequence[Resource] = (),
    ) -> Operation:
        self.placed += 1
        return services.start(
            kind=kind, reason=f"GC-2026-{self.placed:06d}", thread=None, system=system, cloud=_cloud(), steps=steps,
            actor=FULFILMENT, at=self._clock(), with_it=with_it,
        )  # fmt: skip


def changeable(kind: ResourceKind) -> list[Resource]:
    """What has been handed over and nobody is changing; a server together with its volumes."""
    at_work = Step.objects.exclude(operation__status=OperationStatus.DONE).values("unit")
    standing = (
        Resource.objects.filter(kind=kind, status=Status.ACTIVE)
        .exclude(unit__in=at_work)
        .select_related("system__department", "volume__storage_class", "volume__server__resource", "server")
    )
    if kind == ResourceKind.VOLUME:
        return list(
            standing.exclude(volume__server=None).exclude(volume__server__resource__status=Status.RELEASING)
        )
    return list(
        standing.exclude(server__volumes__resource__status__in=[Status.CHANGING, Status.RELEASING]).distinct()
    )


def _standing(resource: Resource) -> releasing.Standing:
    return releasing.Standing(
        built=resource.unit, release=uuid4(), name=resource.name, external_id=resource.external_id
    )


def _cloud() -> Cloud:
    return Cloud.objects.get()
