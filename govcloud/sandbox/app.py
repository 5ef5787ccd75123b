"""From a request to an answer: find the route, apply the faults, authenticate, carry out under the lock, commit."""

import json
import select
import socket
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request

from govcloud.sandbox import faults
from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import ApiError, render
from govcloud.sandbox.identity import tokens
from govcloud.sandbox.server import ConnectionCut, Response
from govcloud.sandbox.versions import negotiate, version_headers
from govcloud.sandbox.web import Answer, Call, Route, Routes

_SILENCE = 600.0
"""How long a time-out fault keeps a connection open when its rule does not say."""


@dataclass
class _Matched:
    call: Call
    route: Route


class App:
    """The sandbox as one callable."""

    def __init__(
        self, cloud: Cloud, services: Iterable[Routes], *, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._cloud = cloud
        self._now = clock or partial(datetime.now, UTC)
        routes = [route for service in services for route in service.all]
        self._map = Map([Rule(r.path, methods=[r.method], endpoint=r) for r in routes], strict_slashes=False)

    def __call__(self, request: Request, connection: socket.socket) -> Response:
        """Answer one request.

        Raises:
            ConnectionCut: when a fault rule wants no answer at all.

        """
        service = request.path.strip("/").partition("/")[0] or "sandbox"
        request_id = f"{'tx' if service == 'object-store' else 'req-'}{uuid.uuid4()}"
        status, route_path = 0, request.path
        try:
            try:
                matched = self._match(request, request_id)
            except ApiError as error:
                response = self._refusal(service, error, request_id)
            else:
                service, route_path = matched.call.service, matched.route.path
                response = self._with_faults(matched, connection)
            status = response.status
        finally:
            self._cloud.calls.record(
                service=service,
                method=request.method,
                route=route_path,
                path=request.full_path.rstrip("?"),
                status=status,
                request_id=request_id,
            )
        return response

    def _match(self, request: Request, request_id: str) -> _Matched:
        adapter = self._map.bind("127.0.0.1")
        try:
            route, args = adapter.match(request.path, method=request.method)
        except HTTPException as error:
            status = error.code or 404
            raise ApiError(
                status if status in {404, 405} else 404, "The resource could not be found."
            ) from error
        call = Call(
            cloud=self._cloud,
            request=request,
            service=route.service,
            request_id=request_id,
            now=self._now(),
            args=dict(args),
        )
        return _Matched(call, route)

    def _with_faults(self, matched: _Matched, connection: socket.socket) -> Response:
        call = matched.call
        if call.service == "sandbox":
            return self._carry_out(matched)
        project = tokens.project_of(self._cloud, call.request.headers.get("X-Auth-Token"))
        rule = self._cloud.faults.take(
            call.service, call.request.method, call.request.full_path.rstrip("?"), project
        )
        if rule is None:
            return self._carry_out(matched)
        return self._faulty(matched, rule, connection)

    def _faulty(self, matched: _Matched, rule: faults.Rule, connection: socket.socket) -> Response:
        call = matched.call
        if rule.action in {"build_error", "stuck"}:
            call.outcome, call.outcome_message = rule.action, rule.message
            return self._carry_out(matched)
        if rule.action == "latency":
            time.sleep(rule.seconds)
            call.now = self._now()
            return self._carry_out(matched)
        if rule.action in {"truncate", "lag"}:
            response = self._carry_out(matched)
            if rule.action == "lag":
                return _without_newest(response, call.now - timedelta(seconds=rule.seconds))
            response.sent_bytes = len(response.body) // 2
            return response
        self._effect(matched, rule)
        if rule.action == "status":
            return self._stated(call, rule)
        if rule.action == "timeout":
            _keep_silent(connection, rule.seconds if rule.when != "late" and rule.seconds else _SILENCE)
        raise ConnectionCut

    def _effect(self, matched: _Matched, rule: faults.Rule) -> None:
        """What the request does although its answer is lost: nothing, all of it now, or all of it later."""
        if rule.when == "after":
            self._carry_out(matched)
        elif rule.when == "late":
            matched.call.request.get_data()  # the connection may be gone by then, and the body with it

            def land() -> None:
                matched.call.now = self._now()
                self._carry_out(matched)

            timer = threading.Timer(rule.seconds, land)
            timer.daemon = True
            timer.start()

    def _stated(self, call: Call, rule: faults.Rule) -> Response:
        error = ApiError(rule.status, rule.message or "Injected fault.", headers=rule.headers)
        response = self._refusal(call.service, error, call.request_id)
        if rule.body is not None:
            response.body = (
                rule.body.encode() if isinstance(rule.body, str) else json.dumps(rule.body).encode()
            )
        return response

    def _carry_out(self, matched: _Matched) -> Response:
        call, route = matched.call, matched.route
        try:
            if route.streams:
                self._prepare(call, route)
                answer = route.handler(call)
            else:
                with self._cloud.lock:
                    self._prepare(call, route)
                    answer = route.handler(call)
                    self._cloud.store.commit()
        except ApiError as error:
            self._commit()
            return self._refusal(call.service, error, call.request_id, call.version)
        except Exception:  # noqa: BLE001 - the edge of the server: a bug is a 500, as with the real services
            self._commit()
            message = "Unexpected API Error. " + traceback.format_exc()
            return self._refusal(call.service, ApiError(500, message), call.request_id, call.version)
        return _response(answer, route, call)

    def _commit(self) -> None:
        with self._cloud.lock:
            self._cloud.store.commit()

    def _prepare(self, call: Call, route: Route) -> None:
        with self._cloud.lock:
            self._cloud.settle(call.now)
            call.version = negotiate(call.service, call.request.headers)
            if not route.public:
                token = call.request.headers.get("X-Auth-Token")
                call.authenticate(tokens.caller_of(self._cloud, token, at=call.now))

    def _refusal(
        self, service: str, error: ApiError, request_id: str, version: tuple[int, int] = (0, 0)
    ) -> Response:
        body, content_type = render(service, error, request_id)
        headers = {"Content-Type": content_type, **_traced(service, request_id), **error.headers}
        return Response(error.status, body, headers | version_headers(service, version))


def _traced(service: str, request_id: str) -> dict[str, str]:
    headers = {"x-openstack-request-id": request_id}
    if service == "compute":
        headers["x-compute-request-id"] = request_id
    return headers


def _response(answer: Answer | dict[str, Any] | None, route: Route, call: Call) -> Response:
    if not isinstance(answer, Answer):
        answer = Answer(204 if answer is None and route.status == 200 else route.status, answer)
    headers = (
        _traced(call.service, call.request_id) | version_headers(call.service, call.version) | answer.headers
    )
    if answer.content is None:
        return Response(answer.status, b"", headers)
    headers.setdefault("Content-Type", answer.content_type)
    content = answer.content
    return Response(
        answer.status, content if isinstance(content, bytes) else json.dumps(content).encode(), headers
    )


def _without_newest(response: Response, limit: datetime) -> Response:
    """A list as a service whose database lags would give it: rows created after `limit` are not there yet."""
    try:
        document = json.loads(response.body)
    except ValueError:
        return response
    horizon = limit.isoformat(timespec="microseconds")[:19]
    is_seen: Callable[[Any], bool] = lambda row: _created(row)[:19] <= horizon  # noqa: E731 - two words long
    for key, value in document.items() if isinstance(document, dict) else ():
        if isinstance(value, list):
            document[key] = [row for row in value if not isinstance(row, dict) or is_seen(row)]
    response.body = json.dumps(document).encode()
    return response


def _created(row: dict[str, Any]) -> str:
    return str(row.get("created_at") or row.get("created") or "")


def _keep_silent(connection: socket.socket, seconds: float) -> None:
    """Hold the connection without a word until the client gives up or `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        readable, _, _ = select.select([connection], [], [], min(left, 1.0))
        if readable and not connection.recv(1, socket.MSG_PEEK):
            return
        if readable:
            time.sleep(0.05)
