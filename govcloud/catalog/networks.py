"""How many servers a network of a zone has addresses for."""

FIRST_HOST = 10  # the addresses before it are left to the network's own needs (gateway, DHCP, metadata)


def addresses_in(prefix: int) -> int:
    """How many servers' addresses a network with a prefix of so many bits has."""
    return max(0, (1 << (32 - prefix)) - 2 - (FIRST_HOST - 1))


LONGEST_PREFIX = max(prefix for prefix in range(32) if addresses_in(prefix))
"""Of the smallest network that has an address for a server, in bits."""
