"""How requests leave for a cloud, against a server that answers as badly as clouds sometimes do."""

import json
import os
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from govcloud.gateways.openstack import (
    Cloud,
    Exchange,
    Reachability,
    connect,
    errors,
    guarding,
    health,
    recording,
    transport,
)

PASSWORD = "correct horse battery staple"
TIMEOUT = 0.5
SERVICES = ("compute", "network", "block-storage", "image", "placement", "identity")


@dataclass
class Behaviour:
    """What the server does to the next requests, and what it was asked."""

    trouble: str = ""
    times: int = 1_000
    asked: Counter[str] = field(default_factory=Counter)
    endpoint: str = ""
    identity_hangs: bool = False
    identity_lost: bool = False  # by the proxy in front of it

    def next(self) -> str:
        if not self.trouble or self.times <= 0:
            return ""
        self.times -= 1
        return self.trouble


class Badly(BaseHTTPRequestHandler):
    """A Keystone that lets everybody in, and every other service on the same port."""

    protocol_version = "HTTP/1.1"
    behaviour: Behaviour

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/v3"):
            self.identity(body)
            return
        self.behaviour.asked[f"{self.command} {self.path.split('?')[0]}"] += 1
        trouble = self.behaviour.next()
        getattr(self, f"answer_{trouble or 'well'}")()

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815  the standard library's names

    def identity(self, body: bytes) -> None:
        if self.behaviour.identity_lost:
            self.answer_lost()
            return
        if not self.path.endswith("/auth/tokens"):
            self.reply(
                200,
                {"version": {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": "/v3/"}]}},
            )
            return
        self.behaviour.asked["token"] += 1
        if self.behaviour.identity_hangs:
            time.sleep(TIMEOUT * 2)
        if PASSWORD not in body.decode():
            self.reply(
                401, {"error": {"code": 401, "message": "The request you have made requires authentication."}}
            )
            return
        base = f"http://{self.headers['Host']}"
        catalogue = [
            {
                "type": service,
                "id": service,
                "name": service,
                "endpoints": [
                    {
                        "interface": "public",
                        "region": "R",
                        "region_id": "R",
                        "id": "e",
                        "url": self.url(base, service),
                    }
                ],
            }
            for service in SERVICES
        ]
        token = {
            "methods": ["password"],
            "user": {"id": "u", "name": "u", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": "p", "name": "p", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "r", "name": "member"}],
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "catalog": catalogue,
        }
        self.reply(201, {"token": token}, {"X-Subject-Token": f"token-{self.behaviour.asked['token']}"})

    def url(self, base: str, service: str) -> str:
        return self.behaviour.endpoint or (f"{base}/v3" if service == "identity" else f"{base}/{service}/v2")

    def answer_well(self) -> None:
        token = self.headers["X-Auth-Token"]
        self.reply(202, {"server": {"id": "s-1", "adminPass": "hush"}, "servers": [], "token": token})

    def answer_error(self) -> None:
        self.reply(503, {"computeFault": {"code": 503, "message": "not now"}})

    def answer_unauthorized(self) -> None:
        self.reply(401, {"error": {"code": 401, "message": "token expired"}})

    def answer_elsewhere(self) -> None:
        self.reply(307, {}, {"Location": f"http://{self.headers['Host']}/compute/v2/servers"})

    def answer_late(self) -> None:
        time.sleep(TIMEOUT * 2)
        self.reply(202, {"server": {"id": "s-1"}})

    def answer_reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def answer_cut(self) -> None:
        self.send_response(202)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"server": {"id"')
        self.wfile.flush()
        self.close_connection = True

    def answer_lost(self) -> None:
        """As a proxy that has lost sight of the service answers: no service of the cloud has seen the request."""
        page = b"<html><body><h1>404 Not Found</h1>nginx</body></html>"
        self.send_response(404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def answer_gone(self) -> None:
        self.reply(404, {"itemNotFound": {"code": 404, "message": "Instance s-1 could not be found."}})

    def answer_garbage(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "11")
        self.end_headers()
        self.wfile.write(b"<html>proxy")

    def reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"X-Openstack-Request-Id": "req-7", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return None


class Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = (
        32  # of the five that it is by itself, eight connections at once wait a second for the next try
    )

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that hung up is what these tests are about."""


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def cloud(behaviour: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    handler = type("Handler", (Badly,), {"behaviour": behaviour})
    with Quiet(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        configure(tmp_path / "clouds.yaml", f"http://127.0.0.1:{server.server_port}/v3", monkeypatch)
        yield connect(cloud="bad", timeout=TIMEOUT)
        server.shutdown()


def configure(path: Path, auth_url: str, monkeypatch: pytest.MonkeyPatch, password: str = PASSWORD) -> None:
    auth = {
        "auth_url": auth_url,
        "username": "u",
        "password": password,
        "project_name": "p",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    path.write_text(json.dumps({"clouds": {"bad": {"auth": auth, "region_name": "R"}}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))


def create(cloud: Cloud) -> str:
    return cloud.compute.create_server_from_volume(
        name="s", flavor_id="f", volume_id="v", port_ids=["p"], tags=["t"]
    ).id


@pytest.mark.parametrize("trouble", ["error", "late", "reset", "cut", "garbage"])
def test_a_change_without_a_trustworthy_answer_is_sent_once_and_its_outcome_unknown(
    cloud: Cloud, behaviour: Behaviour, trouble: str
) -> None:
    behaviour.trouble = trouble
    with pytest.raises(errors.OutcomeUnknown) as failure:
        create(cloud)
    assert failure.value.effect_unknown
    assert behaviour.asked["POST /compute/v2/servers"] == 1


def test_a_change_is_not_sent_again_with_a_new_token(cloud: Cloud, behaviour: Behaviour) -> None:
    behaviour.trouble = "unauthorized"
    with pytest.raises(errors.Unauthorized) as failure:
        create(cloud)
    assert failure.value.effect_unknown
    assert behaviour.asked["POST /compute/v2/servers"] == 1


def test_a_refused_token_is_replaced_before_the_next_request(cloud: Cloud, behaviour: Behaviour) -> None:
    behaviour.trouble, behaviour.times = "unauthorized", 1
    with pytest.raises(errors.Unauthorized):
        create(cloud)
    assert create(cloud) == "s-1"
    assert behaviour.asked["token"] == 2


def test_a_change_is_not_sent_where_a_redirect_points(cloud: Cloud, behaviour: Behaviour) -> None:
    behaviour.trouble = "elsewhere"
    with pytest.raises(errors.Refused):
        create(cloud)
    assert behaviour.asked["POST /compute/v2/servers"] == 1


@pytest.mark.parametrize("trouble", ["error", "reset", "cut", "garbage", "late"])
def test_a_reading_request_gets_over_one_mishap(cloud: Cloud, behaviour: Behaviour, trouble: str) -> None:
    behaviour.trouble, behaviour.times = trouble, 1
    assert cloud.compute.find_servers() == []
    assert behaviour.asked["GET /compute/v2/servers/detail"] == 2


def test_a_reading_request_gives_up_after_the_second(cloud: Cloud, behaviour: Behaviour) -> None:
    behaviour.trouble = "error"
    with pytest.raises(errors.Unavailable) as failure:
        cloud.compute.find_servers()
    assert not failure.value.effect_unknown
    assert behaviour.asked["GET /compute/v2/servers/detail"] == 2


def test_nothing_was_changed_where_nobody_listens(cloud: Cloud, behaviour: Behaviour) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        behaviour.endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}/v2"
        with pytest.raises(errors.Unreachable) as failure:
            create(cloud)
    assert not failure.value.effect_unknown


@pytest.mark.parametrize("trouble", ["late", "reset"])
def test_a_connection_refused_before_says_nothing_about_a_change_sent_while_it_is_handled(
    cloud: Cloud, behaviour: Behaviour, trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(cloud)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        configure(tmp_path / "down.yaml", f"http://127.0.0.1:{unused.getsockname()[1]}/v3", monkeypatch)
        try:
            create(connect(cloud="bad", timeout=TIMEOUT))
        except errors.Unreachable:
            behaviour.trouble = trouble
            with pytest.raises(errors.OutcomeUnknown):
                create(cloud)
    assert behaviour.asked["POST /compute/v2/servers"] == 2


def test_a_change_is_not_sent_when_the_answer_that_it_may_be_is_old(
    cloud: Cloud, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was stopped right after it had asked would send what others have done meanwhile."""
    monkeypatch.setattr(transport, "_GUARDS_ANSWER_SECONDS", 0.05)
    with guarding(lambda: time.sleep(0.2)), pytest.raises(errors.Unreachable) as failure:
        create(cloud)
    assert not failure.value.effect_unknown
    assert "POST /compute/v2/servers" not in behaviour.asked
    with guarding(lambda: None):
        assert create(cloud) == "s-1"


def test_a_token_that_cannot_be_had_is_no_lost_change(
    behaviour: Behaviour, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        configure(tmp_path / "down.yaml", f"http://127.0.0.1:{unused.getsockname()[1]}/v3", monkeypatch)
        with pytest.raises(errors.Unreachable) as failure:
            create(connect(cloud="bad", timeout=TIMEOUT))
    assert failure.value.service == "identity"
    assert not behaviour.asked


def test_a_token_that_is_not_renewed_in_time_is_no_lost_change(cloud: Cloud, behaviour: Behaviour) -> None:
    behaviour.trouble, behaviour.times = "unauthorized", 1
    with pytest.raises(errors.Unauthorized):
        create(cloud)
    behaviour.identity_hangs = True
    with pytest.raises(errors.Unreachable) as failure:
        create(cloud)
    assert failure.value.service == "identity"
    assert behaviour.asked["POST /compute/v2/servers"] == 1


def test_no_error_repeats_a_secret(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    auth_url = str(
        json.loads(Path(os.environ["OS_CLIENT_CONFIG_FILE"]).read_text())["clouds"]["bad"]["auth"]["auth_url"]
    )
    configure(tmp_path / "wrong.yaml", auth_url, monkeypatch, password="wrong but still secret")
    with pytest.raises(errors.Unauthorized) as failure:
        connect(cloud="bad", timeout=TIMEOUT).compute.find_servers()
    assert "secret" not in f"{failure.value} {failure.value!r}"
    assert not failure.value.effect_unknown


def test_every_exchange_is_recorded_with_its_request_id(cloud: Cloud, behaviour: Behaviour) -> None:
    seen: list[Exchange] = []
    with recording(seen.append):
        create(cloud)
        behaviour.trouble = "reset"
        with pytest.raises(errors.OutcomeUnknown):
            create(cloud)
    behaviour.trouble = ""
    create(cloud)  # nothing outside the block is recorded
    assert [
        (each.service, each.method, each.path, each.status, each.request_id, each.error) for each in seen
    ] == [
        ("compute", "POST", "/servers", 202, "req-7", ""),
        ("compute", "POST", "/servers", None, "", "OutcomeUnknown"),
    ]


def test_what_a_service_says_is_not_there_is_not_there(cloud: Cloud, behaviour: Behaviour) -> None:
    behaviour.trouble = "gone"
    with pytest.raises(errors.NotFound):
        cloud.compute.get_server("s-1")


def test_a_proxy_that_has_lost_a_service_proves_nothing(cloud: Cloud, behaviour: Behaviour) -> None:
    behaviour.trouble = "lost"
    with pytest.raises(errors.Unavailable):
        cloud.compute.get_server("s-1")
    with pytest.raises(errors.OutcomeUnknown):
        cloud.compute.delete_server("s-1")


def test_without_an_identity_service_nothing_is_taken_for_gone(cloud: Cloud, behaviour: Behaviour) -> None:
    behaviour.identity_lost = True
    with pytest.raises(errors.Unavailable) as failure:
        cloud.compute.get_server("s-1")
    assert failure.value.service == "identity"


def test_a_token_asked_for_in_vain_is_recorded(cloud: Cloud, behaviour: Behaviour) -> None:
    behaviour.identity_hangs = True
    seen: list[Exchange] = []
    with recording(seen.append), pytest.raises(errors.Unreachable):
        cloud.compute.limits()
    assert [(each.service, each.path, each.status, each.error) for each in seen[:1]] == [
        ("identity", "/auth/tokens", None, "Unreachable")
    ]


def test_recording_blocks_nest(cloud: Cloud) -> None:
    outer: list[Exchange] = []
    inner: list[Exchange] = []
    with recording(outer.append):
        with recording(inner.append):
            create(cloud)
        cloud.compute.find_servers()
    assert (len(outer), len(inner)) == (2, 1)


def test_a_session_is_kept_per_process(cloud: Cloud, behaviour: Behaviour) -> None:
    create(cloud)
    create(connect(cloud="bad", timeout=TIMEOUT))
    assert behaviour.asked["token"] == 1


def test_a_forked_child_signs_in_for_itself(cloud: Cloud, behaviour: Behaviour) -> None:
    create(cloud)
    child = os.fork()
    if child == 0:
        os._exit(0 if create(connect(cloud="bad", timeout=TIMEOUT)) == "s-1" else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert behaviour.asked["token"] == 2


def test_threads_share_one_token(cloud: Cloud, behaviour: Behaviour) -> None:
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.append(create(cloud))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["s-1"] * 8
    assert behaviour.asked["token"] == 1


def test_an_unknown_cloud_is_our_own_mistake(cloud: Cloud) -> None:
    with pytest.raises(errors.Misconfigured):
        connect(cloud="no such cloud")
    assert health(cloud="no such cloud").state is Reachability.MISCONFIGURED


def test_application_credentials_cannot_be_scoped_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = {
        "auth_url": "http://127.0.0.1:9/v3",
        "application_credential_id": "i",
        "application_credential_secret": "s",
    }
    settings = {"auth_type": "v3applicationcredential", "auth": auth}
    path = tmp_path / "clouds.yaml"
    path.write_text(json.dumps({"clouds": {"bad": settings}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    with pytest.raises(errors.Misconfigured):
        connect(cloud="bad", project_id="another")


@pytest.mark.parametrize(
    ("trouble", "state"),
    [
        ("error", Reachability.FAILING),
        ("unauthorized", Reachability.UNAUTHORIZED),
        ("reset", Reachability.UNREACHABLE),
    ],
)
def test_health_says_why_not(cloud: Cloud, behaviour: Behaviour, trouble: str, state: Reachability) -> None:
    behaviour.trouble = trouble
    found = health(cloud="bad", timeout=TIMEOUT)
    assert (found.state, found.ok, found.service) == (state, False, "compute")
