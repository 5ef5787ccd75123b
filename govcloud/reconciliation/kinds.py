"""The kinds of steps that put right what was found. Each looks first, and asks only for what does not hold yet."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.gateways.openstack import Cloud, errors
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, Snapshot, Volume
from govcloud.protection import services as protection
from govcloud.provisioning import settlement
from govcloud.provisioning.context import ENGINE, Context
from govcloud.provisioning.kinds.base import Gone, Kind, Landing, Made, Moving, Ready, Sight, Skipped
from govcloud.reconciliation.comparison import Seen
from govcloud.reconciliation.restoring import RESTORES
from govcloud.reconciliation.subjects import subject_of
from govcloud.reconciliation.vocabulary import Field, SubjectKind

_DELETES: Mapping[SubjectKind, Callable[[Cloud, str], None]] = {
    SubjectKind.SERVER: lambda cloud, external_id: cloud.compute.delete_server(external_id),
    SubjectKind.VOLUME: lambda cloud, external_id: cloud.volumes.delete_volume(external_id),
    SubjectKind.PORT: lambda cloud, external_id: cloud.network.delete_port(external_id),
    SubjectKind.NETWORK: lambda cloud, external_id: cloud.network.delete_network(external_id),
    SubjectKind.SECURITY_GROUP: lambda cloud, external_id: cloud.security_groups.delete_group(external_id),
}


class MendingKind(Kind):
    """Asks again, at each visit, for whatever is still to be done; what was done stays when it is called off."""

    landing = Landing.REPEATABLE
    asked_again_on_retry = True

    def find(self, context: Context) -> str | None:  # noqa: ARG002
        return None

    def look(self, context: Context, external_id: str) -> Sight:  # noqa: ARG002
        return Gone() if context.step.desired == "absent" else Ready()

    def remove(self, context: Context, external_id: str) -> None:
        """There is nothing to take down."""

    def subject(self, context: Context) -> SubjectKind:
        return SubjectKind(context.state["subject"])

    def seen(self, context: Context) -> Seen:
        """Raises ``NotFound``."""
        return subject_of(self.subject(context)).one(context.cloud.census, context.state["id"])


class RestorationKind(MendingKind):
    """In one respect, the cloud as the record has it."""

    name = "restoration"
    title = _("Setting the cloud back to the record")

    def create(self, context: Context) -> Made | Moving:
        seen, name = self.seen(context), Field(context.state["field"])
        if not seen.settled:
            return Moving()
        if seen.fields.get(name) == context.state["expected"]:
            return Made(seen.external_id, {})
        restore = RESTORES[self.subject(context), name]
        restore(context.project, context.resource(context.state["resource"]), seen.external_id)
        return Moving()


class RemovalKind(MendingKind):
    """Something of ours that nothing knows is gone from the cloud. It is looked at once more, directly before."""

    name = "removal"
    title = _("Deleting what is left over")

    def create(self, context: Context) -> Made | Moving | Skipped:
        try:
            seen = self.seen(context)
        except errors.NotFound:
            return Made(context.state["id"], {})
        if seen.mark != context.step.unit:
            return Skipped("it does not carry our mark any more")
        if seen.held_by:
            return Skipped("something holds it")
        if Resource.objects.filter(cloud=context.cloud_row, external_id=seen.external_id).exists():
            return Skipped("it is recorded as a resource")
        if seen.settled:
            _DELETES[self.subject(context)](context.project, seen.external_id)
        return Moving()


class LossKind(MendingKind):
    """The cloud confirms that it does not have something; the record follows: released, its quota given back."""

    name = "loss"
    title = _("Recording it as lost")

    def create(self, context: Context) -> Made | Skipped:
        try:
            self.seen(context)
        except errors.NotFound:
            return Made(context.state["id"], {})
        return Skipped("it is there again")

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        resource, at = context.resource(context.target), context.at
        thread = resource.thread
        held = list(Volume.objects.filter(server__resource=resource).select_related("resource"))
        after = {"external_id": resource.external_id, "volumes": [each.resource.name for each in held]}
        audit.record(actor=ENGINE, verb="resource.lost", subject=resource, at=at, thread=thread, after=after)
        Volume.objects.filter(server__resource=resource).update(server=None)
        lost = Volume.objects.filter(resource=resource)
        protection.uncover(volumes=list(lost), actor=ENGINE, thread=thread, at=at)
        for snapshot in Snapshot.objects.filter(volume__resource=resource, deleted_at=None):
            settlement.snapshot_absent(
                unit=snapshot.unit, context=context
            )  # there is none without its volume
        inventory.mark(resource=resource, to=Status.ACTIVE, actor=ENGINE, thread=thread, at=at)
        settlement.absent(context=context)
