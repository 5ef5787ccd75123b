"""One supervised playbook run: start the child, follow it, stop it when asked, and leave nothing behind."""

import json
import logging
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import govcloud
from govcloud.gateways.ansible import directory as directories
from govcloud.gateways.ansible import environment, processes
from govcloud.gateways.ansible.directory import RunDirectory
from govcloud.gateways.ansible.events import failures_in, recaps_from
from govcloud.gateways.ansible.hosts import Host, host_keys_seen
from govcloud.gateways.ansible.redaction import Redactor, secrets_in
from govcloud.gateways.ansible.results import RunEvent, RunResult, RunStatus, status_of

_log = logging.getLogger(__name__)
_IDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_POLL = 0.25
# From asking the child to stop until it is killed; it gives Ansible three seconds of them.
_STOP_PATIENCE = 15.0
# What an earlier attempt gets between SIGTERM and SIGKILL, if its child is alive to end the rest in order.
_EARLIER_GRACE = 5.0
_DETAIL_LINES = 40
# Seconds after which a run that nothing works at any more is nobody's; none lasts that long.
_FORGOTTEN = 3600.0
# The child imports this package from where we have it, whatever directory the worker was started in.
_CODE = Path(govcloud.__path__[0]).resolve().parent


class PlaybookNotFound(ValueError):
    """The named playbook is not in the playbooks directory."""


def _never() -> bool:
    return False


def _nothing() -> None:
    return None


def run(
    *,
    playbook: str,
    playbooks: Path,
    hosts: Sequence[Host],
    variables: Mapping[str, Any],
    ident: str,
    run_dir: Path,
    timeout: float,
    on_event: Callable[[RunEvent], None] | None = None,
    should_cancel: Callable[[], bool] = _never,
    heartbeat: Callable[[], None] = _nothing,
    look_every: float = 1.0,
) -> RunResult:
    """Run `playbook`, a file in the directory `playbooks`, on `hosts` and wait for its end.

    `ident` names the run on the guests and on this machine: what an earlier attempt of the same ident left behind here is
    ended and removed first, and on a guest it may take over that attempt's lock. `run_dir` is the directory for runs; each
    gets a fresh one in it, removed at the end. `timeout` and `look_every` are seconds; about every `look_every` the caller's
    `heartbeat` and `should_cancel` are called. An exception from `heartbeat`, `should_cancel` or `on_event` (a lost lease, a
    soft time limit) stops the run, everything it started is ended, and the exception goes on to the caller.

    Variables whose name tells of a secret (see `redaction`) never show up in events, failures or facts.

    Raises PlaybookNotFound, and ValueError for an ident or hosts that cannot be used. Whatever happens in the run itself is
    told by the result: `RunStatus.UNKNOWN` when it ended without saying how.
    """
    path = _playbook_path(playbooks, playbook)
    _check(ident, hosts)
    end_left_behind(ident=ident, run_dir=run_dir)
    _remove_forgotten(run_dir, timeout=timeout)
    with directories.opened(parent=run_dir, ident=ident) as directory:
        told = {**variables, "run_ident": ident, "run_timeout_seconds": int(timeout)}
        directories.write_inputs(directory, hosts=hosts, variables=told)
        secrets = [*secrets_in(variables), *(key for host in hosts for key in host.private_keys)]
        secrets.extend(secret for host in hosts for secret in secrets_in(host.variables))
        env = environment.environment(directory, ident=ident, playbooks=playbooks.resolve())
        _write_specification(directory, ident=ident, playbook=path, secrets=secrets, env=env)
        supervision = _Supervision(directory, ident, on_event, Redactor(secrets))
        supervision.start(env)
        try:
            supervision.follow(timeout, look_every, should_cancel, heartbeat)
        finally:
            supervision.end()
        return supervision.result()


def end_left_behind(*, ident: str, run_dir: Path) -> None:
    """End processes and remove files of attempts at run `ident` whose worker is gone, or has lost its lease."""
    earlier = directories.left_behind(parent=run_dir, ident=ident)
    controls = [f"{directory.control}/" for directory in earlier]
    ended = processes.end(
        lambda: processes.marked(variable=environment.run_variable(ident), paths=controls),
        grace=_EARLIER_GRACE,
    )
    for directory in earlier:
        directories.remove(directory)
    if ended:
        _log.warning("ansible run %s: ended %d processes of an earlier attempt", ident, ended)


def _remove_forgotten(run_dir: Path, *, timeout: float) -> None:
    """The keys of runs whose worker and child were both killed, where nobody has attempted the same run here since."""
    for directory in directories.untouched(parent=run_dir, seconds=max(_FORGOTTEN, 4 * timeout)):
        variable = environment.attempt_variable(directory)
        if not processes.marked(variable=variable, paths=[f"{directory.control}/"]):
            directories.remove(directory)
            _log.warning("removed what was left of an ansible run: %s", directory.path.name)


class _Supervision:
    """The parent's side of one attempt: the child, the pipe with its events, and what came of it."""

    def __init__(
        self,
        directory: RunDirectory,
        ident: str,
        on_event: Callable[[RunEvent], None] | None,
        redactor: Redactor,
    ) -> None:
        self._directory = directory
        self._ident = ident
        self._on_event = on_event
        self._redactor = redactor
        self._stopped: RunStatus | None = None
        self._events: list[RunEvent] = []
        self._stats: dict[str, Any] = {"recaps": {}, "facts": {}}
        self._output: list[str] = []
        self._pending = b""
        self._began = time.monotonic()

    def start(self, env: Mapping[str, str]) -> None:
        """Start the child; it gets the writing end of a pipe for events and keeps running while its input is open."""
        self._reading, writing = os.pipe()
        os.set_blocking(self._reading, False)
        command = [
            sys.executable,
            "-m",
            "govcloud.gateways.ansible.child",
            str(self._directory.path),
            str(writing),
        ]
        try:
            with self._directory.log.open("wb") as log:
                self._child = subprocess.Popen(
                    command,
                    cwd=_CODE,
                    env=dict(env),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    pass_fds=(writing,),
                    start_new_session=True,
                )
        except OSError:
            os.close(self._reading)
            raise
        finally:
            os.close(writing)

    def follow(
        self,
        timeout: float,
        look_every: float,
        should_cancel: Callable[[], bool],
        heartbeat: Callable[[], None],
    ) -> None:
        """Pass events on until the child is gone; ask it to stop when time is up or the caller wants it."""
        next_look = self._began
        while self._child.poll() is None:
            self._take_events(_POLL)
            now = time.monotonic()
            if now < next_look:
                continue
            next_look = now + look_every
            heartbeat()
            if self._stopped is None and now - self._began > timeout:
                self._stop(RunStatus.TIMED_OUT)
            elif self._stopped is None and should_cancel():
                self._stop(RunStatus.CANCELLED)
            elif self._stopped is not None and now - self._asked_at > _STOP_PATIENCE:
                self._child.kill()
        self._take_events(0)

    def end(self) -> None:
        """End the child and, wherever it hides, everything it started."""
        try:
            self._ask_to_stop()
            try:
                self._child.wait(_STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        finally:
            os.close(self._reading)
            variable = environment.attempt_variable(self._directory)
            control = f"{self._directory.control}/"
            processes.end(lambda: processes.marked(variable=variable, paths=[control]), grace=0)

    def result(self) -> RunResult:
        """What came of the attempt; call it after `end` and before the directory is removed."""
        recaps = recaps_from(self._stats["recaps"])
        status = status_of(rc=self._return_code(), stopped=self._stopped, recaps=recaps)
        ended_well = status is RunStatus.SUCCESSFUL
        return RunResult(
            status=status,
            duration_seconds=time.monotonic() - self._began,
            recaps=recaps,
            failures=failures_in(self._events),
            facts=self._stats["facts"],
            host_keys=host_keys_seen(self._directory.known_hosts.read_text(encoding="utf-8")),
            detail="" if ended_well else self._detail(),
        )

    def _stop(self, status: RunStatus) -> None:
        self._stopped = status
        self._asked_at = time.monotonic()
        self._ask_to_stop()

    def _ask_to_stop(self) -> None:
        if self._child.stdin and not self._child.stdin.closed:
            self._child.stdin.close()

    def _take_events(self, wait: float) -> None:
        readable, _, _ = select.select([self._reading], [], [], wait)
        if not readable:
            return
        while chunk := self._read():
            *lines, self._pending = (self._pending + chunk).split(b"\n")
            for line in lines:
                self._take(json.loads(line))
        # At the end of the pipe `select` would answer at once for ever; the child is about to be gone.
        if self._child.poll() is None:
            time.sleep(min(wait, 0.02))

    def _read(self) -> bytes:
        try:
            return os.read(self._reading, 65536)
        except BlockingIOError:
            return b""

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"event": fields}:
                event = RunEvent(**fields)
                self._events.append(event)
                if self._on_event:
                    self._on_event(event)
            case {"stats": stats}:
                self._stats = stats
            case {"output": text}:
                self._output.append(text)

    def _return_code(self) -> int | None:
        try:
            return int(self._directory.artifact(self._ident, "rc").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            # No file: the child died. Not a number: ansible-playbook was killed. Neither tells what was done.
            return None

    def _detail(self) -> str:
        log = self._directory.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return self._redactor.text("\n".join([*self._output, *log][-_DETAIL_LINES:]))


def _playbook_path(playbooks: Path, playbook: str) -> Path:
    path = (playbooks / playbook).resolve()
    if not path.is_relative_to(playbooks.resolve()) or not path.is_file():
        raise PlaybookNotFound(f"no playbook {playbook!r} in {playbooks}")
    return path


def _check(ident: str, hosts: Sequence[Host]) -> None:
    if not _IDENT.fullmatch(ident):
        raise ValueError(f"not usable as a run's ident: {ident!r}")
    if not hosts or len({host.name for host in hosts}) != len(hosts):
        raise ValueError("a run needs hosts, each with a name of its own")


def _write_specification(
    directory: RunDirectory, *, ident: str, playbook: Path, secrets: list[str], env: Mapping[str, str]
) -> None:
    specification = {
        "ident": ident,
        "playbook": str(playbook),
        "inventory": str(directory.inventory),
        "secrets": secrets,
        "environment": dict(env),
    }
    directories.write_private(directory.specification, json.dumps(specification))
