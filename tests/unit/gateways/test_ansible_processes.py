import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from govcloud.gateways.ansible import processes

SHELL = "trap '' TERM; setsid sleep 600 & echo ready; wait"


@pytest.fixture
def tree() -> Iterator["subprocess.Popen[str]"]:
    """A shell that ignores SIGTERM, and a child of it in a session of its own."""
    environment = {"PATH": os.environ["PATH"], "MARK": "of-this-test"}
    with subprocess.Popen(["bash", "-c", SHELL], stdout=subprocess.PIPE, text=True, env=environment) as shell:
        assert shell.stdout
        shell.stdout.readline()
        while len(processes.descendants(shell.pid)) != 1:
            time.sleep(0.01)
        yield shell
        processes.end(lambda: processes.marked(variable="MARK=of-this-test"), grace=0)


def test_descendants_are_found_across_sessions(tree: "subprocess.Popen[str]") -> None:
    assert tree.pid in {process.pid for process in processes.descendants(os.getpid())}
    assert [process.parent for process in processes.descendants(tree.pid)] == [tree.pid]


def test_marked_processes_are_found_by_environment_and_by_command_line(tree: "subprocess.Popen[str]") -> None:
    by_environment = processes.marked(variable="MARK=of-this-test")
    by_path = processes.marked(variable="NO=such", paths=["trap '' TERM; setsid"])

    assert len(by_environment) == 2
    assert [process.pid for process in by_path] == [tree.pid]
    assert processes.marked(variable="MARK=of-this") == []


def test_ending_goes_on_until_nothing_is_left(tree: "subprocess.Popen[str]") -> None:
    ended = processes.end(lambda: processes.marked(variable="MARK=of-this-test"), grace=0.2)

    assert ended == 2
    assert tree.wait() != 0
    assert processes.marked(variable="MARK=of-this-test") == []


def test_a_process_with_the_same_number_but_another_start_is_not_signalled(
    tree: "subprocess.Popen[str]",
) -> None:
    living = processes.table()[tree.pid]
    earlier = processes.Process(pid=living.pid, parent=living.parent, started=living.started - 1)

    processes.send(earlier, signal.SIGKILL)

    assert not processes.alive(earlier)
    assert processes.alive(living)


def test_a_command_with_brackets_in_its_name_is_read() -> None:
    code = "import ctypes, sys; ctypes.CDLL(None).prctl(15, b'a) R (b 1'); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        child.stdout.readline()
        assert processes.table()[child.pid].parent == os.getpid()
        child.communicate()
