from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govcloud.sandbox.errors import ApiError
from govcloud.sandbox.network import addresses


@pytest.mark.parametrize(
    ("cidr", "gateway", "pools"),
    [
        ("10.1.0.0/24", "10.1.0.1", [("10.1.0.2", "10.1.0.254")]),
        ("10.1.0.0/24", "10.1.0.254", [("10.1.0.1", "10.1.0.253")]),
        ("10.1.0.0/24", "10.1.0.100", [("10.1.0.1", "10.1.0.99"), ("10.1.0.101", "10.1.0.254")]),
        ("10.1.0.0/24", None, [("10.1.0.1", "10.1.0.254")]),
        ("10.1.0.0/30", "10.1.0.1", [("10.1.0.2", "10.1.0.2")]),
    ],
)
def test_the_pool_is_every_host_but_the_gateway(cidr, gateway, pools):
    found = addresses.default_pools(ip_network(cidr), gateway)
    assert [(pool["start"], pool["end"]) for pool in found] == pools


@given(prefix=st.integers(20, 30), position=st.integers(1, 1000))
def test_pools_never_hold_the_gateway_the_network_or_the_broadcast(prefix, position):
    cidr = ip_network(f"10.0.0.0/{prefix}")
    gateway = cidr.network_address + 1 + position % (cidr.num_addresses - 2)
    pools = addresses.default_pools(cidr, str(gateway))
    inside = {
        number
        for pool in pools
        for number in range(
            int(addresses.parsed_address(pool["start"])), int(addresses.parsed_address(pool["end"])) + 1
        )
    }
    assert len(inside) == cidr.num_addresses - 3
    assert not inside & {int(gateway), int(cidr.network_address), int(cidr.broadcast_address)}


@pytest.mark.parametrize("text", ["10.1.0.1/24", "10.1.0.0/33", "x", ""])
def test_what_is_no_network_is_refused(text):
    with pytest.raises(ApiError) as error:
        addresses.parsed_network(text)
    assert error.value.status == 400
