"""Routes, calls and answers: what every service module is written with."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from werkzeug.wrappers import Request

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import ApiError, bad_request, forbidden
from govcloud.sandbox.store import Row

Body = dict[str, Any]
PAGE = 1000
"""The most rows Nova and Cinder put on one page."""


@dataclass(frozen=True)
class Caller:
    """Who a token speaks for."""

    user_id: str
    project_id: str | None
    roles: frozenset[str]

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles


@dataclass
class Answer:
    """What goes back: `content` is JSON unless it is bytes already; None sends no body."""

    status: int = 200
    content: Body | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass
class Call:
    """One request, authenticated, on its way through a service."""

    cloud: Cloud
    request: Request
    service: str
    request_id: str
    now: datetime
    args: dict[str, str]
    version: tuple[int, int] = (0, 0)
    outcome: str | None = None
    outcome_message: str = ""
    _caller: Caller | None = None

    @property
    def caller(self) -> Caller:
        if self._caller is None:
            raise ApiError(401, "The request you have made requires authentication.")
        return self._caller

    def authenticate(self, caller: Caller) -> None:
        """Say who calls."""
        self._caller = caller

    @property
    def project(self) -> str:
        """The project the token is scoped to.

        Raises:
            ApiError: 403 when the token has none.

        """
        if self.caller.project_id is None:
            raise forbidden("The request needs a project-scoped token.")
        return self.caller.project_id

    @property
    def json(self) -> Body:
        """The request's JSON object.

        Raises:
            ApiError: 400 when the body is not one.

        """
        try:
            document = json.loads(self.request.get_data() or b"{}")
        except ValueError as error:
            raise bad_request("Malformed request body") from error
        if not isinstance(document, dict):
            raise bad_request("Malformed request body")
        return document

    def part(self, name: str) -> Body:
        """The object under the one key the request's body must have."""
        value = self.json.get(name)
        if not isinstance(value, dict):
            raise bad_request(
                f"Invalid input for field/attribute {name}. Value: {value}. '{name}' is a required property"
            )
        return value

    def query(self, name: str) -> str | None:
        """A query parameter, or None."""
        return self.request.args.get(name)

    def flag(self, *names: str) -> bool:
        """Whether any of the named query parameters is true."""
        return any((self.query(name) or "").lower() in {"1", "true", "yes", "t"} for name in names)

    def require_admin(self, rule: str) -> None:
        """Refuse callers without the admin role, naming the policy rule."""
        if not self.caller.is_admin:
            raise forbidden(f"Policy doesn't allow {rule} to be performed.", kind="PolicyNotAuthorized")

    def sees(self, row: Row) -> bool:
        """Whether a project-owned row is the caller's to see."""
        return self.caller.is_admin or row.get("project_id") == self.caller.project_id

    def link(self, path: str) -> str:
        """An absolute address on this cloud."""
        return self.cloud.base_url + path


Handler = Callable[[Call], Answer | Body | None]


@dataclass(frozen=True)
class Route:
    """One address of one service."""

    service: str
    method: str
    path: str
    handler: Handler
    status: int
    public: bool
    streams: bool


class Routes:
    """The addresses of one service, under one prefix; a decorator for their handlers."""

    def __init__(self, service: str, *prefixes: str) -> None:
        self.service = service
        self.prefixes = prefixes
        self.all: list[Route] = []

    def __call__(
        self, method: str, path: str, *, status: int = 200, public: bool = False, streams: bool = False
    ) -> Callable[[Handler], Handler]:
        """Register a handler.

        `public` needs no token; `streams` runs without the cloud's lock and takes it by itself.
        """

        def register(handler: Handler) -> Handler:
            for prefix in self.prefixes:
                self.all.append(Route(self.service, method, prefix + path, handler, status, public, streams))
            return handler

        return register


def stamp(moment: str | None, *, form: str = "zulu") -> str | None:
    """A stored time as a service writes it: `zulu` to the second with Z, `micro` with microseconds and no zone."""
    if moment is None:
        return None
    plain = moment.removesuffix("+00:00")
    return plain.split(".")[0] + "Z" if form == "zulu" else plain


def matches_name(row: Row, pattern: str | None) -> bool:
    """Nova's name filter: a regular expression searched for."""
    return pattern is None or re.search(pattern, row["name"]) is not None


def page(
    call: Call, rows: list[Row], *, path: str, missing: Callable[[str], ApiError], marked_by: str = "id"
) -> tuple[list[Row], list[Body]]:
    """Cut `rows` (newest first already) by `marker` and `limit`; the second part is the links to the next page.

    Raises:
        ApiError: what `missing` makes of a marker that is not among the rows; 400 for a bad limit.

    """
    limit = PAGE
    if (asked := call.query("limit")) is not None:
        if not asked.isdigit():
            raise bad_request(f"Invalid input for query parameters limit. Value: {asked}.")
        limit = min(int(asked), PAGE) if int(asked) else PAGE
    start = 0
    if marker := call.query("marker"):
        places = [place for place, row in enumerate(rows) if row[marked_by] == marker]
        if not places:
            raise missing(marker)
        start = places[0] + 1
    chosen = rows[start : start + limit]
    if len(rows) <= start + limit or not chosen:
        return chosen, []
    query = [(k, v) for k, v in call.request.args.items(multi=True) if k != "marker"]
    query.append(("marker", chosen[-1][marked_by]))
    return chosen, [{"rel": "next", "href": call.link(f"{path}?{urlencode(query)}")}]


def newest_first(rows: list[Row]) -> list[Row]:
    """The order in which Nova and Cinder list."""
    return sorted(rows, key=lambda row: (row["created_at"], row["id"]), reverse=True)


def internal(cloud: Cloud, *, service: str, project_id: str, user_id: str, at: datetime) -> Call:
    """A call one service makes on another in the cloud's own name, for a project."""
    request = Request(
        {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "QUERY_STRING": "", "wsgi.url_scheme": "http"}
    )
    caller = Caller(user_id, project_id, frozenset({"admin"}))
    return Call(cloud, request, service, f"req-{project_id}", at, {}, _caller=caller)
