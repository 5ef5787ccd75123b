"""Addresses of a subnet: which exist, which are taken, which is next."""

import random
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import ApiError, bad_request, conflict
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Body

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def parsed_network(text: str) -> Network:
    """A CIDR without host bits.

    Raises:
        ApiError: 400 as Neutron words it.

    """
    try:
        return ip_network(text)
    except ValueError as error:
        raise bad_request(
            f"Invalid input for cidr. Reason: '{text}' is not a valid IP subnet.", kind="HTTPBadRequest"
        ) from error


def parsed_address(text: str) -> Address:
    """An address.

    Raises:
        ApiError: 400 as Neutron words it.

    """
    try:
        return ip_address(text)
    except ValueError as error:
        message = f"Invalid input for fixed_ips. Reason: '{text}' is not a valid IP address."
        raise bad_request(message, kind="HTTPBadRequest") from error


def default_pools(cidr: Network, gateway: str | None) -> list[Body]:
    """Every host address except the gateway, as Neutron computes it."""
    first, last = int(cidr.network_address) + 1, int(cidr.broadcast_address)
    if cidr.version == 4 and cidr.num_addresses > 2:
        last -= 1
    if gateway is None or not first <= (middle := int(ip_address(gateway))) <= last:
        ranges = [(first, last)]
    else:
        ranges = [(first, middle - 1), (middle + 1, last)]
    of = type(cidr.network_address)
    return [{"start": str(of(low)), "end": str(of(high))} for low, high in ranges if low <= high]


def taken(cloud: Cloud, network_id: str) -> dict[str, str]:
    """Addresses in use on a network, and by which port."""
    return {
        ip["ip_address"]: port["id"]
        for port in cloud.store.find("port", network_id=network_id)
        for ip in port["fixed_ips"]
    }


def assign(cloud: Cloud, network: Row, wanted: list[Body] | None) -> list[Body]:
    """Fixed addresses for a new port: those asked for, or one of the network's first IPv4 subnet.

    Raises:
        ApiError: 400 for an address outside the subnets, 409 for one in use or a full subnet.

    """
    subnets = cloud.store.find("subnet", network_id=network["id"])
    if wanted is None:
        wanted = [{"subnet_id": subnet["id"]} for subnet in subnets[:1]]
    used = taken(cloud, network["id"])
    chosen: list[Body] = []
    for entry in wanted:
        subnet = _subnet_for(entry, subnets, network)
        address = entry.get("ip_address")
        if address is None:
            address = _next_free(subnet, used)
        elif address in used:
            raise conflict(
                f"IP address {address} already allocated in subnet {subnet['id']}",
                kind="IpAddressAlreadyAllocated",
            )
        used[address] = ""
        chosen.append({"subnet_id": subnet["id"], "ip_address": address})
    return chosen


def _subnet_for(entry: Body, subnets: list[Row], network: Row) -> Row:
    address = parsed_address(entry["ip_address"]) if entry.get("ip_address") else None
    if subnet_id := entry.get("subnet_id"):
        named = next((row for row in subnets if row["id"] == subnet_id), None)
        if named is None:
            message = (
                f"Failed to create port on network {network['id']}, because fixed_ips included invalid subnet "
                f"{subnet_id}"
            )
            raise bad_request(f"Invalid input for operation: {message}.", kind="InvalidInput")
        if address is not None and address not in ip_network(named["cidr"]):
            raise bad_request(
                f"IP address {address} is not a valid IP for the specified subnet.", kind="InvalidIpForSubnet"
            )
        return named
    for subnet in subnets:
        if address is None or address in ip_network(subnet["cidr"]):
            return subnet
    raise bad_request(
        f"IP address {address} is not a valid IP for any of the subnets on the specified network.",
        kind="InvalidIpForNetwork",
    )


def _next_free(subnet: Row, used: dict[str, str]) -> str:
    for candidate in _pool(subnet):
        if candidate not in used:
            return candidate
    raise exhausted(subnet["network_id"])


def exhausted(network_id: str) -> ApiError:
    """409 when a network has no address left."""
    return conflict(
        f"No more IP addresses available on network {network_id}.", kind="IpAddressGenerationFailure"
    )


def _pool(subnet: Row) -> Iterator[str]:
    for pool in subnet["allocation_pools"]:
        start, end = ip_address(pool["start"]), ip_address(pool["end"])
        of = type(start)
        for number in range(int(start), int(end) + 1):
            yield str(of(number))


def new_mac() -> str:
    """A locally administered address with Neutron's prefix."""
    return "fa:16:3e:" + ":".join(f"{random.randrange(256):02x}" for _ in range(3))  # noqa: S311 - not a secret
