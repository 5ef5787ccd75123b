"""What a whole cloud holds: hypervisors as Placement counts them, storage pools as Cinder does.

For the operators' credentials. The answers are a basis for judgement, not for allocation: the cloud decides that itself.
"""

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from govcloud.gateways.openstack import errors, models
from govcloud.gateways.openstack.transport import Transport

_PLACEMENT_MICROVERSION = "1.20"
_VCPU, _MEMORY = "VCPU", "MEMORY_MB"


class Capacity:
    """Reads only."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def compute(self, *, within: float) -> models.ComputeCapacity:
        """All hypervisors together: two small requests for each, so call it rarely.

        Raises ``Unavailable`` when that takes longer than so many seconds: half a count would be a wrong one.
        """
        deadline = time.monotonic() + within
        totals = {_VCPU: 0, _MEMORY: 0}
        used = {_VCPU: 0, _MEMORY: 0}
        providers = self._providers()
        for provider in providers:
            if time.monotonic() > deadline:
                raise errors.Unavailable(
                    f"{len(providers)} hypervisors could not be counted within {within:.0f} s",
                    service="placement",
                )
            for resource, amount in self._offered(provider).items():
                totals[resource] += amount
            for resource, amount in self._taken(provider).items():
                used[resource] += amount
        return models.ComputeCapacity(
            vcpus_total=totals[_VCPU],
            vcpus_used=used[_VCPU],
            memory_mib_total=totals[_MEMORY],
            memory_mib_used=used[_MEMORY],
            hosts=len(providers),
        )

    def pools(self) -> list[models.Pool]:
        """The storage pools and what is free in them."""
        query = {"detail": "true"}
        body = self._transport.get("block-storage", "/scheduler-stats/get_pools", params=query)
        return [_pool(pool) for pool in body["pools"]]

    def _providers(self) -> list[str]:
        """Those that have vCPUs: others are shared disks and the like."""
        body = self._get("/resource_providers", {"resources": f"{_VCPU}:1"})
        fit = {provider["uuid"] for provider in body["resource_providers"]}
        every = {provider["uuid"] for provider in self._get("/resource_providers")["resource_providers"]}
        # a full hypervisor is not among those that could still take one vCPU
        return sorted(fit | {provider for provider in every - fit if _VCPU in self._offered(provider)})

    def _offered(self, provider: str) -> dict[str, int]:
        inventories = self._get(f"/resource_providers/{provider}/inventories")["inventories"]
        return {
            resource: _offer(inventories[resource])
            for resource in (_VCPU, _MEMORY)
            if resource in inventories
        }

    def _taken(self, provider: str) -> dict[str, int]:
        usages = self._get(f"/resource_providers/{provider}/usages")["usages"]
        return {resource: int(usages.get(resource, 0)) for resource in (_VCPU, _MEMORY)}

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self._transport.get("placement", path, params=params, microversion=_PLACEMENT_MICROVERSION)


def _offer(inventory: Mapping[str, Any]) -> int:
    """Placement's own rule: (total - reserved) x allocation ratio, rounded down."""
    return int((inventory["total"] - inventory["reserved"]) * Decimal(str(inventory["allocation_ratio"])))


def _pool(body: dict[str, Any]) -> models.Pool:
    capabilities = body.get("capabilities", {})
    return models.Pool(
        name=body["name"],
        backend=capabilities.get("volume_backend_name") or "",
        total_gib=_size(capabilities.get("total_capacity_gb")),
        free_gib=_size(capabilities.get("free_capacity_gb")),
        allocated_gib=_size(capabilities.get("allocated_capacity_gb")) or Decimal(0),
    )


def _size(value: object) -> Decimal | None:
    """A number, or one of the words ``infinite`` and ``unknown`` that drivers may answer."""
    return Decimal(str(value)) if isinstance(value, int | float) else None
