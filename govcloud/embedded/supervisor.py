"""Starts the processes of an embedded installation, keeps them running, and stops every one of them."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TETHER = Path(__file__).with_name("tether.py")
PATIENCE = 15.0  # seconds a process has to end by itself
SHORT_LIFE = 5.0  # one that ends sooner is not started again and again without a pause


class NotReadyError(RuntimeError):
    """A process did not become ready; the message names its log."""


@dataclass(slots=True)
class Child:
    """One supervised process. ``ready`` is asked until it says yes; ``stop_with`` is the signal that ends it well."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] = lambda: True
    stop_with: signal.Signals = signal.SIGTERM
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-E", str(TETHER), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        self.started = time.monotonic()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_until_ready(self, *, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.ready():
            if not self.running:
                raise NotReadyError(f"{self.name} ended as it started; its log is {self.log}")
            if time.monotonic() > deadline:
                raise NotReadyError(
                    f"{self.name} did not become ready in {seconds:.0f} s; its log is {self.log}"
                )
            time.sleep(0.1)

    def ask_to_stop(self) -> None:
        if self.process is not None and self.running:
            self.process.send_signal(self.stop_with)

    def see_off(self, *, deadline: float) -> None:
        """Wait for it to end; then end whatever is left of its process group."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


class Supervisor:
    """Starts children one after the other, each when the one before is ready; stops them in the opposite order."""

    def __init__(self, *, say: Callable[[str], None]) -> None:
        self.children: list[Child] = []
        self.say = say

    def start(self, *children: Child, seconds: float = 60) -> None:
        """Start these side by side and wait until all are ready. Raises NotReadyError."""
        for child in children:
            child.start()
            self.children.append(child)
        for child in children:
            child.wait_until_ready(seconds=seconds)

    def tend(self) -> None:
        """Start again what has ended by itself. Call it every now and then."""
        for child in self.children:
            if not child.running and time.monotonic() - child.started > SHORT_LIFE:
                self.say(f"{child.name} ended by itself and is started again; its log is {child.log}")
                child.start()

    def stop(self) -> None:
        """The first one started (the database) is stopped last, when nobody uses it any more."""
        if not self.children:
            return
        first, *others = self.children
        deadline = time.monotonic() + PATIENCE
        for child in reversed(others):
            child.ask_to_stop()
        for child in reversed(others):
            child.see_off(deadline=deadline)
        first.ask_to_stop()
        first.see_off(deadline=time.monotonic() + PATIENCE)
        self.children.clear()


def answers(url: str) -> bool:
    """Whether a GET of the URL is answered with success."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310  our own loopback address
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False
