"""A sandbox cloud as a process of its own, for tests that build on it over HTTP."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Sandbox:
    url: str
    state: Path

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the sandbox's own controls (not to an OpenStack API)."""
        request = urllib.request.Request(
            f"{self.url}/sandbox{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@contextmanager
def running(state: Path, *options: str) -> Iterator[Sandbox]:
    """The sandbox, quick, on a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sandbox = Sandbox(f"http://127.0.0.1:{port}", state)
    command = [sys.executable, "-m", "govcloud.sandbox", "--state", str(state), "--port", str(port), *options]
    with (state / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(sandbox, process)
        yield sandbox
    finally:
        process.terminate()
        process.wait(20)


def _wait(sandbox: Sandbox, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            sandbox.ask("GET", "/health")
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((sandbox.state / "log").read_text()) from None
            time.sleep(0.05)
        else:
            return
