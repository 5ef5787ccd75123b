"""Snapshots of volumes (Cinder v3). They live on the volume's own back end: they are no backup."""

from collections.abc import Mapping
from typing import Any

from govcloud.gateways.openstack import models
from govcloud.gateways.openstack.network import given
from govcloud.gateways.openstack.transport import Transport

_SERVICE = "block-storage"


class Snapshots:
    """Each method is one request."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_snapshot(self, snapshot_id: str) -> models.Snapshot:
        """A snapshot by its id. Raises ``NotFound``."""
        return _snapshot(self._transport.get(_SERVICE, f"/snapshots/{snapshot_id}")["snapshot"])

    def find_snapshots(
        self, *, volume_id: str | None = None, name: str | None = None
    ) -> list[models.Snapshot]:
        """The project's snapshots that match all that is given. Metadata cannot be asked for: the mark is the name."""
        query = given({"volume_id": volume_id, "name": name})
        found = self._transport.pages(_SERVICE, "/snapshots/detail", key="snapshots", params=query)
        return [_snapshot(body) for body in found]

    def create_snapshot(
        self, *, volume_id: str, name: str, metadata: Mapping[str, str], force: bool = False
    ) -> models.Snapshot:
        """A snapshot of a volume; ``force`` takes one of an attached volume too. Raises ``OverQuota``, ``Conflict``."""
        body = {"volume_id": volume_id, "name": name, "metadata": dict(metadata), "force": force}
        answer = self._transport.send(_SERVICE, "POST", "/snapshots", json={"snapshot": body})
        return _snapshot(answer.body["snapshot"])

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot. Raises ``Conflict`` unless it is available or in error.

        Where its volume is being worked on it is accepted and ends as ``error_deleting``: ``reset_status`` first, then again.
        """
        self._transport.send(_SERVICE, "DELETE", f"/snapshots/{snapshot_id}")

    def reset_status(self, snapshot_id: str, *, status: str) -> None:
        """Operators only: put a snapshot's status right where it tells of a failed request."""
        body = {"os-reset_status": {"status": status}}
        self._transport.send(_SERVICE, "POST", f"/snapshots/{snapshot_id}/action", json=body)


def _snapshot(body: dict[str, Any]) -> models.Snapshot:
    return models.Snapshot(
        id=body["id"],
        project_id=body.get("os-extended-snapshot-attributes:project_id", ""),
        name=body.get("name") or "",
        status=body["status"],
        volume_id=body["volume_id"],
        size_gib=body["size"],
        metadata=models.text_map(body.get("metadata")),
        created_at=models.moment(body.get("created_at")),
        updated_at=models.moment(body.get("updated_at")),
    )
