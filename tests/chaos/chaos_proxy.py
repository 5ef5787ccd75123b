"""A reverse proxy in front of a real cloud, one port per service, that loses, delays, cuts and refuses what passes through.

    proxy = Proxy(share=0.2, seed=1, silence=16, late=10)
    proxy.start(cloud="devcloud", clouds_yaml=Path("clouds.yaml"), target=Path("var/clouds.yaml"))

writes a clouds.yaml in which every service of the cloud is reached through it (``*_endpoint_override``). Each fault is drawn
from one generator with a seed, so that a run is the same as far as the order of its calls is.
"""

import http.client
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml

from govcloud.gateways import openstack

Effect = Literal["now", "never", "late"]
Answer = Literal["true", "status", "reset", "silence", "cut", "slow"]
SERVICES = ("compute", "network", "block-storage", "image")
LONGEST_ANSWER = 60  # seconds the cloud itself may take
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "te", "upgrade"}
)
NO_LINGER = struct.pack("ii", 1, 0)  # closing sends a reset


@dataclass(frozen=True, slots=True)
class Fault:
    """``answer`` is what the caller gets, ``effect`` what becomes of the request."""

    name: str
    answer: Answer
    effect: Effect = "now"
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()


READING = (
    (5, Fault("503", "status", "never", 503)),
    (2, Fault("500", "status", "never", 500)),
    (4, Fault("reset", "reset", "never")),
    (3, Fault("truncated", "cut")),
    (1, Fault("time-out", "silence", "never")),
    (2, Fault("429", "status", "never", 429, (("Retry-After", "1"),))),
    (2, Fault("slow", "slow")),
)
CHANGING = (
    (4, Fault("503 before the effect", "status", "never", 503)),
    (5, Fault("502 after the effect", "status", "now", 502)),
    (3, Fault("504, effect later", "status", "late", 504)),
    (3, Fault("reset before the effect", "reset", "never")),
    (4, Fault("reset after the effect", "reset", "now")),
    (2, Fault("reset, effect later", "reset", "late")),
    (3, Fault("truncated", "cut")),
    (2, Fault("time-out after the effect", "silence", "now")),
    (1, Fault("time-out, effect later", "silence", "late")),
    (2, Fault("429", "status", "never", 429, (("Retry-After", "1"),))),
    (1, Fault("409", "status", "never", 409)),
    (2, Fault("slow", "slow")),
)


class Proxy:
    """``share`` of the calls are faulted from ``begin`` to ``end``; before and after everything passes."""

    def __init__(self, *, share: float, seed: int, silence: float, late: float) -> None:
        self.silence, self.late = silence, late
        self.injected: Counter[str] = Counter()
        self.calls = 0
        self._share, self._random = share, Random(seed)
        self._raging = False
        self._lock = threading.Lock()
        self._servers: list[ThreadingHTTPServer] = []

    def start(self, *, cloud: str, clouds_yaml: Path, target: Path) -> None:
        """Serve every service of the cloud, and write a clouds.yaml that leads here."""
        document: dict[str, Any] = yaml.safe_load(clouds_yaml.read_text())
        settings = document["clouds"][cloud]
        real = openstack.connect(cloud=cloud)._transport
        settings["auth"]["auth_url"] = self._serve(settings["auth"]["auth_url"])
        settings["identity_endpoint_override"] = settings["auth"]["auth_url"]
        for service in SERVICES:
            settings[f"{service.replace('-', '_')}_endpoint_override"] = self._serve(real.endpoint(service))
        target.touch(mode=0o600)
        target.write_text(yaml.safe_dump({"clouds": {cloud: settings}}))

    @property
    def serves(self) -> bool:
        return bool(self._servers)

    def stop(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers.clear()

    def begin(self) -> None:
        self._raging = True

    def end(self) -> None:
        self._raging = False

    def draw(self, method: str) -> Fault | None:
        """What happens to the next call of this method; None lets it pass."""
        with self._lock:
            if not self._raging:
                return None
            self.calls += 1
            if self._random.random() >= self._share:
                return None
            table = READING if method in {"GET", "HEAD"} else CHANGING
            (fault,) = self._random.choices([fault for _, fault in table], [weight for weight, _ in table])
            self.injected[fault.name] += 1
            return fault

    def _serve(self, upstream: str) -> str:
        address = urlsplit(upstream)
        handler = type(
            "Handler", (_Handler,), {"proxy": self, "upstream": (address.hostname, address.port or 80)}
        )
        server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, name=f"proxy of {upstream}", daemon=True).start()
        self._servers.append(server)
        return f"http://127.0.0.1:{server.server_port}{address.path}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Callers are killed in the middle of their requests all the time; anything else is a fault of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    upstream: tuple[str, int]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Calls are counted, and kept by the product itself."""

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.proxy.draw(self.command)
        if fault is None:
            self._answer(self._ask(body))
            return
        if fault.answer == "slow":
            time.sleep(1)
        answer = self._effect(fault, body)
        match fault.answer:
            case "status":
                message = f'{{"error": {{"code": {fault.status}, "message": "Injected fault."}}}}'
                self._answer(
                    _Answer(
                        fault.status, [("Content-Type", "application/json"), *fault.headers], message.encode()
                    )
                )
            case "reset":
                self._reset()
            case "silence":
                time.sleep(self.proxy.silence)
                self._reset()
            case "cut" if answer is not None:
                self._answer(answer, sent=len(answer.body) // 2)
            case _:
                self._answer(answer or self._ask(body))

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _pass  # noqa: N815  the base class's names

    def _effect(self, fault: Fault, body: bytes) -> _Answer | None:
        if fault.effect == "now":
            return self._ask(body)
        if fault.effect == "late":
            timer = threading.Timer(self.proxy.late, self._ask, (body,))
            timer.daemon = True
            timer.start()
        return None

    def _ask(self, body: bytes) -> _Answer:
        """The request as it came, sent to the cloud itself."""
        connection = http.client.HTTPConnection(*self.upstream, timeout=LONGEST_ANSWER)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        try:
            connection.request(self.command, self.path, body=body or None, headers=headers)
            response = connection.getresponse()
            return _Answer(response.status, _passed_on(response.headers), response.read())
        except OSError as error:
            return _Answer(
                502, [("Content-Type", "text/plain")], f"the cloud itself does not answer: {error}".encode()
            )
        finally:
            connection.close()

    def _answer(self, answer: _Answer, *, sent: int | None = None) -> None:
        """Send it, or only so many bytes of its body and then a reset."""
        try:
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body if sent is None else answer.body[:sent])
                self.wfile.flush()
        except OSError:
            self.close_connection = True
            return
        if sent is not None:
            self._reset()

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.connection.close()

    def finish(self) -> None:
        """Nothing is left to send on a connection that was reset."""
        if self.connection.fileno() >= 0:
            super().finish()


def _passed_on(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.lower() not in HOP_BY_HOP]
