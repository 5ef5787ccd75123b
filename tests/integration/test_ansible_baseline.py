"""The site playbooks on guests of the sandbox: real SSH, real files, real devices where the machine has them."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from govcloud.gateways.ansible import Host, RunResult, RunStatus, run
from tests.integration.sandboxed import Sandbox, running

pytestmark = pytest.mark.filterwarnings(
    "ignore::openstack.warnings.OpenStackDeprecationWarning",
    "ignore::openstack.warnings._RemovedInSDKWarning",
)

ROOT = Path(__file__).parents[2]
PLAYBOOKS = ROOT / "playbooks"
REACH = ROOT / "govcloud" / "sandbox" / "reach.py"
GIB = 1 << 30


@dataclass
class Laboratory:
    """A sandbox whose guests can be reached, and the directory that runs live in."""

    sandbox: Sandbox
    cloud: openstack.connection.Connection
    key: str
    guests: str
    network: str
    image: str
    runs: Path

    def server(self, name: str) -> Host:
        """A new server, as Ansible reaches it."""
        flavor = next(iter(self.cloud.compute.flavors()))
        made = self.cloud.compute.create_server(
            name=name,
            image_id=self.image,
            flavor_id=flavor.id,
            networks=[{"uuid": self.network}],
            key_name="lab",
        )
        made = self.cloud.compute.wait_for_server(made, wait=60)
        address = next(iter(made.addresses.values()))[0]["addr"]
        proxy = f"{sys.executable} -I -S {REACH} --state {self.sandbox.state} %h"
        return Host(
            name=name, address=address, user="root", private_key=self.key, proxy_command=proxy, become=False
        )

    def volume(self, host: Host, *, gibibytes: int = 1) -> str:
        """A new volume attached to a server; its id."""
        volume = self.cloud.block_storage.create_volume(size=gibibytes)
        self.cloud.block_storage.wait_for_status(volume, "available", wait=60)
        self.attach(host, volume.id)
        return str(volume.id)

    def attach(self, host: Host, volume: str) -> None:
        self.cloud.compute.create_volume_attachment(
            self.cloud.compute.find_server(host.name), volume_id=volume
        )
        self.cloud.block_storage.wait_for_status(
            self.cloud.block_storage.get_volume(volume), "in-use", wait=60
        )

    def detach(self, host: Host, volume: str) -> None:
        server = self.cloud.compute.find_server(host.name)
        self.cloud.compute.delete_volume_attachment(server, self.cloud.block_storage.get_volume(volume))
        self.cloud.block_storage.wait_for_status(
            self.cloud.block_storage.get_volume(volume), "available", wait=60
        )

    def ident(self, run_name: str) -> str:
        return f"{run_name}-{self.network}"

    def play(self, playbook: str, *hosts: Host, run_name: str = "run-1", **variables: Any) -> RunResult:
        """Under an ident of this laboratory's own: a run ends what goes on under its ident anywhere on the machine."""
        return run(
            playbook=playbook,
            playbooks=PLAYBOOKS,
            hosts=hosts,
            variables={"guest_block_devices": self.guests == "full", **variables},
            ident=self.ident(run_name),
            run_dir=self.runs,
            timeout=400,
        )

    def on(self, host: Host, command: str) -> str:
        """What a command says on a guest."""
        key = self.runs.parent / "key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_text(self.key)
        ssh = ["ssh", "-F", "none", "-i", str(key), "-o", f"ProxyCommand={host.proxy_command}"]
        ssh += [
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
        ]
        answer = subprocess.run(
            [*ssh, f"root@{host.address}", command], check=False, capture_output=True, text=True
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.strip()


@pytest.fixture(scope="module")
def lab() -> Iterator[Laboratory]:
    # Guests listen on sockets below the state directory, and a socket's path is short.
    with tempfile.TemporaryDirectory(prefix="gcsb-") as folder:
        state = Path(folder) / "s"
        state.mkdir()
        with running(state, "--instant") as sandbox:
            guests = sandbox.ask("GET", "/health")["guests"]
            if guests == "none":
                pytest.skip("this machine does not let the sandbox run guests")
            yield laboratory(sandbox, guests, Path(folder) / "runs")


def laboratory(sandbox: Sandbox, guests: str, runs: Path) -> Laboratory:
    config = openstack.config.OpenStackConfig(
        config_files=[str(sandbox.state / "clouds.yaml")], load_envvars=False
    )
    cloud = openstack.connection.Connection(config=config.get_one("sandbox"))
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    cloud.compute.create_keypair(name="lab", public_key=public.decode())
    network = cloud.network.create_network(name="lab")
    cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.77.0.0/24")
    image = cloud.image.find_image("debian-12", ignore_missing=False)
    return Laboratory(sandbox, cloud, pem.decode(), guests, network.id, image.id, runs)


@pytest.fixture(autouse=True)
def _room_for_more(lab: Laboratory) -> Iterator[None]:
    """A project has room for ten servers."""
    yield
    for server in lab.cloud.compute.servers():
        lab.cloud.compute.wait_for_delete(lab.cloud.compute.delete_server(server) or server, wait=60)


@pytest.fixture
def disks(lab: Laboratory) -> Laboratory:
    if lab.guests != "full":
        pytest.skip("guests have no block devices here")
    return lab


def report(result: RunResult, host: Host) -> dict[str, Any]:
    assert result.status is RunStatus.SUCCESSFUL, (result.failures, result.detail)
    return dict(result.facts["guests"][host.name])


def checks(result: RunResult, host: Host) -> dict[str, bool]:
    return {check["check"]: check["passed"] for check in report(result, host)["baseline"]["checks"]}


def test_first_run_secures_two_guests_and_the_second_changes_nothing(lab: Laboratory) -> None:
    hosts = [lab.server("web-1"), lab.server("web-2")]
    account = {"name": "zhangwei", "keys": ["ssh-ed25519 AAAA z"], "sudo": True}
    variables = {"mlps_level": 3, "time_sync_servers": ["10.1.1.1"], "accounts_users": [account]}

    first = lab.play("site.yml", *hosts, **variables)
    second = lab.play("site.yml", *hosts, run_name="run-2", **variables)

    written = {
        "ssh-passwords",
        "ssh-root-login",
        "password-length",
        "password-classes",
        "password-age",
        "lock-out-rule",
    }
    written |= {"idle-sessions", "audit-rules", "log-retention", "time-servers", "banner"}
    for host in hosts:
        assert {name for name, passed in checks(first, host).items() if passed} >= written
        assert first.recaps[host.name].changed > 0
        assert second.recaps[host.name].changed == 0
        assert lab.on(host, "cat /etc/sudoers.d/50-govcloud").endswith("zhangwei ALL=(ALL:ALL) NOPASSWD: ALL")
        assert "ssh-ed25519 AAAA z" in lab.on(host, "cat ~zhangwei/.ssh/authorized_keys")
    assert report(second, hosts[0])["hostname"] == "web-1"


def account(*keys: str) -> dict[str, Any]:
    state = "present" if keys else "absent"
    return {"name": "sysadmin", "keys": list(keys), "sudo": True, "state": state}


def test_an_account_goes_although_something_runs_under_it(lab: Laboratory) -> None:
    host = lab.server("in-use")
    lab.play("accounts.yml", host, accounts_users=[account("ssh-ed25519 AAAA z")])
    lab.on(host, "setpriv --reuid $(id -u sysadmin) --clear-groups sleep 300 >/dev/null 2>&1 </dev/null &")

    gone = lab.play("accounts.yml", host, accounts_users=[account()])
    again = lab.play("accounts.yml", host, accounts_users=[account()])

    assert gone.status is RunStatus.SUCCESSFUL, gone.failures
    assert again.recaps[host.name].changed == 0
    assert lab.on(host, "pgrep sleep >/dev/null && echo runs; id -u sysadmin 2>/dev/null || echo none") == (
        "runs\nnone"
    )
    assert "sysadmin" not in lab.on(host, "cat /etc/sudoers.d/50-govcloud")


def test_an_account_that_is_made_anew_under_another_number_is_let_in(lab: Laboratory) -> None:
    """Its home is what it left; OpenSSH takes no key from a home that is another account's."""
    host = lab.server("made-anew")
    lab.play("accounts.yml", host, accounts_users=[account("ssh-ed25519 AAAA z")])
    lab.on(host, "useradd app")
    lab.play("accounts.yml", host, accounts_users=[account()])

    lab.play("accounts.yml", host, accounts_users=[account("ssh-ed25519 AAAA z")])
    again = lab.play("accounts.yml", host, accounts_users=[account("ssh-ed25519 AAAA z")])

    assert lab.on(host, "stat -c %u ~sysadmin") == lab.on(host, "id -u sysadmin")
    assert again.recaps[host.name].changed == 0


def with_ssh_server(lab: Laboratory, host: Host) -> None:
    """Something in the guest that passes for its SSH server; it counts in /run/told how often it was told to read its settings."""
    server = "trap 'echo told >> /run/told' HUP; while :; do sleep 0.2; done"
    lab.on(
        host, "printf '#!/bin/sh\\n' > /usr/local/sbin/sshd; chmod 755 /usr/local/sbin/sshd; : > /run/told"
    )
    lab.on(host, f'sh -c "{server}" >/dev/null 2>&1 </dev/null & echo $! > /run/sshd.pid')


def test_what_was_written_is_applied_although_a_disk_is_not_there(lab: Laboratory) -> None:
    """The run after it finds nothing to change, and would not tell the SSH server any more."""
    host = lab.server("no-disk")
    with_ssh_server(lab, host)

    failed = lab.play(
        "site.yml", host, guest_block_devices=True, data_disks=[{"label": "data1", "mount_point": "/data"}]
    )
    told = lab.on(host, "sleep 0.5; wc -l < /run/told")
    again = lab.play("site.yml", host)

    assert failed.status is RunStatus.FAILED
    assert "no disk found for data1" in failed.failures[0].message
    assert (told, again.recaps[host.name].changed) == ("1", 0)


def test_what_a_run_wrote_that_was_broken_off_is_applied_by_the_next(lab: Laboratory) -> None:
    host = lab.server("broken-off")
    lab.play("baseline.yml", host)
    with_ssh_server(lab, host)
    lock = {
        "owner": lab.ident("run-1"),
        "boot": lab.on(host, "cat /proc/sys/kernel/random/boot_id"),
        "until": 1e12,
    }
    lab.on(host, f"echo '{json.dumps(lock)}' > /run/govcloud/session.json")

    lab.play("baseline.yml", host)
    again = lab.play("baseline.yml", host)

    assert lab.on(host, "sleep 0.5; wc -l < /run/told") == "1"
    assert again.recaps[host.name].changed == 0


def test_a_lower_level_asks_for_less(lab: Laboratory) -> None:
    host = lab.server("level-1")

    lab.play("baseline.yml", host, mlps_level=1)

    assert "minlen = 8" in lab.on(host, "cat /etc/security/pwquality.conf.d/50-govcloud.conf")
    assert "root-commands" not in lab.on(host, "cat /etc/audit/rules.d/50-govcloud.rules")
    assert "PasswordAuthentication yes" in lab.on(host, "cat /etc/ssh/sshd_config.d/10-govcloud.conf")


def test_what_somebody_undid_is_put_back(lab: Laboratory) -> None:
    host = lab.server("drifting")
    lab.play("baseline.yml", host)
    lab.on(host, "rm /etc/audit/rules.d/50-govcloud.rules; echo 'PASS_MAX_DAYS 99999' >> /etc/login.defs")
    drifted = checks(lab.play("facts.yml", host), host)

    mended = lab.play("baseline.yml", host)

    assert (drifted["audit-rules"], drifted["password-age"]) == (False, False)
    assert checks(mended, host)["audit-rules"]
    assert mended.changed > 0


def test_a_report_changes_nothing(lab: Laboratory) -> None:
    host = lab.server("reported")
    before = lab.on(host, "find /etc -newer /proc/1 -type f | sort; cat /etc/login.defs | cksum")

    facts = lab.play("facts.yml", host)

    assert facts.changed == 0
    assert report(facts, host)["cpus"] > 0
    assert lab.on(host, "find /etc -newer /proc/1 -type f | sort; cat /etc/login.defs | cksum") == before


def test_a_guest_held_by_another_run_is_left_alone(lab: Laboratory) -> None:
    host = lab.server("held")
    lab.play("baseline.yml", host)
    lock = {
        "owner": lab.ident("run-9"),
        "boot": lab.on(host, "cat /proc/sys/kernel/random/boot_id"),
        "until": 1e12,
    }
    lab.on(host, f"mkdir -p /run/govcloud && echo '{json.dumps(lock)}' > /run/govcloud/session.json")

    refused = lab.play("baseline.yml", host, run_name="run-8", host_session_wait_seconds=1)
    same = lab.play("baseline.yml", host, run_name="run-9")

    assert refused.status is RunStatus.FAILED
    assert "locked by run run-9" in refused.failures[0].message
    assert same.status is RunStatus.SUCCESSFUL
    assert lab.on(host, "ls /run/govcloud") == "guard"


def test_a_data_disk_lives_through_growth_and_a_move_to_another_server(disks: Laboratory) -> None:
    first, second = disks.server("db-1"), disks.server("db-2")
    volume = disks.volume(first)
    disk = {"label": "data1", "mount_point": "/data", "volume_id": volume}

    made = disks.play("data_disk.yml", first, data_disks=[disk])
    disks.on(first, "echo kept > /data/file")
    disks.cloud.block_storage.extend_volume(volume, 2)
    disks.cloud.block_storage.wait_for_status(disks.cloud.block_storage.get_volume(volume), "in-use", wait=60)
    grown = disks.play("data_disk.yml", first, data_disks=[disk])
    again = disks.play("data_disk.yml", first, data_disks=[disk])
    gone = disks.play("data_disk.yml", first, data_disks=[{"label": "data1", "state": "unmounted"}])
    fstab = disks.on(first, "cat /etc/fstab 2>/dev/null; grep -c /data /proc/mounts || true")
    disks.detach(first, volume)
    disks.attach(second, volume)
    moved = disks.play("data_disk.yml", second, data_disks=[disk])

    def sizes(result: RunResult, host: Host) -> list[int]:
        return [
            found["filesystem_bytes"]
            for found in report(result, host)["disks"]
            if found["mounted_at"] == ["/data"]
        ]

    assert sizes(made, first) == [GIB]
    assert sizes(grown, first) == [2 * GIB]
    assert again.changed == 0
    assert gone.status is RunStatus.SUCCESSFUL
    assert fstab.endswith("0")
    assert "data1" not in fstab
    assert sizes(moved, second) == [2 * GIB]
    assert disks.on(second, "cat /data/file") == "kept"


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("mkfs.ext4 -q -L theirs /dev/vdb", "labelled 'theirs'"),
        ("printf x | dd of=/dev/vdb bs=1 seek=70000 conv=notrunc 2>/dev/null", "no ext4 or xfs file system"),
    ],
)
def test_a_disk_that_holds_something_else_is_never_overwritten(
    disks: Laboratory, before: str, words: str
) -> None:
    host = disks.server(f"theirs-{len(before)}")
    volume = disks.volume(host)
    disks.on(host, before)
    content = disks.on(host, "head -c 2000000 /dev/vdb | cksum")

    refused = disks.play(
        "data_disk.yml", host, data_disks=[{"label": "data1", "mount_point": "/data", "volume_id": volume}]
    )

    assert refused.status is RunStatus.FAILED
    assert words in refused.failures[0].message
    assert disks.on(host, "head -c 2000000 /dev/vdb | cksum") == content


def test_a_guest_without_block_devices_says_so(lab: Laboratory) -> None:
    host = lab.server("no-disks")

    result = lab.play(
        "data_disk.yml",
        host,
        guest_block_devices=False,
        data_disks=[{"label": "data1", "mount_point": "/data"}],
    )

    assert result.status is RunStatus.SUCCESSFUL
    assert result.changed == 0
