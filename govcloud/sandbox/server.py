"""The HTTP edge: one thread per connection, kept alive, able to break off an answer the way a bad network does."""

import io
import socket
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Any, ClassVar
from urllib.parse import unquote, urlsplit

from werkzeug.wrappers import Request

_IN_MEMORY = 1 << 20


class ConnectionCut(ConnectionError):
    """Raised by the application to answer nothing and reset the connection."""


@dataclass
class Response:
    """A complete answer; `sent_bytes` breaks it off after that many bytes of the body."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    sent_bytes: int | None = None


class Handler(BaseHTTPRequestHandler):
    """Reads a request whole, hands it over, writes the answer whole."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 300
    application: ClassVar[Callable[[Request, socket.socket], Response]]

    def serve(self) -> None:
        """Carry out one request."""
        with self._body() as body:
            try:
                response = type(self).application(Request(self._environ(body)), self.connection)
            except ConnectionCut:
                self._reset()
                return
            self._write(response)

    do_GET = serve  # noqa: N815 - the base class's names
    do_HEAD = serve  # noqa: N815
    do_POST = serve  # noqa: N815
    do_PUT = serve  # noqa: N815
    do_PATCH = serve  # noqa: N815
    do_DELETE = serve  # noqa: N815

    def handle(self) -> None:
        """Serve until the client leaves; a client that leaves in the middle is no error."""
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the call log tells more."""

    def _environ(self, body: IO[bytes]) -> dict[str, Any]:
        parts = urlsplit(self.path)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(parts.path, "latin-1"),
            "QUERY_STRING": parts.query,
            "SCRIPT_NAME": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.connection.getsockname()[1]),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(body.seek(0, io.SEEK_END)),
            "wsgi.url_scheme": "http",
            "wsgi.input": body,
        }
        body.seek(0)
        for name, value in self.headers.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        return environ

    def _body(self) -> IO[bytes]:
        body = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the caller closes it
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body.write(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                continue
        remaining = int(self.headers.get("Content-Length") or 0)
        while remaining:
            block = self.rfile.read(min(remaining, _IN_MEMORY))
            if not block:
                raise ConnectionAbortedError
            body.write(block)
            remaining -= len(block)
        body.seek(0)
        return body

    def _write(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body[: response.sent_bytes])
        self.wfile.flush()
        if response.sent_bytes is not None:
            self.close_connection = True

    def _reset(self) -> None:
        """Close with RST instead of FIN: the client sees `connection reset by peer`."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


class Server(ThreadingHTTPServer):
    """Loopback only; its threads end with the process."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, application: Callable[[Request, socket.socket], Response]) -> None:
        handler = type("BoundHandler", (Handler,), {"application": staticmethod(application)})
        super().__init__(("127.0.0.1", port), handler)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close without the polite FIN first, which would turn a reset into an ordinary end."""
        self.close_request(request)
