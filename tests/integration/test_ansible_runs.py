"""The gateway with real Ansible over real SSH, on a server that runs commands as the user of the tests."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from govcloud.gateways.ansible import Host, PlaybookNotFound, RunEvent, RunResult, RunStatus, run

SERVER = Path(__file__).with_name("ansible_ssh_server.py")
ROOT = Path(__file__).parents[2]
SECRET = "correct-horse-battery"
IDENT = f"run-{uuid.uuid4()}"
"""Of this process's own: a run ends what goes on under its ident anywhere on the machine."""

HANG = """
    - name: Hang
      ansible.builtin.command: sleep 600
      changed_when: false
"""


@dataclass
class Laboratory:
    """A guest, playbooks written by the test, and the directory that runs live in."""

    host: Host
    folder: Path
    target: Path
    controls: set[str] = field(default_factory=set)

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def playbook(self, tasks: str) -> str:
        text = "- name: A test\n  hosts: all\n  gather_facts: false\n  tasks:\n"
        (self.folder / "playbooks" / "test.yml").write_text(
            text + textwrap.indent(textwrap.dedent(tasks), "    ")
        )
        return "test.yml"

    def run(self, tasks: str, **options: Any) -> RunResult:
        settings: dict[str, Any] = {
            "hosts": [self.host],
            "variables": {},
            "ident": IDENT,
            "timeout": 120.0,
            **options,
        }
        on_event = settings.pop("on_event", lambda _event: None)

        def note(event: RunEvent) -> None:
            self.note_controls()
            on_event(event)

        return run(
            playbook=self.playbook(tasks),
            playbooks=self.folder / "playbooks",
            run_dir=self.runs,
            look_every=0.2,
            on_event=note,
            **settings,
        )

    def note_controls(self) -> None:
        """SSH's masters name nothing but their socket, so remember where the sockets of our runs are."""
        self.controls.update(str(link.resolve()) for link in self.runs.glob("*/control"))

    def processes(self) -> list[str]:
        """Command lines of whatever still belongs to a run, found by the paths that all of them name."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if any(path in command for path in (str(self.runs), *self.controls)):
                    found.append(command)
        return found


def private_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()


def public_key(private: str) -> str:
    key = serialization.load_ssh_private_key(private.encode(), None).public_key()
    return key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("guest")
    key, host_key = private_key(), private_key()
    (folder / "authorized_keys").write_text(public_key(key) + "\n")
    (folder / "host_key").write_text(host_key)
    (folder / "host_key").chmod(0o600)
    command = [sys.executable, str(SERVER), str(folder / "authorized_keys"), str(folder / "host_key")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        port = int(server.stdout.readline())
        yield Host(
            name="guest",
            address="127.0.0.1",
            port=port,
            user="tester",
            private_key=key,
            become=False,
            python=sys.executable,
            host_keys=(public_key(host_key),),
            variables={"ansible_ssh_retries": 0},
        )
        server.terminate()


@pytest.fixture
def lab(guest: Host, tmp_path: Path) -> Iterator[Laboratory]:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "ansible.cfg").write_bytes((ROOT / "playbooks" / "ansible.cfg").read_bytes())
    laboratory = Laboratory(host=guest, folder=tmp_path, target=tmp_path / "target")
    yield laboratory
    assert laboratory.processes() == []


def until(condition: Callable[[], Any]) -> None:
    """Wait for what must come; the limit only keeps a broken build from hanging."""
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.1)


def test_first_run_changes_and_rerun_does_not(lab: Laboratory) -> None:
    tasks = f"- name: Write\n  ansible.builtin.copy: {{content: hello, dest: {lab.target}, mode: '0600'}}"

    first, second = lab.run(tasks), lab.run(tasks)

    assert (first.status, second.status) == (RunStatus.SUCCESSFUL, RunStatus.SUCCESSFUL)
    assert (first.changed, second.changed) == (1, 0)
    assert lab.target.read_text() == "hello"
    assert list(lab.runs.iterdir()) == []


def test_facts_and_the_guests_key_come_back(lab: Laboratory) -> None:
    unknown = replace(lab.host, host_keys=())
    tasks = """
    - name: Say it
      ansible.builtin.set_stats:
        data: "{{ {'guests': {inventory_hostname: {'size': size}}} }}"
    - name: Connect
      ansible.builtin.command: "true"
      changed_when: false
    """

    result = lab.run(tasks, hosts=[unknown], variables={"size": 3})

    assert result.facts == {"guests": {"guest": {"size": 3}}}
    assert result.host_keys == {"guest": tuple(" ".join(key.split()[:2]) for key in lab.host.host_keys)}


def test_a_failed_task_is_told_with_the_words_of_the_program(lab: Laboratory) -> None:
    result = lab.run(
        """
        - name: Fail
          ansible.builtin.command: sh -c 'echo no such volume >&2; exit 3'
        """
    )

    assert result.status is RunStatus.FAILED
    assert result.recaps["guest"].failed == 1
    assert [(failure.host, failure.task) for failure in result.failures] == [("guest", "Fail")]
    assert "no such volume" in result.failures[0].message


def test_a_playbook_that_cannot_be_read_fails_with_its_error(lab: Laboratory) -> None:
    result = lab.run("- name: Wrong\n  ansible.builtin.no_such_module:")

    assert result.status is RunStatus.FAILED
    assert "no_such_module" in result.detail


def test_cancelling_leaves_no_process_behind(lab: Laboratory) -> None:
    seen: list[RunEvent] = []

    result = lab.run(
        HANG, on_event=seen.append, should_cancel=lambda: any(event.task == "Hang" for event in seen)
    )

    assert result.status is RunStatus.CANCELLED
    assert lab.processes() == []
    assert list(lab.runs.iterdir()) == []


def test_a_run_ends_when_its_time_is_up(lab: Laboratory) -> None:
    assert lab.run(HANG, timeout=2.5).status is RunStatus.TIMED_OUT
    assert lab.processes() == []


def test_an_unreachable_guest_is_told_from_a_failure(lab: Laboratory) -> None:
    closed = replace(lab.host, name="closed", port=9)

    result = lab.run("- name: Connect\n  ansible.builtin.ping:", hosts=[lab.host, closed])

    assert result.status is RunStatus.UNREACHABLE
    assert result.recaps["guest"].ok == 1
    assert result.recaps["closed"].unreachable == 1
    assert [failure.host for failure in result.failures] == ["closed"]


def test_a_wrong_key_makes_the_guest_unreachable(lab: Laboratory) -> None:
    result = lab.run(
        "- name: Connect\n  ansible.builtin.ping:", hosts=[replace(lab.host, private_key=private_key())]
    )

    assert result.status is RunStatus.UNREACHABLE
    assert "Permission denied" in result.failures[0].message


def test_a_guest_that_refuses_the_first_key_is_entered_with_another(lab: Laboratory) -> None:
    host = replace(lab.host, private_key=private_key(), other_keys=(private_key(), lab.host.private_key))

    result = lab.run("- name: Connect\n  ansible.builtin.ping:", hosts=[host])

    assert result.status is RunStatus.SUCCESSFUL
    assert list(lab.runs.iterdir()) == []


def test_a_guest_that_shows_another_key_than_before_is_refused(lab: Laboratory) -> None:
    impostor = replace(lab.host, host_keys=(public_key(private_key()),))

    result = lab.run("- name: Connect\n  ansible.builtin.ping:", hosts=[impostor])

    assert result.status is RunStatus.UNREACHABLE
    assert "Host key verification failed" in result.failures[0].message


def files_naming(secret: str, folder: Path) -> set[str]:
    """Files that hold a secret, but for Ansible's hand-over of an event, gone as soon as it is read."""
    found = set()
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and "-partial.json" not in path.name and secret.encode() in path.read_bytes():
                found.add(path.name)
    return found


def test_a_secret_stays_in_its_file(lab: Laboratory) -> None:
    seen: list[RunEvent] = []
    files: set[str] = set()
    commands: list[str] = []

    def look(event: RunEvent) -> None:
        seen.append(event)
        files.update(files_naming(SECRET, lab.runs))
        commands.extend(lab.processes())

    result = lab.run(
        """
        - name: Fail aloud
          ansible.builtin.fail:
            msg: "cannot sign in with {{ database.password }}"
        """,
        variables={"database": {"password": SECRET}},
        on_event=look,
    )

    assert "cannot sign in with [redacted]" in result.failures[0].message
    assert SECRET not in repr((result, seen))
    assert files == {"extravars"}
    assert commands
    assert not any(SECRET in command for command in commands)


def test_private_keys_are_not_shown(lab: Laboratory) -> None:
    result = lab.run(
        """
        - name: Show the key
          ansible.builtin.fail:
            msg: "{{ lookup('ansible.builtin.file', ansible_ssh_private_key_file) }}"
        """
    )

    assert result.status is RunStatus.FAILED
    assert not any(line in repr(result) for line in lab.host.private_key.splitlines())


def test_files_of_a_run_are_private(lab: Laboratory) -> None:
    modes: dict[str, int] = {}

    def look(_event: RunEvent) -> None:
        for path in [
            lab.runs,
            *lab.runs.glob("*"),
            *lab.runs.glob("*/known_hosts"),
            *lab.runs.glob("*/[eik]*/*"),
        ]:
            modes[path.name] = path.stat().st_mode & 0o777

    umask = os.umask(0)
    try:
        lab.run("- name: Connect\n  ansible.builtin.ping:", on_event=look)
    finally:
        os.umask(umask)

    directories = {name: mode for name, mode in modes.items() if name.startswith("run")}
    assert set(directories.values()) == {0o700}
    assert modes.items() - directories.items() == {
        (name, 0o600) for name in ("guest~0", "extravars", "settings", "hosts.yml", "known_hosts")
    }


def test_the_workers_environment_is_not_passed_on(lab: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgres://govcloud:{SECRET}@db/govcloud")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nonexistent/agent")
    tasks = """
    - name: Say what is there
      ansible.builtin.set_stats:
        data: {names: "{{ lookup('ansible.builtin.pipe', 'env -0').split('\\0') | map('split', '=') | map('first') }}"}
    """

    names = {name for name in lab.run(tasks).facts["names"] if name}

    allowed = {
        "PATH",
        "HOME",
        "TMPDIR",
        "LC_ALL",
        "LANG",
        "TZ",
        "PYTHONUTF8",
        "PWD",
        "SHLVL",
        "_",
        "ORIGINAL_STDOUT_CALLBACK",
    }
    assert {"PATH", "HOME", "TMPDIR"} <= names
    assert {
        name
        for name in names - allowed
        if not name.startswith(("ANSIBLE_", "GOVCLOUD_ANSIBLE_", "RUNNER_", "AWX_"))
    } == set()


def test_what_somebody_typed_is_never_a_template(lab: Laboratory) -> None:
    typed = "{{ lookup('ansible.builtin.pipe', 'touch " + str(lab.target) + "') }}"
    tasks = """
    - name: Say it
      ansible.builtin.set_stats:
        data: {title: "{{ title }}", inside: "{{ system.names[0] }}", host: "{{ owner }}"}
    """
    host = replace(lab.host, variables={**lab.host.variables, "owner": typed})

    result = lab.run(tasks, hosts=[host], variables={"title": typed, "system": {"names": [typed]}})

    assert result.facts == {"title": typed, "inside": typed, "host": typed}
    assert not lab.target.exists()


def test_a_killed_child_leaves_an_unknown_run_and_no_process(lab: Laboratory) -> None:
    def kill(event: RunEvent) -> None:
        if event.task == "Hang":
            command = ["pgrep", "-f", f"gateways.ansible.child {lab.runs}"]
            pid = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            os.kill(int(pid), signal.SIGKILL)

    result = lab.run(HANG, on_event=kill)

    assert result.status is RunStatus.UNKNOWN
    assert lab.processes() == []


def test_a_lost_lease_ends_the_run_and_is_told_to_the_caller(lab: Laboratory) -> None:
    class LeaseLostError(Exception):
        pass

    started: list[RunEvent] = []

    def heartbeat() -> None:
        if any(event.task == "Hang" for event in started):
            raise LeaseLostError

    with pytest.raises(LeaseLostError):
        lab.run(HANG, on_event=started.append, heartbeat=heartbeat)

    assert lab.processes() == []
    assert list(lab.runs.iterdir()) == []


WORKER = """
import pickle, sys
from pathlib import Path
from govcloud.gateways.ansible import run

options = pickle.loads(Path(sys.argv[1]).read_bytes())
run(**options, on_event=lambda event: print(event.task, flush=True))
"""


def start_worker(lab: Laboratory, tasks: str) -> subprocess.Popen[str]:
    """Another process in the middle of a run."""
    options = {
        "playbook": lab.playbook(tasks),
        "playbooks": lab.folder / "playbooks",
        "hosts": [lab.host],
        "variables": {},
        "ident": IDENT,
        "run_dir": lab.runs,
        "timeout": 300.0,
    }
    (lab.folder / "options").write_bytes(pickle.dumps(options))
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(lab.folder / "options")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout
    while "Hang" not in worker.stdout.readline():
        assert worker.poll() is None
    lab.note_controls()
    return worker


def test_a_run_does_not_outlive_its_worker(lab: Laboratory) -> None:
    with start_worker(lab, HANG) as worker:
        worker.kill()

    until(lambda: not lab.processes())
    assert list(lab.runs.iterdir()) == []


def test_a_later_attempt_ends_what_an_earlier_one_left(lab: Laboratory) -> None:
    with start_worker(lab, HANG) as worker:
        # The child is stopped as well, so that nobody is left to end the playbook.
        subprocess.run(["pkill", "-STOP", "-f", f"gateways.ansible.child {lab.runs}"], check=True)
        worker.kill()
    assert lab.processes() != []

    result = lab.run("- name: Connect\n  ansible.builtin.ping:")

    assert result.status is RunStatus.SUCCESSFUL
    assert lab.processes() == []
    assert list(lab.runs.iterdir()) == []


def test_keys_of_a_run_that_nobody_comes_back_to_are_removed(lab: Laboratory) -> None:
    """Its worker and its child were killed, and its step went on elsewhere or was called off."""
    lab.runs.mkdir(exist_ok=True)
    forgotten, young = lab.runs / "run-other~1", lab.runs / "run-another~1"
    for path in (forgotten, young):
        path.mkdir(mode=0o700)
        (path / "control").symlink_to(lab.folder / "no-such-folder")
        (path / "key").write_text("private")
    os.utime(forgotten, (time.time() - 86_400,) * 2)

    lab.run("- name: Connect\n  ansible.builtin.ping:")

    assert list(lab.runs.iterdir()) == [young]


def test_a_playbook_outside_the_directory_is_refused(lab: Laboratory) -> None:
    (lab.folder / "elsewhere.yml").write_text("[]")
    for name in ("missing.yml", "../elsewhere.yml", str(lab.folder / "elsewhere.yml")):
        with pytest.raises(PlaybookNotFound):
            run(
                playbook=name,
                playbooks=lab.folder / "playbooks",
                hosts=[lab.host],
                variables={},
                ident=IDENT,
                run_dir=lab.runs,
                timeout=5,
            )
