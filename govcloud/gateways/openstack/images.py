"""Images (Glance v2)."""

from collections.abc import Mapping
from typing import Any, BinaryIO

from govcloud.gateways.openstack import models
from govcloud.gateways.openstack.network import given
from govcloud.gateways.openstack.transport import Transport

_SERVICE = "image"
_KNOWN = frozenset(
    {
        "id", "name", "status", "visibility", "disk_format", "container_format", "size", "virtual_size", "min_disk",
        "min_ram", "protected", "owner", "checksum", "created_at", "updated_at", "tags", "self", "file", "schema",
        "locations", "direct_url", "stores",
    }
)  # fmt: skip


class Images:
    """The caller chooses an image's id, which makes creating one safe to repeat."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_image(self, image_id: str) -> models.Image:
        """An image by its id. Raises ``NotFound``."""
        return _image(self._transport.get(_SERVICE, f"/images/{image_id}"))

    def find_images(self, *, name: str | None = None) -> list[models.Image]:
        """The images that the project may use, newest first."""
        query = given({"name": name, "sort": "created_at:desc"})
        return [
            _image(body) for body in self._transport.pages(_SERVICE, "/images", key="images", params=query)
        ]

    def find_image(self, name: str) -> models.Image | None:
        """The newest active image of this name, or ``None``."""
        return next((image for image in self.find_images(name=name) if image.status == "active"), None)

    def create_image(
        self,
        *,
        image_id: str,
        name: str,
        disk_format: str,
        min_disk_gib: int = 0,
        visibility: str = "private",
        properties: Mapping[str, str] | None = None,
    ) -> models.Image:
        """Register an image without data, under an id of our choosing. Raises ``Conflict`` when the id exists."""
        body = {
            **dict(properties or {}),
            "id": image_id,
            "name": name,
            "disk_format": disk_format,
            "container_format": "bare",
            "min_disk": min_disk_gib,
            "visibility": visibility,
        }
        return _image(self._transport.send(_SERVICE, "POST", "/images", json=body).body)

    def upload_image(self, image_id: str, *, data: BinaryIO) -> None:
        """Send an image's data. Raises ``Conflict`` when it has some, ``OverQuota``."""
        self._transport.upload(_SERVICE, f"/images/{image_id}/file", data=data)

    def delete_image(self, image_id: str) -> None:
        """Delete an image. Raises ``Conflict`` while it is in use."""
        self._transport.send(_SERVICE, "DELETE", f"/images/{image_id}")


def _image(body: dict[str, Any]) -> models.Image:
    return models.Image(
        id=body["id"],
        name=body.get("name") or "",
        status=body["status"],
        visibility=body.get("visibility") or "",
        disk_format=body.get("disk_format") or "",
        size_bytes=body.get("size") or 0,
        min_disk_gib=body.get("min_disk") or 0,
        min_memory_mib=body.get("min_ram") or 0,
        properties={
            name: str(value) for name, value in body.items() if name not in _KNOWN and value is not None
        },
    )
