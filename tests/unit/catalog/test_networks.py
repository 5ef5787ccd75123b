"""The ranges of a pool that are left."""

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from govcloud.catalog.networks import free_ranges

POOL = "10.9.0.0/24"
START = int(ip_network(POOL)[0])
RANGES = st.lists(
    st.tuples(st.integers(-40, 300), st.integers(0, 70)).map(lambda r: (START + r[0], START + r[0] + r[1]))
)


@given(RANGES, st.integers(24, 30))
def test_they_are_all_that_overlap_nothing_that_is_given(taken: list[tuple[int, int]], prefix: int) -> None:
    free = [
        network
        for network in ip_network(POOL).subnets(new_prefix=prefix)
        if not any(first <= int(network[-1]) and last >= int(network[0]) for first, last in taken)
    ]
    assert list(free_ranges(POOL, prefix, sorted(taken))) == free
