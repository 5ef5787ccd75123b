"""The kinds of steps of a takeover: each looks once more, puts our mark on the thing, and then records it.

Until its mark is on it nothing is recorded of a thing, and with the mark its record, quota and metering begin in one transaction.
Taken back (abandoned, or given up later) the mark comes off; the thing itself stays as it is.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Flavor, Image, StorageClass
from govcloud.gateways.openstack import errors, models
from govcloud.gateways.openstack.survey import SurveyedServer, SurveyedVolume
from govcloud.inventory import takeovers as record
from govcloud.inventory.models import Power, Resource, Server, VolumeRole
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds.base import Gone, Kind, Landing, Made, Moving, Ready, Sight, Skipped
from govcloud.provisioning.kinds.compute import UNIT
from govcloud.provisioning.kinds.network import SecurityGroupKind, tags_of
from govcloud.provisioning.kinds.tenancy import LIMITS, MEMBER, AccessKind
from govcloud.provisioning.lifecycle import StepState
from govcloud.reconciliation.subjects import marked
from govcloud.takeover import remarks, settling
from govcloud.takeover.assessment import AT_REST, RUNNING_OR_STOPPED

SYSTEM = "govcloud_system"


def register_all(register: Callable[..., None]) -> None:
    register(EntryKind(), NetworkTakeoverKind(), GroupKind(), ServerTakeoverKind(), VolumeTakeoverKind())


class EntryKind(AccessKind):
    """Our user's role on a project that is not ours yet. When nothing of ours is left in it, it is theirs again as it was.

    Whether somebody else had given us the role is noted before: then it stays. So are the limits that the project had.
    """

    name = "takeover_entry"

    def find(self, context: Context) -> str | None:
        role = self._role(context)
        return role if self._granted(context, role) else None

    def create(self, context: Context) -> Made:
        if "had" not in context.step.outputs:
            theirs = settling.nothing_left(context.operation)
            limits = {service: kind.in_force(context) for service, kind in LIMITS.items()} if theirs else {}
            context.remember({"had": self._granted(context, self._role(context)), "limits": limits})
        return Made(super().create(context).external_id, dict(context.step.outputs))

    def look(self, context: Context, external_id: str) -> Sight:
        if context.step.desired == "present":
            return Ready(dict(context.step.outputs))
        if not settling.nothing_left(context.operation):
            return Gone()
        noted = self._noted(context)
        goes = not noted.get("had", True) and self._granted(context, external_id)
        return Ready() if goes or noted.get("limits") else Gone()

    def remove(self, context: Context, external_id: str) -> None:
        """The limits once: what they change from then on is theirs."""
        noted = self._noted(context)
        if noted.get("limits"):
            for service, before in noted["limits"].items():
                LIMITS[service].set(context, before)
            context.remember({"limits": {}})
        if not noted.get("had", True):
            context.cloud.identity.revoke_role(
                project_id=context.project_id, role_id=external_id, user_id=context.cloud.user_id
            )

    def _noted(self, context: Context) -> dict[str, Any]:
        """What the project was like before: found out by this step, or handed to the one that leaves."""
        return {**context.state, **context.step.outputs}

    def forget(self, context: Context) -> None:
        settling.leave_project(context.operation)

    def _granted(self, context: Context, role: str) -> bool:
        return context.cloud.identity.has_role(
            project_id=context.project_id, role_id=role, user_id=context.cloud.user_id
        )

    def _role(self, context: Context) -> str:
        role = context.cloud.identity.find_role(name=MEMBER)
        if role is None:
            raise errors.Misconfigured(f"the cloud has no role {MEMBER!r}", service="identity")
        return role


class TakeoverKind(Kind):
    """A thing that bears our mark. The first of the requests that mark it is the one that it is known by; its name is the last.

    So what is marked half way is seen to be: it is marked on, or unmarked, where its mark is taken off last.
    """

    landing = Landing.LOCKED  # the same mark twice is one
    asked_again_on_retry = True

    def fetch(self, context: Context) -> Any:
        """The thing as the cloud shows it now. Raises ``NotFound``."""
        raise NotImplementedError

    def is_moving(self, thing: Any) -> bool:
        raise NotImplementedError

    def mark_of(self, thing: Any) -> Any:
        """The unit that it carries, if any."""
        raise NotImplementedError

    def is_whole(self, context: Context, thing: Any) -> bool:
        """Whether nothing is left of marking it."""
        raise NotImplementedError

    def changed(self, context: Context, thing: Any) -> Iterator[str]:
        """In which respects it is not what the survey has shown."""
        raise NotImplementedError

    def mark(self, context: Context, thing: Any) -> None:
        raise NotImplementedError

    def unmark(self, context: Context, thing: Any) -> None:
        raise NotImplementedError

    def find(self, context: Context) -> str | None:
        with suppress(errors.NotFound):
            thing = self.fetch(context)
            ours = self.mark_of(thing) == context.step.unit
            if ours and (context.step.desired == "absent" or self.is_whole(context, thing)):
                return str(context.state["id"])
        return None

    def create(self, context: Context) -> Made | Moving | Skipped:
        try:
            thing = self.fetch(context)
        except errors.NotFound:
            return Skipped(remarks.VANISHED)
        if self.is_moving(thing):
            return Moving()
        carried = self.mark_of(thing)
        if carried != context.step.unit:  # else it was found to be right before it was marked half way
            if carried is not None and str(carried) != context.state["mark"]:
                return Skipped(remarks.OTHER_MARK)
            reason = next(self.changed(context, thing), None)
            if reason is not None:
                return Skipped(reason)
        try:
            self.mark(context, thing)
        except errors.CloudError as error:
            error.effect_unknown = True  # of its requests this one; those before it have had theirs
            raise
        return Made(context.state["id"])

    def look(self, context: Context, external_id: str) -> Sight:  # noqa: ARG002
        try:
            thing = self.fetch(context)
        except errors.NotFound:
            return Gone()
        context.seen["thing"] = thing
        ours = self.mark_of(thing) == context.step.unit
        if context.step.desired == "absent":
            return Ready() if ours else Gone()
        return Ready() if ours else Moving()

    def remove(self, context: Context, external_id: str) -> None:  # noqa: ARG002
        self.unmark(context, self.fetch(context))

    def forget(self, context: Context) -> None:
        settling.let_go(context=context)


def _common(context: Context, **columns: Any) -> dict[str, Any]:
    """The columns of the resource. Usage is never metered for the time before."""
    start = context.state.get("billing_start")
    begins = max(context.at, datetime.fromisoformat(start)) if start else context.at
    found = {"name": context.state["was"], "project": context.project_id}
    return {**context.recorded(), "billing_start": begins, "found": found, **columns}


class NetworkTakeoverKind(TakeoverKind):
    """Only its mark; it is recorded when it has our security group (``GroupKind``)."""

    name = "network_takeover"
    title = _("Taking over the network")

    def fetch(self, context: Context) -> models.Network:
        return context.project.network.get_network(context.state["id"])

    def is_moving(self, thing: models.Network) -> bool:  # noqa: ARG002
        return False

    def mark_of(self, thing: models.Network) -> Any:
        return marked(thing.tags)

    def changed(self, context: Context, thing: models.Network) -> Iterator[str]:
        if thing.project_id != context.project_id or thing.shared or thing.external:
            yield remarks.OTHERS_ON_IT
        subnets = context.project.network.find_subnets(network_id=thing.id)
        shape = [(subnet.id, subnet.cidr) for subnet in subnets]
        if shape != [(context.state["subnet_id"], context.state["cidr"])]:
            yield remarks.OTHER_SUBNETS

    def is_whole(self, context: Context, thing: models.Network) -> bool:
        return thing.name == context.mark

    def mark(self, context: Context, thing: models.Network) -> None:
        network = context.project.network
        network.set_tags(collection="networks", resource_id=thing.id, tags=_tagged(context, thing.tags))
        if thing.name != context.mark:
            network.rename_network(thing.id, name=context.mark)

    def unmark(self, context: Context, thing: models.Network) -> None:
        network = context.project.network
        if thing.name == context.mark:
            network.rename_network(thing.id, name=context.state["was"])
        tags = thing.tags - set(tags_of(context))
        network.set_tags(collection="networks", resource_id=thing.id, tags=tags)


class GroupKind(SecurityGroupKind):
    """A security group of ours on a network that was taken over, for servers to come. What is there keeps its own."""

    name = "network_takeover_group"

    def create(self, context: Context) -> Made | Skipped:
        if context.sibling("network_takeover").state == StepState.SKIPPED:
            return Skipped("the network was not taken over")
        return super().create(context)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        state = context.state
        resource = record.record_network(
            common=_common(context, external_id=state["id"], lease_end=None),
            cidr=state["cidr"],
            gateway=state["gateway"],
            subnet_id=state["subnet_id"],
            security_group_id=context.step.external_id,
        )
        settling.taken(resource=resource, at=context.at)

    def forget(self, context: Context) -> None:
        """The network's own step tells the rest."""


class ServerTakeoverKind(TakeoverKind):
    """A server with its ports, all of which are marked after it."""

    name = "server_takeover"
    title = _("Taking over the server")

    def fetch(self, context: Context) -> SurveyedServer:
        thing = context.cloud.survey.server(context.state["id"])
        if thing.deleted:
            raise errors.NotFound(f"server {thing.id} is deleted", service="compute")
        return thing

    def is_moving(self, thing: SurveyedServer) -> bool:
        return thing.task_state is not None

    def mark_of(self, thing: SurveyedServer) -> Any:
        return marked(thing.tags)

    def changed(self, context: Context, thing: SurveyedServer) -> Iterator[str]:
        state = context.state
        if thing.project_id != context.project_id:
            yield remarks.OTHER_PROJECT
        if thing.status not in RUNNING_OR_STOPPED:
            yield f"it is {thing.status}"
        size = [thing.flavor_name, thing.vcpus, thing.memory_mib]
        if size != state["size"]:
            yield f"it is {thing.flavor_name} ({thing.vcpus} vCPU, {thing.memory_mib} MiB) by now"
        if sorted(thing.volume_ids) != state["volumes_there"]:
            yield remarks.OTHER_VOLUMES
        ports = context.project.network.find_ports(server_id=thing.id)
        there = sorted([port.id, *port.addresses] for port in ports)
        if there != sorted([port["id"], port["address"]] for port in state["ports"]):
            yield remarks.OTHER_INTERFACES
        yield from self._without_networks(context)

    def _without_networks(self, context: Context) -> Iterator[str]:
        networks = {port["network"] for port in context.state["ports"]}
        there = Resource.objects.filter(unit__in=networks, released_at=None, system=context.operation.system)
        if there.count() != len(networks):
            yield remarks.NETWORK_STAYED

    def is_whole(self, context: Context, thing: SurveyedServer) -> bool:
        ours = set(tags_of(context))
        ports = context.project.network.find_ports(server_id=thing.id)
        return thing.name == context.step.label and all(ours <= port.tags for port in ports)

    def mark(self, context: Context, thing: SurveyedServer) -> None:
        context.project.compute.set_tags(thing.id, _tagged(context, thing.tags))
        for port in context.project.network.find_ports(server_id=thing.id):
            tags = _tagged(context, port.tags)
            if tags != port.tags:
                context.project.network.set_tags(collection="ports", resource_id=port.id, tags=tags)
        if thing.name != context.step.label:
            context.project.compute.rename_server(thing.id, name=context.step.label)

    def unmark(self, context: Context, thing: SurveyedServer) -> None:
        ours = set(tags_of(context))
        for port in context.project.network.find_ports(server_id=thing.id):
            if port.tags & ours:
                context.project.network.set_tags(
                    collection="ports", resource_id=port.id, tags=port.tags - ours
                )
        if thing.name != context.state["was"]:
            context.project.compute.rename_server(thing.id, name=context.state["was"])
        context.project.compute.set_tags(thing.id, thing.tags - ours)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        state = context.state
        running = context.seen["thing"].status == "ACTIVE"
        resource = record.record_server(
            common=_common(context),
            flavor=Flavor.objects.get(code=state["flavor"]),
            cloud_flavor=state["cloud_flavor"],
            image=Image.objects.get(code=state["image"]),
            power=Power.RUNNING if running else Power.STOPPED,
        )
        for port in state["ports"]:
            further = port["unit"] != str(context.step.unit)
            record.record_address(
                unit=port["unit"], port_id=port["id"], security_groups=port["security_groups"],
                server=resource.server if further else None,
            )  # fmt: skip
        settling.taken(resource=resource, at=context.at)


class VolumeTakeoverKind(TakeoverKind):
    name = "volume_takeover"
    title = _("Taking over the storage")

    def fetch(self, context: Context) -> SurveyedVolume:
        return context.cloud.survey.volume(context.state["id"])

    def is_moving(self, thing: SurveyedVolume) -> bool:
        return thing.status not in AT_REST and not thing.status.startswith("error")

    def mark_of(self, thing: SurveyedVolume) -> Any:
        return marked([f"gc-{thing.metadata.get(UNIT, '')}"])

    def changed(self, context: Context, thing: SurveyedVolume) -> Iterator[str]:
        state = context.state
        if thing.project_id != context.project_id:
            yield remarks.OTHER_PROJECT
        if thing.status not in AT_REST:
            yield f"it is {thing.status}"
        if [thing.volume_type, thing.size_gib] != state["size"]:
            yield f"it is {thing.volume_type}, {thing.size_gib} GiB by now"
        if sorted(thing.devices) != state["held_by"]:
            yield remarks.OTHERWISE_CONNECTED
        if context.project.snapshots.find_snapshots(volume_id=thing.id):
            yield remarks.SNAPSHOTS
        if "server" in state and not Server.objects.filter(resource__unit=state["server"]).exists():
            yield remarks.SERVER_STAYED

    def is_whole(self, context: Context, thing: SurveyedVolume) -> bool:
        return thing.name == context.step.label

    def mark(self, context: Context, thing: SurveyedVolume) -> None:
        ours = {UNIT: str(context.step.unit), SYSTEM: context.operation.system.code}
        context.project.volumes.set_metadata(thing.id, ours)
        if thing.name != context.step.label:
            context.project.volumes.rename_volume(thing.id, name=context.step.label)

    def unmark(self, context: Context, thing: SurveyedVolume) -> None:
        if thing.name != context.state["was"]:
            context.project.volumes.rename_volume(thing.id, name=context.state["was"])
        for key in (SYSTEM, UNIT):
            with suppress(errors.NotFound):
                context.project.volumes.remove_metadata(thing.id, key=key)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        state = context.state
        server = Server.objects.filter(resource__unit=state["server"]).first() if "server" in state else None
        resource = record.record_volume(
            common=_common(context),
            role=VolumeRole(state["role"]),
            storage_class=StorageClass.objects.get(code=state["storage_class"]),
            cloud_class=state["cloud_class"],
            size_gb=state["size_gb"],
            server=server,
        )
        settling.taken(resource=resource, at=context.at)


def _tagged(context: Context, tags: frozenset[str]) -> frozenset[str]:
    """What others have tagged it with stays; a mark that is left over goes."""
    return frozenset(tag for tag in tags if marked([tag]) is None) | set(tags_of(context))
