"""The kinds of steps that put right what was found. Each looks first, and asks only for what does not hold yet."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.gateways.openstack import Cloud, errors
from govcloud.inventory import reach
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import (
    Address,
    FloatingAddress,
    Network,
    Resource,
    SecurityRule,
    Snapshot,
    Volume,
)
from govcloud.protection import services as protection
from govcloud.protection.models import RecoveryPoint
from govcloud.provisioning import settlement
from govcloud.provisioning.context import ENGINE, Context
from govcloud.provisioning.kinds.base import Gone, Kind, Landing, Made, Moving, Ready, Sight, Skipped
from govcloud.provisioning.kinds.network import SecurityRuleKind, tags_for
from govcloud.provisioning.kinds.ports import PortKind
from govcloud.provisioning.kinds.routing import FloatingAddressKind
from govcloud.provisioning.lifecycle import StepState
from govcloud.provisioning.models import Step
from govcloud.reconciliation import hands, remarks
from govcloud.reconciliation.comparison import REACH, Seen
from govcloud.reconciliation.restoring import RESTORES
from govcloud.reconciliation.subjects import subject_of
from govcloud.reconciliation.vocabulary import Field, SubjectKind


def _take_down(cloud: Cloud, router_id: str) -> None:
    """One request at a time: off its subnet, then away."""
    on = cloud.census.router(router_id).subnet_ids
    if on:
        cloud.routing.remove_router_subnet(router_id=router_id, subnet_id=on[0])
    else:
        cloud.routing.delete_router(router_id)


_DELETES: Mapping[SubjectKind, Callable[[Cloud, str], None]] = {
    SubjectKind.SERVER: lambda cloud, external_id: cloud.compute.delete_server(external_id),
    SubjectKind.VOLUME: lambda cloud, external_id: cloud.volumes.delete_volume(external_id),
    SubjectKind.SNAPSHOT: lambda cloud, external_id: cloud.snapshots.delete_snapshot(external_id),
    SubjectKind.RECOVERY_POINT: lambda cloud, external_id: cloud.backups.delete_backup(external_id),
    SubjectKind.PORT: lambda cloud, external_id: cloud.network.delete_port(external_id),
    SubjectKind.NETWORK: lambda cloud, external_id: cloud.network.delete_network(external_id),
    SubjectKind.SECURITY_GROUP: lambda cloud, external_id: cloud.security_groups.delete_group(external_id),
    SubjectKind.SECURITY_RULE: lambda cloud, external_id: cloud.security_groups.delete_rule(external_id),
    SubjectKind.ROUTER: _take_down,
    SubjectKind.FLOATING_ADDRESS: lambda cloud, external_id: cloud.routing.delete_floating_ip(external_id),
}


_KEPT: Mapping[SubjectKind, type[Snapshot | RecoveryPoint]] = {
    SubjectKind.SNAPSHOT: Snapshot,
    SubjectKind.RECOVERY_POINT: RecoveryPoint,
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
    """Something that nothing knows is gone from the cloud. It is looked at once more, directly before.

    A port may bear the mark of its server instead of its address's, as those do that were taken over.

    A rule is deleted as operators: one that they made by hand belongs to a project of theirs.

    A router or a floating address may have been led elsewhere since, and be what somebody works by there.
    """

    name = "removal"
    title = _("Deleting what is left over")

    def create(self, context: Context) -> Made | Moving | Skipped:
        try:
            seen = self.seen(context)
        except errors.NotFound:
            return Made(context.state["id"], {})
        if reason := self._stays(context, seen):
            return Skipped(reason)
        if seen.settled:
            by = context.cloud if self.subject(context) == SubjectKind.SECURITY_RULE else context.project
            _DELETES[self.subject(context)](by, seen.external_id)
        return Moving()

    def _stays(self, context: Context, seen: Seen) -> str:
        """Why it is not deleted after all."""
        if "unmarked" in context.state:
            if seen.mark is not None:
                return remarks.MARKED_BY_NOW
        elif str(seen.mark) not in {str(context.step.unit), context.state.get("server")}:
            return remarks.MARK_GONE
        if seen.held_by:
            return remarks.HELD
        if self._is_recorded(context, seen.external_id):
            return remarks.RECORDED_BY_NOW
        if hands.taking_over([seen.external_id], since=context.at):
            return remarks.TAKEN_OVER
        return remarks.ELSEWHERE if self._leads_elsewhere(context, seen) else ""

    def _leads_elsewhere(self, context: Context, seen: Seen) -> bool:
        """Than it did when it was told of. That a router is on no subnet any more is our own doing (``_take_down``)."""
        told = context.state.get("at")
        if told is None or set(seen.at) == set(told):
            return False
        return bool(seen.at) or self.subject(context) == SubjectKind.FLOATING_ADDRESS

    def _is_recorded(self, context: Context, external_id: str) -> bool:
        """As a resource or something kept of one, gone ones included; or with one, as rules, routers and floating addresses are."""
        if Resource.objects.filter(cloud=context.cloud_row, external_id=external_id).exists():
            return True
        subject = self.subject(context)
        if subject in _KEPT:
            kept = _KEPT[subject].objects.filter(volume__resource__cloud=context.cloud_row)
            return kept.filter(external_id=external_id).exists()
        return subject in REACH and external_id in subject_of(subject).standing(
            context.cloud_row, [external_id]
        )


class LossKind(MendingKind):
    """The cloud confirms that it does not have something; the record follows: released, its quota given back."""

    name = "loss"
    title = _("Recording it as lost")

    def create(self, context: Context) -> Made | Skipped:
        try:
            self.seen(context)
        except errors.NotFound:
            return Made(context.state["id"], {})
        return Skipped(remarks.THERE_AGAIN)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        subject = self.subject(context)
        if subject in _FORGOTTEN:
            _FORGOTTEN[subject](context)
        else:
            self._release(context)

    def _release(self, context: Context) -> None:
        resource, at = context.resource(context.target), context.at
        thread = resource.thread
        held = list(Volume.objects.filter(server__resource=resource).select_related("resource"))
        after = {"external_id": resource.external_id, "volumes": [each.resource.name for each in held]}
        audit.record(actor=ENGINE, verb="resource.lost", subject=resource, at=at, thread=thread, after=after)
        Volume.objects.filter(server__resource=resource).update(server=None)
        own = Q(unit=resource.unit) | Q(server=resource.pk)
        # Where a port was left, its address is not free: the next server that got it would be refused by the cloud.
        left = Step.objects.filter(
            operation=context.operation, kind=RemovalKind.name, state=StepState.SKIPPED
        )
        free = Address.objects.filter(own, released_at=None).exclude(unit__in=left.values("unit"))
        free.update(released_at=at)
        lost = Volume.objects.filter(resource=resource)
        protection.uncover(volumes=list(lost), actor=ENGINE, thread=thread, at=at)
        for snapshot in Snapshot.objects.filter(volume__resource=resource, deleted_at=None):
            settlement.snapshot_absent(
                unit=snapshot.unit, context=context
            )  # there is none without its volume
        inventory.mark(resource=resource, to=Status.ACTIVE, actor=ENGINE, thread=thread, at=at)
        settlement.absent(context=context)


def _snapshot_lost(context: Context) -> None:
    settlement.snapshot_absent(unit=context.step.unit, context=context, lost=True)


def _point_lost(context: Context) -> None:
    protection.lose_point(external_id=context.state["id"], actor=ENGINE, at=context.at)


def _rule_lost(context: Context) -> None:
    rules = SecurityRule.objects.filter(external_id=context.state["id"], removed_at=None)
    for rule in rules.filter(network__resource__unit=context.target).select_related("network__resource"):
        reach.rule_removed(rule=rule, actor=ENGINE, at=context.at)


def _port_lost(context: Context) -> None:
    """The server is on one network less."""
    Address.objects.filter(unit=context.step.unit, released_at=None).update(released_at=context.at)


def _router_lost(context: Context) -> None:
    network = Network.objects.select_related("resource").get(resource__unit=context.target)
    if network.router_id == context.state["id"]:
        reach.disconnected(network=network, router_id=network.router_id, actor=ENGINE, at=context.at)


def _address_lost(context: Context) -> None:
    given = FloatingAddress.objects.select_related("server__resource__system__department")
    settlement.address_absent(context=context, given=given.get(unit=context.step.unit))


_FORGOTTEN: Mapping[SubjectKind, Callable[[Context], None]] = {
    SubjectKind.SNAPSHOT: _snapshot_lost,
    SubjectKind.RECOVERY_POINT: _point_lost,
    SubjectKind.PORT: _port_lost,
    SubjectKind.SECURITY_RULE: _rule_lost,
    SubjectKind.ROUTER: _router_lost,
    SubjectKind.FLOATING_ADDRESS: _address_lost,
}


class RuleAgainKind(SecurityRuleKind):
    """A rule that is missing, let in again as it is recorded. One by hand that lets in the same is taken for it."""

    name = "rule_again"
    title = _("Setting the cloud back to the record")

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        rule = SecurityRule.objects.select_related("network__resource").get(unit=context.step.unit)
        reach.rule_made_again(rule=rule, external_id=context.step.external_id, actor=ENGINE, at=context.at)

    def forget(self, context: Context) -> None:
        """It was missing before, and is again."""


class AddressAgainKind(FloatingAddressKind):
    """A floating address that is missing, given again: the very same one, which only operators may ask for."""

    name = "address_again"
    title = _("Setting the cloud back to the record")

    def create(self, context: Context) -> Made | Skipped:
        given = FloatingAddress.objects.select_related("network").get(unit=context.step.unit)
        address = Address.objects.get(unit=context.state["server"], released_at=None)
        try:
            made = context.cloud.routing.create_floating_ip(
                external_network_id=given.network.external_network_id,
                port_id=address.port_id,
                description=context.mark,
                address=context.state["address"],
                project_id=context.project_id,
            )
        except errors.Conflict as error:
            found = self.find(context)
            return Skipped(str(error)) if found is None else Made(found)
        return Made(made.id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        given = FloatingAddress.objects.select_related("server__resource").get(unit=context.step.unit)
        reach.address_made_again(
            given=given, external_id=context.step.external_id, actor=ENGINE, at=context.at
        )

    def forget(self, context: Context) -> None:
        """It was missing before, and is again."""


class PortAgainKind(PortKind):
    """A port that is missing, made again with the address and the groups that are recorded, and plugged into its server."""

    name = "port_again"
    title = _("Setting the cloud back to the record")

    def create(self, context: Context) -> Made | Skipped:
        """The address is the recorded one or none: its server may be known by it."""
        try:
            return self.ask(context)
        except errors.Conflict as error:
            found = self.find(context)
            if found is not None:
                return Made(found)
            return Skipped(self.holder_among(self.ports_beside(context), context) or str(error))

    def look(self, context: Context, external_id: str) -> Sight:
        network = context.project.network
        port = network.get_port(external_id)
        if context.step.desired == "present":
            tags = self._tags(context)
            if not tags <= port.tags:
                network.set_tags(collection="ports", resource_id=external_id, tags=tags)
            if not port.device_id:
                context.project.compute.add_interface(self._server_id(context), port_id=external_id)
                return Moving()
        return Ready({"address": next(iter(port.addresses), ""), "mac": port.mac})

    def remove(self, context: Context, external_id: str) -> None:
        """One request at a time: out of its server, then away."""
        server_id = self._server_id(context)
        if context.project.network.get_port(external_id).device_id == server_id:
            context.project.compute.remove_interface(server_id, port_id=external_id)
        else:
            super().remove(context, external_id)

    def forget(self, context: Context) -> None:
        """It was missing before, and is again."""

    def _tags(self, context: Context) -> frozenset[str]:
        given = Address.objects.select_related("server__resource").get(unit=context.step.unit)
        operation = context.operation
        return frozenset(tags_for(unit=given.marked_after, system=operation.system, thread=operation.thread))

    def _server_id(self, context: Context) -> str:
        return context.resource(context.state["server"]).external_id
