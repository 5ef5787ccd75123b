"""The bodies of the story's order, as a client of the API sends them."""

from typing import Any

NETWORK = {"action": "create", "kind": "network", "name": "app-net", "zone": "private"}
SERVERS = {
    "action": "create",
    "kind": "server",
    "name": "app",
    "quantity": 2,
    "zone": "private",
    "flavor": "g.4c16g",
    "image": "debian-12",
    "network": "app-net",
    "system_volume": {"storage_class": "ssd", "size_gb": 100},
    "data_volumes": [{"storage_class": "sas", "size_gb": 500}],
    "lease_months": 12,
}
BACKUP = {
    "action": "create",
    "kind": "backup",
    "name": "dr",
    "dr_level": 3,
    "capacity_gb": 1200,
    "frequency": "daily",
    "off_site": True,
}


def order_body(system: object, **changes: Any) -> dict[str, Any]:
    """Two servers on a network of their own with off-site backup: 1,812 yuan a month."""
    return {
        "system": str(system),
        "title": "Example system to the cloud",
        "justification": "The old machines are due",
        "declares_classified": False,
        "items": [NETWORK, SERVERS, BACKUP],
        **changes,
    }


def content(**changes: Any) -> dict[str, Any]:
    """The body of a change: an order stays with its system."""
    body = order_body("", **changes)
    del body["system"]
    return body
