"""A sandbox cloud as a process of its own, and what tests need to talk to it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack
import requests

PROJECT_ROOT = Path(__file__).resolve().parents[3]
REACH = PROJECT_ROOT / "govcloud/sandbox/reach.py"
GENEROUS = {
    "compute": {"instances": 1000, "cores": 10_000, "ram": 100_000_000},
    "volume": {
        "volumes": 1000,
        "gigabytes": 1_000_000,
        "snapshots": 100,
        "backups": 100,
        "backup_gigabytes": 10_000,
    },
}


@dataclass
class Sandbox:
    """One running sandbox."""

    url: str
    state: Path
    process: subprocess.Popen[bytes]
    banner: str

    def control(self, method: str, path: str, /, **json: Any) -> Any:
        """Ask the sandbox itself."""
        answer = requests.request(method, f"{self.url}/sandbox{path}", json=json or None, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def fault(self, **rule: Any) -> None:
        self.control("POST", "/faults", **rule)

    def calls(self, service: str, method: str, ending: str) -> int:
        """How often an address was asked for."""
        counts = self.control("GET", "/calls")["counts"]
        return sum(
            row["count"]
            for row in counts
            if (row["service"], row["method"]) == (service, method) and row["path"].endswith(ending)
        )

    def connect(self, **over: Any) -> openstack.connection.Connection:
        """A connection as the administrator, or with other credentials."""
        password = re.search(r"password: (\S+)", (self.state / "clouds.yaml").read_text())
        assert password
        auth = {
            "auth_url": f"{self.url}/identity/v3",
            "username": "govcloud",
            "password": password[1],
            "project_name": "admin",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        scoped = {k: v for k, v in (auth | over).items() if v is not None}
        return openstack.connection.Connection(auth=scoped, region_name="RegionOne", identity_api_version="3")

    def project(self) -> openstack.connection.Connection:
        """A connection as a member of a new project with room for everything."""
        admin = self.connect()
        project = admin.identity.create_project(name=f"project-{uuid.uuid4().hex[:8]}")
        member = admin.identity.find_role("member")
        admin.identity.assign_project_role_to_user(project, admin.current_user_id, member)
        self.quota(admin, project.id, **GENEROUS)
        admin.close()
        return self.connect(project_name=None, project_domain_name=None, project_id=project.id)

    @staticmethod
    def quota(admin: openstack.connection.Connection, project_id: str, **limits: dict[str, int]) -> None:
        for service, values in limits.items():
            if service == "network":
                answer = admin.network.put(f"/quotas/{project_id}", json={"quota": values})
            else:
                adapter = admin.compute if service == "compute" else admin.block_storage
                answer = adapter.put(f"/os-quota-sets/{project_id}", json={"quota_set": values})
            assert answer.status_code == 200, answer.text


@contextmanager
def running(
    state: Path,
    *options: str,
    launcher: tuple[str, ...] = (),
    python: str = sys.executable,
    environment: dict[str, str] | None = None,
) -> Iterator[Sandbox]:
    """Start a sandbox on a free port and end it afterwards, the hard way if it does not go."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        *launcher,
        python,
        "-m",
        "govcloud.sandbox",
        "--state",
        str(state),
        "--port",
        str(port),
        *options,
    ]
    process = subprocess.Popen(
        command,
        cwd=PROJECT_ROOT,
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout
    try:
        banner = process.stdout.readline().decode()
        assert banner.startswith("sandbox ready"), banner + process.stdout.read().decode()
        yield Sandbox(f"http://127.0.0.1:{port}", state, process, banner)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def refused(answer: requests.Response) -> tuple[int, str, str]:
    """Status, name and message of an error body."""
    body = answer.json()
    name, fault = next(iter(body.items()))
    if name == "NeutronError":
        return answer.status_code, fault["type"], fault["message"]
    return answer.status_code, name, fault["message"]


def ready_volume(cloud: openstack.connection.Connection, **asked: Any) -> Any:
    """A volume that has become available."""
    volume = cloud.block_storage.create_volume(**({"size": 1} | asked))
    return cloud.block_storage.wait_for_status(volume, "available", interval=0.02, wait=30)


def boot_volume(cloud: openstack.connection.Connection, **asked: Any) -> Any:
    """A volume with the seeded image on it."""
    return ready_volume(cloud, image_id=cloud.image.find_image("debian-12").id, **asked)


def network(cloud: openstack.connection.Connection, cidr: str = "10.1.0.0/24") -> tuple[Any, Any]:
    made = cloud.network.create_network(name="net")
    return made, cloud.network.create_subnet(network_id=made.id, cidr=cidr, ip_version=4)


def from_volume(volume: Any, *, delete: bool = False) -> list[dict[str, Any]]:
    """The block device mapping of a server that boots from a volume."""
    entry = {"uuid": volume.id, "source_type": "volume", "destination_type": "volume", "boot_index": 0}
    return [entry | {"delete_on_termination": delete}]


def running_server(cloud: openstack.connection.Connection, **asked: Any) -> Any:
    """A server that has become ACTIVE, from a volume unless told otherwise."""
    if "networks" not in asked:
        asked["networks"] = "none"
    if "image_id" not in asked and "block_device_mapping" not in asked:
        asked["block_device_mapping"] = from_volume(boot_volume(cloud))
    flavor = cloud.compute.find_flavor(asked.pop("flavor", "g.2c4g"))
    server = cloud.compute.create_server(**({"name": "web", "flavor_id": flavor.id} | asked))
    return cloud.compute.wait_for_server(server, interval=0.02, wait=30)


def eventually(look: Callable[[], bool], seconds: float = 30) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
