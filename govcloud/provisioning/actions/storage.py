"""What is done with a volume directly: to a server and away from it, kept as a snapshot and put back to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.errors import Conflict, Invalid
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import (
    Guest,
    Power,
    Resource,
    ResourceKind,
    Server,
    Snapshot,
    Volume,
    VolumeRole,
)
from govcloud.provisioning.actions.base import Action, Nothing
from govcloud.provisioning.lifecycle import Desired
from govcloud.provisioning.services import StepSpec
from govcloud.quotas import services as quotas
from tenants.models import NetworkZone, Role, User

DATA_VOLUMES = 10  # of a server
SNAPSHOTS = 3  # of a volume at a time: they are a way back for days, not an archive


class NoSuchServer(Invalid):
    """Also for another system's server, or one on another cloud: all answer alike."""

    code = "no-such-server"
    message = _("The system has no server with the id %(server)s where the volume is.")


class ServerElsewhere(Invalid):
    """A system's zones are kept apart: what is on a volume would get from one to the other by way of the server."""

    code = "server-in-another-zone"
    message = _("The server “%(server)s” is in the %(zone)s: a volume must be in the zone of its server.")


class ServerInAnotherPart(Invalid):
    code = "server-in-another-availability-zone"
    message = _(
        "“%(server)s” is in another availability zone of the cloud, with a storage of its own: a volume must be in that of its server."
    )


class ServerStopped(Conflict):
    code = "server-stopped"
    message = _("“%(server)s” is stopped: start it first, it has to take the volume in hand itself.")


class ServerBroken(Conflict):
    code = "server-in-error"
    message = _(
        "Writing the system of “%(server)s” anew has failed: have it written once more first, or order its release."
    )


class ServerFull(Conflict):
    code = "server-has-enough-volumes"
    message = _("“%(server)s” can have %(most)s data volumes, and would get more.")


class LabelTaken(Conflict):
    code = "file-system-label-taken"
    message = _(
        "“%(server)s” has a file system of its own that is called “%(label)s”, as this volume's is: it could not tell them apart."
    )


class BadSnapshotName(Invalid):
    code = "bad-snapshot-name"
    message = _("A snapshot needs a name of at most 40 characters that no other of the volume has.")


class NoSuchSnapshot(Invalid):
    code = "no-such-snapshot"
    message = _("The volume has no snapshot with the id %(snapshot)s.")


class OtherSnapshots(Conflict):
    """The cloud itself puts back to the newest only; on some back ends the older ones could not be deleted afterwards."""

    code = "volume-has-other-snapshots"
    message = _("A volume is put back to a snapshot when it has no other. Delete these first: %(others)s.")


class GrownSince(Conflict):
    code = "volume-grown-since"
    message = _(
        "The volume has grown from %(before)s to %(size)s GB since: it cannot be put back to its smaller self."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToServer:
    server: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSnapshot:
    snapshot: UUID


P = TypeVar("P")


class _VolumeAction(Action[P], Generic[P]):
    resource_kind = ResourceKind.VOLUME
    roles = (Role.APPLICANT, Role.CLOUD_ADMIN)


class Attach(_VolumeAction[ToServer]):
    name = "attach"
    title = _("connect the volume to a server")

    def refusal(self, resource: Resource) -> str | Promise | None:
        if resource.volume.role == VolumeRole.SYSTEM:
            return _("it is the system volume of a server")
        if resource.volume.server is not None:
            return _("“%(server)s” has it") % {"server": resource.volume.server.resource.name}
        return None

    def with_it(self, resource: Resource, parameters: ToServer) -> Sequence[int]:
        found = _server(resource, parameters)
        return () if found is None else (found.pk,)

    def check(self, resource: Resource, parameters: ToServer) -> None:
        """Raises NoSuchServer, ServerElsewhere, ServerInAnotherPart, ServerStopped, ServerFull, LabelTaken."""
        found, here = _server(resource, parameters), ("/server",)
        if found is None:
            raise NoSuchServer(server=parameters.server, pointers=here)
        if found.zone != resource.zone:
            zone = NetworkZone(found.zone).label
            raise ServerElsewhere(server=found.name, zone=zone, pointers=here)
        if not servers_where_it_is(resource).filter(pk=found.pk).exists():
            raise ServerInAnotherPart(server=found.name, pointers=here)
        if found.server.power != Power.RUNNING:
            raise ServerStopped(server=found.name, pointers=here)
        others = found.server.volumes.filter(role=VolumeRole.DATA, resource__released_at=None)
        if others.count() >= DATA_VOLUMES:
            raise ServerFull(server=found.name, most=DATA_VOLUMES, pointers=here)
        label = resource.volume.label
        if label and others.filter(label=label).exists():
            raise LabelTaken(server=found.name, label=label, pointers=here)

    def plan(self, resource: Resource, parameters: ToServer, *, key: str) -> list[StepSpec]:
        server = Resource.objects.get(uuid=parameters.server)
        attached = _step(key, "attachment", resource, _pair(resource, server))
        mounted = _step(key, "mount", resource, _guest(resource, server), attached)
        return [attached, mounted, _step(key, "coverage", resource, _pair(resource, server), mounted)]


def servers_where_it_is(resource: Resource) -> QuerySet[Resource]:
    """The servers that a volume can be attached to by where they are: in its network zone, and served by the storage that it is on.

    A cloud's parts may share their storage; and of what was taken over the part may not be known.
    """
    servers = _servers(resource).filter(zone=resource.zone)
    part = resource.availability_zone
    if part is None:
        return servers
    return servers.filter(Q(availability_zone=None) | Q(availability_zone__volume_zone=part.volume_zone))


def _server(resource: Resource, parameters: ToServer) -> Resource | None:
    return _servers(resource).filter(uuid=parameters.server).first()


def _servers(resource: Resource) -> QuerySet[Resource]:
    servers = Resource.objects.filter(
        system=resource.system_id, cloud=resource.cloud_id, kind=ResourceKind.SERVER, released_at=None
    )
    return servers.select_related("server")


class Detach(_VolumeAction[Nothing]):
    name = "detach"
    title = _("disconnect the volume from its server")

    def refusal(self, resource: Resource) -> str | Promise | None:
        volume = resource.volume
        if volume.role == VolumeRole.SYSTEM:
            return _("it is the system volume of a server, which cannot be without it")
        if volume.server is None:
            return _("no server has it")
        return _holds_on(volume.server, volume)

    def with_it(self, resource: Resource, parameters: Nothing) -> Sequence[int]:  # noqa: ARG002
        server = resource.volume.server
        return () if server is None else (server.pk,)

    def plan(self, resource: Resource, parameters: Nothing, *, key: str) -> list[StepSpec]:  # noqa: ARG002
        holder = resource.volume.server
        if holder is None:
            raise ValueError(f"volume {resource.uuid} is not attached")  # refused before
        server = holder.resource
        free = _step(key, "let_go", resource, _guest(resource, server))
        return [free, _step(key, "detachment", resource, _pair(resource, server), free)]


def _holds_on(server: Server, volume: Volume) -> Promise | None:
    """Why a server cannot let go of a data volume now."""
    if server.resource.status == Status.SUSPENDED:
        return _(
            "its server is stopped, as its lease has ended, and has to let go of it first: order the server's renewal"
        )
    if server.power == Power.BROKEN:
        return _("its server is in error, and lets go of nothing: have its system written anew first")
    if server.guest == Guest.UNMANAGED:
        running = server.power == Power.RUNNING
        return (
            _("its server's guest does not have our key, so that it may be writing: stop the server")
            if running
            else None
        )
    if server.power != Power.RUNNING and volume.label:
        return _("its server is stopped, and has to let go of it first: start the server")
    return None


class TakeSnapshot(_VolumeAction[Named]):
    """Takes quota, which is held here and used once the snapshot stands: as much as the volume, as the cloud counts it."""

    name = "snapshot"
    title = _("keep the volume's state as a snapshot")

    def refusal(self, resource: Resource) -> str | Promise | None:
        kept = _kept(resource)
        return _("it has %(most)s snapshots") % {"most": SNAPSHOTS} if len(kept) >= SNAPSHOTS else None

    def check(self, resource: Resource, parameters: Named) -> None:
        name = parameters.name.strip()
        if not 1 <= len(name) <= 40 or name in {snapshot.name for snapshot in _kept(resource)}:
            raise BadSnapshotName(pointers=("/name",))

    def begin(
        self, resource: Resource, parameters: Named, steps: Sequence[StepSpec], *, actor: User, at: datetime
    ) -> None:
        """Raises QuotaExceeded."""
        del parameters
        taken = next(step for step in steps if step.kind == "snapshot")
        taken.desired_state["taken_by"] = str(actor.uuid)
        hold = quotas.Hold(source=taken.unit, amounts={"storage_gb": resource.volume.size_gb})
        quotas.hold(department=resource.system.department, holds=[hold], at=at)

    def plan(self, resource: Resource, parameters: Named, *, key: str) -> list[StepSpec]:
        limits = _limits(key, resource)
        volume = resource.volume
        state = {
            "volume": str(resource.unit), "storage_class": volume.storage_class.code, "size_gb": volume.size_gb,
        }  # fmt: skip
        taken = StepSpec(
            key=f"{key}:snapshot", kind="snapshot", label=parameters.name.strip(), unit=uuid4(), desired_state=state,
            needs=(limits.key,),
        )  # fmt: skip
        return [limits, taken]


class Restore(_VolumeAction[OfSnapshot]):
    """In place: the volume keeps its id, its price and its place in orders and backup plans."""

    name = "restore"
    title = _("put the volume back to its snapshot")
    sensitive = True

    def refusal(self, resource: Resource) -> str | Promise | None:
        if resource.volume.role == VolumeRole.SYSTEM:
            return _("it is the system volume of a server, which cannot be without it")
        if resource.volume.server is not None:
            return _("a server has it: disconnect it first")
        return None if _kept(resource) else _("it has no snapshot")

    def in_vain(self, resource: Resource) -> str | Promise | None:
        kept, size = _kept(resource), resource.volume.size_gb
        if len(kept) > 1:
            told = {"snapshots": len(kept)}
            return (
                _("it has %(snapshots)s snapshots: delete all but the one that it shall be put back to")
                % told
            )
        if kept and kept[0].size_gb != size:
            told = {"before": kept[0].size_gb, "size": size}
            return (
                _(
                    "it has grown from %(before)s to %(size)s GB since, and cannot be put back to its smaller self"
                )
                % told
            )
        return None

    def check(self, resource: Resource, parameters: OfSnapshot) -> None:
        """Raises NoSuchSnapshot, OtherSnapshots, GrownSince."""
        wanted, here = _snapshot(resource, parameters), ("/snapshot",)
        others = [snapshot.name for snapshot in _kept(resource) if snapshot.pk != wanted.pk]
        if others:
            raise OtherSnapshots(others=_(", ").join(others), pointers=here)
        if wanted.size_gb != resource.volume.size_gb:
            raise GrownSince(before=wanted.size_gb, size=resource.volume.size_gb, pointers=here)

    def plan(self, resource: Resource, parameters: OfSnapshot, *, key: str) -> list[StepSpec]:
        wanted = _snapshot(resource, parameters)
        state = {
            "volume": str(resource.unit),
            "snapshot": str(wanted.unit),
            "snapshot_id": wanted.external_id,
        }
        return [_step(key, "restore", resource, state)]


class DeleteSnapshot(_VolumeAction[OfSnapshot]):
    name = "delete-snapshot"
    title = _("delete a snapshot of the volume")
    sensitive = True

    def refusal(self, resource: Resource) -> str | Promise | None:
        return None if _kept(resource) else _("it has no snapshot")

    def check(self, resource: Resource, parameters: OfSnapshot) -> None:
        _snapshot(resource, parameters)

    def plan(self, resource: Resource, parameters: OfSnapshot, *, key: str) -> list[StepSpec]:
        gone = removal(_snapshot(resource, parameters), volume=resource, key=f"{key}:snapshot")
        return [gone, _limits(key, resource, gone)]


def removal(snapshot: Snapshot, *, volume: Resource, key: str, needs: tuple[str, ...] = ()) -> StepSpec:
    """A snapshot taken down; its quota is given back when the cloud has confirmed it."""
    return StepSpec(
        key=key, kind="snapshot", label=snapshot.name, unit=uuid4(), desired=Desired.ABSENT, needs=needs,
        external_id=snapshot.external_id,
        desired_state={"volume": str(volume.unit), "snapshot": str(snapshot.unit)},
    )  # fmt: skip


def _kept(resource: Resource) -> list[Snapshot]:
    return list(resource.volume.snapshots.filter(deleted_at=None).order_by("taken_at", "pk"))


def _snapshot(resource: Resource, parameters: OfSnapshot) -> Snapshot:
    """Raises NoSuchSnapshot."""
    found = next((each for each in _kept(resource) if each.uuid == parameters.snapshot), None)
    if found is None:
        raise NoSuchSnapshot(snapshot=parameters.snapshot, pointers=("/snapshot",))
    return found


def _step(key: str, kind: str, resource: Resource, state: dict[str, Any], *needs: StepSpec) -> StepSpec:
    return StepSpec(
        key=f"{key}:{kind}",
        kind=kind,
        label=resource.name,
        unit=resource.unit,
        desired_state=state,
        needs=tuple(need.key for need in needs),
    )


def _limits(key: str, resource: Resource, *needs: StepSpec) -> StepSpec:
    """The cloud's own limits: before what needs room, after what gives it back."""
    return StepSpec.limits(
        "volume_quota",
        key=f"{key}:volume_quota",
        system=resource.system.uuid,
        needs=[need.key for need in needs],
    )


def _pair(volume: Resource, server: Resource) -> dict[str, str]:
    return {"volume": str(volume.unit), "server": str(server.unit)}


def _guest(volume: Resource, server: Resource) -> dict[str, Any]:
    return {"server": str(server.unit), "volumes": [str(volume.unit)]}
