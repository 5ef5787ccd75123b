"""What a cloud holds, by Placement's, Nova's and Cinder's own rules of what can still be had."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pytest

from govcloud.gateways.openstack.capacity import Capacity
from govcloud.gateways.openstack.resource_classes import taken_by

if TYPE_CHECKING:
    from govcloud.gateways.openstack.transport import Transport

HOST = {"total": 32, "reserved": 0, "allocation_ratio": 4.0, "max_unit": 32}
MEMORY = {"total": 262_144, "reserved": 16_384, "allocation_ratio": 1.0, "max_unit": 262_144}
POOL = {
    "total_capacity_gb": 1000.0, "free_capacity_gb": 100.0, "provisioned_capacity_gb": 3000, "reserved_percentage": 0,
    "thin_provisioning_support": True, "max_over_subscription_ratio": "20.0",
}  # fmt: skip


class Services:
    """Placement with one provider for each host, Nova with its hypervisors, Cinder with one pool."""

    def __init__(self, hosts: dict[str, int] | None = None, pool: dict[str, Any] | None = None) -> None:
        self.hosts, self.pool = hosts or {}, pool or {}  # vCPUs in use, by host
        self.states: dict[str, dict[str, str]] = {}
        self.parts: dict[str, tuple[str, dict[str, Any]]] = {}  # other providers: their root and inventories

    def get(self, _service: str, path: str, **_query: Any) -> dict[str, Any]:
        match path.removeprefix("/").split("/"):
            case ["resource_providers"]:
                parts = [(host, host) for host in self.hosts] + [
                    (part, root) for part, (root, _) in self.parts.items()
                ]
                return {
                    "resource_providers": [{"uuid": part, "root_provider_uuid": root} for part, root in parts]
                }
            case ["resource_providers", part, "inventories"] if part in self.parts:
                return {"inventories": self.parts[part][1]}
            case ["resource_providers", _host, "inventories"]:
                return {"inventories": {"VCPU": HOST, "MEMORY_MB": MEMORY, "DISK_GB": MEMORY}}
            case ["resource_providers", part, "usages"] if part in self.parts:
                return {"usages": dict.fromkeys(self.parts[part][1], 1)}
            case ["resource_providers", host, "usages"]:
                return {
                    "usages": {"VCPU": self.hosts[host], "MEMORY_MB": 1024 * self.hosts[host], "DISK_GB": 9}
                }
            case _:
                return {"pools": [{"name": "ceph@ssd#ssd", "capabilities": self.pool}]}

    def whole_pages(self, _service: str, _path: str, **_query: Any) -> Iterator[list[dict[str, Any]]]:
        for host in self.hosts:  # a page each
            yield [{"id": host, "state": "up", "status": "enabled", **self.states.get(host, {})}]


def counted(services: Services) -> Capacity:
    return Capacity(cast("Transport", services))


def test_hypervisors_are_counted_with_overcommit_and_without_what_is_reserved() -> None:
    found = counted(Services({"a": 28, "b": 0})).compute(within=60)
    assert (found.vcpus_total, found.vcpus_used, len(found.hosts)) == (256, 28, 2)
    assert (found.memory_mib_total, found.memory_mib_used) == (2 * 245_760, 28 * 1024)
    memory = 245_760
    assert found.hosts == (
        {"VCPU": (100, 32), "MEMORY_MB": (memory - 28 * 1024, memory - 28 * 1024)},
        {"VCPU": (128, 32), "MEMORY_MB": (memory, memory)},
    )


def test_what_is_part_of_a_hypervisor_is_its_room_and_shared_disks_are_nobodys() -> None:
    """Each part has one in use."""

    def inventory(total: int) -> dict[str, Any]:
        return {"total": total, "reserved": 0, "allocation_ratio": 1.0, "max_unit": total}

    services = Services({"a": 28})
    services.parts = {
        "card-1": ("a", {"VGPU": inventory(4)}),
        "card-2": ("a", {"VGPU": inventory(8)}),
        "disks": ("disks", {"DISK_GB": inventory(9_000)}),
        "bare": ("bare", {"CUSTOM_BAREMETAL_M": inventory(1)}),
        "pinned": ("pinned", {"PCPU": inventory(16), "MEMORY_MB": inventory(1024)}),
    }
    found = counted(services).compute(within=60)
    assert (found.vcpus_total, found.vcpus_used) == (128, 28)
    assert (found.hosts[0]["VCPU"], found.hosts[0]["VGPU"]) == ((100, 32), (10, 7))
    assert found.hosts[1:] == (
        {"CUSTOM_BAREMETAL_M": (0, 0)}, {"PCPU": (15, 15), "MEMORY_MB": (1023, 1023)},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("properties", "taken"),
    [
        ({}, {"VCPU": 4, "MEMORY_MB": 8192}),
        ({"hw:cpu_policy": "shared", "aggregate:ssd": "true"}, {"VCPU": 4, "MEMORY_MB": 8192}),
        ({"hw:cpu_policy": "dedicated"}, {"PCPU": 4, "MEMORY_MB": 8192}),
        (
            {"hw:cpu_policy": "dedicated", "hw:emulator_threads_policy": "isolate"},
            {"PCPU": 5, "MEMORY_MB": 8192},
        ),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0-1"}, {"MEMORY_MB": 8192}),
        ({"resources:VGPU": "1"}, {"VCPU": 4, "MEMORY_MB": 8192, "VGPU": 1}),
        ({"resources:DISK_GB": "1", "resources1:VGPU": "1"}, {"VCPU": 4, "MEMORY_MB": 8192}),
        (
            {"resources:VCPU": "0", "resources:MEMORY_MB": "0", "resources:CUSTOM_BAREMETAL_M": "1"},
            {"CUSTOM_BAREMETAL_M": 1},
        ),
    ],
    ids=str,
)
def test_a_flavor_takes_what_nova_asks_placement_for(
    properties: dict[str, str], taken: dict[str, int]
) -> None:
    assert taken_by(vcpus=4, memory_mib=8192, properties=properties) == taken


@pytest.mark.parametrize("out", [{"status": "disabled"}, {"state": "down"}])
def test_a_hypervisor_on_which_nothing_is_built_offers_no_room(out: dict[str, str]) -> None:
    services = Services({"a": 28, "b": 0})
    services.states["b"] = out
    found = counted(services).compute(within=60)
    assert (found.vcpus_total, found.vcpus_used, len(found.hosts)) == (128, 28, 1)
    assert found.memory_mib_total == 245_760


def test_one_overfull_hypervisor_takes_no_room_away_from_others() -> None:
    """Its overcommit was lowered, or memory reserved, while its servers stood."""
    found = counted(Services({"a": 168, "b": 28})).compute(within=60)
    assert found.vcpus_total - found.vcpus_used == 100
    assert [host["VCPU"] for host in found.hosts] == [(0, 0), (100, 32)]


@pytest.mark.parametrize(
    ("changes", "total", "free"),
    [
        ({}, 20_000, 2000),  # 100 GiB on the disks, twenty times over
        ({"provisioned_capacity_gb": 19_500}, 20_000, 500),
        ({"provisioned_capacity_gb": 21_000}, 20_000, 0),
        ({"reserved_percentage": 5}, 19_000, 1000),
        ({"thin_provisioning_support": False}, 1000, 100),
        ({"thin_provisioning_support": False, "reserved_percentage": 5}, 950, 50),
        ({"thin_provisioning_support": False, "reserved_percentage": 15}, 850, 0),
        ({"max_over_subscription_ratio": None}, 1000, 100),
        ({"provisioned_capacity_gb": None, "allocated_capacity_gb": 400}, 20_000, 2000),
        ({"free_capacity_gb": "100.0", "total_capacity_gb": "1000"}, 20_000, 2000),
    ],
)
def test_a_pool_has_what_cinders_scheduler_would_give_out(
    changes: dict[str, Any], total: int, free: int
) -> None:
    (pool,) = counted(Services(pool=POOL | changes)).pools()
    assert (pool.total_gib, pool.free_gib) == (Decimal(total), Decimal(free))


@pytest.mark.parametrize("word", ["infinite", "unknown", None])
def test_a_pool_that_does_not_say_what_is_free_is_not_taken_for_full(word: str | None) -> None:
    (pool,) = counted(Services(pool=POOL | {"free_capacity_gb": word})).pools()
    assert pool.free_gib is None


def test_a_pool_of_unknown_size_has_what_is_free() -> None:
    (pool,) = counted(Services(pool=POOL | {"total_capacity_gb": "unknown"})).pools()
    assert (pool.total_gib, pool.free_gib) == (None, Decimal(100))
