"""Well-formed bodies where a route takes more kinds of them than the one of tests/api, which reach the rules behind the form."""

from typing import Any

from govcloud.inventory.models import Resource
from govcloud.orders.models import Order
from tests.api.house import House
from tests.api.story import content, order_body


def more_bodies(house: House) -> dict[str, list[dict[str, Any]]]:
    """By route as tests/api/test_access.py writes it."""
    system = house.on.system
    standing = dict(Resource.objects.filter(system=system).order_by("-pk").values_list("kind", "uuid"))
    of = {kind: str(uuid) for kind, uuid in standing.items()}
    items = _items(of)
    case = Order.objects.get(pk=house.order.pk).case
    assert case is not None
    stage = {
        "code": "only", "name": "n", "name_en": "n", "role": "service_desk", "working_days": 3, "also_roles": ["finance"],
        "quorum": "some", "quorum_count": 1, "min_mlps_level": 3, "min_monthly_total": "100.00",
    }  # fmt: skip
    return {
        "POST orders": [order_body(system.uuid), *(order_body(system.uuid, items=[each]) for each in items)],
        "PUT orders/{key}": [content(), *(content(items=[each]) for each in items)],
        "POST orders/{key}/decisions": [
            {"verb": "return", "opinion": "more", "revision_hash": case.revision_hash, "stage": "unit_approval"}
        ],
        "PUT flow-versions/{key}": [{"name": "n", "stages": [stage, {**stage, "code": "second"}]}],
        "POST resources/{key}/actions": _actions(house, of),
        "PUT clouds/{key}/names": [{"flavors": {"g.4c16g": "m1.large"}, "storage_classes": {"ssd": "fast"}}],
        "PATCH clouds/{key}": [
            {
                "name": "n", "build_width": 4, "management_cidr": "10.0.0.0/24",
                "zones": [{"network_zone": "private", "address_pool": "10.20.0.0/16", "network_prefix": 26}],
            }
        ],
        "POST webhooks": [
            {"name": "n", "url": "https://bus.example/", "kinds": ["case_returned"], "department": str(house.on.department.uuid)}
        ],
        "PUT notice-preferences": [{"digest_hour": 9, "ways": {"case_returned": "digest"}}],
        "PATCH systems/{key}": [
            {"name": "n", "filing_number": "450000-00001-26001", "owner": {"name": "n", "phone": "13800000000", "mail": "a@example.org"}}
        ],
        "PATCH departments/{key}": [{"name": "n", "name_en": "n", "credit_code": house.on.department.credit_code}],
        "POST tokens": [{"username": house.on.applicant.username, "password": "wrong", "name": "n", "code": "123456"}],
        "POST tokens/named": [
            {
                "name": "n", "scope": "chosen", "permissions": ["orders.read"], "networks": ["10.0.0.0/8"],
                "expires_at": "2027-01-01T00:00:00Z",
            }
        ],
    }  # fmt: skip


def _items(of: dict[str, str]) -> list[dict[str, Any]]:
    """One of each kind that an order takes, of what stands where it names something."""
    lasting = {"zone": "private", "lease_months": 12}
    return [
        {"action": "create", "kind": "volume", "name": "v", "storage_class": "ssd", "size_gb": 10, "server": of["server"], **lasting},
        {"action": "create", "kind": "container", "name": "c", "storage_class": "ssd", "quota_gb": 10, **lasting},
        {"action": "change", "kind": "container", "target": of.get("container", of["server"]), "quota_gb": 10},
        {"action": "change", "kind": "quota", "dimension": "vcpus", "limit": 10, "until": "2027-01-31"},
        {"action": "change", "kind": "volume", "target": of["volume"], "size_gb": 600},
        {"action": "change", "kind": "volume", "target": of["volume"], "storage_class": "ssd"},
        {"action": "change", "kind": "server", "target": of["server"], "flavor": "g.4c16g"},
        {"action": "change", "kind": "server", "target": of["server"], "floating_address": True},
        {"action": "renew", "kind": "server", "target": of["server"], "lease_months": 12},
        {"action": "release", "kind": "volume", "target": of["volume"]},
    ]  # fmt: skip


def _actions(house: House, of: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"action": "reboot"},
        {"action": "set-login-keys", "keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuq"]},
        {"action": "attach", "server": of["server"]},
        {"action": "snapshot", "name": "before"},
        {"action": "restore", "snapshot": str(house.keys["snapshots"])},
        {"action": "recover", "recovery_point": str(house.keys["recovery-points"])},
        {"action": "add-rule", "protocol": "tcp", "port_min": 443, "port_max": 444, "remote": "10.0.0.0/8", "description": "d"},
        {"action": "remove-rule", "rule": str(house.keys["security-rules"])},
        {"action": "issue-credential", "name": "n", "access": "read"},
        {"action": "revoke-credential", "credential": str(house.keys["container-credentials"])},
    ]  # fmt: skip
