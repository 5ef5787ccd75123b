"""Volumes, servers and what joins them.

A server boots from a volume that we made before it. That volume is the lock: ``POST /servers`` reserves it, and a second
request naming it is refused, so a server can be asked for again whenever it is not known whether the first one landed.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import CloudFlavor, CloudImage, CloudStorageClass, Flavor, Image, StorageClass
from govcloud.clouds import guest_keys
from govcloud.gateways.openstack import errors, models
from govcloud.gateways.openstack.models import Phase
from govcloud.inventory import services as inventory
from govcloud.inventory.models import Address, Resource, Server, Volume, VolumeRole
from govcloud.provisioning import settlement
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds import standing
from govcloud.provisioning.kinds.base import (
    Broken,
    Gone,
    Kind,
    Landing,
    Made,
    Moving,
    OutOfReach,
    Ready,
    Sight,
    Waiting,
)
from govcloud.provisioning.kinds.network import tags_of
from govcloud.provisioning.lifecycle import StepState
from govcloud.provisioning.models import Step

FAULT_WRITTEN = timedelta(minutes=2)  # by then
UNIT = "govcloud_unit"  # the metadata entry by which a volume is found again
SOFT_DELETED = "SOFT_DELETED"  # kept by the cloud for a while (Nova's reclaim_instance_interval)
SERIAL = 20  # characters of a volume's id that a guest sees as its disk's serial number (virtio)


class VolumeKind(Kind):
    name = "volume"
    title = _("Preparing storage")
    removal_title = _("Deleting the storage")
    landing = Landing.OPEN
    generations = 2
    patience = timedelta(hours=2)  # a large image is copied

    def find(self, context: Context) -> str | None:
        found = context.project.volumes.find_volumes(metadata={UNIT: str(context.step.unit)})
        return next((volume.id for volume in found if volume.status != "deleting"), None)

    def create(self, context: Context) -> Made:
        """Blank, or with the data of the image. Raises ``Refused`` when the cloud does not have the image."""
        scale, part = _scale(context), context.availability_zone
        volume = context.project.volumes.create_volume(
            name=context.step.label,
            size_gib=scale.built_gb(context.state["size_gb"]),
            volume_type=scale.cloud_name,
            metadata={UNIT: str(context.step.unit), "govcloud_system": context.operation.system.code},
            image_id=image_id(context) if context.state.get("image") else None,
            zone=part.volume_zone or None if part is not None else None,
            description=f"{context.operation.reason} {context.mark}",
        )
        return Made(volume.id)

    def look(self, context: Context, external_id: str) -> Sight:
        try:
            volume = context.project.volumes.get_volume(external_id)
        except errors.NotFound:
            return unseen(context, context.cloud.volumes.get_volume, external_id)
        if context.step.desired == "absent":
            told = standing.of_volume(volume)
            return Broken(told) if volume.status == "error_deleting" else Moving(seen=told)
        if volume.phase is Phase.FAILED:
            return Broken(f"the volume went to {volume.status}")
        if volume.phase is Phase.MOVING:
            return Moving(seen=standing.of_volume(volume))
        return Ready({"size_gib": volume.size_gib, "type": volume.volume_type})

    def remove(self, context: Context, external_id: str) -> None:
        volume = context.project.volumes.get_volume(external_id)
        if volume.status == "error_deleting":  # from which the cloud takes no second request
            context.cloud.volumes.reset_status(external_id, status="error")
        if volume.status in {"available", "error", "error_deleting", "error_extending", "error_restoring"}:
            context.project.volumes.delete_volume(external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        inventory.record_volume(
            common=context.recorded(),
            role=VolumeRole(context.state["role"]),
            storage_class=StorageClass.objects.get(code=context.state["storage_class"]),
            size_gb=context.state["size_gb"],
            label=context.state.get("label", ""),
            mount_point=context.state.get("mount_point", ""),
        )
        settlement.built(unit=context.step.unit, at=context.at)

    def forget(self, context: Context) -> None:
        settlement.wiped(context=context)
        settlement.absent(context=context)


def unseen(
    context: Context, ask: Callable[[str], models.Volume | models.Snapshot], external_id: str
) -> Gone | Moving:
    """Whether what our project does not have (any more), and is to go, has gone. ``ask`` looks for it as the cloud's operator.

    A volume can be handed to another project, with its snapshots: to ours it is not found then, and holds its data still. Raises
    ``OutOfReach``.
    """
    if context.step.desired == "present" and context.step.state != StepState.REPLACING:
        return Gone()
    try:
        found = ask(external_id)
    except errors.NotFound:
        return Gone()
    if found.project_id == context.project_id or found.status == "deleting":
        return Moving()  # it has come back, or one of the two answers was late; or it is going there
    raise OutOfReach(
        f"it was handed to project {found.project_id} of the cloud, where it still stands: it has to be handed back, or be deleted there"
    )


def _scale(context: Context) -> CloudStorageClass:
    return CloudStorageClass.objects.get(
        cloud=context.cloud_row, storage_class__code=context.state["storage_class"]
    )


def flavor_id(context: Context) -> str:
    """The id on the cloud of the flavor that the step names. Raises ``Misconfigured`` when the cloud does not have it."""
    row = CloudFlavor.objects.get(cloud=context.cloud_row, flavor__code=context.state["flavor"])
    found = (each for each in context.project.compute.flavors() if each.name == row.cloud_name)
    flavor = next(found, None)
    if flavor is None:
        raise errors.Misconfigured(f"the cloud has no flavor {row.cloud_name!r}", service="compute")
    return flavor.id


def image_id(context: Context) -> str:
    """The id on the cloud of the image that the step names. Raises ``Misconfigured`` when the cloud does not have it."""
    name = CloudImage.objects.get(cloud=context.cloud_row, image__code=context.state["image"]).cloud_name
    image = context.cloud.images.find_image(name)
    if image is None:
        raise errors.Misconfigured(f"the cloud has no active image {name!r}", service="image")
    return image.id


class ServerKind(Kind):
    name = "server"
    title = _("Building the server")
    removal_title = _("Deleting the server")
    landing = Landing.LOCKED  # by the volume it boots from
    generations = 2
    takes_a_place = True

    def find(self, context: Context) -> str | None:
        """The server that holds our boot volume, if it is ours by its tag; else one that has our tag."""
        project = context.project
        for attachment in project.volumes.attachments(self._boot_volume(context)):
            if not attachment.server_id:
                continue
            with suppress(errors.NotFound):
                server = project.compute.get_server(attachment.server_id)
                if context.mark in server.tags and server.phase is not Phase.GONE:
                    return server.id
        # one that came out in ERROR may have let go of its volume
        tagged = project.compute.find_servers(tag=context.mark)
        return next((server.id for server in tagged if server.phase is not Phase.GONE), None)

    def create(self, context: Context) -> Made:
        project = context.project
        part = context.availability_zone
        accepted = project.compute.create_server_from_volume(
            name=context.step.label,
            flavor_id=flavor_id(context),
            volume_id=self._boot_volume(context),
            port_ids=[Address.objects.get(unit=context.step.unit).port_id],
            tags=tags_of(context),
            metadata={UNIT: str(context.step.unit)},
            key_name=self._key_name(context),
            zone=part.compute_zone or None if part is not None else None,
        )
        return Made(accepted.id)

    def _key_name(self, context: Context) -> str:
        """The centre's key that the operation registered on this cloud; meanwhile another one may be the current one."""
        keypair = Step.objects.filter(operation=context.operation, kind="keypair").first()
        return keypair.external_id if keypair is not None else guest_keys.current().name

    def _boot_volume(self, context: Context) -> str:
        return context.resource(context.state["system_volume"]).external_id

    def look(self, context: Context, external_id: str) -> Sight:
        try:
            server = context.project.compute.get_server(external_id)
        except errors.NotFound:
            return Gone()
        if server.phase is Phase.GONE:
            going = context.step.desired == "absent" or context.step.state == StepState.REPLACING
            return (
                Moving(seen=standing.of_server(server)) if going and server.status == SOFT_DELETED else Gone()
            )
        if context.step.desired == "absent" or server.phase is Phase.MOVING:
            return Moving(seen=standing.of_server(server))
        if server.phase is Phase.FAILED:
            return self._broken(context, server)
        return Ready({"status": server.status, "zone": server.zone})

    def _broken(self, context: Context, server: models.Server) -> Sight:
        """Nova writes the reason a moment after the status: worth a second look."""
        if server.fault is not None:
            return Broken(server.fault.message)
        young = context.at - (context.step.intent_at or context.at) < FAULT_WRITTEN
        return Moving() if young else Broken("the server went to ERROR and the cloud does not say why")

    def remove(self, context: Context, external_id: str) -> None:
        """A cloud that keeps what was deleted for a while counts it, with its ports and volumes, until it is deleted for good."""
        compute = context.project.compute
        server = compute.get_server(external_id)
        if server.status == SOFT_DELETED:
            compute.force_delete_server(external_id)
        elif server.task_state not in {"deleting", "soft-deleting"}:
            compute.delete_server(external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        inventory.record_server(
            common=context.recorded(),
            flavor=Flavor.objects.get(code=context.state["flavor"]),
            image=Image.objects.get(code=context.state["image"]),
            system_volume=UUID(context.state["system_volume"]),
            guest_key=self._key_name(context),
        )
        settlement.built(unit=context.step.unit, at=context.at)

    def forget(self, context: Context) -> None:
        settlement.absent(context=context)


class AttachmentKind(Kind):
    """A data volume at its server: present when the cloud says that it is in use there."""

    name = "attachment"
    title = _("Connecting storage to the server")
    removal_title = _("Disconnecting storage from the server")
    landing = Landing.LOCKED  # a volume is attached to one server at a time
    asked_again_on_retry = True

    def find(self, context: Context) -> str | None:
        volume, server = self._ids(context)
        held = {attachment.server_id for attachment in context.project.volumes.attachments(volume)}
        return volume if server in held else None

    def create(self, context: Context) -> Made | Waiting:
        if context.others_at_work([context.state["volume"]]):
            return Waiting("a backup of it has to end first")
        if context.may_still_land("detachment", undone="attachment"):
            return Waiting("an earlier request to detach it may still land")
        volume, server = self._ids(context)
        context.project.compute.attach_volume(server, volume_id=volume)
        return Made(volume)

    def look(self, context: Context, external_id: str) -> Sight:
        _volume, server = self._ids(context)
        try:
            volume = context.project.volumes.get_volume(external_id)
        except errors.NotFound:
            return Gone()
        if volume.phase is Phase.MOVING:
            return Moving(seen=standing.of_volume(volume))
        if context.step.desired == "absent":
            return Gone() if server not in volume.attached_to else Ready()
        if volume.phase is Phase.FAILED or server not in volume.attached_to:
            return Broken(f"the volume is {volume.status}, not attached")
        return Ready({"device": volume.attached_to[server]})

    def remove(self, context: Context, external_id: str) -> None:
        """Asked once: while the volume is on its way the cloud refuses to be asked again. Again only if that was for nothing.

        The volume may have arrived since it was looked at.
        """
        _volume, server = self._ids(context)
        volume = context.project.volumes.get_volume(external_id)
        if volume.phase is not Phase.MOVING and server in volume.attached_to:
            context.taking_back()
            context.project.compute.detach_volume(server, volume_id=external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        server = Server.objects.get(resource=context.resource(context.state["server"]))
        Volume.objects.filter(resource=context.resource(context.state["volume"])).update(server=server)

    def forget(self, context: Context) -> None:
        """A volume that is attached for a change or released goes on to be its server's in the record."""
        if context.step.called_off_at is not None and not self.is_for_a_change(context):
            Volume.objects.filter(resource__unit=context.state["volume"]).update(server=None)

    @staticmethod
    def is_for_a_change(context: Context) -> bool:
        """Whether the volume is without its server for as long as something is done with it, and is its server's all the time."""
        return bool(context.state.get("for_a_change"))

    def _ids(self, context: Context) -> tuple[str, str]:
        return (
            context.resource(context.state["volume"]).external_id,
            context.resource(context.state["server"]).external_id,
        )


EXTENDING = frozenset({"extending", "error_extending"})
BEGUN = timedelta(seconds=30)  # by then a cloud that accepted an extension has begun it


class ExtensionKind(Kind):
    """A volume at its new size. Growing cannot be undone: taking it back leaves the volume as it is."""

    name = "extension"
    title = _("Enlarging storage")
    landing = Landing.LOCKED  # the cloud refuses to grow a volume to the size it has
    asked_again_on_retry = True

    def find(self, context: Context) -> str | None:
        """A volume that is being extended is so at our request: it has its old size until that has ended, however long it takes."""
        try:
            volume = context.project.volumes.get_volume(self._resource(context).external_id)
        except errors.NotFound:
            return None
        accepted = volume.status in EXTENDING or volume.size_gib >= self._target(context)
        return volume.id if accepted else None

    def create(self, context: Context) -> Made | Waiting:
        if context.others_at_work([context.state["resource"]]):
            return Waiting("a backup of it has to end first")
        found = self.find(context)  # on a scaled-down test cloud the step may be too small to show
        if found is not None:
            return Made(found)
        resource = self._resource(context)
        context.project.volumes.extend_volume(resource.external_id, size_gib=self._target(context))
        return Made(resource.external_id)

    def look(self, context: Context, external_id: str) -> Sight:
        try:
            volume = context.project.volumes.get_volume(external_id)
        except errors.NotFound:
            return Gone()
        if volume.status == "error_extending":
            # its data are untouched: the back end cannot grow what is attached (see Cloud.online_extend)
            context.cloud.volumes.reset_status(
                external_id, status="in-use" if volume.attached_to else "available"
            )
        # settled at the old size: either the cloud has not begun, or its driver could not; failed, it has begun
        small = volume.size_gib < self._target(context)
        waited = context.at - (context.step.intent_at or context.at)
        begins = small and waited < BEGUN and volume.phase is not Phase.FAILED
        moving = volume.phase is Phase.MOVING or begins
        if context.step.desired == "absent":
            context.seen = {"size_gib": volume.size_gib}
            return Moving(seen=standing.of_volume(volume)) if moving else Gone()
        if volume.phase is Phase.FAILED:
            return Broken(f"the volume went to {volume.status}")
        if moving:
            return Moving(seen=standing.of_volume(volume))
        return Broken("the volume kept its old size") if small else Ready({"size_gib": volume.size_gib})

    def remove(self, context: Context, external_id: str) -> None:
        """It stays as large as it is."""

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        settlement.extended(
            context=context, resource=self._resource(context), size_gb=context.state["size_gb"]
        )

    def forget(self, context: Context) -> None:
        """Called off: but a request that the cloud had accepted by then has grown the volume, and that is what is paid for."""
        resource, size_gb = self._resource(context), context.state["size_gb"]
        if resource.volume.size_gb < size_gb and context.seen.get("size_gib", 0) >= self._target(context):
            settlement.extended(context=context, resource=resource, size_gb=size_gb)
        else:
            settlement.unchanged(context=context)

    def _resource(self, context: Context) -> Resource:
        return context.resource(context.state["resource"])

    def _target(self, context: Context) -> int:
        return _scale(context).built_gb(context.state["size_gb"])
