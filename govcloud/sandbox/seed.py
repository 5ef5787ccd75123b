"""What a new cloud has: the administrator, roles, flavors, volume types, hosts, images, the external network."""

import hashlib
import secrets
import uuid
from datetime import datetime
from pathlib import Path

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.identity.catalog import REGION
from govcloud.sandbox.identity.tokens import DOMAIN, hashed
from govcloud.sandbox.network import addresses

CLOUD, USER, PROJECT = "sandbox", "govcloud", "admin"
PUBLIC_CIDR = "198.18.0.0/16"
"""The block for network tests (RFC 2544): it leads nowhere."""

_FLAVORS = ((2, 4), (2, 8), (4, 8), (4, 16), (8, 16), (8, 32), (16, 32), (16, 64), (32, 64), (32, 128))
_LINES = (("g", "general"), ("x", "domestic"))
_VOLUME_TYPES = (("ssd", 500_000), ("sas", 2_000_000), ("capacity", 10_000_000))
_HOSTS = (("nova", 8), ("dr", 2))
_HOST_SIZE = {"vcpus": 2048, "ram": 8 << 20, "disk": 100_000}
_IMAGES = ("debian-12", "openeuler-24.03")


def fixed_id(kind: str, name: str) -> str:
    """The id a seeded thing has in every sandbox."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"govcloud-sandbox/{kind}/{name}"))


def seed(cloud: Cloud, *, at: datetime) -> None:
    """Fill an empty cloud; what exists stays as it is, except what the guests of this machine can do."""
    with cloud.lock:
        if not cloud.store.find("host"):
            _identity(cloud, at)
            _compute(cloud)
            _volumes(cloud)
            _network(cloud, at)
            _images(cloud, at)
        for image in cloud.store.find("image"):
            if image["id"] in {fixed_id("image", name) for name in _IMAGES}:
                image["properties"]["govcloud_guest"] = cloud.guests.mode
                cloud.store.save("image", image)
        cloud.store.commit()


def _identity(cloud: Cloud, at: datetime) -> None:
    user, project = _hex("user", USER), _hex("project", PROJECT)
    cloud.new(
        "user", {"id": user, "name": USER, "secret": "", "domain_id": DOMAIN["id"], "enabled": True}, at=at
    )
    columns = {
        "domain_id": DOMAIN["id"],
        "parent_id": DOMAIN["id"],
        "is_domain": False,
        "tags": [],
        "options": {},
    }
    cloud.new(
        "project",
        {
            "id": project,
            "name": PROJECT,
            "description": "The administrator's project.",
            "enabled": True,
            **columns,
        },
        at=at,
    )
    for name in ("admin", "manager", "member", "reader", "service"):
        about: dict[str, object] = {"name": name, "domain_id": None, "description": None, "options": {}}
        cloud.new("role", {"id": _hex("role", name), **about}, at=at)
    for name in ("admin", "member"):
        role_id = _hex("role", name)
        row = {
            "id": f"{project}:{user}:{role_id}",
            "project_id": project,
            "user_id": user,
            "role_id": role_id,
        }
        cloud.store.save("assignment", row)


def _hex(kind: str, name: str) -> str:
    return fixed_id(kind, name).replace("-", "")


def _compute(cloud: Cloud) -> None:
    for prefix, line in _LINES:
        for vcpus, gigabytes in _FLAVORS:
            name = f"{prefix}.{vcpus}c{gigabytes}g"
            columns = {
                "vcpus": vcpus,
                "ram": gigabytes * 1024,
                "disk": 0,
                "is_public": True,
                "description": line,
            }
            specs = {"govcloud:line": line}
            cloud.store.save(
                "flavor", {"id": fixed_id("flavor", name), "name": name, **columns, "extra_specs": specs}
            )
    number = 0
    for zone, count in _HOSTS:
        for _ in range(count):
            number += 1
            name = f"sandbox-compute-{number}"
            cloud.store.save("host", {"id": name, "uuid": fixed_id("host", name), "zone": zone, **_HOST_SIZE})


def _volumes(cloud: Cloud) -> None:
    for name, capacity in _VOLUME_TYPES:
        row = {
            "id": fixed_id("volume_type", name),
            "name": name,
            "description": None,
            "extra_specs": {"volume_backend_name": name},
            "default": name == _VOLUME_TYPES[0][0],
            "capacity_gb": capacity,
        }
        cloud.store.save("volume_type", row)


def _network(cloud: Cloud, at: datetime) -> None:
    owner = _hex("project", PROJECT)
    common = {"project_id": owner, "description": "", "tags": [], "revision_number": 1}
    network: dict[str, object] = {
        "id": fixed_id("network", "public"),
        "name": "public",
        "admin_state_up": True,
        "status": "ACTIVE",
        "shared": False,
        "router:external": True,
        "mtu": 1500,
        "port_security_enabled": True,
        "availability_zone_hints": [],
        "availability_zones": ["nova"],
        "provider:network_type": "flat",
        "provider:physical_network": "public",
        "provider:segmentation_id": None,
        **common,
    }
    cloud.new("network", network, at=at)
    cidr = addresses.parsed_network(PUBLIC_CIDR)
    gateway = str(cidr.network_address + 1)
    subnet: dict[str, object] = {
        "id": fixed_id("subnet", "public"),
        "name": "public",
        "network_id": network["id"],
        "ip_version": 4,
        "cidr": PUBLIC_CIDR,
        "gateway_ip": gateway,
        "enable_dhcp": False,
        "dns_nameservers": [],
        "host_routes": [],
        "allocation_pools": addresses.default_pools(cidr, gateway),
        "ipv6_address_mode": None,
        "ipv6_ra_mode": None,
        "service_types": [],
        "subnetpool_id": None,
        **common,
    }
    cloud.new("subnet", subnet, at=at)


def _images(cloud: Cloud, at: datetime) -> None:
    for name in _IMAGES:
        content = f"govcloud sandbox image {name}".encode()
        row = {
            "id": fixed_id("image", name),
            "project_id": _hex("project", PROJECT),
            "name": name,
            "status": "active",
            "visibility": "public",
            "size": len(content),
            "virtual_size": 1 << 29,
            "min_disk": 1,
            "min_ram": 0,
            "protected": True,
            "checksum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            "container_format": "bare",
            "disk_format": "raw",
            "tags": [],
            "os_hash_algo": "sha512",
            "os_hash_value": hashlib.sha512(content).hexdigest(),
            "os_hidden": False,
            "properties": {
                "os_admin_user": "root",
                "os_distro": name.split("-")[0],
                "os_version": name.split("-")[1],
            },
        }
        cloud.new("image", row, at=at)
        path = cloud.directory / "images" / fixed_id("image", name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


def write_clouds_yaml(cloud: Cloud) -> Path:
    """Write `clouds.yaml` for this address, with the administrator's password (made at the first start)."""
    path = cloud.directory / "password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24))
    password = path.read_text().strip()
    with cloud.lock:
        user = cloud.store.get("user", _hex("user", USER))
        if user is not None and user["secret"] != hashed(password):
            user["secret"] = hashed(password)
            cloud.store.save("user", user)
        cloud.store.commit()
    target = cloud.directory / "clouds.yaml"
    target.touch(mode=0o600)
    target.write_text(
        f"clouds:\n  {CLOUD}:\n    auth:\n"
        f"      auth_url: {cloud.base_url}/identity/v3\n"
        f"      username: {USER}\n      password: {password}\n      project_name: {PROJECT}\n"
        f"      user_domain_name: {DOMAIN['name']}\n      project_domain_name: {DOMAIN['name']}\n"
        f"    region_name: {REGION}\n    identity_api_version: 3\n"
    )
    return target
