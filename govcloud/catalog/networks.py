"""How many servers a network of a zone has addresses for, and which its cloud takes."""

from ipaddress import ip_network

FIRST_HOST = 10  # the addresses before it are left to the network's own needs (gateway, DHCP, metadata)


def addresses_in(prefix: int) -> int:
    """How many servers' addresses a network with a prefix of so many bits has."""
    return max(0, (1 << (32 - prefix)) - 2 - (FIRST_HOST - 1))


def taken_by_cloud(cidr: str) -> tuple[str, str]:
    """The first and the last of the addresses that the cloud may give out itself, behind the gateway's."""
    network = ip_network(cidr)
    return str(network[2]), str(network[FIRST_HOST - 1])


LONGEST_PREFIX = max(prefix for prefix in range(32) if addresses_in(prefix))
"""Of the smallest network that has an address for a server, in bits."""
