import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from govcloud.embedded import supervisor
from govcloud.embedded.supervisor import TETHER, Child, NotReadyError, Supervisor

SLEEP = "import time; time.sleep(60)"
SLEEP_WITH_CHILD = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); time.sleep(60)"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def kept(said: list[str]) -> Iterator[Supervisor]:
    kept = Supervisor(say=said.append)
    yield kept
    kept.stop()


def child(tmp_path: Path, code: str, name: str = "sleeper") -> Child:
    return Child(name=name, command=[sys.executable, "-c", code], log=tmp_path / f"{name}.log")


def pid(of: Child) -> int:
    assert of.process is not None
    return of.process.pid


def group(of: int) -> list[int]:
    """Living processes of a process group."""
    found = subprocess.run(
        ["pgrep", "-g", str(of), "-r", "R,S,D"], check=False, capture_output=True, text=True
    )
    return [int(line) for line in found.stdout.split()]


def eventually(true: Callable[[], bool]) -> bool:
    for _try in range(100):
        if true():
            return True
        time.sleep(0.05)
    return False


def test_stopping_ends_every_process_of_every_child(kept: Supervisor, tmp_path: Path) -> None:
    first, second = child(tmp_path, SLEEP, "first"), child(tmp_path, SLEEP_WITH_CHILD, "second")
    kept.start(first, second)
    groups = [pid(first), pid(second)]
    assert eventually(lambda: len(group(groups[1])) == 2)
    kept.stop()
    assert [group(each) for each in groups] == [[], []]


def test_a_child_that_ends_as_it_starts_is_reported_with_its_log(kept: Supervisor, tmp_path: Path) -> None:
    broken = child(tmp_path, "raise SystemExit('no such setting')")
    broken.ready = lambda: False
    with pytest.raises(NotReadyError, match=str(broken.log)):
        kept.start(broken)
    assert "no such setting" in broken.log.read_text()


def test_a_child_that_is_killed_is_started_again(
    kept: Supervisor, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SHORT_LIFE", 0.0)
    sleeper = child(tmp_path, SLEEP)
    kept.start(sleeper)
    before = pid(sleeper)
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: not sleeper.running)
    kept.tend()
    assert sleeper.running
    assert pid(sleeper) != before
    assert said[0].startswith("sleeper ended by itself")


def test_a_child_that_keeps_ending_is_not_started_in_a_hurry(kept: Supervisor, tmp_path: Path) -> None:
    hasty = child(tmp_path, "pass")
    kept.start(hasty)
    assert eventually(lambda: not hasty.running)
    kept.tend()
    assert not hasty.running


def test_children_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    code = (
        f"import subprocess, sys, time; p = subprocess.Popen([sys.executable, {str(TETHER)!r}, sys.executable, '-c', {SLEEP!r}]);"
        " print(p.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    orphan = int(parent.stdout.readline())
    assert eventually(
        lambda: (
            b"time.sleep" in Path(f"/proc/{orphan}/cmdline").read_bytes()
            and b"tether" not in Path(f"/proc/{orphan}/cmdline").read_bytes()
        )
    )
    parent.kill()
    parent.wait()
    parent.stdout.close()

    def gone() -> bool:
        try:
            return "Z" in Path(f"/proc/{orphan}/stat").read_text().rsplit(")", 1)[1]
        except (FileNotFoundError, ProcessLookupError):
            return True

    assert eventually(gone)
