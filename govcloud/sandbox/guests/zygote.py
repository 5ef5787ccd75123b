"""The process guests are forked from: `python -m govcloud.sandbox.guests.zygote DIR`.

It has loaded everything a guest's SSH server needs, so that a guest starts in some ten milliseconds and shares its memory.
It reads one JSON object per line from its standard input ({"start": {...}} or {"stop": id}) and answers on its standard
output. Every process below it dies with it, and it with the sandbox, by the kernel's parent-death signal.
"""

import asyncio
import gc
import json
import os
import select
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from govcloud.sandbox.guests import kernel
from govcloud.sandbox.guests.first_boot import prepare
from govcloud.sandbox.guests.root import enter
from govcloud.sandbox.guests.ssh import serve
from govcloud.sandbox.guests.warming import warm_up

_SPACES = (
    kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWNET
)
_BACKLOG = 128


@dataclass(frozen=True)
class Guest:
    """One guest to start: `changes` is its directory below the state, `socket` the name of its socket in `run`."""

    server_id: str
    hostname: str
    changes: str
    socket: str
    keys: list[str]


class Zygote:
    """Starts and stops guests on demand, one process tree each."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._unprivileged = os.geteuid() != 0
        self._launchers: dict[int, str] = {}
        self._inits: dict[str, int] = {}

    def run(self) -> None:
        """Work until standard input ends."""
        woken, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        pending = b""
        while True:
            ready, _, _ = select.select([0, woken], [], [])
            if woken in ready:
                os.read(woken, 4096)
                self._reap()
            if 0 not in ready:
                continue
            block = os.read(0, 1 << 16)
            if not block:
                return
            *lines, pending = (pending + block).split(b"\n")
            for line in lines:
                self._obey(json.loads(line))

    def _obey(self, order: dict[str, Any]) -> None:
        if "start" in order:
            guest = Guest(**order["start"])
            pid, error = self._start(guest)
            _say({"started": guest.server_id, "pid": pid, "error": error})
        elif (init := self._inits.get(order["stop"])) is not None:
            os.kill(init, signal.SIGKILL)
        else:
            _say({"ended": order["stop"], "pid": 0})

    def _reap(self) -> None:
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            server_id = self._launchers.pop(pid, None)
            if server_id is not None and (init := self._inits.pop(server_id, None)) is not None:
                _say({"ended": server_id, "pid": init})

    def _start(self, guest: Guest) -> tuple[int, str]:
        """Fork a guest and wait until it listens; its first process's id, or the reason why not."""
        report, reporter = os.pipe()
        launcher = os.fork()
        if launcher == 0:
            os.close(report)
            _launch(self._state, guest, reporter, unprivileged=self._unprivileged)
        os.close(reporter)
        with os.fdopen(report) as reader:
            lines = reader.read().splitlines()  # a line each, in whichever order the two processes came to it
        init = next((int(line) for line in lines if line.isdigit()), 0)
        if "listening" not in lines:
            if init:
                os.kill(init, signal.SIGKILL)
            return 0, " ".join(line for line in lines if not line.isdigit()) or "the guest ended at once"
        self._launchers[launcher] = guest.server_id
        self._inits[guest.server_id] = init
        return init, ""


def _say(message: dict[str, Any]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


def _launch(state: Path, guest: Guest, reporter: int, *, unprivileged: bool) -> None:
    """The launcher: leaves the machine's name spaces, forks the guest's first process, waits for it. Never returns."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        listener = _listen(state / "run", guest.socket)
        uid, gid = os.geteuid(), os.getegid()
        kernel.unshare(_SPACES | (kernel.CLONE_NEWUSER if unprivileged else 0))
        if unprivileged:
            kernel.become_root_of_own_user_space(uid, gid)
        kernel.die_with_parent(signal.SIGKILL)
        init = os.fork()
        if init == 0:
            _first_process(state, guest, listener, reporter, unprivileged=unprivileged)
        os.write(reporter, f"{init}\n".encode())
        os.close(reporter)
        listener.close()
        os.waitpid(init, 0)
    except OSError as error:
        os.write(reporter, f"{error}\n".encode())
    finally:
        os._exit(0)


def _listen(directory: Path, name: str) -> socket.socket:
    """Listen on a socket in `directory`, however long its path: the address goes through the directory's descriptor."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        (directory / name).unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(f"/proc/self/fd/{descriptor}/{name}")
        listener.listen(_BACKLOG)
        return listener
    finally:
        os.close(descriptor)


def _first_process(
    state: Path, guest: Guest, listener: socket.socket, reporter: int, *, unprivileged: bool
) -> None:
    """Process 1 of the guest: sets the root up, forks the SSH server, reaps orphans. Never returns."""
    try:
        kernel.die_with_parent(signal.SIGKILL)
        kernel.bring_up_loopback()
        _detach_streams(state / "run" / f"{guest.socket}.log")
        enter(state, state / guest.changes, unprivileged=unprivileged)
        kernel.drop_dangerous_capabilities()
        if unprivileged:
            kernel.pretend_changes_of_owner()
        host_key = prepare(server_id=guest.server_id, hostname=guest.hostname, keys=guest.keys)
        server = os.fork()
        if server == 0:
            os.write(reporter, b"listening\n")
            os.close(reporter)
            asyncio.run(serve(listener, host_key))
        os.close(reporter)
        listener.close()
        while os.wait()[0] != server:
            continue
    except OSError as error:
        os.write(reporter, f"{error}\n".encode())
    finally:
        os._exit(0)


def _detach_streams(log: Path) -> None:
    """No way back to the sandbox's own streams: input from nowhere, output to the guest's console."""
    null = os.open("/dev/null", os.O_RDONLY)
    console = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (console, 1), (console, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(console)


def main() -> int:
    """Warm up, say so, work."""
    kernel.die_with_parent(signal.SIGKILL)
    asyncio.run(warm_up())
    gc.collect()
    gc.freeze()
    _say({"ready": True})
    Zygote(Path(sys.argv[1])).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
