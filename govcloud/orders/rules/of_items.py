"""Rules about what is newly ordered: numbers, names, zones, and whether it is offered and to be had."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Flavor, Image, Kind, Offerable, StorageClass
from govcloud.catalog.services import NotAvailableHere, Retired, remembers_enough
from govcloud.errors import Conflict, DomainError, Invalid
from govcloud.inventory.lifecycle import Status as ResourceStatus
from govcloud.inventory.models import Power
from govcloud.orders.drafts import BackupDraft, ContainerDraft, ServerDraft, StorageDraft
from govcloud.orders.lines import ContainerLine, Line, NetworkLine, ServerLine, StorageLine
from govcloud.orders.models import Action
from govcloud.orders.rules.standing import Numbered, allowed, where
from govcloud.provisioning.actions.storage import DATA_VOLUMES, ServerBroken, ServerElsewhere, ServerStopped
from govcloud.provisioning.placement import NoCloudForZone, Where
from tenants.models import NetworkZone
from tenants.naming import name_of

NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,28}[a-z0-9])?")  # also a host name, with room for "-50-data-10"
LEASE_MONTHS = range(1, 13)


class QuantityOutOfRange(Invalid):
    code = "quantity-out-of-range"
    message = _("%(quantity)s is not possible: of “%(offering)s” an item can have 1 to %(maximum)s.")


class NotOffered(Invalid):
    code = "not-offered"
    message = _("The catalogue does not offer %(kind)s now.")


class ForeignZone(Invalid):
    code = "zone-not-of-the-system"
    message = _(
        "The system belongs to the %(own)s: nothing can be ordered for it in the %(zone)s. The public zone is open to every system."
    )


class BadName(Invalid):
    code = "bad-name"
    message = _(
        "“%(name)s” cannot be a name: use 1 to 30 lower-case letters, digits and hyphens, a letter first."
    )


class NameTaken(Conflict):
    code = "name-taken"
    message = _("The system already has, or has ordered, something called “%(name)s”.")


class NameTwice(Invalid):
    code = "name-twice-in-order"
    message = _("More than one item of this order is called “%(name)s”: give each a name of its own.")


class SizeOutOfRange(Invalid):
    code = "size-out-of-range"
    message = _(
        "%(size)s GB is not possible: a volume of “%(storage_class)s” has %(minimum)s to %(maximum)s GB."
    )


class QuotaOutOfRange(Invalid):
    code = "container-quota-out-of-range"
    message = _("%(size)s GB is not possible: a container of “%(storage_class)s” has 1 to %(maximum)s GB.")


class TooManyVolumes(Invalid):
    code = "too-many-volumes"
    message = _("A server can have at most %(maximum)s data volumes.")


class LeaseOutOfRange(Invalid):
    code = "lease-out-of-range"
    message = _("A lease runs 1 to 12 months, not %(months)s.")


class NetworkElsewhere(Invalid):
    code = "network-in-another-zone"
    message = _("The network “%(network)s” is in the %(zone)s: a server must be in the zone of its network.")


class NetworkFull(Invalid):
    code = "network-full"
    message = _(
        "%(servers)s servers are ordered on the network “%(network)s”, which has addresses for %(left)s: put the others on another network."
    )


class ServerNotInUse(Conflict):
    code = "server-not-in-use"
    message = _("“%(server)s” is being changed or released; a volume can be attached to what is in use.")


class NetworkNotInUse(Conflict):
    code = "network-not-in-use"
    message = _("The network “%(network)s” is %(status)s; a server needs one that is in use.")


class NetworkGoes(Conflict):
    code = "network-in-another-order"
    message = _("Another open order releases the network “%(network)s”.")


def check(order: Numbered) -> Iterator[DomainError]:
    for position, line in order.lines:
        pointer = f"/items/{position}"
        if line.action != Action.RELEASE:
            yield from offered(order, line.kind, line.quantity, pointer)
        if line.action == Action.CREATE:
            yield from _named(order, line, pointer)
            yield from _zoned(order, line, pointer)
    for pointer, server in order.of(ServerLine):
        yield from _server(order, server, pointer)
    for pointer, storage in order.of(StorageLine):
        yield from _storage(order, storage, pointer)
    for pointer, container in order.of(ContainerLine):
        things = [(container.storage_class, f"{pointer}/storage_class")]
        yield from to_be_had(order, where(container), things)
        yield from holding(container.quota_gb, container.storage_class, pointer)
        yield from bounded(0, container.lease_months, pointer)
    yield from _named_twice(order)
    yield from _addressed(order)


def _storage(order: Numbered, storage: StorageLine, pointer: str) -> Iterator[DomainError]:
    things = [(storage.storage_class, f"{pointer}/storage_class")]
    yield from to_be_had(order, where(storage), things)
    yield from sized(storage.size_gb, storage.storage_class, 1, pointer)
    server = storage.server
    if server is None:
        yield from bounded(0, storage.lease_months, pointer)
        return
    here = (f"{pointer}/server",)
    if server.status != ResourceStatus.ACTIVE or server.pk in order.released or server.pk in order.now.busy:
        yield ServerNotInUse(server=server.name, pointers=here)
    elif server.server.power == Power.BROKEN:
        yield ServerBroken(server=server.name, pointers=here)
    elif server.server.power == Power.STOPPED:
        yield ServerStopped(server=server.name, pointers=here)
    if server.zone != storage.zone:
        yield ServerElsewhere(server=server.name, zone=_zone(server.zone), pointers=here)
    with_it = sum(1 for _pointer, other in order.of(StorageLine) if other.server == server)
    with_it += order.now.bringing.get(server.pk, 0)
    yield from bounded(storage.beside + with_it, storage.lease_months, pointer)


def offered(order: Numbered, kind: str, quantity: int, pointer: str) -> Iterator[DomainError]:
    offering = order.now.offerings.get(kind)
    if offering is None:
        yield NotOffered(kind=Kind(kind).label, pointers=(f"{pointer}/kind",))
    elif not 1 <= quantity <= offering.max_quantity:
        yield QuantityOutOfRange(
            quantity=quantity,
            offering=name_of(offering),
            maximum=offering.max_quantity,
            pointers=(f"{pointer}/quantity",),
        )


def _named(order: Numbered, line: Line, pointer: str) -> Iterator[DomainError]:
    if not NAME.fullmatch(line.name):
        yield from well_named(line.name, pointer)
        return
    if not allowed(line, order.now.offerings):
        return
    clash = next((part.name for part in line.parts() if part.name in order.now.taken), None)
    if clash is not None:
        yield NameTaken(name=clash, pointers=(f"{pointer}/name",))


def well_named(name: str, pointer: str) -> Iterator[DomainError]:
    if not NAME.fullmatch(name):
        yield BadName(name=name, pointers=(f"{pointer}/name",))


def _named_twice(order: Numbered) -> Iterator[DomainError]:
    """Also the names with numbers that servers and their volumes get."""
    names = [(n, _names(order, line)) for n, line in order.lines if line.action == Action.CREATE]
    unresolved = [(n, item.draft) for n, item in order.unresolved]
    names += [
        (n, [draft.name])
        for n, draft in unresolved
        if isinstance(draft, ServerDraft | BackupDraft | StorageDraft | ContainerDraft)
    ]
    times = Counter(name for _position, given in names for name in given)
    for position, given in sorted(names):
        twice = next((name for name in given if times[name] > 1), None)
        if twice is not None:
            yield NameTwice(name=twice, pointers=(f"/items/{position}/name",))


def _names(order: Numbered, line: Line) -> list[str]:
    """Each once, the item's own first."""
    parts = [part.name for part in line.parts()] if allowed(line, order.now.offerings) else []
    return list(dict.fromkeys([line.name, *parts]))


def _zoned(order: Numbered, line: Line, pointer: str) -> Iterator[DomainError]:
    foreign = list(own_zone(order, line.zone, pointer))
    yield from foreign
    if not foreign and line.kind != Kind.BACKUP and order.now.available.get(where(line)) is None:
        yield NoCloudForZone(zone=_zone(line.zone), pointers=(f"{pointer}/zone",))


def own_zone(order: Numbered, zone: str, pointer: str) -> Iterator[DomainError]:
    own = order.system.zone
    if zone not in {own, NetworkZone.PUBLIC}:
        yield ForeignZone(own=_zone(own), zone=_zone(zone), pointers=(f"{pointer}/zone",))


def _server(order: Numbered, server: ServerLine, pointer: str) -> Iterator[DomainError]:
    classes = [volume.storage_class for volume in server.volumes]
    yield from to_be_had(order, where(server), named(server.flavor, server.image, classes, pointer))
    yield from remembers_enough(server.flavor, server.image, f"{pointer}/flavor")
    yield from _on_network(order, server, pointer)
    for number, volume in enumerate(server.volumes):
        minimum = 1 if number else server.image.min_disk_gb
        yield from sized(volume.size_gb, volume.storage_class, minimum, volume_at(pointer, number))
    yield from bounded(len(server.volumes) - 1, server.lease_months, pointer)


def bounded(data_volumes: int, lease_months: int, pointer: str) -> Iterator[DomainError]:
    if data_volumes > DATA_VOLUMES:
        yield TooManyVolumes(maximum=DATA_VOLUMES, pointers=(f"{pointer}/data_volumes",))
    if lease_months not in LEASE_MONTHS:
        yield LeaseOutOfRange(months=lease_months, pointers=(f"{pointer}/lease_months",))


def volume_at(pointer: str, number: int) -> str:
    """The pointer of a server's n-th volume; the first is the system volume."""
    return f"{pointer}/data_volumes/{number - 1}" if number else f"{pointer}/system_volume"


def named(
    flavor: Flavor | None, image: Image | None, classes: Sequence[StorageClass | None], pointer: str
) -> list[tuple[Offerable, str]]:
    """What a server names of the catalogue and the catalogue has, each with its pointer."""
    things: list[tuple[Offerable | None, str]] = [
        (flavor, f"{pointer}/flavor"),
        (image, f"{pointer}/image"),
        *((each, f"{volume_at(pointer, n)}/storage_class") for n, each in enumerate(classes)),
    ]
    return [(thing, where) for thing, where in things if thing is not None]


def to_be_had(
    order: Numbered, place: Where, things: Sequence[tuple[Offerable, str]]
) -> Iterator[DomainError]:
    """Offered still, and known to a cloud that comes into question there."""
    here = order.now.available.get(place)
    for thing, pointer in things:
        if thing.retired_at is not None:
            yield Retired.of(thing, pointer)
        elif here is not None and not here.has(thing):
            zone = _zone(place.zone)
            yield NotAvailableHere(name=name_of(thing), code=thing.code, zone=zone, pointers=(pointer,))


def _on_network(order: Numbered, server: ServerLine, pointer: str) -> Iterator[DomainError]:
    if server.network is not None:
        name, zone = server.network.name, server.network.zone
        if server.network.status != ResourceStatus.ACTIVE or server.network.pk in order.released:
            status = ResourceStatus(server.network.status).label
            yield NetworkNotInUse(network=name, status=status, pointers=(f"{pointer}/network",))
        elif server.network.pk in order.now.busy:
            yield NetworkGoes(network=name, pointers=(f"{pointer}/network",))
    else:
        ordered = _ordered_network(order, server)
        if ordered is None:
            return
        name, zone = ordered.name, ordered.zone
    if zone != server.zone:
        yield NetworkElsewhere(network=name, zone=_zone(zone), pointers=(f"{pointer}/network",))


def _addressed(order: Numbered) -> Iterator[DomainError]:
    """Each server has an address of its network. What other open orders are to put there has none yet: who is approved first does."""
    on: dict[tuple[int | None, int | None], list[tuple[str, ServerLine]]] = {}
    for pointer, server in order.of(ServerLine):
        key = (server.network_line, server.network.pk if server.network is not None else None)
        on.setdefault(key, []).append((pointer, server))
    for servers in on.values():
        wanted = sum(server.quantity for _pointer, server in servers)
        name, left = _network_of(order, servers[0][1])
        if left is not None and wanted > left:
            pointers = tuple(f"{pointer}/quantity" for pointer, _server in servers)
            yield NetworkFull(servers=wanted, network=name, left=left, pointers=pointers)


def _network_of(order: Numbered, server: ServerLine) -> tuple[str, int | None]:
    """What the server's network is called, and for how many servers it has addresses; None where that is not known yet."""
    if server.network is not None:
        return server.network.name, order.now.addresses.get(server.network.pk)
    ordered = _ordered_network(order, server)
    here = order.now.available.get(where(ordered)) if ordered is not None else None
    return (
        ordered.name if ordered is not None else "",
        here.servers_on_a_network if here is not None else None,
    )


def _ordered_network(order: Numbered, server: ServerLine) -> NetworkLine | None:
    lines = (line for n, line in order.lines if n == server.network_line and isinstance(line, NetworkLine))
    return next(lines, None)


def sized(size_gb: int, storage_class: StorageClass, minimum: int, pointer: str) -> Iterator[DomainError]:
    if not minimum <= size_gb <= storage_class.max_gb:
        yield SizeOutOfRange(
            size=size_gb,
            storage_class=name_of(storage_class),
            minimum=minimum,
            maximum=storage_class.max_gb,
            pointers=(f"{pointer}/size_gb",),
        )


def holding(quota_gb: int, storage_class: StorageClass, pointer: str) -> Iterator[DomainError]:
    if not 1 <= quota_gb <= storage_class.max_gb:
        yield QuotaOutOfRange(
            size=quota_gb,
            storage_class=name_of(storage_class),
            maximum=storage_class.max_gb,
            pointers=(f"{pointer}/quota_gb",),
        )


def _zone(code: str) -> str | Promise:
    return NetworkZone(code).label if code in NetworkZone.values else code
