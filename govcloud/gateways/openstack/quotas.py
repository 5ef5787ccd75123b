"""Limits of a project in Nova, Cinder and Neutron, and what counts against them.

Names of limits are the services' own: ``cores``, ``ram`` (MiB), ``instances``; ``gigabytes``, ``volumes``, ``backups``,
``gigabytes_<volume type>``; ``floatingip``, ``network``, ``port``. A limit of -1 in the cloud is ``None`` here: no limit.
"""

from collections.abc import Mapping
from typing import Any

from govcloud.gateways.openstack.models import QuotaUse
from govcloud.gateways.openstack.transport import Transport

_COMPUTE_MICROVERSION = "2.60"
_UNLIMITED = -1


class Quotas:
    """Reading needs a role on the project, setting needs the operators' role."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def compute(self, project_id: str) -> dict[str, QuotaUse]:
        """Nova's limits and use."""
        path = f"/os-quota-sets/{project_id}/detail"
        body = self._transport.get("compute", path, microversion=_COMPUTE_MICROVERSION)
        return _quota_uses(body["quota_set"])

    def set_compute(self, project_id: str, limits: Mapping[str, int | None]) -> None:
        """Set the named limits of Nova, leave the others."""
        path = f"/os-quota-sets/{project_id}"
        change = {"quota_set": {**_limits(limits), "force": True}}
        self._transport.send("compute", "PUT", path, json=change, microversion=_COMPUTE_MICROVERSION)

    def volume(self, project_id: str) -> dict[str, QuotaUse]:
        """Cinder's limits and use, those of each volume type included."""
        path = f"/os-quota-sets/{project_id}"
        body = self._transport.get("block-storage", path, params={"usage": "true"})
        return _quota_uses(body["quota_set"])

    def set_volume(self, project_id: str, limits: Mapping[str, int | None]) -> None:
        """Set the named limits of Cinder, leave the others."""
        change = {"quota_set": _limits(limits)}
        self._transport.send("block-storage", "PUT", f"/os-quota-sets/{project_id}", json=change)

    def network(self, project_id: str) -> dict[str, QuotaUse]:
        """Neutron's limits and use."""
        return _quota_uses(self._transport.get("network", f"/quotas/{project_id}/details")["quota"])

    def set_network(self, project_id: str, limits: Mapping[str, int | None]) -> None:
        """Set the named limits of Neutron, leave the others."""
        self._transport.send("network", "PUT", f"/quotas/{project_id}", json={"quota": _limits(limits)})

    def reset_network(self, project_id: str) -> None:
        """Forget a project's limits in Neutron, which keeps them after the project is gone."""
        self._transport.send("network", "DELETE", f"/quotas/{project_id}")


def _limits(limits: Mapping[str, int | None]) -> dict[str, Any]:
    return {name: _UNLIMITED if limit is None else limit for name, limit in limits.items()}


def _quota_uses(body: Mapping[str, Any]) -> dict[str, QuotaUse]:
    return {name: _quota_use(value) for name, value in body.items() if isinstance(value, dict)}


def _quota_use(body: Mapping[str, Any]) -> QuotaUse:
    limit = int(body["limit"])
    used = int(body.get("in_use", body.get("used", 0)))  # Neutron says "used"
    return QuotaUse(None if limit == _UNLIMITED else limit, used, int(body.get("reserved", 0)))
