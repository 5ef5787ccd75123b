"""Volumes, their types and attachments (Cinder v3)."""

from collections.abc import Mapping
from typing import Any

from govcloud.gateways.openstack import models
from govcloud.gateways.openstack.network import given
from govcloud.gateways.openstack.transport import Transport

_SERVICE = "block-storage"
_ATTACHMENTS_MICROVERSION = "3.27"
_REVERT_MICROVERSION = "3.40"
_EXTEND_IN_USE_MICROVERSION = "3.42"


class Volumes:
    """Volumes are told apart by metadata: names are not unique, and metadata can be filtered without privileges."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_volume(self, volume_id: str) -> models.Volume:
        """A volume by its id. Raises ``NotFound``."""
        return _volume(self._transport.get(_SERVICE, f"/volumes/{volume_id}")["volume"])

    def find_volumes(
        self, *, metadata: Mapping[str, str] | None = None, name: str | None = None, status: str | None = None
    ) -> list[models.Volume]:
        """The project's volumes that match all that is given; ``metadata`` must be among a volume's own."""
        query = given({"name": name, "status": status, "metadata": str(dict(metadata)) if metadata else None})
        found = self._transport.pages(_SERVICE, "/volumes/detail", key="volumes", params=query)
        return [_volume(body) for body in found]

    def create_volume(
        self,
        *,
        name: str,
        size_gib: int,
        volume_type: str,
        metadata: Mapping[str, str],
        image_id: str | None = None,
        snapshot_id: str | None = None,
        source_volume_id: str | None = None,
        zone: str | None = None,
        description: str = "",
    ) -> models.Volume:
        """A volume: blank, or with the data of an image, a snapshot or another volume. Raises ``OverQuota``."""
        body = {
            "name": name,
            "size": size_gib,
            "volume_type": volume_type,
            "metadata": dict(metadata),
            "imageRef": image_id,
            "snapshot_id": snapshot_id,
            "source_volid": source_volume_id,
            "availability_zone": zone,
            "description": description,
        }
        answer = self._transport.send(_SERVICE, "POST", "/volumes", json={"volume": given(body)})
        return _volume(answer.body["volume"])

    def set_metadata(self, volume_id: str, metadata: Mapping[str, str]) -> None:
        """Add these entries to a volume's metadata, or change them."""
        self._transport.send(
            _SERVICE, "POST", f"/volumes/{volume_id}/metadata", json={"metadata": dict(metadata)}
        )

    def remove_metadata(self, volume_id: str, *, key: str) -> None:
        """Take one entry out of a volume's metadata. Raises ``NotFound`` when it has no such entry."""
        self._transport.send(_SERVICE, "DELETE", f"/volumes/{volume_id}/metadata/{key}")

    def rename_volume(self, volume_id: str, *, name: str) -> None:
        """Call it something else."""
        body = {"volume": {"name": name}}
        self._transport.send(_SERVICE, "PUT", f"/volumes/{volume_id}", json=body)

    def extend_volume(self, volume_id: str, *, size_gib: int) -> None:
        """Make a volume larger, attached or not.

        Raises ``OverQuota``; ``Conflict`` when it is neither available nor in use; ``Refused`` when it would not grow.
        Whether a back end can extend an attached volume shows only afterwards: where it cannot (NFS), the volume goes to
        ``error_extending`` and keeps its size; ``reset_status`` brings it back to ``in-use``.
        """
        body = {"os-extend": {"new_size": size_gib}}
        path = f"/volumes/{volume_id}/action"
        self._transport.send(_SERVICE, "POST", path, json=body, microversion=_EXTEND_IN_USE_MICROVERSION)

    def retype_volume(self, volume_id: str, *, volume_type: str) -> None:
        """Move a volume to another type, its data to another back end where that is needed.

        Raises ``Conflict`` when it is of that type, or neither available nor in use; ``NotFound`` for an unknown type. A
        back end that could not gives the volume back with its old type, and one that has snapshots may never come back.
        """
        body = {"os-retype": {"new_type": volume_type, "migration_policy": "on-demand"}}
        self._transport.send(_SERVICE, "POST", f"/volumes/{volume_id}/action", json=body)

    def revert_volume(self, volume_id: str, *, snapshot_id: str) -> None:
        """Put a volume back to its newest snapshot, in place: what was written since is lost.

        Raises ``Conflict`` unless it is available; ``Refused`` for an older snapshot, or when it has grown since.
        """
        body = {"revert": {"snapshot_id": snapshot_id}}
        path = f"/volumes/{volume_id}/action"
        self._transport.send(_SERVICE, "POST", path, json=body, microversion=_REVERT_MICROVERSION)

    def reset_status(self, volume_id: str, *, status: str) -> None:
        """Operators only: put a volume's status right where it tells of a failed request and not of the volume."""
        body = {"os-reset_status": {"status": status}}
        self._transport.send(_SERVICE, "POST", f"/volumes/{volume_id}/action", json=body)

    def delete_volume(self, volume_id: str) -> None:
        """Delete a volume. Raises ``Conflict`` while it is attached or has snapshots."""
        self._transport.send(_SERVICE, "DELETE", f"/volumes/{volume_id}")

    def attachments(self, volume_id: str) -> list[models.Attachment]:
        """Who holds a volume. A server shows here from the moment its creation reserved the volume."""
        found = self._transport.pages(
            _SERVICE,
            "/attachments",
            key="attachments",
            params={"volume_id": volume_id},
            microversion=_ATTACHMENTS_MICROVERSION,
        )
        return [_attachment(body) for body in found]

    def volume_types(self) -> list[models.VolumeType]:
        """The storage classes that the project may use; for operators those as well that only some projects may."""
        every = {"is_public": "None"}  # without, operators are told the public ones only
        found = self._transport.pages(_SERVICE, "/types", key="volume_types", params=every)
        return [
            models.VolumeType(
                id=body["id"],
                name=body["name"],
                public=body.get("is_public", True),
                backend=(body.get("extra_specs") or {}).get("volume_backend_name") or "",
            )
            for body in found
        ]

    def limits(self) -> dict[str, int]:
        """The project's absolute limits and use as Cinder names them (``maxTotalVolumeGigabytes``, …)."""
        return dict(self._transport.get(_SERVICE, "/limits")["limits"]["absolute"])


def _volume(body: dict[str, Any]) -> models.Volume:
    return models.Volume(
        id=body["id"],
        project_id=body.get("os-vol-tenant-attr:tenant_id", ""),
        name=body.get("name") or "",
        status=body["status"],
        size_gib=body["size"],
        volume_type=body.get("volume_type") or "",
        bootable=str(body.get("bootable", "false")).lower() == "true",
        zone=body.get("availability_zone") or "",
        metadata=models.text_map(body.get("metadata")),
        attached_to={held["server_id"]: held.get("device") or "" for held in body.get("attachments", ())},
        created_at=models.moment(body.get("created_at")),
        image_properties=models.text_map(body.get("volume_image_metadata")),
    )


def _attachment(body: dict[str, Any]) -> models.Attachment:
    return models.Attachment(
        id=body["id"],
        volume_id=body["volume_id"],
        server_id=body.get("instance") or "",
        status=body["status"],
    )
