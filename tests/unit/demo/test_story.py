"""The story's own tools: its client, its sums, and what it makes of a claim that does not hold."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from rich.console import Console

from govcloud.chargeback.rating import Charge, Usage, slices
from govcloud.demo.story.client import Api, Refused
from govcloud.demo.story.play import play
from govcloud.demo.story.recomputing import by_hand, fen, line_by_hand
from govcloud.demo.story.teller import ClaimFailed, Teller

NOVEMBER = (datetime(2026, 10, 31, 16, tzinfo=UTC), datetime(2026, 11, 30, 16, tzinfo=UTC))


class Answers(BaseHTTPRequestHandler):
    """Answers what the test has laid out, and remembers what it was asked."""

    answers: ClassVar[dict[str, tuple[int, Any]]] = {}
    asked: ClassVar[list[tuple[str, str, dict[str, str]]]] = []

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append((self.command, self.path, dict(self.headers)))
        status, body = self.answers.get(
            self.path, (404, {"type": "/api/v1/problems/not-found", "detail": "nothing"})
        )
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer  # noqa: N815  the base class calls them so

    def log_message(self, *_args: object) -> None:
        """Nothing to say."""


@pytest.fixture
def url() -> Iterator[str]:
    Answers.answers, Answers.asked = {}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def api(url: str) -> Iterator[Api]:
    api = Api(url, token="secret")
    yield api
    api.session.close()


def test_every_page_of_a_list_is_read(api: Api) -> None:
    Answers.answers = {
        "/api/v1/orders?status=draft&page=1&page_size=200": (200, {"results": [{"n": 1}], "next": "more"}),
        "/api/v1/orders?status=draft&page=2&page_size=200": (200, {"results": [{"n": 2}], "next": None}),
    }
    assert [row["n"] for row in api.all("orders", status="draft")] == [1, 2]


def test_a_refusal_carries_the_code_of_the_problem_and_what_it_points_at(api: Api) -> None:
    problem = {
        "type": "/api/v1/problems/invalid",
        "detail": "Twice wrong.",
        "errors": [{"pointer": "/items/0/flavor", "code": "retired", "detail": "gone"}],
    }
    Answers.answers = {"/api/v1/orders": (422, problem)}
    with pytest.raises(Refused, match=r"422 invalid: Twice wrong\. \[/items/0/flavor: retired\]") as refusal:
        api.post("orders", {})
    assert (refusal.value.status, refusal.value.code) == (422, "invalid")


def test_each_post_brings_its_token_and_a_key_of_its_own(api: Api) -> None:
    Answers.answers = {"/api/v1/orders": (201, {})}
    api.post("orders", {})
    api.post("orders", {})
    headers = [headers for _method, _path, headers in Answers.asked]
    assert {h["Authorization"] for h in headers} == {"Bearer secret"}
    assert len({h["Idempotency-Key"] for h in headers}) == 2


def test_a_service_that_is_not_there_fails_the_story_and_is_written_down(tmp_path: Path) -> None:
    out = tmp_path / "story.json"
    console = Console(quiet=True)
    held = play(url="http://127.0.0.1:9", password="x", console=console, out=out, patience=1, keep_going=True)
    assert not held
    story = json.loads(out.read_text(encoding="utf-8"))
    assert story["succeeded"] is False
    assert "Everybody signs in" in story["failures"][0]


def test_a_claim_that_does_not_hold_ends_the_story() -> None:
    teller = Teller(Console(quiet=True))
    with pytest.raises(ClaimFailed, match="the moon is cheese; found: rock"), teller.chapter("Sky"):
        teller.claim("the moon is cheese", holds=False, found="rock")


def test_a_story_that_keeps_going_has_failed_all_the_same() -> None:
    teller = Teller(Console(quiet=True), keep_going=True)
    with teller.chapter("Sky"):
        teller.claim("the moon is cheese", holds=False)
        teller.claim("the sun is warm", holds=True)
    assert teller.failures == ["Sky: the moon is cheese"]
    assert teller.chapters[0].claims == ["the sun is warm"]


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [
        (Fraction("0.005"), "0.01"),
        (Fraction("0.0049994"), "0.00"),
        (Fraction("0.0049999"), "0.01"),  # at six places it is 0.005000
        (Fraction(1, 3), "0.33"),
    ],
)
def test_money_is_rounded_at_six_places_and_then_to_the_fen(exact: Fraction, rounded: str) -> None:
    assert fen(exact) == Decimal(rounded)


def segment(start: str, end: str | None, quantity: str = "500") -> dict[str, Any]:
    return {
        "uuid": f"of {quantity}",
        "start": start,
        "end": end,
        "quantity": quantity,
        "meter": {"code": "block_sas_gb"},
    }


def test_usage_that_grows_in_mid_month_is_billed_by_both_its_sizes() -> None:
    rows = [
        segment("2026-11-10T00:00:00Z", "2026-11-20T00:00:00Z"),
        segment("2026-11-20T00:00:00Z", None, "800"),
    ]
    bill = by_hand(segments=rows, prices={"block_sas_gb": Decimal("0.4")}, month=NOVEMBER)
    days = {
        "of 500": Decimal("66.67"),
        "of 800": Decimal("113.78"),
    }  # 10 days of 200, 10 2/3 days of 320, out of 30
    assert {segment: amount for (segment, _start), amount in bill.items()} == days


def test_usage_of_other_months_is_not_billed() -> None:
    rows = [segment("2026-09-01T00:00:00Z", "2026-10-31T16:00:00Z"), segment("2026-11-30T16:00:00Z", None)]
    assert by_hand(segments=rows, prices={"block_sas_gb": Decimal("0.4")}, month=NOVEMBER) == {}


def test_the_storys_sum_and_the_products_agree_on_an_awkward_slice() -> None:
    start, end = (
        datetime(2026, 11, 3, 1, 2, 3, 456_789, tzinfo=UTC),
        datetime(2026, 11, 17, 23, 0, 0, 1, tzinfo=UTC),
    )
    row = {**segment(start.isoformat(), end.isoformat()), "quantity": "37.125000"}
    by_story = by_hand(segments=[row], prices={"block_sas_gb": Decimal("0.333333")}, month=NOVEMBER)
    usage = Usage(Decimal("37.125"), start, end)
    (by_product,) = slices(usage, charges=[Charge(Decimal("0.333333"), None, None)], month=NOVEMBER)
    assert list(by_story.values()) == [by_product.amount]


def test_a_line_can_be_recomputed_from_its_own_figures() -> None:
    line = {
        "quantity": "4.000000",
        "per_month": "46.000000",
        "seconds": "864000.500000",
        "month_seconds": 2_592_000,
    }
    assert line_by_hand(line) == Decimal("61.33")
