"""The items of an order in plain words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, OuterRef, QuerySet, When
from django.db.models.functions import JSONObject
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from govcloud.catalog.models import Kind
from govcloud.inventory.models import Volume
from govcloud.orders.delivered import looked_at
from govcloud.orders.models import Action, Order, OrderItem, Unit, VolumeSpec
from govcloud.portal.templatetags.portal import limited, named, plain_day, quantity
from tenants.models import NetworkZone

ICONS = {
    Kind.SERVER: "server",
    Kind.VOLUME: "database",
    Kind.NETWORK: "network",
    Kind.BACKUP: "archive",
    Kind.CONTAINER: "bucket",
    Kind.QUOTA: "progress-check",
    Kind.WORK_ORDER: "file-text",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One item as people read it: what is done to what, and its particulars one fact at a time."""

    position: int
    choice: str  # by which form it is written, if it is something new
    icon: str
    action: str
    kind: str
    name: str
    quantity: int
    facts: list[str]
    looked_at: bool  # by the department, once it is delivered

    @property
    def number(self) -> int:
        """As people count."""
        return self.position + 1


def lines(order: Order) -> list[Line]:
    """Every item of the order in its order; one query."""
    return [
        Line(
            position=item.position,
            choice=item.kind if item.action == Action.CREATE else "",
            icon=ICONS[Kind(item.kind)],
            action=item.get_action_display(),
            kind=item.get_kind_display(),
            name=_name(item),
            quantity=item.quantity,
            facts=list(_facts(item)),
            looked_at=looked_at(action=item.action, kind=item.kind),
        )
        for item in _items(order)
    ]


def _name(item: OrderItem) -> str:
    if item.kind == Kind.QUOTA:
        return item.limit.get_dimension_display()
    return item.target.name if item.target else item.name


def _items(order: Order) -> QuerySet[OrderItem]:
    volumes = VolumeSpec.objects.filter(item=OuterRef("pk")).order_by("position")
    planned = Unit.objects.filter(item=OuterRef("pk"), server__isnull=False).order_by("position")
    gone = ArraySubquery(
        planned.values_list(JSONObject(name="resource__name", size_gb="resource__volume__size_gb"))
    )
    attached = Volume.objects.filter(server__resource=OuterRef("target"), resource__released_at=None)
    volume = JSONObject(
        position="position",
        size_gb="size_gb",
        name="storage_class__name",
        name_en="storage_class__name_en",
    )
    return (
        order.items.select_related(
            "server__flavor",
            "server__image",
            "server__network_item",
            "server__network",
            "backup__tier",
            "resize__flavor",
            "floating__network",
            "container__storage_class",
            "limit",
            "target__volume__server__resource",
            "target__volume__storage_class",
            "target__server__flavor",
        )
        .annotate(
            volume_rows=ArraySubquery(volumes.values_list(volume)),
            planned_rows=Case(When(action=Action.RELEASE, then=gone)),  # of others they are not looked for
            attached_rows=ArraySubquery(
                attached.order_by("pk").values_list(JSONObject(name="resource__name", size_gb="size_gb"))
            ),
        )
        .order_by("position")
    )


def _facts(item: OrderItem) -> Iterator[str]:
    if item.action == Action.RELEASE:
        yield from _release_facts(item)
        return
    if item.action == Action.CHANGE:
        yield from _change_facts(item)
        return
    if item.action == Action.RENEW:
        yield ngettext("%(months)s more month", "%(months)s more months", item.lease_months) % {
            "months": item.lease_months
        }
        return
    yield str(NetworkZone(item.zone).label)
    if item.kind == Kind.SERVER:
        yield from _server_facts(item)
    elif item.kind == Kind.VOLUME:
        for volume in _volumes(item):
            size, storage = quantity(volume["size_gb"]), _named_json(volume)
            yield _("%(size)s GB, %(class)s") % {"size": size, "class": storage}
    elif item.kind == Kind.CONTAINER:
        yield _("%(size)s GB, %(class)s") % _container(item)
    elif item.kind == Kind.BACKUP:
        yield from _backup_facts(item)


def _server_facts(item: OrderItem) -> Iterator[str]:
    server = item.server
    yield _("%(vcpus)s vCPU, %(memory)s GB memory") % {
        "vcpus": server.flavor.vcpus,
        "memory": server.flavor.memory_gb,
    }
    yield named(server.image)
    for volume in _volumes(item):
        wording = (
            _("data volume %(size)s GB, %(class)s")
            if volume["position"]
            else _("system volume %(size)s GB, %(class)s")
        )
        yield wording % {"size": quantity(volume["size_gb"]), "class": _named_json(volume)}
    network = server.network_item or server.network
    if network is not None:
        yield _("on the network %(name)s") % {"name": network.name}
    yield ngettext("lease of %(months)s month", "lease of %(months)s months", item.lease_months) % {
        "months": item.lease_months
    }


def _backup_facts(item: OrderItem) -> Iterator[str]:
    backup = item.backup
    yield _("%(size)s GB of backup storage") % {"size": quantity(backup.capacity_gb)}
    yield _("disaster-recovery level %(level)s") % {"level": backup.tier.level}
    yield _("backed up %(frequency)s") % {"frequency": backup.get_frequency_display()}
    yield _("kept off site") if backup.off_site else _("kept on site")


def _change_facts(item: OrderItem) -> Iterator[str]:
    if item.kind == Kind.QUOTA:
        yield from _quota_facts(item)
        return
    if hasattr(item, "floating"):
        yield _("a floating address, through the network %(name)s") % {"name": item.floating.network.name}
    elif item.kind == Kind.SERVER:
        yield _("to %(vcpus)s vCPU, %(memory)s GB memory") % {
            "vcpus": item.resize.flavor.vcpus,
            "memory": item.resize.flavor.memory_gb,
        }
    if item.kind == Kind.CONTAINER:
        yield _("to %(size)s GB, %(class)s") % _container(item)
    for volume in _volumes(item):
        yield _("to %(size)s GB, %(class)s") % {
            "size": quantity(volume["size_gb"]),
            "class": _named_json(volume),
        }
    yield from _server_of_target(item)


def _quota_facts(item: OrderItem) -> Iterator[str]:
    spec = item.limit
    before, limit = limited(spec.limit_before), limited(spec.limit)
    yield _("limit from %(before)s to %(limit)s") % {"before": before, "limit": limit}
    if spec.lasting_before != spec.limit_before:
        yield _("the former limit is for a time only, the lasting one is %(lasting)s") % {
            "lasting": limited(spec.lasting_before)
        }
    if spec.until is not None:
        yield _("until %(day)s, then it falls back by itself") % {"day": plain_day(spec.until)}


def _release_facts(item: OrderItem) -> Iterator[str]:
    target = item.target
    if target is None:
        return
    if hasattr(target, "server"):
        yield _("%(vcpus)s vCPU, %(memory)s GB memory") % {
            "vcpus": target.server.vcpus,
            "memory": target.server.memory_gb,
        }
        yield from _volumes_that_go(item)
    if item.kind == Kind.VOLUME:
        yield _("its data is wiped, and its recovery points are deleted")
    if item.kind == Kind.BACKUP:
        yield _("the recovery points that it made are deleted, except those under a legal hold")
    if item.kind == Kind.CONTAINER:
        yield _("%(size)s GB, %(class)s") % _container(item)
        yield (
            _("everything in it is deleted with it, for good")
            if item.container.delete_contents
            else _("only if it is empty")
        )
    yield from _server_of_target(item)


def _volumes_that_go(item: OrderItem) -> Iterator[str]:
    """With a server: those that its submission named, and before it those that the server has now."""
    rows: list[dict[str, Any]] = item.planned_rows or item.attached_rows  # type: ignore[attr-defined]
    if rows:
        told = _(", ").join(
            _("%(name)s (%(size)s GB)") % {"name": row["name"], "size": quantity(row["size_gb"])}
            for row in rows
        )
        yield _(
            "its volumes go with it: their data is wiped, and their recovery points are deleted: %(volumes)s"
        ) % {"volumes": told}


def _container(item: OrderItem) -> dict[str, str]:
    spec = item.container
    return {"size": quantity(spec.quota_gb), "class": named(spec.storage_class)}


def _server_of_target(item: OrderItem) -> Iterator[str]:
    volume = getattr(item.target, "volume", None)
    if volume is not None and volume.server is not None:
        yield _("of the server %(name)s") % {"name": volume.server.resource.name}


def _volumes(item: OrderItem) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = item.volume_rows  # type: ignore[attr-defined]
    return rows


def _named_json(row: dict[str, Any]) -> str:
    return named(type("Named", (), row))
