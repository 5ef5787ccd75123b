"""What lists and searches cost once there are 100,000 orders.

    make bench-lists                        # ARGS="--orders 20000 --times 40 --only search"

Fills a database of its own below ``GOVCLOUD_VAR`` with orders of a hundred departments (kept: the next run measures at once),
starts the web server as ``manage.py up`` does, with two workers, and asks for each list a few times in turn. Prints and
keeps (``bench.json``) the median, the 95th percentile and the number of SQL statements; asserts nothing.
"""

import os
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from govcloud.embedded.supervisor import Supervisor
    from tenants.models import User
    from tests.bench.crowd import Crowd

HOST = "127.0.0.1"
WARMING = 3
API = "/api/v1"


@dataclass(frozen=True, slots=True)
class Asked:
    name: str
    who: "User"
    path: str
    query: Mapping[str, Any]

    @property
    def url(self) -> str:
        return quote(self.path) + ("?" + urlencode(self.query) if self.query else "")


def main(arguments: list[str] | None = None) -> None:
    options = _read(arguments)
    base = Path(os.environ.get("GOVCLOUD_VAR", "var")).resolve()
    for name in ("DATABASE_URL", "BROKER_URL", "OS_CLOUD"):
        os.environ.pop(name, None)
    os.environ |= {"GOVCLOUD_VAR": str(base / "bench-lists"), "DJANGO_SETTINGS_MODULE": "govcloud.settings"}
    os.environ["LOG_LEVEL"] = "WARNING"
    import django  # noqa: PLC0415  the settings read the environment that was just prepared

    django.setup()
    with _installation() as (supervisor, port):
        crowd = _crowd(orders=options.orders)
        _measure(supervisor, port, crowd, options)


def _read(arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser(prog="lists", description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=20, help="how often each list is asked for")
    parser.add_argument("--only", default="", help="lists whose name contains this")
    return parser.parse_args(arguments)


@contextmanager
def _installation() -> "Iterator[tuple[Supervisor, int]]":
    """Database and web server as ``manage.py up`` starts them; without worker and scheduler, nothing else is going on."""
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415

    from govcloud.embedded import installation, postgres  # noqa: PLC0415
    from govcloud.embedded.supervisor import Supervisor  # noqa: PLC0415
    from tests.bench.results import console  # noqa: PLC0415

    supervisor = Supervisor(say=console.print)
    try:
        installation.prepare()
        supervisor.start(installation.database())
        postgres.ensure_database(Path(os.environ["GOVCLOUD_VAR"]))
        call_command("migrate", verbosity=0)
        yield supervisor, installation.free_port(0)
    finally:
        connections.close_all()
        supervisor.stop()


def _crowd(*, orders: int) -> "Crowd":
    """The one of the run before if it was as large."""
    from django.db import connection  # noqa: PLC0415

    from govcloud import clock  # noqa: PLC0415
    from govcloud.orders.models import Order  # noqa: PLC0415
    from tests.bench import crowd  # noqa: PLC0415

    there = Order.objects.count()
    if not there:
        crowd.fill(orders=orders, at=clock.now())
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    elif there < orders:
        sys.exit(f"There are {there} orders in {os.environ['GOVCLOUD_VAR']}; remove it first.")
    return crowd.found(at=clock.now())


def _measure(supervisor: "Supervisor", port: int, crowd: "Crowd", options: Namespace) -> None:
    from govcloud.embedded import installation  # noqa: PLC0415
    from tests.bench import results  # noqa: PLC0415

    supervisor.start(installation.web(port))
    headers = {person.pk: _headers(person) for person in crowd.people}  # for the pages and for the API
    figures = {}
    results.tell(f"{'list':<62}{'SQL':>5}{'p50 ms':>10}{'p95 ms':>10}{'kB':>8}")
    for asked in lists_of(crowd):
        if options.only not in asked.name:
            continue
        with_these = headers[asked.who.pk][asked.path.startswith(API)]
        took, size = _times(port, asked, with_these, times=options.times)
        statements = _statements(asked, with_these)
        figure = {
            "sql": statements,
            "p50_ms": round(median(took), 1),
            "p95_ms": round(quantiles(took, n=20)[18], 1),
        }
        figures[asked.name] = figure
        line = f"{asked.name:<62}{statements:>5}{figure['p50_ms']:>10}{figure['p95_ms']:>10}{size // 1000:>8}"
        results.tell(line)
    results.keep(f"lists over {options.orders} orders", **figures)


def _headers(person: "User") -> tuple[dict[str, str], dict[str, str]]:
    """Signed in to the pages by a session and to the API by a token."""
    from django.conf import settings  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    from tests.factories.tenants import token_of  # noqa: PLC0415

    browser = Client()
    browser.force_login(person)
    session = browser.cookies[settings.SESSION_COOKIE_NAME].value
    _label, token = token_of(person)
    return (
        {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}; {settings.LANGUAGE_COOKIE_NAME}=zh-hans"},
        {"Authorization": f"Bearer {token}", "Accept-Language": "zh-hans"},
    )


def _times(port: int, asked: Asked, headers: dict[str, str], *, times: int) -> tuple[list[float], int]:
    """Milliseconds from request to last byte, over one connection, and the bytes of an answer."""
    took = []
    server = HTTPConnection(HOST, port, timeout=60)
    for turn in range(WARMING + times):
        began = time.perf_counter()
        server.request("GET", asked.url, headers=headers)
        answer = server.getresponse()
        body = answer.read()
        if answer.status != 200:
            sys.exit(f"{asked.name}: {asked.url} was answered with {answer.status}: {body[:300]!r}")
        if turn >= WARMING:
            took.append((time.perf_counter() - began) * 1000)
    server.close()
    return took, len(body)


def _statements(asked: Asked, headers: dict[str, str]) -> int:
    """How many read or write; the beginning and the end of a transaction do neither."""
    from django.db import connection  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    browser = Client(headers=headers, SERVER_NAME=HOST)
    with CaptureQueriesContext(connection) as captured:
        browser.get(asked.url)
    return sum(query["sql"] not in {"BEGIN", "COMMIT"} for query in captured)


def lists_of(crowd: "Crowd") -> Iterator[Asked]:
    for name, who in (("applicant", crowd.applicant), ("approver", crowd.approver)):
        for what, query in _order_queries(crowd):
            yield Asked(f"API orders, {what}: {name}", who, f"{API}/orders", query)
        for what, query in _worktop_queries(crowd):
            yield Asked(f"portal orders, {what}: {name}", who, "/orders/", query)
    for name, who in (("unit approver", crowd.unit_approver), ("reviewer", crowd.reviewer)):
        yield Asked(f"API cases to decide: {name}", who, f"{API}/cases", {"todo": "true"})
        yield Asked(f"portal orders to decide: {name}", who, "/orders/", {"view": "todo"})
    last = crowd.many // 50 - 1
    yield Asked("API orders, last page: approver", crowd.approver, f"{API}/orders", {"page": last})
    yield Asked(
        "portal orders, last page: approver", crowd.approver, "/orders/", {"page": crowd.many // 20 - 1}
    )
    yield Asked("API cases: approver", crowd.approver, f"{API}/cases", {})
    yield Asked("API supervision cards: supervisor", crowd.supervisor, f"{API}/supervision-cards", {})
    yield Asked("portal supervision, this month: supervisor", crowd.supervisor, "/supervision/", {})
    yield Asked(
        "portal supervision, a full month: supervisor",
        crowd.supervisor,
        "/supervision/",
        {"month": crowd.month},
    )
    yield Asked("API audit events: auditor", crowd.auditor, f"{API}/audit-events", {})
    yield Asked("portal audit trail: auditor", crowd.auditor, "/audit/", {})
    yield Asked(
        "portal audit trail, search of a number: auditor", crowd.auditor, "/audit/", {"q": crowd.number}
    )


SEARCHED = {
    "search of 1 character": "税",
    "search of 2 characters": "低保",
    "search of 3 characters": "不动产",
    "search of a system's name": "不动产登记系统",
    "search of two words": "省 信创改造",
    "search of what is not there": "量子",
}


def _order_queries(crowd: "Crowd") -> Iterator[tuple[str, dict[str, Any]]]:
    yield "first page", {}
    yield "deep page", {"page": 5}
    yield "in approval", {"status": "in_approval"}
    yield "fulfilled", {"status": "fulfilled"}
    yield "of the department", {"department": crowd.department.uuid}
    yield "of the system", {"system": crowd.system.uuid}
    yield "of a quarter", {"created_after": f"{crowd.month}-01T00:00:00Z", "ordering": "created_at"}
    yield "by number", {"number": crowd.number}
    yield "search of a number", {"search": crowd.number}
    yield "search of part of a number", {"search": crowd.number[-6:]}
    for what, text in SEARCHED.items():
        yield what, {"search": text}


def _worktop_queries(crowd: "Crowd") -> Iterator[tuple[str, dict[str, Any]]]:
    yield "first page", {}
    yield "deep page", {"page": 10}
    yield "in approval", {"status": "in_approval"}
    yield "waiting for me", {"view": "todo"}
    yield "my applications", {"view": "mine"}
    yield "of the system", {"system": crowd.system.code}
    yield "by amount", {"sort": "-amount"}
    yield "by title", {"sort": "title"}
    yield "search of a number", {"q": crowd.number}
    for what, text in SEARCHED.items():
        yield what, {"q": text}


if __name__ == "__main__":
    main()
