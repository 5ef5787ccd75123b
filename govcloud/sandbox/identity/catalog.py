"""The service catalogue: where each service is, for one project."""

import uuid

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.store import Row

REGION = "RegionOne"
_SERVICES = (
    ("keystone", "identity", "/identity/v3"),
    ("nova", "compute", "/compute/v2.1"),
    ("neutron", "network", "/network"),
    ("cinder", "block-storage", "/volume/v3"),
    ("cinderv3", "volumev3", "/volume/v3/{project_id}"),
    ("glance", "image", "/image"),
    ("placement", "placement", "/placement"),
    ("swift", "object-store", "/object-store/v1/AUTH_{project_id}"),
)


def _fixed_id(*words: str) -> str:
    """An id that is the same at every start."""
    return uuid.uuid5(uuid.NAMESPACE_URL, "/".join(words)).hex


def catalog(cloud: Cloud, project_id: str | None) -> list[Row]:
    """Every service with its three interfaces."""
    entries: list[Row] = []
    for name, kind, path in _SERVICES:
        url = cloud.base_url + path.format(project_id=project_id or "")
        endpoints = [
            {
                "id": _fixed_id(name, interface),
                "interface": interface,
                "region": REGION,
                "region_id": REGION,
                "url": url.rstrip("/"),
            }
            for interface in ("public", "internal", "admin")
        ]
        entries.append({"id": _fixed_id(name), "name": name, "type": kind, "endpoints": endpoints})
    return entries
