"""What is asked: requests that schemathesis makes of the API's description, and well-formed ones with one thing wrong."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from api import __file__ as api_file
from tests.api.test_access import TABLE
from tests.fuzz.world import PERSONAS, World

DESCRIPTION = Path(api_file).with_name("openapi.yaml")
AS_STORED = 0.85
"""How often a path leads to something that is there; else it is as it was generated."""
ABSENT = object()
ODD = (
    None, True, 0, -1, 2**31, 2**63, 10**400, 1e308, 0.1, "", " ", "\x00", "a\x00b", "\ud800", "\udfff\ud800", "é" * 100_000,
    "\u202e", "🏛️", "1" * 5000, "-1", "NaN", "Infinity", "1e999", "0x10", "2026-13-45", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00",
    "2026-02-30T00:00:00Z", "24:00", "00000000-0000-0000-0000-000000000000", "../../etc/passwd", "%s%n{0}", "' OR 1=1 --", "<script>",
    "::1", "0.0.0.0/0", "300.1.1.1/40", "http://[", "https://\x7f", "=1+1", [], {}, [[]], [None], [{}], {"": None}, ["a"] * 2000,
    ["00000000-0000-0000-0000-000000000000"] * 2, {"a" * 300: 1}, ABSENT,
)  # fmt: skip
"""Values that somebody's program has sent to somebody's API."""
RAW = (
    (b"", "application/json"),
    (b"{", "application/json"),
    (b"\xff\xfe{}", "application/json"),
    (b"null", "application/json"),
    (b'"text"', "application/json"),
    (b"[]", "application/json"),
    (b"[1]", "application/json"),
    (b"1" * 5000, "application/json"),
    (b'{"a": NaN}', "application/json"),
    (b'{"a": 1, "a": 2}', "application/json"),
    (b"[" * 50_000, "application/json"),
    (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "application/json"),
    (b"{}", "application/json; charset=utf-16"),
    (b"{}", "application/json; charset=no-such"),
    (b"{}", "text/plain"),
    (b"{}", "\x00/\x00"),
    (b"a=1", "application/x-www-form-urlencoded"),
    (b"--x\r\n", "multipart/form-data; boundary=x"),
    (b"{}", "multipart/form-data"),
    (b"<a/>", "application/xml"),
)
ODD_TEXT = ("\x00", "é" * 3000, "-1", "0", "99999999999999999999", "1e5", "2026-13-45", "null", "true", "%", "9999-12-31T23:59:59+00:00", "a,b", "'", "")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    described: Any
    """As schemathesis has it."""
    made: tuple[Any, ...]
    """What it generated for everybody to ask."""
    covering: tuple[Any, ...]
    """The edges of each parameter and field."""

    @property
    def route(self) -> str:
        """As the table of tests/api/test_access.py has it: ``POST orders/{key}/submission``."""
        path = self.described.path.removeprefix("/api/v1/")
        start, end = path.find("{"), path.find("}")
        short = path if start < 0 else f"{path[:start]}{{key}}{path[end + 1 :]}"
        return f"{self.described.method.upper()} {short}"

    @property
    def resource(self) -> str:
        return str(self.described.path.removeprefix("/api/v1/").split("/")[0])


@dataclass(frozen=True, slots=True)
class Request:
    case: Any
    data: bytes | None = None
    """Sent in place of the case's body, as ``media_type``."""
    media_type: str = ""

    @property
    def said(self) -> str:
        """All that the caller said, so that what is only echoed can be told from what was given away."""
        body = json.dumps(self.case.body, default=str) if isinstance(self.case.body, (dict, list)) else ""
        return f"{self.case.formatted_path} {self.case.query} {body} {(self.data or b'')[:200]!r} {self.media_type}"


def operations(*, examples: int, beginning: int, only: str) -> list[Operation]:
    description = schemathesis.openapi.from_path(DESCRIPTION)
    generation = description.config.generation
    generation.update(with_security_parameters=False)
    found = [each.ok() for each in description.get_all_operations()]
    return [
        Operation(
            described=each,
            made=tuple(
                case
                for mode in GenerationMode
                for case in _drawn(each, mode, examples=examples, beginning=beginning)
            ),
            covering=tuple(
                description.iter_coverage_cases(
                    each, generation_modes=list(GenerationMode), generation_config=generation
                )
            ),
        )
        for each in found
        if only in each.label
    ]


def _drawn(operation: Any, mode: GenerationMode, *, examples: int, beginning: int) -> list[Any]:
    drawn: list[Any] = []

    @seed(beginning)
    @settings(
        max_examples=examples, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )  # fmt: skip
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: Any) -> None:
        drawn.append(case)

    try:
        collect()
    except Unsatisfiable:  # an operation that takes nothing can be given nothing wrong
        return []
    return drawn


def asked(operation: Operation, *, who: str, at: World, examples: int, beginning: int) -> Iterator[Request]:
    """All that this person asks of the operation: the same kinds in the same order whenever the arguments are the same.

    Everybody asks it well-formed once, and ``examples`` times otherwise. Who is let in by the committed table of
    routes and roles is dealt a part of the edges as well.
    """
    chance = Random(f"{beginning} {who} {operation.route}")
    yield Request(_settled(_well_formed(operation, at, chance), operation, at, chance))
    for _example in range(examples):
        yield _one(operation, at, chance)
    inside = let_in(operation.route)
    if who in inside:
        for _example in range(max(1, 8 * examples // len(inside))):
            yield _edge(operation, at, chance)


def _one(operation: Operation, at: World, chance: Random) -> Request:
    """One that was generated, or the well-formed one with something wrong."""
    described = operation.described
    kind = chance.random()
    if operation.made and kind < 0.5:
        case = chance.choice(operation.made)
    elif described.body and kind < 0.9:
        case = _well_formed(operation, at, chance)
        case.body = _with_one_thing_wrong(case.body, chance)
    else:
        case = _well_formed(operation, at, chance)
        case.query = _odd_query(described, chance)
    return Request(_settled(case, operation, at, chance))


def _edge(operation: Operation, at: World, chance: Random) -> Request:
    """One of the edges of what it takes; or a body that is no JSON, or not said to be."""
    if operation.described.body and chance.random() < 0.25:
        body, kind = chance.choice(RAW)
        return Request(
            _settled(operation.described.Case(), operation, at, chance), data=body, media_type=kind
        )
    if not operation.covering or chance.random() < 0.3:
        return _one(operation, at, chance)
    return Request(_settled(chance.choice(operation.covering), operation, at, chance))


def _well_formed(operation: Operation, at: World, chance: Random) -> Any:
    """With a body that reaches the rules behind the form where we know one, else with one that was generated."""
    described = operation.described
    if not described.body:
        return described.Case(headers=_headers(described))
    right = at.bodies.get(operation.route)
    if right is not None:
        body, kind = chance.choice(right), "application/json"
    else:
        made = [each for each in operation.made if isinstance(each.body, dict)]
        body, kind = (made[0].body, made[0].media_type) if made else ({}, "application/json")
    return described.Case(body=deepcopy(body), media_type=kind, headers=_headers(described))


@cache
def let_in(route: str) -> tuple[str, ...]:
    """Whom the table of tests/api answers otherwise than by a refusal of their role; everybody where it has no row."""
    row = json.loads(TABLE.read_text()).get(route)
    if row is None:
        return PERSONAS
    return tuple(who for who in PERSONAS if row.get(who, row["stranger"]) not in {401, 403}) or PERSONAS


def _headers(described: Any) -> dict[str, str]:
    return {"If-Match": "*"} if any(each.name == "If-Match" for each in described.headers) else {}


def _odd_query(described: Any, chance: Random) -> dict[str, Any]:
    names = [each.name for each in described.query] or ["page"]
    return {name: chance.choice(ODD_TEXT) for name in chance.sample(names, min(len(names), 2))}


def _settled(case: Any, operation: Operation, at: World, chance: Random) -> Any:
    """The request as this person sends it: mostly to what is there, and naming what is there."""
    described = operation.described
    path = dict(case.path_parameters or {})
    keys = at.ids.get(operation.resource, [])
    for each in described.path_parameters:
        if each.name not in path or (keys and chance.random() < AS_STORED):
            path[each.name] = str(chance.choice([*keys[:1], *keys]) if keys else chance.choice(at.uuids))
    headers = dict(case.headers or {})
    if headers.get("If-Match") is None or chance.random() < AS_STORED:
        headers.update(_headers(described))
    return described.Case(
        path_parameters=path,
        query=_naming(dict(case.query or {}), at, chance),
        headers=headers,
        body=_naming(deepcopy(case.body), at, chance) if isinstance(case.body, (dict, list)) else case.body,
        media_type=case.media_type,
        multipart_content_types=case.multipart_content_types,
    )


def _naming(value: Any, at: World, chance: Random) -> Any:
    """Ids in it become, mostly, ids of what is there."""
    if isinstance(value, dict):
        return {name: _naming(each, at, chance) for name, each in value.items()}
    if isinstance(value, list):
        return [_naming(each, at, chance) for each in value]
    if isinstance(value, str) and len(value) == 36 and value.count("-") == 4 and value not in at.uuids:
        return chance.choice(at.uuids) if chance.random() < AS_STORED else value
    return value


def _with_one_thing_wrong(body: Any, chance: Random) -> Any:
    """The body with one of its values, however deep, an odd one, missing, or under another name."""
    places = list(_places(body))
    if not places or chance.random() < 0.05:
        return {**body, "no-such\x00field": 1}
    holder, key = chance.choice(places)
    value = chance.choice(ODD)
    if value is ABSENT:
        del holder[key]
    elif isinstance(holder, dict) and chance.random() < 0.1:
        holder["a\x00b"] = holder.pop(key)
    else:
        holder[key] = value
    return body


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in list(inside):
        yield value, key
        yield from _places(each)
