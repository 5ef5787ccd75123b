"""The kinds of steps that protection adds: an allowance that is granted, a backup that is taken, and one that is written back."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import DRTier
from govcloud.gateways.openstack import errors
from govcloud.gateways.openstack.models import Phase, Volume
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource
from govcloud.metering import services as metering
from govcloud.protection import keeping, recovering
from govcloud.protection import services as protection
from govcloud.protection.models import RecoveryPoint
from govcloud.provisioning import settlement
from govcloud.provisioning.context import ENGINE, Context
from govcloud.provisioning.kinds.base import (
    Broken,
    Gone,
    Kind,
    Landing,
    Made,
    Moving,
    Ready,
    Setting,
    Sight,
    Skipped,
    StepFailed,
    Waiting,
)
from govcloud.provisioning.kinds.compute import UNIT
from govcloud.provisioning.kinds.storage import SERVER_BUSY, OverwritingKind


class BackupAllowanceKind(Setting):
    """Backup capacity granted to a system. It lives in our own tables: the cloud's limits follow it (``volume_quota``)."""

    name = "backup_allowance"
    title = _("Arranging the backups")
    removal_title = _("Ending the backups")

    def create(self, context: Context) -> Made:  # noqa: ARG002
        return Made("allowance", {})

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        state = context.state
        resource = inventory.record_allowance(
            common=context.recorded(external_id=""),
            tier=DRTier.objects.get(level=state["dr_level"], retired_at=None),
            capacity_gb=state["capacity_gb"],
            off_site=state["off_site"],
        )
        settlement.built(unit=context.step.unit, at=context.at)
        inventory.put_into_service(resources=[resource], actor=ENGINE, at=context.at)
        metering.open_usage(resource=resource, quantities=settlement.meters_of(resource), at=context.at)
        protection.open_plan(
            allowance=resource.backup,
            frequency=state["frequency"],
            volume_units=state["volumes"],
            actor=ENGINE,
            at=context.at,
        )

    def forget(self, context: Context) -> None:
        resource = Resource.objects.filter(unit=context.target).first()
        if resource is not None:
            protection.end_plan(allowance=resource.backup, actor=ENGINE, at=context.at)
        settlement.absent(context=context)


class CoverageKind(Setting):
    """A volume that a server gets later, backed up with the server's others from the plan's next run on."""

    name = "coverage"
    title = _("Adding the storage to the backups")
    removal_title = _("Taking the storage out of the backups")

    def create(self, context: Context) -> Made | Skipped:
        server, volume = (context.resource(context.state[each]) for each in ("server", "volume"))
        if not protection.plans_of(server.server, besides=volume.volume).exists():
            return Skipped("the server is in no backup plan")
        return Made("coverage", {})

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        protection.cover(
            volume=context.resource(context.state["volume"]).volume,
            server=context.resource(context.state["server"]).server,
            actor=ENGINE,
            at=context.at,
        )

    def forget(self, context: Context) -> None:
        """The storage goes that was ordered. What is connected directly stays: that ends with this step, or before it has done anything."""
        if context.operation.resource_id is not None:
            return
        built = Resource.objects.filter(unit=context.state["volume"]).select_related("volume")
        going, thread = [each.volume for each in built], context.operation.thread
        protection.uncover(volumes=going, actor=ENGINE, thread=thread, at=context.at)


class BackupKind(Kind):
    """A Cinder backup of one volume, attached or not (then as if its power had failed)."""

    name = "backup"
    title = _("Taking a backup")
    removal_title = _("Deleting the recovery point")
    landing = Landing.OPEN
    generations = 2
    patience = timedelta(hours=12)  # terabytes take their time

    def find(self, context: Context) -> str | None:
        found = context.project.backups.find_backups(name=context.mark)
        return next((backup.id for backup in found if backup.status != "deleting"), None)

    def create(self, context: Context) -> Made | Skipped | Waiting:
        """Raises ``Misconfigured`` for an off-site backup where the cloud has no other site to put it."""
        volume = context.resource(context.state["volume"])
        if volume.status in {Status.RELEASING, Status.RELEASED}:
            return Skipped("the volume is being released")  # a release waits for what has begun alone
        zone = context.cloud_row.backup_zone if context.state["off_site"] else None
        if zone == "":
            raise errors.Misconfigured(
                "the cloud has no backup zone at another site", service="block-storage"
            )
        if context.project.volumes.get_volume(context.state["volume_id"]).phase is Phase.MOVING:
            return Waiting("what is being done to the volume has to end first")
        if context.server_at_work(volume):
            return Waiting(SERVER_BUSY)
        accepted = context.project.backups.create_backup(
            volume_id=context.state["volume_id"],
            name=context.mark,
            zone=zone,
            force=True,
            metadata={UNIT: str(context.step.unit)},
            description=context.operation.reason,
        )
        return Made(accepted.id)

    def look(self, context: Context, external_id: str) -> Sight:
        try:
            backup = context.project.backups.get_backup(external_id)
        except errors.NotFound:
            return Gone()
        if backup.status == "deleted":
            return Gone()
        if context.step.desired == "absent":
            return Moving(
                seen=": ".join(filter(None, (f"the backup is {backup.status}", backup.fail_reason)))
            )
        match backup.phase:
            case Phase.FAILED:
                return Broken(backup.fail_reason or f"the backup went to {backup.status}")
            case Phase.SETTLED:
                return Ready({"size_gib": backup.size_gib, "incremental": backup.incremental})
            case _:
                return Moving(seen=f"the backup is {backup.status}")

    def remove(self, context: Context, external_id: str) -> None:
        """Raises ``StepFailed`` for a recovery point under a legal hold. From now on none can be placed on it: it is going."""
        if keeping.is_held(external_id=external_id):
            raise StepFailed("it is under a legal hold: it is kept until that is lifted")
        backup = context.project.backups.get_backup(external_id)
        if backup.phase is not Phase.MOVING:
            context.project.backups.delete_backup(external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        protection.record_point(
            step=context.step,
            volume_unit=UUID(context.state["volume"]),
            off_site=context.state["off_site"],
            at=context.at,
        )

    def forget(self, context: Context) -> None:
        protection.expire_point(external_id=context.step.external_id, at=context.at)


SOURCE = "src_backup_id"
"""Where Cinder notes in a volume's metadata which backup was written over it."""


class RecoveryKind(OverwritingKind):
    """A recovery point written over a volume that no server has.

    Cinder tells which backup a volume was made from, but of one of its own only where it told of another before. So our mark
    stands there before the request is sent, and the backup's id once what was asked for is done.
    """

    name = "recovery"
    title = _("Writing the recovery point to the storage")
    patience = timedelta(hours=12)  # terabytes take their time

    def find(self, context: Context) -> str | None:
        if "marked" not in context.step.outputs:
            return None  # the worker did not come as far as asking
        volume = context.project.volumes.get_volume(self.volume_of(context).external_id)
        begun = volume.status == "restoring-backup" or volume.phase is Phase.FAILED
        return volume.id if begun or self.is_written(context, volume) else None

    def create(self, context: Context) -> Made | Waiting:
        """Raises ``StepFailed`` where the backup cannot be read."""
        volume, backup = (
            self.volume_of(context).external_id,
            context.project.backups.get_backup(context.state["backup"]),
        )
        seen = context.project.volumes.get_volume(volume)
        if seen.phase is Phase.MOVING or context.others_at_work([context.state["volume"]]):
            return Waiting("what is being done to the volume has to end first")
        if backup.phase is Phase.MOVING:
            return Waiting("the recovery point is being written to another volume")
        if backup.phase is Phase.FAILED:
            raise StepFailed(f"the recovery point is {backup.status}: {backup.fail_reason}")
        if seen.phase is Phase.FAILED:  # an earlier try ended so, and a person has asked for another
            context.cloud.volumes.reset_status(volume, status="available")
        context.project.volumes.set_metadata(volume, {SOURCE: context.mark})
        context.remember({"marked": True})
        context.project.backups.restore_backup(backup.id, volume_id=volume)
        return Made(volume)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        point = RecoveryPoint.objects.select_related("volume__resource").get(uuid=context.state["point"])
        recovering.recovered(point=point, resource=self.volume_of(context), actor=ENGINE, at=context.at)

    def is_written(self, context: Context, volume: Volume) -> bool:
        backup: str = context.state["backup"]
        return volume.metadata.get(SOURCE) == backup
