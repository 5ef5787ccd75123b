"""Notices posted by the service itself, webhooks, and what listens for mail and calls: real servers on loopback."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from django.db import transaction

from govcloud.notifications import dispatch, sending, services, webhooks
from govcloud.notifications.kinds import KINDS, Kind
from govcloud.notifications.models import Notice, Webhook
from tenants.models import Department, Role, User
from tests.factories.tenants import SystemFactory, member


def facts_of(kind: Kind, **facts: Any) -> dict[str, Any]:
    """Something for every fact that the kind's words name."""
    moment = "2026-11-20T10:00:00Z"
    named = services._named_in(KINDS[kind], *KINDS[kind].texts)
    return {
        **{name: moment if name.endswith("_at") else f"«{name}»" for name in named},
        **facts,
    }


def posted(*people: User, at: datetime, kind: Kind = Kind.CASE_RETURNED, **how: Any) -> Notice:
    """A notice to these people, about a system of its own unless told otherwise."""
    subject = how.pop("subject", None) or SystemFactory()
    facts = facts_of(kind, **how.pop("facts", {}))
    with transaction.atomic():
        services.post(
            kind=kind, subject=subject, facts=facts, people=[person.pk for person in people], at=at, **how
        )
    return Notice.objects.latest("pk")


def delivered(*, at: datetime) -> int:
    """Dispatch what was posted and try all that is due, as a worker does; returns how many tries there were."""
    dispatch.dispatch(at=at)
    return sending.run_due(clock=lambda: at)


def every_kind() -> list[Kind]:
    return list(KINDS)


def webhook(
    url: str, *, at: datetime, department: Department | None = None, **draft: Any
) -> tuple[Webhook, str]:
    """Registered by a system administrator; with its secret."""
    draft = {"name": "总线", "url": url, **draft}
    return webhooks.register(
        draft=webhooks.WebhookDraft(**draft), department=department, actor=member(Role.SYSTEM_ADMIN), at=at
    )


# -- a mail server


@dataclass
class Post:
    """What a mail server was given; ``answers`` are what it says to the next mails instead of taking them."""

    mails: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    port: int = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        if self.answers:
            return self.answers.pop(0)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        mail["X-Given-To"] = ", ".join(envelope.rcpt_tos)
        self.mails.append(mail)
        return "250 taken"


class _OnItsOwnPort(Controller):
    def __init__(self, handler: Post) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        handler.port = self.listening.getsockname()[1]
        super().__init__(handler, hostname="127.0.0.1", port=handler.port)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self.listening)


@contextmanager
def mail_server() -> Iterator[Post]:
    post = Post()
    server = _OnItsOwnPort(post)
    server.start()
    try:
        yield post
    finally:
        server.stop()


# -- an outside system


@dataclass
class Listener:
    """What an outside system was sent; ``answers`` are the statuses of its next answers, 204 when there are none."""

    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    port: int = 0

    def url(self, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/hook"


@contextmanager
def listening() -> Iterator[Listener]:
    heard = Listener()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status = heard.answers.pop(0) if heard.answers else 204
            self.send_response(status)
            if status in {301, 302, 307}:
                self.send_header("Location", heard.url())
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    heard.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
