"""Backups of volumes (Cinder v3).

What to know: the cloud chooses an incremental's parent itself (the latest available backup); quota charges the full size
of the volume for each, incremental or not; an incremental fails after the volume grew; the list has no metadata filter,
so what a backup is for is told by its name as well; a restart of the service turns ``creating`` into ``error``.
"""

from collections.abc import Mapping
from typing import Any

from govcloud.gateways.openstack import models
from govcloud.gateways.openstack.network import given
from govcloud.gateways.openstack.transport import Transport

_SERVICE = "block-storage"
_METADATA_MICROVERSION = "3.43"
_ZONE_MICROVERSION = "3.51"


class Backups:
    """Each method is one request."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_backup(self, backup_id: str) -> models.Backup:
        """A backup by its id. Raises ``NotFound``."""
        body = self._transport.get(_SERVICE, f"/backups/{backup_id}", microversion=_METADATA_MICROVERSION)
        return _backup(body["backup"])

    def find_backups(self, *, volume_id: str | None = None, name: str | None = None) -> list[models.Backup]:
        """The project's backups that match all that is given."""
        found = self._transport.pages(
            _SERVICE,
            "/backups/detail",
            key="backups",
            params=given({"volume_id": volume_id, "name": name}),
            microversion=_METADATA_MICROVERSION,
        )
        return [_backup(body) for body in found]

    def create_backup(
        self,
        *,
        volume_id: str,
        name: str,
        zone: str | None = None,
        incremental: bool = False,
        force: bool = False,
        metadata: Mapping[str, str] | None = None,
        description: str = "",
    ) -> models.Accepted:
        """Start a backup, in another availability zone if one is given; ``force`` takes one of an attached volume (as if its power had failed).

        Raises ``OverQuota``; ``Conflict`` when the volume's state forbids it; ``Refused`` for an incremental without a
        full backup to stand on.
        """
        body = {
            "volume_id": volume_id,
            "name": name,
            "incremental": incremental,
            "force": force,
            "metadata": dict(metadata or {}),
            "description": description,
            "availability_zone": zone,
        }
        microversion = _METADATA_MICROVERSION if zone is None else _ZONE_MICROVERSION
        answer = self._transport.send(
            _SERVICE, "POST", "/backups", json={"backup": given(body)}, microversion=microversion
        )
        return models.Accepted(answer.body["backup"]["id"], answer.request_id)

    def restore_backup(
        self, backup_id: str, *, volume_id: str | None = None, name: str | None = None
    ) -> models.Restore:
        """Write a backup to a volume: a new one of this name, or an existing one, which must be available.

        What the existing volume held is lost.
        """
        body = {"restore": given({"volume_id": volume_id, "name": name})}
        answer = self._transport.send(_SERVICE, "POST", f"/backups/{backup_id}/restore", json=body)
        restore = answer.body["restore"]
        return models.Restore(restore["backup_id"], restore["volume_id"], answer.request_id)

    def delete_backup(self, backup_id: str) -> None:
        """Delete a backup. Raises ``Conflict`` or ``Refused`` while an incremental stands on it."""
        self._transport.send(_SERVICE, "DELETE", f"/backups/{backup_id}")


def _backup(body: dict[str, Any]) -> models.Backup:
    return models.Backup(
        id=body["id"],
        name=body.get("name") or "",
        status=body["status"],
        volume_id=body["volume_id"],
        size_gib=body["size"],
        incremental=body.get("is_incremental", False),
        has_dependents=body.get("has_dependent_backups", False),
        object_count=body.get("object_count") or 0,
        fail_reason=body.get("fail_reason") or "",
        metadata=models.text_map(body.get("metadata")),
        created_at=models.moment(body.get("created_at")),
        data_at=models.moment(body.get("data_timestamp")),
    )
