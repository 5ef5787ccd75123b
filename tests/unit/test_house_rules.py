"""Rules of docs/architecture.md that the import contract cannot say: it knows packages from outside only as a whole."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE = [
    "govcloud/money.py", "govcloud/periods.py", "govcloud/approvals/routing.py", "govcloud/calendars/deadlines.py",
    "govcloud/chargeback/rating.py", "govcloud/orders/matter.py",
    "govcloud/reconciliation/comparison.py",
]  # fmt: skip
PAGES = ("api/", "govcloud/portal/", "govcloud/demo/", "govcloud/urls.py", "govcloud/wsgi.py")
SOURCES = [
    path
    for top in ("govcloud", "tenants", "api")
    for path in (ROOT / top).rglob("*.py")
    if "migrations" not in path.parts
]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_do_not_reach_the_database(module: str) -> None:
    assert not [each for each in imports(ROOT / module) if each.startswith("django.db")]


def test_requests_and_templates_stay_in_the_api_and_the_portal() -> None:
    pages = ("django.http", "django.template", "django.shortcuts", "django.views")
    strangers = [
        f"{name(path)} imports {each}"
        for path in SOURCES
        if not name(path).startswith(PAGES)
        for each in imports(path)
        if each.startswith(pages)
    ]
    assert strangers == []


def test_the_clock_is_read_at_the_edge_only() -> None:
    """Services are given the time: nothing below the edge asks for it."""
    edge = (
        "api/",
        "govcloud/portal/",
        "govcloud/demo/",
        "govcloud/embedded/",
        "govcloud/clock.py",
        "govcloud/sandbox/",
        "govcloud/gateways/",
    )
    readers = [
        name(path)
        for path in SOURCES
        if not name(path).startswith(edge) and path.name != "tasks.py" and "commands" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"now", "utcnow", "today"}
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "timezone", "date", "clock"}
    ]
    assert readers == []


def test_filters_of_the_api_refuse_what_is_neither_true_nor_false() -> None:
    """The one of django-filter leaves it out unread, and lists everything."""
    plain = [
        f"{name(path)}:{node.lineno}"
        for path in SOURCES
        if name(path).startswith("api/") and name(path) != "api/filters.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr == "BooleanFilter")
        or (isinstance(node, ast.Name) and node.id == "BooleanFilter")
    ]
    assert plain == [], "use api.filters.TrueOrFalseFilter"


def test_there_are_no_bags() -> None:
    bags = {"utils", "common", "helpers", "core", "misc", "shared"}
    assert not [name(path) for path in SOURCES if bags & set(path.with_suffix("").parts[-2:])]


def test_files_stay_readable() -> None:
    assert not [name(path) for path in SOURCES if len(path.read_text().splitlines()) > 450]
