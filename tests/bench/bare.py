"""What an administrator's script would do for the same order: the same calls with openstacksdk, and nothing besides.

    python tests/bench/bare.py SERVERS AT-A-TIME ADDRESS-RANGE

It remembers nothing, so whatever dies in between is lost or doubled; it is what the engine's exactness is measured
against. So many servers are built at a time, each in a thread of its own. Looks are taken every second, twice as often as
openstacksdk does by itself. Prints the seconds from the first call to the last server that runs.
"""

import sys
import time
import uuid
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openstack

warnings.simplefilter("ignore")
EVERY = 1  # seconds
PATIENCE = 600


def build(admin: Any, servers: int, width: int, cidr: str) -> None:
    mark = f"bare-{uuid.uuid4().hex[:8]}"
    made = admin.identity.create_project(name=mark)
    role = admin.identity.find_role("member")
    admin.identity.assign_project_role_to_user(made, admin.current_user_id, role)
    auth = {**admin.config.config["auth"], "project_id": made.id}
    for scope in ("project_name", "project_domain_name", "project_domain_id"):
        auth.pop(scope, None)
    project = openstack.connection.Connection(auth=auth, region_name="RegionOne", identity_api_version="3")
    if admin.compute.find_keypair("bare") is None:
        admin.compute.create_keypair(name="bare")
    cores = {"instances": servers, "cores": 4 * servers, "ram": 16 * 1024 * servers}
    admin.compute.put(f"/os-quota-sets/{made.id}", json={"quota_set": cores})
    space = {"volumes": servers, "gigabytes": 40 * servers}
    admin.block_storage.put(f"/os-quota-sets/{made.id}", json={"quota_set": space})
    admin.network.put(f"/quotas/{made.id}", json={"quota": {"network": 1, "subnet": 1, "port": servers + 4}})
    network = project.network.create_network(name=mark)
    project.network.set_tags(network, ["bare", mark])
    subnet = project.network.create_subnet(network_id=network.id, cidr=cidr, ip_version=4)
    group = project.network.create_security_group(name=mark)
    for rule in ({"remote_ip_prefix": cidr}, {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}):
        project.network.create_security_group_rule(
            security_group_id=group.id, direction="ingress", ether_type="IPv4", **rule
        )
    with ThreadPoolExecutor(min(servers, width)) as threads:
        jobs = [
            threads.submit(server, project, f"{mark}-{number}", network, subnet, group)
            for number in range(servers)
        ]
        for job in jobs:
            job.result()


def server(project: Any, name: str, network: Any, subnet: Any, group: Any) -> None:
    image = project.image.find_image("debian-12")
    volume = project.block_storage.create_volume(
        name=name, size=40, volume_type="ssd", image_id=image.id, metadata={"mark": name}
    )
    port = project.network.create_port(
        name=name, network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}], security_group_ids=[group.id]
    )
    project.network.set_tags(port, ["bare", name])
    project.block_storage.wait_for_status(volume, "available", interval=EVERY, wait=PATIENCE)
    flavor = next(each for each in project.compute.flavors() if each.name == "g.4c16g")
    disk = {
        "uuid": volume.id, "source_type": "volume", "destination_type": "volume", "boot_index": 0,
        "delete_on_termination": False,
    }  # fmt: skip
    made = project.compute.create_server(
        name=name,
        flavor_id=flavor.id,
        networks=[{"port": port.id}],
        block_device_mapping=[disk],
        key_name="bare",
    )
    project.compute.wait_for_server(made, interval=EVERY, wait=PATIENCE)


if __name__ == "__main__":
    connection = openstack.connect(cloud="sandbox")
    connection.authorize()
    began = time.perf_counter()
    build(connection, int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    print(time.perf_counter() - began)
