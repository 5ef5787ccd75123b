"""Rules about what the system has already and an order changes or gives back."""

from collections import Counter
from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from govcloud.catalog.services import NotAvailableHere, Retired, remembers_enough
from govcloud.errors import Conflict, DomainError, Invalid
from govcloud.inventory.lifecycle import Status as ResourceStatus
from govcloud.inventory.models import ResourceKind, VolumeRole
from govcloud.orders.lifecycle import Status
from govcloud.orders.lines import ExtendLine, ReleaseLine, ResizeLine
from govcloud.orders.rules.of_items import SizeOutOfRange
from govcloud.orders.rules.standing import Numbered
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


class InAnotherOrder(Conflict):
    code = "resource-in-another-order"
    message = _("Another open order already changes or releases “%(name)s”.")


class TargetTwice(Invalid):
    code = "resource-twice-in-order"
    message = _("“%(name)s” is in this order more than once.")


class GoesWithItsServer(Invalid):
    code = "system-volume-goes-with-server"
    message = _("“%(name)s” is the system volume of a server and goes with it.")


class NetworkHasServers(Conflict):
    code = "network-has-servers"
    message = _("“%(name)s” still has %(servers)s servers: release them first, or in the same order.")


TargetLine = ExtendLine | ResizeLine | ReleaseLine


def check(order: Numbered) -> Iterator[DomainError]:
    targeted: list[tuple[str, TargetLine]] = [
        *order.of(ExtendLine),
        *order.of(ResizeLine),
        *order.of(ReleaseLine),
    ]
    times = Counter(line.target.pk for _pointer, line in targeted)
    goes_with_server = {volume for _pointer, line in order.of(ReleaseLine) for volume in _volumes(line)}
    for pointer, line in targeted:
        here, name = (f"{pointer}/target",), line.target.name
        if line.target.status != ResourceStatus.ACTIVE:
            yield ResourceNotInUse(name=name, status=ResourceStatus(line.target.status).label, pointers=here)
        elif {line.target.pk, *_volumes(line)} & order.now.unfinished:
            yield ResourceNotInUse(name=name, status=Status.FULFILLING.label, pointers=here)
        if {line.target.pk, *_volumes(line)} & order.now.busy:
            yield InAnotherOrder(name=name, pointers=here)
        if times[line.target.pk] > 1 or line.target.pk in goes_with_server:
            yield TargetTwice(name=name, pointers=here)
    for pointer, extension in order.of(ExtendLine):
        yield from _grows(extension, pointer)
    for pointer, resize in order.of(ResizeLine):
        yield from _fits(order, resize, pointer)
    for pointer, release in order.of(ReleaseLine):
        yield from _may_go(order, release, pointer)


def _volumes(line: TargetLine) -> set[int]:
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


def _may_go(order: Numbered, line: ReleaseLine, pointer: str) -> Iterator[DomainError]:
    target, here = line.target, (f"{pointer}/target",)
    if target.kind == ResourceKind.VOLUME and target.volume.role == VolumeRole.SYSTEM:
        yield GoesWithItsServer(name=target.name, pointers=here)
    if target.kind == ResourceKind.NETWORK:
        staying = order.now.guests.get(target.pk, frozenset()) - order.released
        if staying:
            yield NetworkHasServers(name=target.name, servers=len(staying), pointers=here)
