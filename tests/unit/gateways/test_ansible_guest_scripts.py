"""The scripts that playbooks run on a guest, without a guest: what they read and what they decide."""

import os
import runpy
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
DISK = {"label": "data1", "mount_point": "/data"}
EMPTY = {"blank": False, "filesystem": "", "label_found": "", "mkfs": "/sbin/mkfs.ext4", "mounted_at": []}


@pytest.fixture
def disks(tmp_path: Path) -> dict[str, Any]:
    script = tmp_path / "script.py"
    parts = (PLAYBOOKS / "files/block_devices.py", PLAYBOOKS / "roles/data_disks/files/look.py")
    script.write_text("\n".join(part.read_text() for part in parts))
    return runpy.run_path(str(script), run_name="script")


@pytest.fixture
def session(tmp_path: Path) -> dict[str, Any]:
    names = runpy.run_path(str(PLAYBOOKS / "roles/host_session/files/session.py"), run_name="session")
    names["take"].__globals__.update(FOLDER=str(tmp_path), LOCK=str(tmp_path / "session.json"))
    return names


def image(path: Path, mebibytes: int) -> str:
    with path.open("wb") as file:
        file.truncate(mebibytes << 20)
    return str(path)


@pytest.fixture
def with_block() -> Any:
    return runpy.run_path(str(PLAYBOOKS / "library/settings_files.py"), run_name="settings_files")[
        "with_block"
    ]


def test_a_block_is_written_once_and_stands_last(with_block: Any) -> None:
    first = with_block("one\ntwo", "three\nfour\n", [])

    assert first == "one\ntwo\n# BEGIN govcloud\nthree\nfour\n# END govcloud\n"
    assert with_block(first, "three\nfour", []) == first
    assert (
        with_block(first + "five\n", "three", [])
        == "one\ntwo\nfive\n# BEGIN govcloud\nthree\n# END govcloud\n"
    )


def test_an_empty_block_goes_and_leaves_the_rest(with_block: Any) -> None:
    assert with_block("one\n# BEGIN govcloud\ntwo\n# END govcloud\nthree\n", "", []) == "one\nthree\n"


NEW, OLD = "ssh-ed25519 AAAAnew govcloud", "ssh-ed25519 AAAAold govcloud"
OTHERS = "# of the department\nssh-rsa AAAAtheirs zhang.wei\n"


@pytest.fixture
def module() -> dict[str, Any]:
    return runpy.run_path(str(PLAYBOOKS / "library/authorized_keys.py"), run_name="module")


@pytest.fixture
def let_in(module: dict[str, Any]) -> Callable[..., str]:
    def run(before: str, present: list[str], absent: list[str]) -> str:
        return str(module["wanted"](before.encode(), present, absent).decode())

    return run


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"{NEW}\n"),
        (OTHERS + OLD, f"{OTHERS}{NEW}\n"),
        (OTHERS.strip(), f"{OTHERS}{NEW}\n"),
        (f"{OLD}\n{OTHERS}{NEW}\n", f"{OTHERS}{NEW}\n"),
        ("ssh-ed25519 AAAAnew by-hand\n", "ssh-ed25519 AAAAnew by-hand\n"),
        ("ssh-ed25519 AAAAnew no-line-feed", "ssh-ed25519 AAAAnew no-line-feed"),
        (f'no-pty,command="echo no" {OLD}\n', f"{NEW}\n"),
        (f"# {OLD}\n", f"# {OLD}\n{NEW}\n"),
        (f"\n\n{OLD}\n", f"\n\n{NEW}\n"),
        # OpenSSH ends lines with a line feed only: what else looks like an end is left alone
        (f"# off\rssh-rsa AAAAx\r\n{OLD}\r\n", f"# off\rssh-rsa AAAAx\r\n{NEW}\n"),
        (f"ssh-rsa AAAAx one\u2028two\x0cthree\n{OLD}\n", f"ssh-rsa AAAAx one\u2028two\x0cthree\n{NEW}\n"),
    ],
)
def test_the_new_key_is_let_in_and_the_old_one_is_not(
    let_in: Callable[..., str], before: str, after: str
) -> None:
    assert let_in(before, [NEW], [OLD]) == after
    assert let_in(after, [NEW], [OLD]) == after


def test_what_is_no_text_stays_as_it_is(module: dict[str, Any]) -> None:
    foreign = b"ssh-rsa AAAAx \xff\xfe\n"
    assert module["wanted"](foreign, [], [OLD]) == foreign


def test_a_key_that_is_to_be_let_in_is_not_taken_away(let_in: Callable[..., str]) -> None:
    assert let_in(f"{NEW}\n", [NEW], [NEW, OLD]) == f"{NEW}\n"


def test_elsewhere_keys_only_go(let_in: Callable[..., str]) -> None:
    assert let_in(f'command="echo no" {OLD}\n{OTHERS}', [], [OLD]) == OTHERS
    assert let_in("", [], [OLD]) == ""


def test_what_is_no_key_is_refused_before_anything_is_written(let_in: Callable[..., str]) -> None:
    with pytest.raises(ValueError):
        let_in(OTHERS, ["ssh-ed25519"], [])


def test_every_account_is_looked_into_and_a_link_is_followed(
    module: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("root", "debian", "nobody"):
        (tmp_path / name / ".ssh").mkdir(parents=True)
    (tmp_path / "root/.ssh/authorized_keys2").write_text(OLD)
    (tmp_path / "elsewhere").write_text(OLD)
    (tmp_path / "debian/.ssh/authorized_keys").symlink_to(tmp_path / "elsewhere")
    accounts = [
        SimpleNamespace(pw_name=n, pw_dir=str(tmp_path / n)) for n in ("root", "debian", "nobody", "gone")
    ]
    monkeypatch.setattr("pwd.getpwall", lambda: accounts)

    assert list(module["files"]("root")) == [
        ("root", str(tmp_path / "root/.ssh/authorized_keys")),
        ("root", str(tmp_path / "root/.ssh/authorized_keys2")),
        ("debian", str(tmp_path / "elsewhere")),
    ]


def test_lines_that_say_otherwise_are_commented_out_once(with_block: Any) -> None:
    text = "# PASS_MAX_DAYS is\nPASS_MAX_DAYS\t99999\nPASS_MAX_DAYS_X 1\n deny = 3\n"

    once = with_block(text, "PASS_MAX_DAYS 90", ["PASS_MAX_DAYS", "deny"])

    assert once.startswith(
        "# PASS_MAX_DAYS is\n# PASS_MAX_DAYS\t99999\nPASS_MAX_DAYS_X 1\n#  deny = 3\n# BEGIN govcloud\n"
    )
    assert with_block(once, "PASS_MAX_DAYS 90", ["PASS_MAX_DAYS", "deny"]) == once


@pytest.mark.skipif(shutil.which("mkfs.ext4") is None, reason="needs mkfs.ext4")
@pytest.mark.parametrize("features", ["64bit", "^64bit"])
def test_an_ext4_file_system_tells_its_label_and_size(
    disks: dict[str, Any], tmp_path: Path, features: str
) -> None:
    device = image(tmp_path / "disk", 32)
    subprocess.run(["mkfs.ext4", "-q", "-O", features, "-L", "sixteen-letters-", device], check=True)

    assert disks["filesystem"](device) == ("ext4", "sixteen-letters-", 32 << 20)
    assert not disks["is_blank"](device)


def test_an_xfs_file_system_tells_its_label_and_size(disks: dict[str, Any], tmp_path: Path) -> None:
    device = image(tmp_path / "disk", 32)
    superblock = b"XFSB" + struct.pack(">IQ", 4096, 8192)
    with Path(device).open("r+b") as file:
        file.write(superblock.ljust(108, b"\0") + b"twelve-chars")

    assert disks["filesystem"](device) == ("xfs", "twelve-chars", 32 << 20)


@pytest.mark.parametrize("offset", [0, 510, 70_000, (8 << 20) - 1])
def test_a_single_byte_makes_a_disk_one_that_is_left_alone(
    disks: dict[str, Any], tmp_path: Path, offset: int
) -> None:
    device = image(tmp_path / "disk", 8)
    assert disks["is_blank"](device)

    with Path(device).open("r+b") as file:
        file.seek(offset)
        file.write(b"\x01")

    assert not disks["is_blank"](device)
    assert disks["filesystem"](device) == ("", "", 0)


@pytest.mark.parametrize(
    "disk",
    [
        {"label": "a/b", "mount_point": "/data"},
        {"label": "-x", "mount_point": "/data"},
        {"label": "seventeen-letters", "mount_point": "/data"},
        {"label": "thirteen-long", "mount_point": "/data", "filesystem": "xfs"},
        {"label": "data1", "mount_point": "/data", "filesystem": "btrfs"},
        {"label": "data1", "mount_point": "/etc"},
        {"label": "data1", "mount_point": "/"},
        {"label": "data1", "mount_point": "/data/../etc"},
        {"label": "data1", "mount_point": "/data,exec /x"},
        {"label": "data1"},
    ],
)
def test_unusable_requests_are_refused_before_a_device_is_touched(
    disks: dict[str, Any], disk: dict[str, Any]
) -> None:
    found = disks["look"](disk, set())

    assert found["problem"]
    assert found["device"] is None


def test_letting_go_of_a_disk_needs_no_mount_point(disks: dict[str, Any]) -> None:
    assert disks["wrong_with"]({"label": "data1", "state": "unmounted"}) == ""


@pytest.mark.parametrize(
    ("found", "word"),
    [
        ({}, "left alone"),
        ({"filesystem": "ext4", "label_found": "other"}, "labelled 'other'"),
        ({"filesystem": "ext4", "label_found": ""}, "labelled ''"),
        ({"blank": True, "mkfs": None}, "no mkfs.ext4"),
        (
            {"filesystem": "ext4", "label_found": "data1", "mounted_at": ["/elsewhere"]},
            "mounted at /elsewhere",
        ),
    ],
)
def test_what_is_not_ours_is_left_alone(disks: dict[str, Any], found: dict[str, Any], word: str) -> None:
    assert word in disks["wrong_on"](DISK, EMPTY | found, "/dev/vdb")


@pytest.mark.parametrize(
    "found",
    [
        {"blank": True},
        {"filesystem": "ext4", "label_found": "data1"},
        {"filesystem": "xfs", "label_found": "data1", "mounted_at": ["/data"]},
    ],
)
def test_a_blank_disk_and_our_own_are_taken(disks: dict[str, Any], found: dict[str, Any]) -> None:
    assert disks["wrong_on"](DISK, EMPTY | found, "/dev/vdb") == ""


def test_a_disk_that_has_not_its_volumes_size_yet_is_come_back_to(
    disks: dict[str, Any], tmp_path: Path
) -> None:
    device = image(tmp_path / "disk", 1024)
    asked = disks["too_small"]
    assert asked(DISK | {"at_least_bytes": 1 << 30}, device) == ""
    assert asked(DISK | {"at_least_bytes": (1 << 30) + (16 << 20)}, device) == ""  # encrypted
    assert asked(DISK, device) == ""
    assert "yet" in asked(DISK | {"at_least_bytes": 2 << 30}, device)


def test_an_scsi_disk_is_looked_at_anew(disks: dict[str, Any], tmp_path: Path) -> None:
    device = image(tmp_path / "disk", 1024)

    def rescan(path: str) -> None:
        os.truncate(path, 2 << 30)

    disks["too_small"].__globals__["rescan"] = rescan
    assert disks["too_small"](DISK | {"at_least_bytes": 2 << 30}, device) == ""


def test_nothing_is_hidden_by_mounting_over_it(disks: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    problem = disks["wrong_on"](DISK | {"mount_point": str(tmp_path)}, EMPTY | {"blank": True}, "/dev/vdb")

    assert "not empty" in problem


def test_a_second_run_is_told_who_holds_the_guest(
    session: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert session["take"]("run-1", 600) is None

    assert session["main"]("open", "run-2", "600", "0") == session["LOCKED"]
    assert "locked by run run-1, for" in capsys.readouterr().err


def test_a_run_takes_its_own_lock_again(session: dict[str, Any]) -> None:
    session["take"]("run-1", 600)

    assert session["take"]("run-1", 600) is None


def test_a_run_that_was_broken_off_is_told_until_the_next_has_ended(
    session: dict[str, Any], tmp_path: Path
) -> None:
    session["take"]("run-1", 0)
    broken_off = session["left_open"]()
    session["take"]("run-2", 600)
    session["release"]("run-2")

    assert (broken_off, session["left_open"]()) == (True, False)

    (tmp_path / "session.json").write_text('{"owner": "run')
    assert session["left_open"]()


def test_a_lock_lapses_by_itself(session: dict[str, Any]) -> None:
    session["take"]("run-1", 0)

    assert session["take"]("run-2", 600) is None


def test_a_lock_does_not_outlive_a_reboot(session: dict[str, Any]) -> None:
    session["take"]("run-1", 600)
    session["take"].__globals__["boot"] = lambda: "another boot"

    assert session["take"]("run-2", 600) is None


def test_only_its_owner_gives_a_lock_back(session: dict[str, Any]) -> None:
    session["take"]("run-1", 600)

    assert session["release"]("run-2") is False
    assert session["release"]("run-1") is True
    assert session["take"]("run-2", 600) is None


def test_a_torn_lock_file_locks_nobody_out(session: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "session.json").write_text('{"owner": "run')

    assert session["take"]("run-2", 600) is None
