"""Lists of a whole cloud whose last row has gone before the next page is asked for: Neutron answers 404 to such a marker."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

from govcloud.gateways.openstack import errors
from govcloud.gateways.openstack.census import Census

if TYPE_CHECKING:
    from govcloud.gateways.openstack.transport import Transport

ROUTER = {
    "id": "r", "project_id": "p", "name": "r", "status": "ACTIVE", "admin_state_up": True, "external_gateway_info": None,
}  # fmt: skip
ADDRESS = {
    "id": "f", "project_id": "p", "floating_ip_address": "192.0.2.1", "floating_network_id": "n", "status": "ACTIVE",
}  # fmt: skip
List = Callable[[Census], Iterator[list[Any]]]
LISTS = [("/routers", ROUTER, Census.routers), ("/floatingips", ADDRESS, Census.floating_ips)]


class Neutron:
    """Gives these pages of one path, then 404."""

    def __init__(self, path: str, pages: list[list[dict[str, Any]]]) -> None:
        self.path, self.given = path, pages

    def whole_pages(self, service: str, path: str, **_query: Any) -> Iterator[list[dict[str, Any]]]:
        if path != self.path:
            return
        yield from self.given
        raise errors.NotFound("Router r could not be found", service=service, status=404)


@pytest.mark.parametrize(("path", "row", "listed"), LISTS)
def test_a_list_that_breaks_off_is_not_taken_for_whole(path: str, row: dict[str, Any], listed: List) -> None:
    census = Census(cast("Transport", Neutron(path, [[row]])))
    with pytest.raises(errors.NotFound):
        list(listed(census))


@pytest.mark.parametrize(("path", "_row", "listed"), LISTS)
def test_a_cloud_that_has_no_such_thing_has_none(path: str, _row: dict[str, Any], listed: List) -> None:
    assert list(listed(Census(cast("Transport", Neutron(path, []))))) == []
