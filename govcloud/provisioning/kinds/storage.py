"""What is done with a volume that stands: taken from its server, kept as a snapshot, put back to one, moved to another class."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import CloudStorageClass, StorageClass
from govcloud.gateways.openstack import errors
from govcloud.gateways.openstack.models import Phase, Snapshot
from govcloud.gateways.openstack.models import Volume as SeenVolume
from govcloud.inventory import snapshots
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, Volume
from govcloud.provisioning import settlement
from govcloud.provisioning.context import ENGINE, Context
from govcloud.provisioning.kinds import standing
from govcloud.provisioning.kinds.base import Broken, Gone, Kind, Landing, Made, Moving, Ready, Sight, Waiting
from govcloud.provisioning.kinds.compute import UNIT, AttachmentKind, unseen
from tenants.models import User

BUSY = "a backup of it has to end first"
SERVER_BUSY = "what is being done to its server has to end first"
BEGUN = timedelta(seconds=30)  # by then a cloud that accepted a change has begun it


class DetachmentKind(AttachmentKind):
    """A data volume taken from its server; called off, it is attached again."""

    name = "detachment"
    title = _("Disconnecting storage from the server")
    removal_title = _("Connecting storage to the server")

    def find(self, context: Context) -> str | None:
        """A volume that is being detached is so at our request, however long its server takes to let go of it."""
        volume, _server = self._ids(context)
        leaving = context.project.volumes.get_volume(volume).status == "detaching"
        return volume if leaving or super().find(context) is None else None

    def create(self, context: Context) -> Made | Waiting:
        if context.may_still_land("attachment", undone="detachment"):
            return Waiting("an earlier request to attach it may still land")
        volume, server = self._ids(context)
        seen = context.project.volumes.get_volume(volume)
        if server in seen.attached_to and seen.status != "detaching":
            context.project.compute.detach_volume(server, volume_id=volume)
        return Made(volume)

    def look(self, context: Context, external_id: str) -> Sight:
        """Called off, it raises ``NotFound`` for a server that has vanished: there is nothing to attach the volume to."""
        _volume, server = self._ids(context)
        volume = context.project.volumes.get_volume(external_id)
        if volume.phase is Phase.MOVING:
            return Moving(seen=standing.of_volume(volume))
        attached = server in volume.attached_to
        if context.step.desired == "absent":
            if attached or self._server_is_gone(context):
                return Gone()
            context.project.compute.get_server(server)
            return Ready()
        return Broken(f"the volume is {volume.status}, still attached") if attached else Ready()

    def remove(self, context: Context, external_id: str) -> None:
        _volume, server = self._ids(context)
        volume = context.project.volumes.get_volume(external_id)
        if volume.phase is not Phase.MOVING and server not in volume.attached_to:
            context.taking_back()
            context.project.compute.attach_volume(server, volume_id=external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        if not self.is_for_a_change(context):
            Volume.objects.filter(resource__unit=context.state["volume"]).update(server=None)

    def forget(self, context: Context) -> None:
        server = None if self._server_is_gone(context) else context.resource(context.state["server"]).server
        Volume.objects.filter(resource__unit=context.state["volume"]).update(server=server)

    @staticmethod
    def _server_is_gone(context: Context) -> bool:
        """Nothing is attached again to a server that has been released meanwhile, or that was lost and given up."""
        return context.resource(context.state["server"]).status == Status.RELEASED


class SnapshotKind(Kind):
    """A volume's state at one moment; of an attached volume as if its power had failed."""

    name = "snapshot"
    title = _("Keeping the state of the storage")
    removal_title = _("Deleting the snapshot")
    landing = Landing.OPEN  # names are not unique in Cinder
    generations = 2

    def find(self, context: Context) -> str | None:
        found = context.project.snapshots.find_snapshots(name=context.mark)
        return next((snapshot.id for snapshot in found if snapshot.status != "deleting"), None)

    def create(self, context: Context) -> Made | Waiting:
        if context.others_at_work([context.state["volume"]]):
            return Waiting(BUSY)
        if context.server_at_work(context.resource(context.state["volume"])):
            return Waiting(SERVER_BUSY)
        snapshot = context.project.snapshots.create_snapshot(
            volume_id=context.resource(context.state["volume"]).external_id,
            name=context.mark,
            metadata={UNIT: str(context.step.unit)},
            force=True,
        )
        return Made(snapshot.id)

    def look(self, context: Context, external_id: str) -> Sight:
        try:
            snapshot = context.project.snapshots.get_snapshot(external_id)
        except errors.NotFound:
            return unseen(context, context.cloud.snapshots.get_snapshot, external_id)
        if snapshot.phase is Phase.FAILED:
            return Broken(f"the snapshot went to {snapshot.status}")
        if snapshot.phase is Phase.MOVING:
            return Moving(seen=f"the snapshot is {snapshot.status}")
        return Ready({"size_gib": snapshot.size_gib})

    def remove(self, context: Context, external_id: str) -> None:
        snapshot = context.project.snapshots.get_snapshot(external_id)
        if snapshot.status == "error_deleting":  # its volume was being worked on when it was asked for
            context.cloud.snapshots.reset_status(external_id, status="error")
        if snapshot.phase is not Phase.MOVING:
            context.project.snapshots.delete_snapshot(external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        snapshots.record(
            volume=context.resource(context.state["volume"]).volume,
            unit=context.step.unit,
            name=context.step.label,
            external_id=context.step.external_id,
            size_gb=context.state["size_gb"],
            taken_by=User.objects.get(uuid=context.state["taken_by"]),
            actor=ENGINE,
            at=context.at,
        )
        settlement.built(unit=context.step.unit, at=context.at)

    def forget(self, context: Context) -> None:
        settlement.snapshot_absent(
            unit=UUID(context.state.get("snapshot", str(context.step.unit))), context=context
        )


class OverwritingKind(Kind):
    """Something written over all that a volume holds: ``volume`` of the step's state, its unit.

    It must not be done twice: a second one that lands late would take with it what has been written since.
    """

    landing = Landing.OPEN
    asked_again_on_retry = True

    def look(self, context: Context, external_id: str) -> Sight:
        volume = context.project.volumes.get_volume(external_id)
        if volume.phase is Phase.MOVING:
            return Moving(seen=standing.of_volume(volume))
        failed = volume.phase is Phase.FAILED
        if context.step.desired == "absent":
            return Ready() if failed else Gone()  # what was written over cannot be brought back
        if failed:
            return Broken(f"the volume went to {volume.status}")
        written = self.is_written(context, volume)
        return Ready({"size_gib": volume.size_gib}) if written else Broken("the volume was not written")

    def is_written(self, context: Context, volume: SeenVolume) -> bool:  # noqa: ARG002
        """Whether what a volume that is settled holds is what was to be written, as far as the cloud tells."""
        return True

    def remove(self, context: Context, external_id: str) -> None:
        """Given up on after it failed: what is on the volume is for the department to judge, but it can be used, or written again."""
        if context.project.volumes.get_volume(external_id).phase is Phase.FAILED:
            context.cloud.volumes.reset_status(external_id, status="available")

    def volume_of(self, context: Context) -> Resource:
        return context.resource(context.state["volume"])


class RestoreKind(OverwritingKind):
    """A volume put back to its snapshot, in place.

    The cloud keeps no record of it but the moment at which the snapshot was touched last; that moment is written down before the
    request.
    """

    name = "restore"
    title = _("Putting the storage back")
    patience = timedelta(hours=2)  # a back end without a way of its own copies the data

    def find(self, context: Context) -> str | None:
        before = context.step.outputs.get("before")
        if before is None:
            return None  # the worker did not come as far as asking
        snapshot = self._snapshot(context)
        touched = snapshot.status == "restoring" or _touched(snapshot) != before
        return self.volume_of(context).external_id if touched else None

    def create(self, context: Context) -> Made | Waiting:
        volume = self.volume_of(context)
        seen = context.project.volumes.get_volume(volume.external_id)
        if seen.phase is Phase.MOVING or context.others_at_work([context.state["volume"]]):
            return Waiting(BUSY)
        if "before" not in context.step.outputs:
            context.remember({"before": _touched(self._snapshot(context))})
        if seen.phase is Phase.FAILED:  # an earlier try ended so, and a person has asked for another
            context.cloud.volumes.reset_status(volume.external_id, status="available")
        context.project.volumes.revert_volume(volume.external_id, snapshot_id=context.state["snapshot_id"])
        return Made(volume.external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        snapshots.restored(unit=UUID(context.state["snapshot"]), actor=ENGINE, at=context.at)

    def _snapshot(self, context: Context) -> Snapshot:
        return context.project.snapshots.get_snapshot(context.state["snapshot_id"])


def _touched(snapshot: Snapshot) -> str:
    return snapshot.updated_at.isoformat() if snapshot.updated_at else ""


class RetypeKind(Kind):
    """A volume in another storage class. Called off, it stays in whichever class it is by then."""

    name = "retype"
    title = _("Moving the storage")
    landing = Landing.LOCKED  # the cloud refuses to move a volume to the class it is in
    asked_again_on_retry = True
    patience = timedelta(hours=8)  # all its data are copied

    def find(self, context: Context) -> str | None:
        """A volume that is being moved is so at our request: it has its old class until that has ended, however long it takes."""
        volume = context.project.volumes.get_volume(self._resource(context).external_id)
        accepted = volume.status == "retyping" or volume.volume_type == self._wanted(context)
        return volume.id if accepted else None

    def create(self, context: Context) -> Made | Waiting:
        if context.others_at_work([context.state["resource"]]):
            return Waiting(BUSY)
        found = self.find(context)
        if found is not None:
            return Made(found)
        volume = self._resource(context).external_id
        context.project.volumes.retype_volume(volume, volume_type=self._wanted(context))
        return Made(volume)

    def look(self, context: Context, external_id: str) -> Sight:
        volume = context.project.volumes.get_volume(external_id)
        if volume.phase is Phase.MOVING:
            return Moving(seen=standing.of_volume(volume))
        context.seen["moved"] = volume.volume_type == self._wanted(context)
        if context.step.desired == "absent":
            return Gone()
        if volume.phase is Phase.FAILED:
            return Broken(f"the volume went to {volume.status}")
        if not context.seen["moved"]:
            waited = context.at - (context.step.intent_at or context.at)
            return Moving() if waited < BEGUN else Broken("the volume kept its old class")
        return Ready({"type": volume.volume_type})

    def remove(self, context: Context, external_id: str) -> None:
        """It stays where it is."""

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        wanted = StorageClass.objects.get(code=context.state["storage_class"])
        settlement.retyped(context=context, resource=self._resource(context), storage_class=wanted)

    def forget(self, context: Context) -> None:
        """What had moved already is recorded, and billed, as it is."""
        if context.seen.get("moved"):
            self.record(context, {})

    def _resource(self, context: Context) -> Resource:
        return context.resource(context.state["resource"])

    def _wanted(self, context: Context) -> str:
        row = CloudStorageClass.objects.get(
            cloud=context.cloud_row, storage_class__code=context.state["storage_class"]
        )
        return row.cloud_name
