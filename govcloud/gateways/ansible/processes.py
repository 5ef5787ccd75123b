"""Finding and ending every process of a run, wherever it hides.

Ansible's workers call `setsid`, SSH's masters detach themselves and outlive the playbook: neither a process group nor a
parent's children name them all. Read from `/proc`, so Linux only.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_LOOK_EVERY = 0.05


@dataclass(frozen=True, slots=True)
class Process:
    """A process by number and start time, which together are never used twice."""

    pid: int
    parent: int
    started: int


def table() -> dict[int, Process]:
    """All living processes by number; zombies do nothing any more and are left out."""
    found = (_read(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit())
    return {process.pid: process for process in found if process}


def descendants(ancestor: int) -> list[Process]:
    """Children, grandchildren and so on of `ancestor`."""
    children: dict[int, list[Process]] = {}
    for process in table().values():
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    todo = [ancestor]
    while todo:
        born = children.get(todo.pop(), [])
        found.extend(born)
        todo.extend(process.pid for process in born)
    return found


def marked(*, variable: str, paths: Iterable[str] = ()) -> list[Process]:
    """Processes, other than ours, started with `variable` (`NAME=value`) or naming one of `paths` on their command line.

    SSH's masters overwrite their environment with their title; the title names the control socket.
    """
    wanted, named = variable.encode(), [os.fsencode(path) for path in paths]
    return [
        process
        for process in table().values()
        if process.pid != os.getpid()
        and (wanted in _bytes(process.pid, "environ").split(b"\0") or _names(process.pid, named))
    ]


def alive(process: Process) -> bool:
    """Whether this process, not a later one with its number, still runs."""
    now = _read(process.pid)
    return now is not None and now.started == process.started


def send(process: Process, signum: signal.Signals) -> None:
    """Signal this process, not a later one that was given its number."""
    # No pidfd: kernels 4.19 are common in this field, and do not have it.
    with suppress(ProcessLookupError, PermissionError):
        if alive(process):
            os.kill(process.pid, signum)


def end(find: Callable[[], list[Process]], *, grace: float, patience: float = 10.0) -> int:
    """SIGTERM what `find` names, and after `grace` seconds SIGKILL, until it names nothing; how many there were.

    Raises TimeoutError when something survives SIGKILL for `patience` seconds (a process stuck in the kernel).
    """
    met = {process.pid: process for process in find()}
    for process in met.values():
        send(process, signal.SIGTERM)
    began = time.monotonic()
    while left := find():
        elapsed = time.monotonic() - began
        if elapsed > grace + patience:
            raise TimeoutError(f"processes that do not end: {sorted(process.pid for process in left)}")
        for process in left:
            met[process.pid] = process
            if elapsed >= grace:
                send(process, signal.SIGKILL)
        time.sleep(_LOOK_EVERY)
    return len(met)


def _read(pid: int) -> Process | None:
    # The command's name stands in brackets and may hold spaces and brackets itself: the fields follow the last one.
    fields = _bytes(pid, "stat").rpartition(b")")[2].split()
    if not fields or fields[0] in (b"Z", b"X"):
        return None
    return Process(pid=pid, parent=int(fields[1]), started=int(fields[19]))


def _names(pid: int, paths: list[bytes]) -> bool:
    command = _bytes(pid, "cmdline") if paths else b""
    return any(path in command for path in paths)


def _bytes(pid: int, name: str) -> bytes:
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
