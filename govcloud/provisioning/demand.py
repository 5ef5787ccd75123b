"""What a system has been granted on a cloud: what stands there, and what is on its way."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Q

from govcloud.catalog.models import Cloud, CloudStorageClass, Flavor
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import (
    Address,
    BackupAllowance,
    FloatingAddress,
    Resource,
    SecurityRule,
    Server,
    Snapshot,
    Volume,
)
from govcloud.provisioning.lifecycle import FINISHED, Desired
from govcloud.provisioning.models import Step
from tenants.models import System

GENERATIONS_KEPT = 8  # full backups at a time per GB granted: seven kept and one being taken


@dataclass(slots=True)
class Demand:
    """Sums; sizes of volumes as they are built on the cloud, in GiB."""

    servers: int = 0
    vcpus: int = 0
    memory_mib: int = 0
    volumes: int = 0
    volume_gib: int = 0  # with the snapshots, which the cloud counts at their volume's size
    snapshots: int = 0
    networks: int = 0
    further_interfaces: int = 0
    rules: int = 0  # that departments have opened
    addresses: int = 0  # floating ones, from the moment they are reserved
    backups: int = 0
    backup_gib: int = 0
    other_subnets: int = 0  # of what stands in the project and is not ours
    other_ports: int = 0
    other_security_groups: int = 0
    other_security_group_rules: int = 0
    other_routers: int = 0
    other_addresses: int = 0


_OTHERS: list[Callable[[Demand, System, Cloud], None]] = []


def register_others(add: Callable[[Demand, System, Cloud], None]) -> None:
    """Enter what adds to a demand what stands in the system's project besides what was granted: limits have to leave room for it."""
    _OTHERS.append(add)


def of(*, system: System, cloud: Cloud) -> Demand:
    """What the cloud's own limits have to leave room for: what has been granted, and what is in the project besides."""
    total = granted(system=system, cloud=cloud)
    for add in _OTHERS:
        add(total, system, cloud)
    return total


def granted(*, system: System, cloud: Cloud) -> Demand:
    """The demand of everything recorded and everything still being built. A volume being extended counts at its new size."""
    total, scales = Demand(), _scales(cloud)
    _add_standing(total, system, cloud, scales)
    _add_coming(total, system, cloud, scales)
    return total


def add_backups(total: Demand, *, cloud: Cloud, sizes: Iterable[tuple[str, int]]) -> None:
    """Add single backups, by the storage classes and sizes of what they are of."""
    scales = _scales(cloud)
    for code, size in sizes:
        total.backups += 1
        total.backup_gib += -(-size // scales.get(code, 1))


def _scales(cloud: Cloud) -> dict[str, int]:
    rows = CloudStorageClass.objects.filter(cloud=cloud)
    return dict(rows.values_list("storage_class__code", "ordered_gb_per_built_gb"))


def _add_standing(total: Demand, system: System, cloud: Cloud, scales: dict[str, int]) -> None:
    standing = Resource.objects.filter(system=system, cloud=cloud).exclude(status=Status.RELEASED)
    total.networks += standing.filter(kind="network").count()
    further = Address.objects.filter(server__resource__in=standing, released_at=None)
    total.further_interfaces += further.count()
    total.rules += SecurityRule.objects.filter(network__resource__in=standing, removed_at=None).count()
    floating = FloatingAddress.objects.filter(server__resource__in=standing, released_at=None)
    total.addresses += floating.count()
    for vcpus, memory in Server.objects.filter(resource__in=standing).values_list("vcpus", "memory_gb"):
        total.servers += 1
        total.vcpus += vcpus
        total.memory_mib += memory * 1024
    for code, size in Volume.objects.filter(resource__in=standing).values_list(
        "storage_class__code", "size_gb"
    ):
        _add_volume(total, scales, code, size)
    kept = Snapshot.objects.filter(volume__resource__in=standing, deleted_at=None)
    for code, size in kept.values_list("volume__storage_class__code", "size_gb"):
        _add_snapshot(total, scales, code, size)
    for (capacity,) in BackupAllowance.objects.filter(resource__in=standing).values_list("capacity_gb"):
        _add_backup(total, scales, capacity)


def _add_coming(total: Demand, system: System, cloud: Cloud, scales: dict[str, int]) -> None:
    steps = Step.objects.filter(operation__system=system, operation__cloud=cloud).exclude(state__in=FINISHED)
    coming = list(
        steps.filter(Q(desired=Desired.PRESENT) | _half_built()).values_list(
            "kind", "desired", F("desired_state")
        )
    )
    flavors = _flavors(desired for _kind, _wanted, desired in coming)
    for kind, wanted, desired in coming:
        # a network is recorded with its security group, and it is the last to go
        if kind == ("security_group" if wanted == Desired.PRESENT else "network"):
            total.networks += 1
        elif kind == "security_rule":
            total.rules += 1
        elif kind == "server":
            flavor = flavors[desired["flavor"]]
            total.servers += 1
            total.vcpus += flavor.vcpus
            total.memory_mib += flavor.memory_gb * 1024
        elif kind == "volume":
            _add_volume(total, scales, desired["storage_class"], desired["size_gb"])
        elif kind == "snapshot":
            _add_snapshot(total, scales, desired["storage_class"], desired["size_gb"])
        elif kind == "extension":
            grown = _built(scales, desired["storage_class"], desired["size_gb"])
            before = _built(scales, desired["storage_class"], desired["from_gb"])
            total.volume_gib += max(0, grown - before)  # it may be larger than ordered by now, and stays so
        elif kind == "resize_confirmation":  # until it is confirmed the cloud counts the larger of both
            _add_resize(total, flavors[desired["from_flavor"]], flavors[desired["flavor"]])
        elif kind == "backup_allowance":
            _add_backup(total, scales, desired["capacity_gb"])


def _flavors(states: Iterable[Mapping[str, Any]]) -> dict[str, Flavor]:
    """Those that any of the desired states names, by their codes: an order of a hundred servers names few, a hundred times."""
    codes = {state[name] for state in states for name in ("flavor", "from_flavor") if name in state}
    return Flavor.objects.in_bulk(codes, field_name="code") if codes else {}


def _add_resize(total: Demand, old: Flavor, new: Flavor) -> None:
    total.vcpus += max(0, new.vcpus - old.vcpus)
    total.memory_mib += max(0, new.memory_gb - old.memory_gb) * 1024


def _half_built() -> Q:
    """What is being undone and was never recorded stands until it is gone: a cloud refuses limits below what stands."""
    begun = Q(intent_at__isnull=False) | ~Q(external_id="")
    recorded = Exists(Resource.objects.filter(unit=OuterRef("unit")))
    # what a release or a deletion names is another's: a resource, a snapshot
    own = ~Q(desired_state__has_any_keys=["resource", "snapshot", "rule"]) | Q(kind="extension")
    return Q(begun, own, ~recorded, desired=Desired.ABSENT)


def _built(scales: dict[str, int], code: str, size_gb: int) -> int:
    return -(-size_gb // scales[code])


def _add_volume(total: Demand, scales: dict[str, int], code: str, size_gb: int) -> None:
    total.volumes += 1
    total.volume_gib += _built(scales, code, size_gb)


def _add_snapshot(total: Demand, scales: dict[str, int], code: str, size_gb: int) -> None:
    total.snapshots += 1
    total.volume_gib += _built(scales, code, size_gb)


def _add_backup(total: Demand, scales: dict[str, int], capacity_gb: int) -> None:
    """Cinder charges every backup, incremental or not, with its volume's full size."""
    scale = min(scales.values(), default=1)
    total.backup_gib += -(-capacity_gb // scale) * GENERATIONS_KEPT
    total.backups += max(1, capacity_gb // 10) * GENERATIONS_KEPT
