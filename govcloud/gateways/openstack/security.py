"""Security groups and their rules (Neutron v2.0)."""

from typing import Any

from govcloud.gateways.openstack import models
from govcloud.gateways.openstack.network import given
from govcloud.gateways.openstack.transport import Transport

_SERVICE = "network"


class SecurityGroups:
    """A new group lets everything out and nothing in."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_group(self, group_id: str) -> models.SecurityGroup:
        """A group by its id. Raises ``NotFound``."""
        return _group(self._transport.get(_SERVICE, f"/security-groups/{group_id}")["security_group"])

    def find_groups(self, *, name: str | None = None, tag: str | None = None) -> list[models.SecurityGroup]:
        """The groups of our project. An operator's credentials see those of every project: filter by ``project_id``."""
        query = given({"name": name, "tags": tag, "project_id": self._transport.project_id})
        found = self._transport.pages(_SERVICE, "/security-groups", key="security_groups", params=query)
        return [_group(body) for body in found]

    def create_group(self, *, name: str, description: str = "") -> models.SecurityGroup:
        """A group of the project. Raises ``OverQuota``. Names are not unique."""
        body = {"security_group": {"name": name, "description": description}}
        return _group(
            self._transport.send(_SERVICE, "POST", "/security-groups", json=body).body["security_group"]
        )

    def rename_group(self, group_id: str, *, name: str) -> None:
        """Call it something else."""
        body = {"security_group": {"name": name}}
        self._transport.send(_SERVICE, "PUT", f"/security-groups/{group_id}", json=body)

    def delete_group(self, group_id: str) -> None:
        """Delete a group. Raises ``Conflict`` while a port uses it."""
        self._transport.send(_SERVICE, "DELETE", f"/security-groups/{group_id}")

    def get_rule(self, rule_id: str) -> models.SecurityRule:
        """A rule by its id. Raises ``NotFound``."""
        return rule_of(
            self._transport.get(_SERVICE, f"/security-group-rules/{rule_id}")["security_group_rule"]
        )

    def find_rules(self, *, group_id: str) -> list[models.SecurityRule]:
        """The rules of a group, the two that let everything out included."""
        query = {"security_group_id": group_id}
        found = self._transport.pages(
            _SERVICE, "/security-group-rules", key="security_group_rules", params=query
        )
        return [rule_of(body) for body in found]

    def create_rule(
        self,
        *,
        group_id: str,
        protocol: str | None = None,
        port_min: int | None = None,
        port_max: int | None = None,
        remote: str | None = None,
        direction: str = "ingress",
        ethertype: str = "IPv4",
        description: str = "",
    ) -> models.SecurityRule:
        """Allow what the arguments say; what is left out means any. Raises ``Conflict`` when the rule exists.

        That it exists is looked up by Neutron and not locked: two requests at once can both be taken.
        """
        body = {
            "security_group_id": group_id,
            "direction": direction,
            "ethertype": ethertype,
            "protocol": protocol,
            "port_range_min": port_min,
            "port_range_max": port_max,
            "remote_ip_prefix": remote,
            "description": description,
        }
        answer = self._transport.send(
            _SERVICE, "POST", "/security-group-rules", json={"security_group_rule": given(body)}
        )
        return rule_of(answer.body["security_group_rule"])

    def delete_rule(self, rule_id: str) -> None:
        """Take a rule away."""
        self._transport.send(_SERVICE, "DELETE", f"/security-group-rules/{rule_id}")


def _group(body: dict[str, Any]) -> models.SecurityGroup:
    return models.SecurityGroup(
        id=body["id"],
        name=body["name"],
        description=body.get("description") or "",
        project_id=body["project_id"],
        rule_ids=tuple(rule["id"] for rule in body.get("security_group_rules", ())),
        tags=frozenset(body.get("tags", ())),
    )


def rule_of(body: dict[str, Any]) -> models.SecurityRule:
    return models.SecurityRule(
        id=body["id"],
        project_id=body["project_id"],
        group_id=body["security_group_id"],
        direction=body["direction"],
        ethertype=body["ethertype"],
        protocol=body.get("protocol"),
        port_min=body.get("port_range_min"),
        port_max=body.get("port_range_max"),
        remote=body.get("remote_ip_prefix"),
        remote_group_id=body.get("remote_group_id"),
        remote_address_group_id=body.get("remote_address_group_id"),
        description=body.get("description") or "",
    )
