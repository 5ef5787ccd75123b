"""What a zone's pool of addresses has for networks, and a network for servers and for its cloud."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, ip_network

FIRST_HOST = 10  # the addresses before it are left to the network's own needs (gateway, DHCP, metadata)


def addresses_in(prefix: int) -> int:
    """How many servers' addresses a network with a prefix of so many bits has."""
    return max(0, (1 << (32 - prefix)) - 2 - (FIRST_HOST - 1))


def free_ranges(pool: str, prefix: int, taken: Iterable[tuple[int, int]]) -> Iterator[IPv4Network]:
    """The ranges of a pool that are left for networks with a prefix of so many bits, from its beginning.

    ``taken`` are the first and last addresses of the ranges that are given, in their order; others than the pool's do no harm.
    """
    space, size = IPv4Network(pool), 2 ** (32 - prefix)
    start, end = int(space[0]), int(space[-1]) + 1
    for first, last in (*taken, (end, end)):
        while start + size <= min(first, end):
            yield IPv4Network((start, prefix))
            start += size
        start = max(start, -(-(last + 1) // size) * size)


def taken_by_cloud(cidr: str) -> tuple[str, str]:
    """The first and the last of the addresses that the cloud may give out itself, behind the gateway's."""
    network = ip_network(cidr)
    return str(network[2]), str(network[FIRST_HOST - 1])


LONGEST_PREFIX = max(prefix for prefix in range(32) if addresses_in(prefix))
"""Of the smallest network that has an address for a server, in bits."""
