import base64
from pathlib import Path

import pytest

from govcloud.sandbox.guests.base import build
from govcloud.sandbox.guests.disks import Disks
from govcloud.sandbox.reception import authorized_keys


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with something public and something private in /etc."""
    root = tmp_path / "machine"
    for name in ("etc/pam.d", "etc/security", "usr/bin", "root"):
        (root / name).mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    (root / "etc/login.defs").write_text("PASS_MAX_DAYS 99999\n")
    (root / "etc/pam.d/common").write_text("public\n")
    (root / "etc/security/opasswd").write_text("private\n")
    (root / "etc/security/opasswd").chmod(0o600)
    (root / "etc/passwords.txt").write_text("private\n")
    (root / "root/.ssh").mkdir()
    return root


def test_a_guest_gets_what_is_public_and_nothing_else(machine: Path, tmp_path: Path):
    base = build(tmp_path / "base", machine=machine)
    assert (base / "etc/login.defs").read_text() == "PASS_MAX_DAYS 99999\n"
    assert (base / "etc/pam.d/common").exists()
    assert (base / "bin").readlink() == Path("usr/bin")
    for private in ("etc/security/opasswd", "etc/passwords.txt", "root/.ssh"):
        assert not (base / private).exists()


def test_no_account_of_the_machine_has_a_password_in_a_guest(machine: Path, tmp_path: Path):
    base = build(tmp_path / "base", machine=machine)
    shadow = (base / "etc/shadow").read_text().splitlines()
    assert shadow[0].startswith("root:*:")
    assert all(line.split(":")[1] == "*" for line in shadow)
    assert all(
        int(line.split(":")[2]) < 1000 or "65534" in line
        for line in (base / "etc/passwd").read_text().splitlines()
    )


def test_a_tree_is_built_once_for_an_edition(machine: Path, tmp_path: Path):
    base = build(tmp_path / "base", machine=machine)
    (base / "etc/mark").touch()
    build(tmp_path / "base", machine=machine)
    assert (base / "etc/mark").exists()
    (tmp_path / "base.edition").write_text("older")
    build(tmp_path / "base", machine=machine)
    assert not (base / "etc/mark").exists()


def test_a_disk_is_copied_with_its_holes_and_removed_with_closed_directories(tmp_path: Path):
    disks = Disks(tmp_path)
    image = disks.resize("one", 1)
    with image.open("r+b") as file:
        file.seek(1 << 29)
        file.write(b"data")
    closed = tmp_path / "volume/one/root/overlay/work"
    closed.mkdir(parents=True)
    disks.copy(("volume", "one"), ("backup", "b"))
    copied = tmp_path / "backup/b/data.img"
    assert copied.stat().st_size == 1 << 30
    assert copied.stat().st_blocks * 512 < 1 << 20
    with copied.open("rb") as file:
        file.seek(1 << 29)
        assert file.read(4) == b"data"
    closed.chmod(0)
    disks.remove(("volume", "one"))
    assert not (tmp_path / "volume/one").exists()


def test_a_disk_never_shrinks(tmp_path: Path):
    disks = Disks(tmp_path)
    disks.resize("one", 2)
    assert disks.resize("one", 1).stat().st_size == 2 << 30


def test_keys_come_from_the_key_pair_and_the_user_data():
    config = "#cloud-config\nssh_authorized_keys: [two]\nusers:\n- default\n- {name: ops, ssh_authorized_keys: [three]}\n"
    server = {"public_key": "one", "user_data": base64.b64encode(config.encode()).decode()}
    assert authorized_keys(server) == ["one", "two", "three"]
    for nonsense in (
        None,
        "",
        "%%%",
        base64.b64encode(b"#!/bin/sh\n").decode(),
        base64.b64encode(b"#cloud-config\n:{").decode(),
    ):
        assert authorized_keys({"public_key": None, "user_data": nonsense}) == []
