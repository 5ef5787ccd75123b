"""What a run leaves behind: its status, each host's recap, failures, and the facts the playbook set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class RunStatus(StrEnum):
    """How a run ended. `UNKNOWN`: it ended without telling; the playbook is idempotent and may be run again."""

    SUCCESSFUL = "successful"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Recap:
    """Counts of tasks on one host, as Ansible's PLAY RECAP shows them (`unreachable` counts attempts, not tasks)."""

    ok: int = 0
    changed: int = 0
    unreachable: int = 0
    failed: int = 0
    skipped: int = 0
    rescued: int = 0
    ignored: int = 0


class Failure(NamedTuple):
    """A task that failed on a host; host and task are empty for a playbook that could not start."""

    host: str
    task: str
    message: str


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One thing that happened in a run, secrets removed. `at` is the ISO time that Ansible recorded."""

    kind: str
    host: str = ""
    task: str = ""
    changed: bool = False
    message: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The outcome of one run.

    `facts` is what the playbook said with `set_stats`; `host_keys` the public keys each guest showed; `detail` the last lines
    of output when the run ended badly; all without secrets. `duration_seconds` is elapsed time.
    """

    status: RunStatus
    duration_seconds: float
    recaps: Mapping[str, Recap] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    host_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    detail: str = ""

    @property
    def changed(self) -> int:
        """Tasks that changed something, on all hosts together; 0 for a rerun of an idempotent playbook."""
        return sum(recap.changed for recap in self.recaps.values())


def status_of(*, rc: int | None, stopped: RunStatus | None, recaps: Mapping[str, Recap]) -> RunStatus:
    """The status of a run whose `ansible-playbook` returned `rc` (None: it never said).

    A run that was told to stop but had already succeeded, succeeded.
    """
    if rc == 0:
        return RunStatus.SUCCESSFUL
    if stopped is not None:
        return stopped
    if rc is None:
        return RunStatus.UNKNOWN
    if any(recap.failed for recap in recaps.values()):
        return RunStatus.FAILED
    if any(recap.unreachable for recap in recaps.values()):
        return RunStatus.UNREACHABLE
    return RunStatus.FAILED
