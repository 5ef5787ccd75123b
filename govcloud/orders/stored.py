"""Lines as rows, and back: every column an order's items have is written and read here."""

from collections.abc import Mapping, Sequence

from django.db.models import Prefetch, QuerySet

from govcloud.catalog.models import Kind, Offering, Site
from govcloud.inventory.models import Resource, Volume
from govcloud.orders.changes import (
    AddressLine,
    ExtendLine,
    LimitLine,
    QuotaLine,
    ReleaseLine,
    RenewLine,
    ResizeLine,
    RetypeLine,
)
from govcloud.orders.lines import (
    BackupLine,
    ContainerLine,
    Line,
    NetworkLine,
    ServerLine,
    StorageLine,
    VolumeLine,
)
from govcloud.orders.models import (
    Action,
    AddressSpec,
    BackupSpec,
    ContainerSpec,
    LimitSpec,
    Order,
    OrderItem,
    ResizeSpec,
    ServerSpec,
    VolumeSpec,
)
from govcloud.orders.resolution import address_line, data_volumes_of, release_line, snapshots_of
from govcloud.quotas.models import Dimension


def write(*, order: Order, lines: Sequence[Line], offerings: Mapping[str, Offering]) -> list[OrderItem]:
    """The order's items and their specs, in ten statements however many there are; ``offerings`` by kind."""
    items = OrderItem.objects.bulk_create(
        _item(order, position, line, offerings[line.kind]) for position, line in enumerate(lines)
    )
    pairs = list(zip(items, lines, strict=True))
    ServerSpec.objects.bulk_create(
        ServerSpec(
            item=item,
            flavor=line.flavor,
            image=line.image,
            network_item=None if line.network_line is None else items[line.network_line],
            network=line.network,
        )
        for item, line in pairs
        if isinstance(line, ServerLine)
    )
    VolumeSpec.objects.bulk_create(spec for item, line in pairs for spec in _volume_specs(item, line))
    ContainerSpec.objects.bulk_create(spec for item, line in pairs for spec in _container_specs(item, line))
    _write_plain_specs(pairs)
    return items


def _item(order: Order, position: int, line: Line, offering: Offering) -> OrderItem:
    about = QuotaLine | ExtendLine | RetypeLine | ResizeLine | RenewLine | AddressLine | ReleaseLine
    let = ServerLine | StorageLine | ContainerLine | RenewLine
    return OrderItem(
        order=order,
        position=position,
        action=line.action,
        kind=line.kind,
        offering=offering,
        name=line.name,
        quantity=line.quantity,
        zone=line.zone,
        site=line.site if isinstance(line, NetworkLine) else Site.MAIN,
        target=line.target if isinstance(line, about) else None,
        lease_months=line.lease_months if isinstance(line, let) else 12,
    )


def _write_plain_specs(pairs: Sequence[tuple[OrderItem, Line]]) -> None:
    """Those of which an item has one, out of its own line alone."""
    BackupSpec.objects.bulk_create(
        BackupSpec(
            item=item,
            tier=line.tier,
            capacity_gb=line.capacity_gb,
            frequency=line.frequency,
            off_site=line.off_site,
        )
        for item, line in pairs
        if isinstance(line, BackupLine)
    )
    ResizeSpec.objects.bulk_create(
        ResizeSpec(item=item, flavor=line.flavor) for item, line in pairs if isinstance(line, ResizeLine)
    )
    AddressSpec.objects.bulk_create(
        AddressSpec(item=item, network=line.network.resource)
        for item, line in pairs
        if isinstance(line, AddressLine)
    )
    LimitSpec.objects.bulk_create(
        LimitSpec(
            item=item,
            dimension=line.dimension,
            limit=line.limit,
            limit_before=line.before,
            lasting_before=line.lasting_before,
            until=line.until,
        )
        for item, line in pairs
        if isinstance(line, LimitLine)
    )


def _container_specs(item: OrderItem, line: Line) -> list[ContainerSpec]:
    match line:
        case ContainerLine():
            return [ContainerSpec(item=item, storage_class=line.storage_class, quota_gb=line.quota_gb)]
        case QuotaLine():
            held = line.container
            return [ContainerSpec(item=item, storage_class=held.storage_class, quota_gb=line.quota_gb)]
        case ReleaseLine(target=target) if target.kind == Kind.CONTAINER:
            held = target.container
            spec = ContainerSpec(item=item, storage_class=held.storage_class, quota_gb=held.quota_gb)
            spec.delete_contents = line.delete_contents
            return [spec]
        case _:
            return []


def _volume_specs(item: OrderItem, line: Line) -> list[VolumeSpec]:
    match line:
        case ServerLine():
            return [
                VolumeSpec(
                    item=item, position=position, storage_class=volume.storage_class, size_gb=volume.size_gb
                )
                for position, volume in enumerate(line.volumes)
            ]
        case StorageLine():
            spec = VolumeSpec(
                item=item, storage_class=line.storage_class, size_gb=line.size_gb, server=line.server
            )
            return [spec]
        case RetypeLine():
            spec = VolumeSpec(item=item, storage_class=line.storage_class, size_gb=line.volume.size_gb)
            spec.class_before = line.before
            return [spec]
        case ExtendLine():
            return [VolumeSpec(item=item, storage_class=line.volume.storage_class, size_gb=line.size_gb)]
        case _:
            return []


def with_items(rows: QuerySet[Order]) -> QuerySet[Order]:
    """Reads along what ``items_of`` gives, for who asks for it more than once; it is then as it was when the orders were read."""
    return rows.prefetch_related(along())


def along() -> "Prefetch[str, QuerySet[OrderItem], str]":
    """What ``with_items`` reads along, for an order that is there already; it is not read a second time."""
    return Prefetch("items", _whole(), to_attr="read_items")


def items_of(order: Order) -> list[OrderItem]:
    """The items with everything they name: two queries, and two more if servers are changed or released; none after ``with_items``."""
    read: list[OrderItem] | None = vars(order).get("read_items")
    return list(_whole().filter(order=order)) if read is None else read


def _whole() -> QuerySet[OrderItem]:
    specs = VolumeSpec.objects.select_related("storage_class__meter", "class_before__meter", "server")
    attached = Volume.objects.select_related("resource", "storage_class__meter").order_by("resource_id")
    return (
        OrderItem.objects.select_related(
            "offering",
            "server__flavor",
            "server__image",
            "server__network",
            "server__network_item",
            "backup__tier__meter_local",
            "backup__tier__meter_off_site",
            "resize__flavor",
            "floating__network__network",
            "container__storage_class__meter",
            "limit",
            "target__cloud",
            "target__server__flavor",
            "target__server__image",
            "target__volume__storage_class__meter",
            "target__volume__server__resource",
            "target__backup__tier__meter_local",
            "target__backup__tier__meter_off_site",
            "target__container__storage_class__meter",
        )
        .prefetch_related(
            Prefetch("volumes", queryset=specs),
            Prefetch("target__server__volumes", queryset=attached),
            "target__server__floating_addresses",
        )
        .order_by("position")
    )


def lines_of(items: Sequence[OrderItem]) -> list[Line]:
    """Needs ``items_of``."""
    return [_line(item) for item in items]


def _line(item: OrderItem) -> Line:  # noqa: PLR0911  one for each kind of line
    match item.action, item.kind:
        case Action.CREATE, Kind.NETWORK:
            return NetworkLine(name=item.name, zone=item.zone, site=item.site, quantity=item.quantity)
        case Action.CREATE, Kind.SERVER:
            return _server(item)
        case Action.CREATE, Kind.BACKUP:
            spec = item.backup
            return BackupLine(
                name=item.name,
                zone=item.zone,
                tier=spec.tier,
                capacity_gb=spec.capacity_gb,
                frequency=spec.frequency,
                off_site=spec.off_site,
                quantity=item.quantity,
            )
        case Action.CREATE, Kind.VOLUME:
            return _storage(item)
        case Action.CREATE, Kind.CONTAINER:
            return _container(item)
        case Action.CHANGE, Kind.VOLUME | Kind.SERVER | Kind.CONTAINER:
            return _change(item)
        case Action.CHANGE, Kind.QUOTA:
            return _limit(item)
        case Action.RENEW, _:
            return RenewLine(target=_target(item), lease_months=item.lease_months)
        case Action.RELEASE, _:
            return _release(item)
    raise ValueError(f"no order can {item.action} a {item.kind}")


def _change(item: OrderItem) -> Line:
    target = _target(item)
    if hasattr(item, "floating"):
        return address_line(target, item.floating.network.network)
    if item.kind == Kind.SERVER:
        return ResizeLine(target=target, server=target.server, flavor=item.resize.flavor)
    if item.kind == Kind.CONTAINER:
        return QuotaLine(target=target, container=target.container, quota_gb=item.container.quota_gb)
    spec = item.volumes.all()[0]
    if spec.class_before is None:
        return ExtendLine(target=target, volume=target.volume, size_gb=spec.size_gb)
    return RetypeLine(
        target=target,
        volume=target.volume,
        before=spec.class_before,
        storage_class=spec.storage_class,
        snapshots=snapshots_of(target),
    )


def _storage(item: OrderItem) -> StorageLine:
    volume = item.volumes.all()[0]
    return StorageLine(
        name=item.name,
        zone=item.zone,
        storage_class=volume.storage_class,
        size_gb=volume.size_gb,
        server=volume.server,
        beside=data_volumes_of(volume.server),
        lease_months=item.lease_months,
        quantity=item.quantity,
    )


def _container(item: OrderItem) -> ContainerLine:
    spec = item.container
    return ContainerLine(
        name=item.name,
        zone=item.zone,
        storage_class=spec.storage_class,
        quota_gb=spec.quota_gb,
        lease_months=item.lease_months,
        quantity=item.quantity,
    )


def _release(item: OrderItem) -> ReleaseLine:
    contents = item.kind == Kind.CONTAINER and item.container.delete_contents
    return release_line(_target(item), delete_contents=contents)


def _server(item: OrderItem) -> ServerLine:
    spec = item.server
    return ServerLine(
        name=item.name,
        zone=item.zone,
        quantity=item.quantity,
        flavor=spec.flavor,
        image=spec.image,
        network_line=spec.network_item.position if spec.network_item is not None else None,
        network=spec.network,
        volumes=tuple(
            VolumeLine(storage_class=volume.storage_class, size_gb=volume.size_gb)
            for volume in item.volumes.all()
        ),
        lease_months=item.lease_months,
        site=spec.network_item.site if spec.network_item is not None else Site.MAIN,
    )


def _limit(item: OrderItem) -> LimitLine:
    spec = item.limit
    return LimitLine(
        dimension=Dimension(spec.dimension),
        limit=spec.limit,
        before=spec.limit_before,
        lasting_before=spec.lasting_before,
        zone=item.zone,
        until=spec.until,
    )


def _target(item: OrderItem) -> Resource:
    if item.target is None:
        raise ValueError(f"item {item.uuid} names no target")  # a CHECK constraint says it cannot be
    return item.target
