"""What a whole cloud holds: hypervisors as Placement counts them, storage pools as Cinder does.

For the operators' credentials. The answers are a basis for judgement, not for allocation: the cloud decides that itself.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from govcloud.gateways.openstack import errors, models
from govcloud.gateways.openstack.census import PAGE
from govcloud.gateways.openstack.resource_classes import MEMORY_MB, VCPU, counts
from govcloud.gateways.openstack.transport import Transport

_PLACEMENT_MICROVERSION = "1.20"
_HYPERVISORS_BY_UUID: Final = "2.53"  # the uuids of Placement's providers


class Capacity:
    """Reads only."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def compute(self, *, within: float) -> models.ComputeCapacity:
        """All hypervisors on which something can be built, together: two small requests for each, so call it rarely.

        One that is disabled or down is left out, with what is on it. What is used of one is at most what it offers: of an
        overfull one nothing is left, and the others have what they have.

        Raises ``Unavailable`` when that takes longer than so many seconds: half a count would be a wrong one.
        """
        deadline = time.monotonic() + within
        totals, used = Counter[str](), Counter[str]()
        hosts = []
        out = self._out_of_service()
        trees = {root: parts for root, parts in self._trees().items() if root not in out}
        for parts in trees.values():
            if time.monotonic() > deadline:
                raise errors.Unavailable(
                    f"{len(trees)} hypervisors could not be counted within {within:.0f} s",
                    service="placement",
                )
            room: dict[str, tuple[int, int]] = {}
            for resource, offered, taken, at_most in self._counted(parts):
                totals[resource] += offered
                used[resource] += min(offered, taken)
                free = max(0, offered - taken)
                others, largest = room.get(resource, (0, 0))
                room[resource] = (others + free, max(largest, min(free, at_most)))
            if room:
                hosts.append(room)
        return models.ComputeCapacity(
            vcpus_total=totals[VCPU],
            vcpus_used=used[VCPU],
            memory_mib_total=totals[MEMORY_MB],
            memory_mib_used=used[MEMORY_MB],
            hosts=tuple(hosts),
        )

    def pools(self) -> list[models.Pool]:
        """The storage pools and what is free in them."""
        query = {"detail": "true"}
        body = self._transport.get("block-storage", "/scheduler-stats/get_pools", params=query)
        return [_pool(pool) for pool in body["pools"]]

    def _trees(self) -> dict[str, list[str]]:
        """The providers by the hypervisor that they are parts of (graphics cards, say); shared disks are among them."""
        trees: dict[str, list[str]] = defaultdict(list)
        for provider in self._get("/resource_providers")["resource_providers"]:
            trees[provider["root_provider_uuid"]].append(provider["uuid"])
        return {root: sorted(parts) for root, parts in sorted(trees.items())}

    def _out_of_service(self) -> frozenset[str]:
        """The hypervisors to which Nova's scheduler gives nothing; Placement counts them all the same."""
        pages = self._transport.whole_pages(
            "compute", "/os-hypervisors", key="hypervisors", params={"limit": PAGE}, microversion=_HYPERVISORS_BY_UUID
        )  # fmt: skip
        found = (hypervisor for page in pages for hypervisor in page)
        return frozenset(
            str(each["id"])
            for each in found
            if each.get("status") == "disabled" or each.get("state") == "down"
        )

    def _counted(self, providers: Sequence[str]) -> Iterator[tuple[str, int, int, int]]:
        """Of each resource of each provider: what it offers, what is taken of that, and the most that one server can have."""
        for provider in providers:
            inventories = self._get(f"/resource_providers/{provider}/inventories")["inventories"]
            counted = {name: inventory for name, inventory in inventories.items() if counts(name)}
            if counted:
                usages = self._get(f"/resource_providers/{provider}/usages")["usages"]
                for name, inventory in counted.items():
                    yield name, _offer(inventory), int(usages.get(name, 0)), int(inventory["max_unit"])

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self._transport.get("placement", path, params=params, microversion=_PLACEMENT_MICROVERSION)


def _offer(inventory: Mapping[str, Any]) -> int:
    """Placement's own rule: (total - reserved) x allocation ratio, rounded down."""
    return int((inventory["total"] - inventory["reserved"]) * Decimal(str(inventory["allocation_ratio"])))


def _pool(body: dict[str, Any]) -> models.Pool:
    capabilities = body.get("capabilities", {})
    total, free = _given_out(capabilities)
    return models.Pool(
        name=body["name"],
        backend=capabilities.get("volume_backend_name") or "",
        total_gib=total,
        free_gib=free,
        allocated_gib=_size(capabilities.get("allocated_capacity_gb")) or Decimal(0),
    )


def _given_out(capabilities: Mapping[str, Any]) -> tuple[Decimal | None, Decimal | None]:
    """What the pool holds and has left, in GiB, as Cinder's scheduler counts it (its capacity filter).

    What is reserved is left out. A thin pool is given out as often as its oversubscription says, both of what it is and of what
    is free on its disks.
    """
    total, free = _size(capabilities.get("total_capacity_gb")), _size(capabilities.get("free_capacity_gb"))
    if total is None:
        return None, free
    reserved = total * (_size(capabilities.get("reserved_percentage")) or 0) / 100
    times = _oversubscription(capabilities)
    left = None
    if free is not None:
        left = (free - reserved) * times
        if times > 1:
            volumes = _size(capabilities.get("provisioned_capacity_gb"))
            if volumes is None:
                volumes = _size(capabilities.get("allocated_capacity_gb")) or Decimal(0)
            left = min(left, total * times - volumes)
        left = max(left, Decimal(0))
    return (total - reserved) * times, left


def _oversubscription(capabilities: Mapping[str, Any]) -> Decimal:
    if capabilities.get("thin_provisioning_support") is not True:
        return Decimal(1)
    return max(_size(capabilities.get("max_over_subscription_ratio")) or Decimal(1), Decimal(1))


def _size(value: object) -> Decimal | None:
    """A number, as some drivers tell it a text; None for one of the words ``infinite`` and ``unknown``."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
