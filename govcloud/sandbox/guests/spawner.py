"""The sandbox's side of the zygote: one child process, orders in, reports out."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_SECONDS = 20.0
_STARTING_SECONDS = 60.0


@dataclass(frozen=True)
class GuestOrder:
    """What the zygote is told to start; see `zygote.Guest`."""

    server_id: str
    hostname: str
    changes: str
    socket: str
    keys: list[str] = field(default_factory=list)


class SpawnError(Exception):
    """A guest, or the zygote itself, could not be started."""


class Spawner:
    """Starts and ends guests.

    `ended` is called with the server's id and the id of the guest's first process, from a thread of its own, whenever a guest
    ends that was not told to; it may take locks that a caller of `start` or `stop` holds.
    """

    def __init__(self, state: Path, *, ended: Callable[[str, int], None]) -> None:
        self._ended = ended
        self._changed = threading.Condition()
        self._ready = False
        self._reports: dict[str, dict[str, Any]] = {}
        self._running: dict[str, int] = {}
        self._stopping: set[str] = set()
        self._log = (state / "guests" / "zygote.log").open("ab")
        command = [sys.executable, "-m", "govcloud.sandbox.guests.zygote", str(state)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, start_new_session=True
        )
        threading.Thread(target=self._listen, name="guest reports", daemon=True).start()

    def wait_until_ready(self) -> None:
        """Wait for the zygote to have loaded itself.

        Raises:
            SpawnError: when it does not.

        """
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._process.poll() is not None, _STARTING_SECONDS)
            if not self._ready:
                raise SpawnError(
                    "the process guests are forked from does not start (guests/zygote.log tells why)"
                )

    def start(self, order: GuestOrder) -> int:
        """Start a guest and wait until it listens; the id of its first process.

        Raises:
            SpawnError: with the reason why it does not run.

        """
        with self._changed:
            self._reports.pop(order.server_id, None)
            self._send({"start": asdict(order)})
            self._changed.wait_for(lambda: order.server_id in self._reports, _SECONDS)
            report = self._reports.pop(order.server_id, {"error": "no answer"})
            if report["error"]:
                raise SpawnError(str(report["error"]))
            return int(report["pid"])

    def stop(self, server_id: str) -> None:
        """End a guest and wait until nothing of it is left."""
        with self._changed:
            if server_id not in self._running:
                return
            self._stopping.add(server_id)
            try:
                self._send({"stop": server_id})
                self._changed.wait_for(lambda: server_id not in self._running, _SECONDS)
            finally:
                self._stopping.discard(server_id)

    def close(self) -> None:
        """End the zygote and every guest with it."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _send(self, order: dict[str, Any]) -> None:
        if self._process.stdin is None:
            raise SpawnError("the zygote has no input")
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise SpawnError(f"the zygote is gone: {error}") from error

    def _listen(self) -> None:
        if self._process.stdout is None:
            return
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                self._take(json.loads(line))
        with self._changed:
            for server_id, pid in self._running.items():
                self._tell(server_id, pid)
            self._running.clear()
            self._changed.notify_all()

    def _take(self, report: dict[str, Any]) -> None:
        with self._changed:
            if "ready" in report:
                self._ready = True
            elif "started" in report:
                self._reports[report["started"]] = report
                if not report["error"]:
                    self._running[report["started"]] = report["pid"]
            elif "ended" in report:
                server_id = report["ended"]
                self._running.pop(server_id, None)
                if server_id not in self._stopping:
                    self._tell(server_id, report["pid"])
            self._changed.notify_all()

    def _tell(self, server_id: str, pid: int) -> None:
        """Not from the listening thread: who is told may be waiting, with locks of its own, for what comes next."""
        threading.Thread(target=self._ended, args=(server_id, pid), daemon=True).start()
