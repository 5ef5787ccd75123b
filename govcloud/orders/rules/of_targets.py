"""Rules about what the system has already and an order changes or gives back."""

from collections import Counter
from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from govcloud.catalog.models import Retyping
from govcloud.catalog.services import NotAvailableHere, Retired, remembers_enough
from govcloud.errors import Conflict, DomainError, Invalid
from govcloud.inventory import reach
from govcloud.inventory.containers import GIB
from govcloud.inventory.lifecycle import STANDING
from govcloud.inventory.lifecycle import Status as ResourceStatus
from govcloud.inventory.models import Guest, Power, Resource, ResourceKind, Server, Volume, VolumeRole
from govcloud.orders.changes import (
    AddressLine,
    ExtendLine,
    QuotaLine,
    ReleaseLine,
    RenewLine,
    ResizeLine,
    RetypeLine,
)
from govcloud.orders.lifecycle import Status
from govcloud.orders.lines import StorageLine
from govcloud.orders.rules.of_items import SizeOutOfRange, holding, sized, to_be_had
from govcloud.orders.rules.standing import Numbered, where
from govcloud.protection import holds
from govcloud.provisioning.actions.storage import ServerBroken, ServerStopped
from tenants.models import NetworkZone
from tenants.naming import name_of


class OnlyLarger(Invalid):
    code = "volume-only-grows"
    message = _("“%(name)s” has %(size)s GB: a volume can only grow, not become %(wanted)s GB.")


class SameFlavor(Invalid):
    code = "same-flavor"
    message = _("“%(name)s” has the flavor %(flavor)s already.")


class ResourceNotInUse(Conflict):
    code = "resource-not-in-use"
    message = _("“%(name)s” is %(status)s; only what is in use can be changed or released.")


class ResourceSuspended(Conflict):
    code = "resource-suspended"
    message = _("“%(name)s” is suspended, because its lease has ended: it can be renewed or released.")


class InAnotherOrder(Conflict):
    code = "resource-in-another-order"
    message = _("Another open order already changes, renews or releases “%(name)s”.")


class TargetTwice(Invalid):
    code = "resource-twice-in-order"
    message = _("“%(name)s” is in this order more than once.")


class GoesWithItsServer(Invalid):
    code = "system-volume-goes-with-server"
    message = _("“%(name)s” is the system volume of a server and goes with it.")


class NetworkHasServers(Conflict):
    code = "network-has-servers"
    message = ngettext_lazy(
        "“%(name)s” still has, or is to get, %(servers)s server: release it first, or in the same order.",
        "“%(name)s” still has, or is to get, %(servers)s servers: release them first, or in the same order.",
        "servers",
    )


class NetworkHasAddresses(Conflict):
    code = "network-has-floating-addresses"
    message = _("Floating addresses lead to servers on “%(name)s”: give back %(addresses)s first.")


class SameStorageClass(Invalid):
    code = "same-storage-class"
    message = _("“%(name)s” is in the storage class “%(storage_class)s” already.")


class CannotMove(Conflict):
    code = "storage-class-is-fixed"
    message = _("“%(name)s” cannot move to another storage class where it is: %(reason)s.")


class CannotGrow(Conflict):
    """Where the cloud grows no volume that is attached: a server cannot let go of the one that it runs from."""

    code = "system-volume-cannot-grow"
    message = _(
        "“%(name)s” cannot grow: its cloud would have to take it from its server, which runs from it."
    )


class GuestHoldsIt(Conflict):
    code = "guest-not-managed"
    message = _(
        "“%(name)s” would have to be disconnected meanwhile, and the guest of “%(server)s” does not have our key: "
        "stop the server and disconnect it first."
    )


class OwnFileSystem(Conflict):
    """We neither made nor mounted what is on a volume that was taken over: nobody here could have a guest let go of it."""

    code = "volume-with-own-file-system"
    message = _(
        "“%(name)s” would have to be disconnected meanwhile, and was taken over with a file system of your own: "
        "unmount it in “%(server)s” and disconnect it first."
    )


class SnapshotsInTheWay(Conflict):
    """Cinder takes such a request and leaves the volume ``retyping`` for ever."""

    code = "volume-has-snapshots"
    message = ngettext_lazy(
        "“%(name)s” has %(snapshots)s snapshot: delete it first, it cannot move with it.",
        "“%(name)s” has %(snapshots)s snapshots: delete them first, it cannot move with them.",
        "snapshots",
    )


class SameQuota(Invalid):
    code = "same-container-quota"
    message = _("“%(name)s” has %(size)s GB already.")


class HoldsMore(Conflict):
    """By what was counted last; the cloud is asked again before it is done."""

    code = "container-holds-more"
    message = _("“%(name)s” holds %(held)s GB: it cannot be limited to %(wanted)s GB.")


class NotEmpty(Conflict):
    """By what was counted last; the cloud is asked again before it is done."""

    code = "container-not-empty"
    message = ngettext_lazy(
        "“%(name)s” holds %(objects)s object: empty it first, or declare that it shall be deleted with it.",
        "“%(name)s” holds %(objects)s objects: empty it first, or declare that they shall be deleted with it.",
        "objects",
    )


Targeted = QuotaLine | ExtendLine | RetypeLine | ResizeLine | RenewLine | AddressLine | ReleaseLine


def check(order: Numbered) -> Iterator[DomainError]:
    yield from _targets(order)
    yield from _of_changes(order)
    for pointer, release in order.of(ReleaseLine):
        yield from _may_go(order, release, pointer)


def _targets(order: Numbered) -> Iterator[DomainError]:
    """What everything that is changed or given back has to be: in use, in nobody else's hands, and named once."""
    targeted: list[tuple[str, Targeted]] = [
        *order.of(QuotaLine),
        *order.of(ExtendLine),
        *order.of(RetypeLine),
        *order.of(ResizeLine),
        *order.of(RenewLine),
        *order.of(AddressLine),
        *order.of(ReleaseLine),
    ]
    times = Counter(line.target.pk for _pointer, line in targeted)
    resized = {line.target.pk for _pointer, line in order.of(ResizeLine)}
    for pointer, storage in order.of(StorageLine):
        # it would be restarted under its hands
        if storage.server is not None and storage.server.pk in resized:
            yield TargetTwice(name=storage.server.name, pointers=(f"{pointer}/server",))
    goes_with_server = {volume for _pointer, line in order.of(ReleaseLine) for volume in _volumes(line)}
    for pointer, line in targeted:
        here, name = (f"{pointer}/target",), line.target.name
        yield from _in_use(order, line, pointer)
        if {line.target.pk, *_volumes(line)} & (order.now.busy | order.now.receiving):
            yield InAnotherOrder(name=name, pointers=here)
        if times[line.target.pk] > 1 or line.target.pk in goes_with_server:
            yield TargetTwice(name=name, pointers=here)


def _of_changes(order: Numbered) -> Iterator[DomainError]:
    for pointer, requota in order.of(QuotaLine):
        yield from _holds(order, requota, pointer)
    for pointer, extension in order.of(ExtendLine):
        yield from _grows(extension, pointer)
    for pointer, resize in order.of(ResizeLine):
        yield from _fits(order, resize, pointer)
    for pointer, address in order.of(AddressLine):
        yield from _reachable(address, pointer)
    for pointer, move in order.of(RetypeLine):
        yield from _moves(order, move, pointer)


def _in_use(order: Numbered, line: Targeted, pointer: str) -> Iterator[DomainError]:
    """A lease is extended whatever is being done with the thing meanwhile; ``of_leases`` says when it is over."""
    target, here, renewed = line.target, (f"{pointer}/target",), isinstance(line, RenewLine)
    suspended = _suspended(line)
    if suspended is not None:
        yield ResourceSuspended(name=suspended.name, pointers=here)
    elif target.status not in STANDING and not renewed:
        label = ResourceStatus(target.status).label
        yield ResourceNotInUse(name=target.name, status=label, pointers=here)
    elif {target.pk, *_volumes(line)} & order.now.unfinished:
        yield ResourceNotInUse(name=target.name, status=Status.FULFILLING.label, pointers=here)
    elif (broken := _broken(line)) is not None:
        yield ServerBroken(server=broken.resource.name, pointers=here)


def _broken(line: Targeted) -> Server | None:
    """The server that would be changed, or have a volume of its changed, though its system could not be written anew."""
    server: Server | None = None
    if isinstance(line, ExtendLine | RetypeLine):
        server = line.volume.server
    elif isinstance(line, ResizeLine | AddressLine):
        server = line.target.server
    return server if server is not None and server.power == Power.BROKEN else None


def _suspended(line: Targeted) -> Resource | None:
    """What is to be changed though its lease has ended: itself, or the server that has it and whose guest is not there."""
    if isinstance(line, RenewLine | ReleaseLine):
        return None
    server = line.volume.server if isinstance(line, ExtendLine | RetypeLine) else None
    concerned = [line.target] if server is None else [line.target, server.resource]
    return next((one for one in concerned if one.status == ResourceStatus.SUSPENDED), None)


def _volumes(line: Targeted) -> set[int]:
    return {volume.resource_id for volume in line.volumes} if isinstance(line, ReleaseLine) else set()


def _grows(line: ExtendLine, pointer: str) -> Iterator[DomainError]:
    here, volume = (f"{pointer}/size_gb",), line.volume
    if line.size_gb <= volume.size_gb:
        yield OnlyLarger(name=line.target.name, size=volume.size_gb, wanted=line.size_gb, pointers=here)
    elif line.size_gb > volume.storage_class.max_gb:
        yield SizeOutOfRange(
            size=line.size_gb,
            storage_class=name_of(volume.storage_class),
            minimum=volume.size_gb + 1,
            maximum=volume.storage_class.max_gb,
            pointers=here,
        )
    if volume.server is not None and not line.target.cloud.online_extend:
        if volume.role == VolumeRole.SYSTEM:
            yield CannotGrow(name=line.target.name, pointers=(f"{pointer}/target",))
        else:
            yield from _lets_go(line, volume.server, pointer)


def _lets_go(line: ExtendLine | RetypeLine, server: Server, pointer: str) -> Iterator[DomainError]:
    """A guest lets go of a volume by our asking when it runs, and only when we can enter it."""
    here = (f"{pointer}/target",)
    if server.guest == Guest.UNMANAGED:
        yield GuestHoldsIt(name=line.target.name, server=server.resource.name, pointers=here)
    elif line.volume.role == VolumeRole.DATA and not line.volume.label:
        yield OwnFileSystem(name=line.target.name, server=server.resource.name, pointers=here)
    elif server.power == Power.STOPPED:
        yield ServerStopped(server=server.resource.name, pointers=here)


def _holds(order: Numbered, line: QuotaLine, pointer: str) -> Iterator[DomainError]:
    here, held = (f"{pointer}/quota_gb",), line.container
    if line.target.pk in order.now.held_containers:
        yield holds.ContainerOnHold(name=line.target.name, pointers=(f"{pointer}/target",))
    if line.quota_gb == held.quota_gb:
        yield SameQuota(name=line.target.name, size=held.quota_gb, pointers=here)
        return
    out_of_range = list(holding(line.quota_gb, held.storage_class, pointer))
    yield from out_of_range
    if not out_of_range and (held.bytes_used or 0) > line.quota_gb * GIB:
        held_gb = -(-(held.bytes_used or 0) // GIB)
        yield HoldsMore(name=line.target.name, held=held_gb, wanted=line.quota_gb, pointers=here)


def _fits(order: Numbered, line: ResizeLine, pointer: str) -> Iterator[DomainError]:
    """Another flavor, offered still, known to the cloud where the server stands, and large enough for its image."""
    here, flavor = (f"{pointer}/flavor",), line.flavor
    if flavor == line.server.flavor:
        yield SameFlavor(name=line.target.name, flavor=flavor.code, pointers=here)
    elif flavor.retired_at is not None:
        yield Retired.of(flavor, *here)
    elif (line.target.cloud_id, flavor.pk) not in order.now.flavors:
        zone = NetworkZone(line.target.zone).label
        yield NotAvailableHere(name=name_of(flavor), code=flavor.code, zone=zone, pointers=here)
    else:
        yield from remembers_enough(flavor, line.server.image, *here)


def _reachable(line: AddressLine, pointer: str) -> Iterator[DomainError]:
    name, here = line.target.name, (f"{pointer}/target",)
    if line.given:
        yield reach.HasAddress(server=name, pointers=here)
    if not line.network.router_id:
        yield reach.NotConnected(network=line.network.resource.name, server=name, pointers=here)


def _moves(order: Numbered, line: RetypeLine, pointer: str) -> Iterator[DomainError]:
    target, wanted, here = line.target, line.storage_class, (f"{pointer}/storage_class",)
    if wanted == line.volume.storage_class:
        yield SameStorageClass(name=target.name, storage_class=name_of(wanted), pointers=here)
    elif line.volume.size_gb > wanted.max_gb:
        yield from sized(line.volume.size_gb, wanted, 1, pointer)
    yield from to_be_had(order, where(line), [(wanted, here[0])])
    match Retyping(target.cloud.retyping):
        case Retyping.NEVER:
            yield CannotMove(name=target.name, reason=_("its cloud has no way to do it"), pointers=here)
        case Retyping.DETACHED if line.volume.role == VolumeRole.SYSTEM:
            reason = _("its server cannot be without it meanwhile")
            yield CannotMove(name=target.name, reason=reason, pointers=here)
    server = line.volume.server
    if target.cloud.retyping == Retyping.DETACHED and server is not None:
        yield from _lets_go(line, server, pointer)
    if line.snapshots:
        yield SnapshotsInTheWay(name=target.name, snapshots=line.snapshots, pointers=(f"{pointer}/target",))


def goes_with_server(volume: Volume) -> bool:
    """A system volume is released with its server alone, unless that was lost: then by itself."""
    return volume.role == VolumeRole.SYSTEM and volume.server_id is not None


def _may_go(order: Numbered, line: ReleaseLine, pointer: str) -> Iterator[DomainError]:
    target, here = line.target, (f"{pointer}/target",)
    going = {volume.pk for volume in line.all_volumes()}
    held = [point for point in order.now.held if point.volume_id in going]
    if held:
        yield holds.refused(name=target.name, points=held, pointer=f"{pointer}/target")
    if target.pk in order.now.held_containers:
        yield holds.ContainerOnHold(name=target.name, pointers=here)
    if target.kind == ResourceKind.CONTAINER and target.container.objects_held and not line.delete_contents:
        yield NotEmpty(name=target.name, objects=target.container.objects_held, pointers=here)
    if target.kind == ResourceKind.VOLUME and goes_with_server(target.volume):
        yield GoesWithItsServer(name=target.name, pointers=here)
    if target.kind == ResourceKind.NETWORK:
        staying = order.now.guests.get(target.pk, frozenset()) - order.released
        servers = len(staying) + order.now.awaited.get(target.pk, 0)
        if servers:
            yield NetworkHasServers(name=target.name, servers=servers, pointers=here)
        leading = [
            f"{each} ({each.server.resource.name})"
            for each in order.now.leading.get(target.pk, ())
            if each.server_id not in order.released
        ]
        if leading:
            yield NetworkHasAddresses(name=target.name, addresses=_(", ").join(leading), pointers=here)
