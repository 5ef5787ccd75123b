"""Placement's resource classes, as far as servers are given room by them."""

from collections.abc import Mapping
from typing import Final

VCPU: Final = "VCPU"  # shared
PCPU: Final = "PCPU"  # dedicated to one server
MEMORY_MB: Final = "MEMORY_MB"
_OVERRIDE: Final = "resources:"


def counts(resource: str) -> bool:
    """Whether a server may be given some of it by its flavor; disks and bandwidth come otherwise here (volumes, ports)."""
    return resource in {VCPU, PCPU, MEMORY_MB, "VGPU"} or resource.startswith("CUSTOM_")


def taken_by(*, vcpus: int, memory_mib: int, properties: Mapping[str, str]) -> dict[str, int]:
    """What a server of a flavor takes of one hypervisor, by Nova's rules for the flavor's extra specs.

    ``hw:cpu_policy`` turns vCPUs into dedicated ones, ``resources:X`` says how many of a class there are, none included, as for
    bare metal. Left out, as only the scheduler knows: the vCPUs of a flavor that has both sorts (``mixed``), and
    what is asked for in groups (``resources1:X``).

    Source: Nova, "Extra Specs" and ``nova.scheduler.utils.ResourceRequest``.
    """
    taken = {VCPU: vcpus, MEMORY_MB: memory_mib}
    match properties.get("hw:cpu_policy"):
        case "dedicated":
            isolated = properties.get("hw:emulator_threads_policy") == "isolate"
            taken[PCPU] = taken.pop(VCPU) + isolated
        case "mixed":
            del taken[VCPU]
    for name, amount in properties.items():
        resource = name.removeprefix(_OVERRIDE)
        if resource != name and counts(resource) and amount.isdecimal():
            taken[resource] = int(amount)
    return {resource: amount for resource, amount in taken.items() if amount}
