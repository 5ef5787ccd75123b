from datetime import UTC, datetime
from pathlib import Path

import pytest
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import ApiError, bad_request
from govcloud.sandbox.guests.fleet import Fleet
from govcloud.sandbox.versions import negotiate
from govcloud.sandbox.web import PAGE, Call, page


@pytest.fixture
def asking(tmp_path: Path):
    cloud = Cloud(directory=tmp_path, base_url="http://sandbox", guests=Fleet(tmp_path, enabled=False))

    def ask(query: str) -> Call:
        request = Request({"REQUEST_METHOD": "GET", "PATH_INFO": "/servers", "QUERY_STRING": query})
        return Call(cloud, request, "compute", "req-1", datetime(2026, 11, 18, tzinfo=UTC), {})

    return ask


ROWS = [{"id": str(number)} for number in range(PAGE + 5)]


def paged(call: Call):
    return page(call, ROWS, path="/servers", missing=bad_request)


def test_a_page_has_at_most_a_thousand_rows_and_leads_to_the_next(asking):
    rows, links = paged(asking("limit=5000&name=web"))
    assert len(rows) == PAGE
    assert links == [{"rel": "next", "href": f"http://sandbox/servers?limit=5000&name=web&marker={PAGE - 1}"}]
    rest, end = paged(asking(f"marker={PAGE - 1}"))
    assert ([row["id"] for row in rest], end) == ([str(PAGE + n) for n in range(5)], [])


@pytest.mark.parametrize("query", ["marker=none", "limit=-1", "limit=many"])
def test_a_bad_place_to_go_on_from_is_refused(asking, query):
    with pytest.raises(ApiError) as error:
        paged(asking(query))
    assert error.value.status == 400


@pytest.mark.parametrize(
    ("service", "header", "version"),
    [
        ("compute", None, (2, 1)),
        ("compute", "compute 2.96", (2, 96)),
        ("compute", "compute latest", (2, 100)),
        ("compute", "volume 3.42", (2, 1)),
        ("volume", "volume 3.42", (3, 42)),
        ("network", "compute 2.96", (0, 0)),
    ],
)
def test_the_microversion_is_the_one_asked_for(service, header, version):
    assert negotiate(service, Headers({"OpenStack-API-Version": header} if header else {})) == version


@pytest.mark.parametrize(
    ("asked", "status"), [("compute 2.999", 406), ("compute 3.0", 406), ("compute two", 400)]
)
def test_a_version_there_is_not_is_refused(asked, status):
    with pytest.raises(ApiError) as error:
        negotiate("compute", Headers({"OpenStack-API-Version": asked}))
    assert error.value.status == status
