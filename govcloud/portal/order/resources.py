"""What an order has built, changed or released, as it stands now."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from govcloud.inventory.models import Address, FloatingAddress, Resource, ResourceKind, SecurityRule
from govcloud.orders.models import Order, Unit
from govcloud.portal.order.items import ICONS
from govcloud.portal.order.parts import Asked, Part
from govcloud.portal.templatetags.portal import named, quantity
from govcloud.protection.models import RecoveryPoint
from tenants.models import System


@dataclass(frozen=True, slots=True)
class Built:
    """A resource in words, some of which are links. ``indent`` marks a volume listed below its server."""

    row: Any
    icon: str
    address: str
    facts: list[str]
    indent: bool = False


def built(order: Order, asked: Asked) -> Part:
    """Networks, servers each with their volumes, then the rest; one query."""
    touched = Unit.objects.filter(item__order=order, resource__isnull=False).values("resource")
    return _part(Resource.objects.filter(Q(thread=order.uuid) | Q(pk__in=touched)), asked)


def standing(system: System, asked: Asked) -> Part:
    """What a system has, as ``built`` tells it of an order."""
    return _part(Resource.objects.filter(system=system, released_at=None), asked)


def one(resource: Resource) -> Built:
    """One of them, in the same words."""
    return _built(_dressed(Resource.objects.filter(pk=resource.pk)).get(), indent=False)


def _part(resources: QuerySet[Resource], asked: Asked) -> Part:
    return asked.part(
        "built",
        _arranged(list(_dressed(resources))),
        lambda rows: (_built(row, indent=indent) for row, indent in rows),
    )


def _arranged(rows: list[Any]) -> list[tuple[Any, bool]]:
    """Each with whether it stands below its server."""
    volumes: dict[int | None, list[Any]] = {}
    for row in rows:
        volumes.setdefault(_server_id(row), []).append(row)
    listed = [(row, False) for row in rows if row.kind == ResourceKind.NETWORK]
    for server in (row for row in rows if row.kind == ResourceKind.SERVER):
        listed.append((server, False))
        listed += [(row, True) for row in volumes.get(server.pk, ())]
    shown = {row.pk for row, _indent in listed}
    return listed + [(row, False) for row in rows if row.pk not in shown]


def _server_id(row: Any) -> int | None:
    """The server a volume is on; the server's key is its resource's."""
    server_id: int | None = row.volume.server_id if row.kind == ResourceKind.VOLUME else None
    return server_id


def _dressed(resources: Any) -> QuerySet[Resource]:
    address = Address.objects.filter(unit=OuterRef("unit"), released_at__isnull=True)
    floating = FloatingAddress.objects.filter(server=OuterRef("pk"), released_at__isnull=True)
    rules = SecurityRule.objects.filter(network=OuterRef("pk"), removed_at__isnull=True)
    openings = rules.order_by().values("network").annotate(n=Count("pk"))
    points = (
        RecoveryPoint.objects.filter(run__plan__allowance=OuterRef("pk"), expired_at__isnull=True)
        .order_by()
        .values("run__plan__allowance")
    )
    rows: QuerySet[Resource] = (
        resources.with_particulars()
        .annotate(
            address=Subquery(address.values("address")[:1]),
            floating=Subquery(floating.values("address")[:1]),
            openings=Subquery(openings.values("n")),
            points=Subquery(points.annotate(n=Count("pk")).values("n")),
            last_point=Subquery(points.annotate(last=Max("taken_at")).values("last")),
        )
        .order_by("id")
    )
    return rows


def _built(row: Any, *, indent: bool) -> Built:
    if row.kind == ResourceKind.VOLUME:
        facts = _volume(row, below=indent)
    else:
        facts = FACTS[ResourceKind(row.kind)](row)
    return Built(row=row, icon=ICONS[row.kind], address=row.address or "", facts=facts, indent=indent)


def _server(row: Any) -> list[str]:
    size = _("%(vcpus)s vCPU, %(memory)s GB memory") % {
        "vcpus": row.server.vcpus,
        "memory": row.server.memory_gb,
    }
    outside = [_("from outside at %(address)s") % {"address": row.floating}] if row.floating else []
    return [size, named(row.server.image), *outside]


def _volume(row: Any, *, below: bool) -> list[str]:
    """With the server that has it, unless it is listed ``below`` that, and where it is mounted there."""
    volume = row.volume
    size = _("%(size)s GB, %(class)s") % {
        "size": quantity(volume.size_gb),
        "class": named(volume.storage_class),
    }
    facts = [volume.get_role_display(), size]
    if volume.server is None or row.released_at is not None:
        return facts
    if not below:
        server = volume.server.resource
        link = format_html('<a href="{}">{}</a>', reverse("portal:resource", args=[server.uuid]), server.name)
        facts.append(format_html(_("of the server {server}"), server=link))
    if volume.mount_point:
        facts.append(_("mounted at %(path)s") % {"path": volume.mount_point})
    return facts


def _network(row: Any) -> list[str]:
    network, openings = row.network, row.openings or 0
    facts = [network.cidr, _("gateway %(address)s") % {"address": network.gateway}]
    if network.router_id:
        facts.append(_("connected to the outside as %(address)s") % {"address": network.outside_address})
    if openings:
        opened = ngettext("opened by %(rules)s rule", "opened by %(rules)s rules", openings)
        facts.append(opened % {"rules": openings})
    return facts


def _container(row: Any) -> list[str]:
    container = row.container
    size = _("%(size)s GB, %(class)s") % {
        "size": quantity(container.quota_gb),
        "class": named(container.storage_class),
    }
    if container.counted_at is None:
        return [size]
    objects = container.objects_held
    held = ngettext("%(objects)s object, %(size)s", "%(objects)s objects, %(size)s", objects)
    return [size, held % {"objects": quantity(objects), "size": filesizeformat(container.bytes_used)}]


def _backup(row: Any) -> list[str]:
    backup = row.backup
    points = row.points or 0
    return [
        _("%(size)s GB of backup storage") % {"size": quantity(backup.capacity_gb)},
        named(backup.tier),
        _("kept off site") if backup.off_site else _("kept on site"),
        ngettext("%(points)s recovery point", "%(points)s recovery points", points) % {"points": points},
    ]


FACTS = {
    ResourceKind.SERVER: _server,
    ResourceKind.NETWORK: _network,
    ResourceKind.BACKUP: _backup,
    ResourceKind.CONTAINER: _container,
}
