"""Guests reached with the real OpenSSH client: what is inside, what it sees, and that it leaves nothing behind."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sandbox.process import (
    PROJECT_ROOT,
    REACH,
    Sandbox,
    boot_volume,
    eventually,
    from_volume,
    network,
    ready_volume,
    running,
    running_server,
)

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs the OpenSSH client")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture
def guests(state: Path) -> Iterator[Sandbox]:
    with running(state, "--instant", "--live-guests", "2") as sandbox:
        if sandbox.control("GET", "/health")["guests"] == "none":
            pytest.skip(
                "this machine allows no name spaces: " + sandbox.control("GET", "/health")["guests_reason"]
            )
        yield sandbox


def ssh(sandbox: Sandbox, key: Path, host: str, command: str, **options) -> subprocess.CompletedProcess[str]:
    proxy = f"{sys.executable} -I -S {REACH} --state {sandbox.state} {host}"
    arguments = [
        "ssh",
        "-q",
        "-i",
        key,
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
    ]
    arguments += ["-o", "IdentitiesOnly=yes", "-o", f"ProxyCommand={proxy}", f"root@{host}", command]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False, **options)


def inside(sandbox: Sandbox, key: Path, host: str, command: str) -> str:
    done = ssh(sandbox, key, host, command)
    assert done.returncode == 0, done
    return done.stdout.strip()


@pytest.fixture
def cloud(guests: Sandbox, key: Path):
    connection = guests.project()
    connection.compute.create_keypair(name="key", public_key=key.with_suffix(".pub").read_text())
    yield connection
    connection.close()


def server_at(cloud, address: str, name: str = "web 01", **asked):
    if not (net := cloud.network.find_network("net")):
        net, _ = network(cloud)
    port = cloud.network.create_port(network_id=net.id, fixed_ips=[{"ip_address": address}])
    return running_server(cloud, name=name, networks=[{"port": port.id}], key_name="key", **asked)


def test_a_server_is_reached_at_its_address_and_is_a_machine_of_its_own(guests: Sandbox, cloud, key: Path):
    server_at(cloud, "10.1.0.10")
    assert inside(guests, key, "10.1.0.10", "hostname; id -u").split() == ["web-01", "0"]
    assert (
        inside(
            guests, key, "10.1.0.10", "ls /root; ls /home; ls /work 2>/dev/null; cat /proc/1/cmdline"
        ).find("key")
        < 0
    )
    assert inside(guests, key, "10.1.0.10", "python3 -c 'print(6 * 7)'") == "42"
    assert int(inside(guests, key, "10.1.0.10", "ls -d /proc/[0-9]* | wc -l")) < 12
    assert inside(guests, key, "10.1.0.10", "cat /proc/net/dev | grep -c :") == "1"


def test_exit_codes_streams_and_signals_come_through(guests: Sandbox, cloud, key: Path):
    server_at(cloud, "10.1.0.10")
    done = ssh(guests, key, "10.1.0.10", "cat; echo problem >&2; exit 7", input="x" * 300_000)
    assert (done.returncode, len(done.stdout), done.stderr) == (7, 300_000, "problem\n")
    assert ssh(guests, key, "10.1.0.10", "kill -TERM $$").returncode != 0


def test_what_a_guest_changes_is_its_own_and_lasts(guests: Sandbox, cloud, key: Path):
    before = Path("/etc/hostname").read_text()
    server = server_at(cloud, "10.1.0.10")
    server_at(cloud, "10.1.0.11", "web 02")
    inside(
        guests,
        key,
        "10.1.0.10",
        "echo mine > /etc/mark; echo changed > /etc/hostname; touch /usr/local/bin/tool",
    )
    assert ssh(guests, key, "10.1.0.11", "cat /etc/mark").returncode != 0
    assert Path("/etc/hostname").read_text() == before
    assert not Path("/usr/local/bin/tool").exists()
    cloud.compute.reboot_server(server, "HARD")
    assert inside(guests, key, "10.1.0.10", "cat /etc/mark; ls /usr/local/bin") == "mine\ntool"


def test_a_stopped_or_unknown_server_refuses(guests: Sandbox, cloud, key: Path):
    server = server_at(cloud, "10.1.0.10")
    cloud.compute.stop_server(server)
    assert ssh(guests, key, "10.1.0.10", "true").returncode == 255
    command = [sys.executable, "-I", "-S", str(REACH), "--state", str(guests.state), "10.1.0.99"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr.startswith("connection refused: ")) == (1, True)
    cloud.compute.start_server(server)
    assert inside(guests, key, "10.1.0.10", "echo back") == "back"


def test_a_foreign_key_is_refused(guests: Sandbox, cloud, key: Path, tmp_path: Path):
    server_at(cloud, "10.1.0.10")
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    assert ssh(guests, other, "10.1.0.10", "true").returncode == 255


def test_the_same_address_in_two_projects_needs_its_network_named(guests: Sandbox, cloud, key: Path):
    server = server_at(cloud, "10.1.0.10")
    other = guests.project()
    net, _ = network(other)
    port = other.network.create_port(network_id=net.id, fixed_ips=[{"ip_address": "10.1.0.10"}])
    running_server(other, name="theirs", networks=[{"port": port.id}])
    other.close()
    assert ssh(guests, key, "10.1.0.10", "true").returncode == 255
    net_id = cloud.network.find_network("net").id
    assert inside(guests, key, f"{net_id}/10.1.0.10", "hostname") == "web-01"
    assert inside(guests, key, server.id, "hostname") == "web-01"


def test_more_servers_than_may_run_at_once_are_all_reached(guests: Sandbox, cloud, key: Path):
    for number in range(4):
        server_at(cloud, f"10.1.0.{20 + number}", f"web {number}")
    for _ in range(2):
        for number in range(4):
            assert inside(guests, key, f"10.1.0.{20 + number}", "hostname") == f"web-{number}"


def test_files_are_copied_in_and_out(guests: Sandbox, cloud, key: Path, tmp_path: Path):
    server_at(cloud, "10.1.0.10")
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(2_000_000))
    proxy = f"ProxyCommand={sys.executable} -I -S {REACH} --state {guests.state} %h"
    common = [
        "-q",
        "-i",
        str(key),
        "-o",
        proxy,
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
    ]
    for legacy in ([], ["-O"]):
        subprocess.run(
            ["scp", *legacy, *common, str(source), "root@10.1.0.10:/root/x"], check=True, timeout=60
        )
        subprocess.run(["scp", *legacy, *common, "root@10.1.0.10:/root/x", str(back)], check=True, timeout=60)
        assert back.read_bytes() == source.read_bytes()


@pytest.fixture
def full(guests: Sandbox) -> Sandbox:
    if guests.control("GET", "/health")["guests"] != "full":
        pytest.skip("no block devices for guests here")
    return guests


def test_a_data_volume_is_a_disk_that_grows_and_moves_with_its_data(full: Sandbox, cloud, key: Path):
    first, second = server_at(cloud, "10.1.0.10"), server_at(cloud, "10.1.0.11", "web 02")
    volume = ready_volume(cloud, size=1)
    cloud.compute.create_volume_attachment(first, volume_id=volume.id)
    link = f"/dev/disk/by-id/virtio-{volume.id[:20]}"
    inside(
        full,
        key,
        "10.1.0.10",
        f"mkfs.ext4 -q -L data {link}; mkdir /data; mount /dev/vdb /data; echo kept > /data/f",
    )
    cloud.block_storage.extend_volume(volume, 2)
    eventually(lambda: cloud.block_storage.get_volume(volume.id).size == 2)
    assert inside(full, key, "10.1.0.10", "blockdev --getsize64 /dev/vdb") == str(2 << 30)
    cloud.compute.delete_volume_attachment(first, volume.id)
    eventually(lambda: cloud.block_storage.get_volume(volume.id).status == "available")
    assert ssh(full, key, "10.1.0.10", "test -e /dev/vdb").returncode == 1
    assert inside(full, key, "10.1.0.10", "grep -c vdb /proc/mounts || true") == "0"
    cloud.compute.create_volume_attachment(second, volume_id=volume.id)
    eventually(lambda: cloud.block_storage.get_volume(volume.id).status == "in-use")
    assert inside(full, key, "10.1.0.11", "mount /dev/vdb /mnt && cat /mnt/f") == "kept"


def test_a_restored_backup_brings_the_data_back(full: Sandbox, cloud, key: Path):
    server = server_at(cloud, "10.1.0.10")
    volume = ready_volume(cloud, size=1)
    cloud.compute.create_volume_attachment(server, volume_id=volume.id)
    inside(
        full,
        key,
        "10.1.0.10",
        "mkfs.ext4 -q /dev/vdb; mkdir /data; mount /dev/vdb /data; echo precious > /data/f",
    )
    backup = cloud.block_storage.create_backup(volume_id=volume.id, force=True)
    eventually(lambda: cloud.block_storage.get_backup(backup.id).status == "available")
    inside(full, key, "10.1.0.10", "rm /data/f")
    restored = cloud.block_storage.restore_backup(backup.id, name="restored").volume_id
    eventually(lambda: cloud.block_storage.get_volume(restored).status == "available")
    cloud.compute.create_volume_attachment(server, volume_id=restored)
    eventually(lambda: cloud.block_storage.get_volume(restored).status == "in-use")
    assert inside(full, key, "10.1.0.10", "mount /dev/vdc /mnt && cat /mnt/f") == "precious"


def test_a_system_volume_restored_to_a_new_server_has_its_files_and_the_new_key(
    guests: Sandbox, cloud, key: Path
):
    volume = boot_volume(cloud)
    server_at(cloud, "10.1.0.10", block_device_mapping=from_volume(volume))
    inside(guests, key, "10.1.0.10", "echo precious > /etc/application")
    backup = cloud.block_storage.create_backup(volume_id=volume.id, force=True)
    eventually(lambda: cloud.block_storage.get_backup(backup.id).status == "available")
    restored = cloud.block_storage.restore_backup(backup.id, name="drill").volume_id
    eventually(lambda: cloud.block_storage.get_volume(restored).status == "available")
    server_at(
        cloud,
        "10.1.0.11",
        "drill",
        block_device_mapping=from_volume(cloud.block_storage.get_volume(restored)),
    )
    assert inside(guests, key, "10.1.0.11", "hostname; cat /etc/application") == "drill\nprecious"


def loop_devices(state: Path) -> list[str]:
    files = Path("/sys/block").glob("loop*/loop/backing_file")
    return [text for file in files if (text := file.read_text()).startswith(str(state))]


def processes_of(state: Path) -> list[int]:
    listed = subprocess.run(
        ["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True
    ).stdout
    return [
        int(line.split()[0]) for line in listed.splitlines() if "guests.zygote" in line and str(state) in line
    ]


def test_a_killed_sandbox_leaves_nothing_and_the_next_one_finds_everything(state: Path, key: Path):
    with running(state, "--instant") as sandbox:
        if sandbox.control("GET", "/health")["guests"] == "none":
            pytest.skip("this machine allows no name spaces")
        cloud = sandbox.project()
        cloud.compute.create_keypair(name="key", public_key=key.with_suffix(".pub").read_text())
        server = server_at(cloud, "10.1.0.10")
        volume = ready_volume(cloud)
        cloud.compute.create_volume_attachment(server, volume_id=volume.id)
        inside(sandbox, key, "10.1.0.10", "echo kept > /etc/mark; sync")
        assert processes_of(state)
        sandbox.process.send_signal(signal.SIGKILL)
        sandbox.process.wait()
        eventually(lambda: not processes_of(state))
        eventually(lambda: not loop_devices(state))
        cloud.close()
    with running(state, "--instant") as sandbox:
        assert inside(sandbox, key, "10.1.0.10", "cat /etc/mark") == "kept"
        cloud = sandbox.connect()
        [found] = cloud.compute.servers(all_projects=True)
        assert (found.id, found.status) == (server.id, "ACTIVE")
        cloud.compute.delete_server(found)
        eventually(lambda: cloud.compute.find_server(server.id, all_projects=True) is None)
        assert ssh(sandbox, key, "10.1.0.10", "true").returncode == 255
        cloud.close()
    assert not processes_of(state)
    assert not loop_devices(state)


@pytest.fixture
def short() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cp") as path:
        yield path


def test_ansible_configures_a_guest_and_finds_nothing_to_change_again(
    guests: Sandbox, cloud, key: Path, tmp_path: Path, short: str
):
    server_at(cloud, "10.1.0.10")
    proxy = f"{sys.executable} -I -S {REACH} --state {guests.state} %h"
    options = f"-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ProxyCommand='{proxy}'"
    variables = {
        "ansible_host": "10.1.0.10",
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(key),
        "ansible_ssh_common_args": options,
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"web": variables}}}))
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        """
- hosts: web
  gather_facts: true
  tasks:
    - {ansible.builtin.copy: {content: "hello\\n", dest: /etc/greeting, mode: "0644"}}
    - {ansible.builtin.lineinfile: {path: /etc/login.defs, regexp: "^PASS_MAX_DAYS", line: "PASS_MAX_DAYS 90"}}
    - {ansible.builtin.user: {name: operator1, shell: /bin/bash}}
    - {ansible.builtin.command: {cmd: cat /etc/greeting}, changed_when: false}
"""
    )
    environment = os.environ | {
        "ANSIBLE_PIPELINING": "True",
        "HOME": str(tmp_path),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": short,  # a socket's address holds 107 characters at most
        "ANSIBLE_LOCALHOST_WARNING": "False",
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), str(playbook)]
    for changed in (3, 0):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            env=environment,
            cwd=PROJECT_ROOT,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(rf"changed={changed} ", done.stdout), done.stdout
    assert inside(guests, key, "10.1.0.10", "cat /etc/greeting; id -un operator1") == "hello\noperator1"
