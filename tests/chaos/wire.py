"""The wire between openstacksdk and the sandbox cloud, all in one process and in virtual time.

Requests leave keystoneauth's session as always; instead of a socket they meet the sandbox's own application. Everything
above (the gateway, its classification of errors, its retries of readings) and everything below is the real code.
"""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import requests
from keystoneauth1 import _utils as keystone_utils
from keystoneauth1.session import TCPKeepAliveAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import NewConnectionError
from werkzeug.wrappers import Request

from govcloud.gateways.openstack import transport
from govcloud.sandbox.app import App
from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.server import Response
from govcloud.sandbox.services import all_routes
from tests.chaos.agenda import Agenda
from tests.chaos.faults import LAG_SECONDS, Fault, Faults

TIMEOUT_SECONDS = 30.0
BASE = "http://cloud.invalid"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request on its way; it can be carried out later than it was sent, and by then the sender may be gone."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def service(self) -> str:
        return self.path.split("/", 2)[1]

    @property
    def signs_in(self) -> bool:
        """A token is asked for under a lock of keystoneauth: the others would wait for it, not work meanwhile."""
        return self.path.endswith("/auth/tokens")

    @property
    def changes(self) -> bool:
        return self.method not in {"GET", "HEAD"}


class Wire:
    """``moment`` is told of each request before and after its effect, and may let time pass or end the sender there.

    Before, it is given what carries the request out, which is done once only: a sender that is held up for longer than a request can
    be on its way is overtaken by it.
    """

    def __init__(
        self,
        cloud: Cloud,
        agenda: Agenda,
        faults: Faults,
        moment: Callable[[str, Sent, Callable[[], object] | None], None],
    ) -> None:
        self._cloud, self._agenda, self._faults, self._moment = cloud, agenda, faults, moment
        self._app = App(cloud, all_routes(), clock=agenda)
        self._left_out: set[str] = set()
        self.elapse: Callable[[float], None] = agenda.pass_by

    def send(self, prepared: requests.PreparedRequest, **_options: Any) -> requests.Response:
        sent = _sent(prepared)
        fault = self._faults.draw(sent.service, sent.method, sent.path)
        carry_out = cache(lambda: self._carried_out(sent, fault))
        self._moment(f"before {fault.name}", sent, carry_out)
        answer = carry_out()
        self._agenda.pass_by(0.05)
        if fault.held_up:
            self.elapse(fault.held_up)
        self._moment("after", sent, None)
        return self._answered(sent, prepared, answer, fault)

    def _carried_out(self, sent: Sent, fault: Fault) -> Response | None:
        match fault.effect:
            case "now":
                return self._effect(sent, fault)
            case "late":
                self._agenda.add(timedelta(seconds=self._faults.landing()), lambda: self._effect(sent, fault))
        return None

    def _effect(self, sent: Sent, fault: Fault) -> Response:
        rule: dict[str, Any] | None = None
        if fault.outcome:
            rule = {"action": fault.outcome, "times": 1}
        elif fault.answer == "lagging":
            rule = {"action": "lag", "times": 1, "seconds": LAG_SECONDS}
        if rule:
            self._cloud.faults.add(rule)
        response: Response = self._app(Request(_environ(sent)), None)  # type: ignore[arg-type]  nobody needs a socket
        self._cloud.faults.clear()
        return response

    def _answered(
        self, sent: Sent, prepared: requests.PreparedRequest, answer: Response | None, fault: Fault
    ) -> requests.Response:
        match fault.answer:
            case "timeout":
                (self._agenda.pass_by if sent.signs_in else self.elapse)(TIMEOUT_SECONDS)
                raise requests.ReadTimeout(request=prepared)
            case "reset":
                raise requests.ConnectionError(request=prepared) from ConnectionResetError(
                    104, "reset by peer"
                )
            case "refused":
                raise requests.ConnectionError(request=prepared) from NewConnectionError(None, "refused")  # type: ignore[arg-type]
            case "status":
                body = json.dumps({"fault": {"message": fault.message or "Injected fault."}}).encode()
                headers = {"Content-Type": "application/json", "x-openstack-request-id": "req-injected"}
                answer = Response(fault.status, body, headers | dict(fault.headers))
            case "cut" if answer is not None:
                answer.body = answer.body[: len(answer.body) // 2]
            case "partial" if answer is not None:
                self._leave_out(prepared.url or "", answer)
        if answer is None:
            raise AssertionError(f"{fault} answers nothing")
        return _response(prepared, answer)

    def _leave_out(self, url: str, answer: Response) -> None:
        """The rows of a list are missing, unless they were the last time that somebody asked for it."""
        if url in self._left_out:
            self._left_out.remove(url)
            return
        self._left_out.add(url)
        document = json.loads(answer.body)
        answer.body = json.dumps(
            {key: [] if isinstance(value, list) else value for key, value in document.items()}
        ).encode()


def _sent(prepared: requests.PreparedRequest) -> Sent:
    parts = urlsplit(prepared.url or "")
    body = prepared.body or b""
    return Sent(
        prepared.method or "GET",
        str(parts.path),
        str(parts.query),
        tuple(prepared.headers.items()),
        body.encode() if isinstance(body, str) else bytes(body),
    )


def _environ(sent: Sent) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": sent.method,
        "PATH_INFO": sent.path,
        "QUERY_STRING": sent.query,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "cloud.invalid",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(sent.body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(sent.body),
    }
    for name, value in sent.headers:
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    environ["CONTENT_TYPE"] = environ.get("HTTP_CONTENT_TYPE", "")
    return environ


def _response(prepared: requests.PreparedRequest, answer: Response) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers = CaseInsensitiveDict(answer.headers)
    response._content = answer.body
    response.url = prepared.url or ""
    response.request = prepared
    response.encoding = "utf-8"
    return response


@contextmanager
def plugged(wire: Wire, agenda: Agenda) -> Iterator[None]:
    """Requests of openstacksdk go to this wire; tokens expire, and pauses pass, in virtual time."""

    def from_now(**passed: float) -> Any:
        return agenda.now.replace(tzinfo=None) + timedelta(**passed)

    def no_proxies(*_asked: Any, **_options: Any) -> dict[str, str]:
        return {}

    with (
        mock.patch.object(
            TCPKeepAliveAdapter, "send", lambda _adapter, prepared, **options: wire.send(prepared, **options)
        ),
        mock.patch.multiple(requests.sessions, get_environ_proxies=no_proxies, resolve_proxies=no_proxies),
        mock.patch.object(keystone_utils, "from_utcnow", from_now),
        mock.patch.object(transport, "time", SimpleNamespace(sleep=agenda.pass_by, monotonic=agenda.ticks)),
    ):
        yield
