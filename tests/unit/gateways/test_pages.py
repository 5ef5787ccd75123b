"""Lists in pages, read to their end from services that mark the next page each in their own way."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from govcloud.gateways.openstack import errors
from govcloud.gateways.openstack.compute import Compute
from govcloud.gateways.openstack.transport import Transport

PAGE = 4


class Service(Transport):
    """Lists rows, of which some go when the first page has been read; asked for what is behind one of these it refuses."""

    def __init__(self, rows: list[dict[str, Any]], *, going: set[str], links: str = "servers_links") -> None:
        self.rows, self.going, self.links, self.mark = rows, going, links, "id"
        self.markers: list[str] = []

    def get(
        self,
        service: str,
        path: str,  # noqa: ARG002
        *,
        params: Mapping[str, Any] | None = None,
        microversion: str | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        start, key = 0, "instanceActions" if self.mark == "request_id" else "servers"
        if params and "marker" in params:
            (marker,) = params["marker"]
            self.markers.append(marker)
            self.rows = [row for row in self.rows if row[self.mark] not in self.going]
            ids = [row[self.mark] for row in self.rows]
            if marker not in ids:
                raise errors.Refused(f"marker [{marker}] not found", service=service, status=400)
            start = ids.index(marker) + 1
        page = self.rows[start : start + PAGE]
        body: dict[str, Any] = {key: page}
        if len(self.rows) > start + PAGE:
            query = urlencode({"limit": PAGE, "marker": page[-1][self.mark]})
            body[self.links] = [{"rel": "next", "href": f"http://cloud/servers?{query}"}]
        return body


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": f"s{n}"} for n in range(count)]


def read(service: Service) -> list[str]:
    return [row["id"] for row in service.pages("compute", "/servers", key="servers")]


@pytest.mark.parametrize("going", [{"s3"}, {"s3", "s2"}, {"s3", "s2", "s1"}, {"s3", "s1"}, {"s3", "s5"}])
def test_a_list_goes_on_where_the_row_that_its_next_page_begins_behind_has_gone(going: set[str]) -> None:
    """Nothing is left out, and nothing told twice: the first page has been read with what has gone since."""
    service = Service(rows(11), going=going)
    assert read(service) == [f"s{n}" for n in range(11) if n < PAGE or f"s{n}" not in going]


def test_a_list_of_which_a_whole_page_has_gone_is_not_taken_for_whole() -> None:
    service = Service(rows(11), going={"s0", "s1", "s2", "s3"})
    with pytest.raises(errors.Refused, match="s3"):
        read(service)
    assert service.markers == ["s3", "s2", "s1", "s0"]


def test_what_was_asked_of_a_server_is_read_to_its_end() -> None:
    """Nova puts its links under another name there, and marks by the requests' ids."""
    asked = [{"request_id": f"req-{n}", "action": "reboot"} for n in range(9)]
    service = Service(asked, going=set(), links="links")
    service.mark = "request_id"
    assert [each.request_id for each in Compute(service).actions("s")] == [f"req-{n}" for n in range(9)]
