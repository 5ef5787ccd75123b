"""The process around one `ansible-playbook`: runs it, tells its parent what happens, and ends all of it when told to.

Started by `supervisor` as `python -m govcloud.gateways.ansible.child DIRECTORY EVENTS_FD`; never by hand. It is a child
subreaper: whatever Ansible or SSH detach becomes its own child and is ended with it. It stops when its standard input
closes (the parent asked, or died) and on SIGTERM.
"""

import ctypes
import json
import os
import select
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_runner import interface

from govcloud.gateways.ansible import directory as directories
from govcloud.gateways.ansible import processes
from govcloud.gateways.ansible.directory import RunDirectory
from govcloud.gateways.ansible.events import statistics, translate
from govcloud.gateways.ansible.redaction import Redactor

_PR_SET_CHILD_SUBREAPER = 36
# What Ansible gets between SIGTERM and SIGKILL when a run is stopped, and what is left of a run when it is over
# (SSH's masters, which take their sockets with them).
_STOP_GRACE = 3.0
_CLOSE_GRACE = 1.0


@dataclass(frozen=True, slots=True)
class Specification:
    """What the parent asks for."""

    ident: str
    playbook: str
    inventory: str
    secrets: list[str]
    environment: dict[str, str]

    @classmethod
    def taken_from(cls, path: Path) -> "Specification":
        """Read and remove the file: it names the secrets."""
        text = path.read_text(encoding="utf-8")
        path.unlink()
        return cls(**json.loads(text))


class Reporter:
    """Writes JSON lines to the parent; without secrets, and without complaint when the parent is gone."""

    def __init__(self, descriptor: int, redactor: Redactor) -> None:
        os.set_inheritable(descriptor, False)
        self._pipe = os.fdopen(descriptor, "w", encoding="utf-8")
        self._redactor = redactor

    def on_event(self, event: Mapping[str, Any]) -> bool:
        """Pass an event on; False tells ansible-runner to keep no file of it."""
        if stats := statistics(event):
            self._send({"stats": stats})
        elif fields := translate(event):
            self._send({"event": fields})
        elif event.get("event") in ("verbose", "warning", "error", "system_warning") and event.get("stdout"):
            self._send({"output": event["stdout"]})
        return False

    def _send(self, message: dict[str, Any]) -> None:
        with suppress(BrokenPipeError):
            self._pipe.write(json.dumps(self._redactor.value(message)) + "\n")
            self._pipe.flush()


class Stop:
    """Whether to stop, and the stopping. Looked at by ansible-runner about once a second, in the main thread."""

    def __init__(self) -> None:
        self._signalled = False
        signal.signal(signal.SIGTERM, self._on_signal)

    def __call__(self) -> bool:
        """The cancel callback: ends the run if it is to be ended, and tells whether it was."""
        if not self._asked():
            return False
        self._end_playbook()
        return True

    def _on_signal(self, _signum: int, _frame: object) -> None:
        self._signalled = True

    def _asked(self) -> bool:
        if self._signalled:
            return True
        readable, _, _ = select.select([sys.stdin], [], [], 0)
        return bool(readable)

    def _end_playbook(self) -> None:
        # ansible-playbook first and alone: on SIGTERM it takes its workers along, each in a session of its own.
        playbook = _direct_children()
        processes.end(
            lambda: [process for process in playbook if processes.alive(process)], grace=_STOP_GRACE
        )
        end_everything(grace=0)


def end_everything(*, grace: float) -> None:
    """End every process below this one; what they leave behind comes to us, the subreaper, and is ended too."""
    processes.end(lambda: processes.descendants(os.getpid()), grace=grace)


def main(directory: Path, events: int) -> int:
    """Run the playbook that the parent described in `directory`; the outcome is ansible-runner's `rc` file."""
    wanted = Specification.taken_from(directory / "run.json")
    parent = os.getppid()
    _start_clean(wanted.environment)
    reporter = Reporter(events, Redactor(wanted.secrets))
    try:
        interface.run(
            private_data_dir=str(directory),
            ident=wanted.ident,
            playbook=wanted.playbook,
            inventory=wanted.inventory,
            suppress_env_files=True,
            quiet=True,
            event_handler=reporter.on_event,
            cancel_callback=Stop(),
        )
    finally:
        end_everything(grace=_CLOSE_GRACE)
        if os.getppid() != parent:
            # Nobody is left to remove the keys.
            directories.remove(RunDirectory.at(directory))
    return 0


def _start_clean(environment: Mapping[str, str]) -> None:
    # Importing the project sets variables (Django's settings module) that are no business of a playbook's.
    os.environ.clear()
    os.environ.update(environment)
    # A Celery pool process ignores and blocks signals; what it starts would inherit that.
    for signum in (
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGCHLD,
    ):
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a child subreaper")


def _direct_children() -> list[processes.Process]:
    own = os.getpid()
    return [process for process in processes.table().values() if process.parent == own]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
