"""Guests for somebody who is not root: the same, but for block devices and other accounts' files."""

import os
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sandbox.process import PROJECT_ROOT, Sandbox, ready_volume, running
from tests.integration.sandbox.test_sandbox_guests import inside, server_at, ssh

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
SYSTEM_PYTHON = "/usr/bin/python3"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None or shutil.which("ssh") is None,
    reason="needs root, to become an ordinary user, and the OpenSSH client",
)


# setpriv keeps its rights until it has started the program, so the program proves that it can start itself.
_PROBE = "import govcloud.sandbox, asyncssh, werkzeug, yaml, subprocess, sys; subprocess.check_call([sys.executable, '-c', '']); print(sys.version_info[:2])"


def an_interpreter() -> tuple[str, dict[str, str]]:
    """A Python an ordinary user may run on the project, and the environment in which it finds the requirements."""
    paths = {
        "PYTHONPATH": os.pathsep.join(site.getsitepackages()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/",
    }
    for python in (sys.executable, SYSTEM_PYTHON):
        probe = [*NOBODY, python, "-c", _PROBE]
        done = subprocess.run(
            probe, capture_output=True, text=True, check=False, env=os.environ | paths, cwd=PROJECT_ROOT
        )
        if done.returncode == 0 and done.stdout.strip() == str(tuple(sys.version_info[:2])):
            return python, paths
    pytest.skip("no interpreter of this version, or not the project, is open to an ordinary user")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture
def guests() -> Iterator[Sandbox]:
    python, environment = an_interpreter()
    with tempfile.TemporaryDirectory(prefix="ordinary") as directory:
        state = Path(directory)
        state.chmod(0o755)
        os.chown(state, 65534, 65534)
        with running(state, "--instant", launcher=NOBODY, python=python, environment=environment) as sandbox:
            if sandbox.control("GET", "/health")["guests"] == "none":
                pytest.skip("this machine allows an ordinary user no name spaces")
            yield sandbox


@pytest.fixture
def cloud(guests: Sandbox, key: Path):
    connection = guests.project()
    connection.compute.create_keypair(name="key", public_key=key.with_suffix(".pub").read_text())
    yield connection
    connection.close()


def test_an_ordinary_users_guest_is_root_inside_and_says_what_it_lacks(guests: Sandbox, cloud, key: Path):
    health = guests.control("GET", "/health")
    assert (health["guests"], health["guests_reason"]) == ("no-block-devices", "block devices need root")
    assert cloud.image.find_image("debian-12").properties["govcloud_guest"] == "no-block-devices"
    server = server_at(cloud, "10.1.0.10")
    assert inside(guests, key, "10.1.0.10", "id -u; hostname").split() == ["0", "web-01"]
    inside(
        guests,
        key,
        "10.1.0.10",
        "rm /etc/motd; echo mine > /etc/mark; useradd -m -d /srv/ops ops; chown ops /etc/mark",
    )
    assert (
        inside(guests, key, "10.1.0.10", "ls -d /srv/ops; test ! -e /etc/motd; stat -c %u /etc/mark")
        == "/srv/ops\n0"
    )
    volume = ready_volume(cloud)
    cloud.compute.create_volume_attachment(server, volume_id=volume.id)
    assert cloud.block_storage.get_volume(volume.id).status == "in-use"
    assert ssh(guests, key, "10.1.0.10", "test -e /dev/vdb").returncode == 1
    cloud.compute.reboot_server(server, "HARD")
    assert inside(guests, key, "10.1.0.10", "cat /etc/mark") == "mine"
    cloud.compute.delete_server(server)
    assert cloud.compute.find_server(server.id) is None
    assert ssh(guests, key, "10.1.0.10", "true").returncode == 255
