"""What the lists of an item's form offer: of the catalogue, of the order, and of what the system has; with prices where there are any."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import TypeVar
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from govcloud.catalog.models import (
    MEMORY_GB,
    VCPU,
    DRTier,
    Flavor,
    Image,
    Keeps,
    Kind,
    Offerable,
    Site,
    StorageClass,
)
from govcloud.chargeback.models import Price
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, ResourceKind, Server, Volume
from govcloud.orders.drafts import ItemDraft, NetworkDraft
from govcloud.orders.rules.of_targets import goes_with_server
from govcloud.portal.templatetags.portal import money, named, plain_day, price, quantity
from govcloud.portal.writing.choices import OF_KINDS
from govcloud.protection.models import Frequency
from govcloud.provisioning.placement import Availability, Where, availability
from govcloud.quotas.models import Dimension
from tenants.models import NetworkZone, System

Had = TypeVar("Had", bound=Offerable)
ON_THIS_PAGE = "@"
"""Stands for the name of the network that is being written on the same page."""


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str


@dataclass
class Offers:
    """For one system at one moment; each list is read when a form has a field for it.

    ``drafts`` are the items of the order; ``writes_network`` tells that a further network is on the page.
    """

    system: System
    at: datetime
    drafts: Sequence[ItemDraft] = ()
    writes_network: bool = False
    _kept: dict[str, list[Option]] = field(default_factory=dict)

    def of(self, name: str) -> list[Option]:
        """The options of the list with this name, a method below, as fields name it."""
        if name not in self._kept:
            self._kept[name] = list(getattr(self, name)())
        return self._kept[name]

    def kind_of(self, target: UUID) -> str | None:
        """Of what the system has; None if there is no such thing."""
        return next((each.kind for each in self.standing if each.uuid == target), None)

    def zones(self) -> Iterator[Option]:
        """The system's own first: most goes there."""
        for zone in dict.fromkeys((self.system.zone, NetworkZone.PUBLIC)):
            yield Option(zone, str(NetworkZone(zone).label))

    def sites(self) -> Iterator[Option]:
        return (Option(value, str(label)) for value, label in Site.choices)

    def networks(self) -> Iterator[Option]:
        if self.writes_network:
            yield Option(ON_THIS_PAGE, _("the new one on this page"))
        for draft in self.drafts:
            if isinstance(draft, NetworkDraft):
                zone = NetworkZone(draft.zone).label
                yield Option(
                    draft.name, _("%(name)s, of this order, %(zone)s") % {"name": draft.name, "zone": zone}
                )
        yield from self._standing(ResourceKind.NETWORK)

    def flavors(self) -> Iterator[Option]:
        for flavor in self._had(
            Flavor.objects.filter(retired_at=None).order_by("-line", "vcpus", "memory_gb")
        ):
            size = _("%(vcpus)s vCPU, %(memory)s GB memory") % {
                "vcpus": flavor.vcpus,
                "memory": flavor.memory_gb,
            }
            amount = self._amount({VCPU: flavor.vcpus, MEMORY_GB: flavor.memory_gb})
            each = "" if amount is None else _("%(price)s a month") % {"price": money(amount)}
            yield Option(flavor.code, _told(flavor.code, flavor.get_line_display(), size, each))

    def images(self) -> Iterator[Option]:
        for image in self._had(Image.objects.filter(retired_at=None).order_by("code")):
            disk = _("system volume of %(size)s GB or more") % {"size": image.min_disk_gb}
            yield Option(image.code, _told(named(image), disk))

    def classes(self) -> Iterator[Option]:
        return self._classes(Keeps.BLOCK)

    def object_classes(self) -> Iterator[Option]:
        return self._classes(Keeps.OBJECT)

    def tiers(self) -> Iterator[Option]:
        tiers = DRTier.objects.filter(retired_at=None, provable_by_backup=True)
        for tier in tiers.select_related("meter_local", "meter_off_site"):
            local = self._per_gb(tier.meter_local.code)
            away = self._per_gb(tier.meter_off_site.code)
            words = [_("off site %(price)s") % {"price": away}] if away else []
            if local and not tier.off_site:
                words.insert(0, _("on site %(price)s") % {"price": local})
            yield Option(str(tier.level), _told(named(tier), *words))

    def frequencies(self) -> Iterator[Option]:
        return (Option(value, str(label)) for value, label in Frequency.choices)

    def dimensions(self) -> Iterator[Option]:
        return (Option(value, str(label)) for value, label in Dimension.choices)

    def servers(self) -> Iterator[Option]:
        return self._standing(ResourceKind.SERVER)

    def volumes(self) -> Iterator[Option]:
        return self._standing(ResourceKind.VOLUME)

    def containers(self) -> Iterator[Option]:
        return self._standing(ResourceKind.CONTAINER)

    def resources(self) -> Iterator[Option]:
        """What can be given back by itself."""
        for each in self.standing:
            if "release" in deeds_of(each):
                yield Option(str(each.uuid), _told(each.name, each.get_kind_display(), *_particulars(each)))

    def leased(self) -> Iterator[Option]:
        for each in self.standing:
            if each.lease_end is not None and "renew" in deeds_of(each):
                until = _("until %(day)s") % {"day": plain_day(timezone.localtime(each.lease_end))}
                yield Option(str(each.uuid), _told(each.name, until))

    @cached_property
    def standing(self) -> list[Resource]:
        """What the system has, by kind and name."""
        rows = Resource.objects.filter(system=self.system, released_at=None)
        return list(
            rows.select_related(
                "server", "volume__storage_class", "volume__server__resource", "container", "backup"
            ).order_by("kind", "name", "pk")
        )

    def _standing(self, kind: str) -> Iterator[Option]:
        for each in self.standing:
            if each.kind == kind:
                yield Option(str(each.uuid), _told(each.name, *_particulars(each)))

    def _classes(self, keeps: str) -> Iterator[Option]:
        rows = StorageClass.objects.filter(retired_at=None, keeps=keeps).select_related("meter")
        for each in self._had(rows.order_by("code")):
            most = _("up to %(size)s GB") % {"size": quantity(each.max_gb)}
            yield Option(each.code, _told(named(each), self._per_gb(each.meter.code), most))

    def _had(self, things: Iterable[Had]) -> Iterator[Had]:
        """Those that a cloud in one of the system's zones has; all of them where no cloud takes the system."""
        here = self._available
        return (thing for thing in things if not here or any(each.has(thing) for each in here))

    @cached_property
    def _available(self) -> list[Availability]:
        places = [Where(zone=zone.value) for zone in self.zones()]
        found = [availability(system=self.system, where=place) for place in places]
        return [each for each in found if each is not None]

    @cached_property
    def _prices(self) -> Mapping[str, Decimal]:
        """Yuan for one unit and month, by meter."""
        rows = Price.objects.filter(tariff__in_force__contains=self.at)
        return dict(rows.values_list("meter__code", "per_month"))

    def _amount(self, quantities: Mapping[str, int]) -> Decimal | None:
        """Yuan a month; None where a meter has no price."""
        if not quantities.keys() <= self._prices.keys():
            return None
        return sum((self._prices[code] * many for code, many in quantities.items()), Decimal())

    def _per_gb(self, meter: str) -> str:
        per_month = self._prices.get(meter)
        return "" if per_month is None else _("%(price)s per GB and month") % {"price": price(per_month)}


def deeds_of(row: Resource) -> list[str]:
    """The forms of what can be ordered for something that stands. A server's volumes go by its lease, its system volume with it."""
    volume = row.volume if row.kind == Kind.VOLUME else None
    without = set() if row.lease_end is not None else {"renew"}
    if volume is not None and volume.server_id is not None:
        without.add("renew")
    if volume is not None and goes_with_server(volume):
        without.add("release")
    return [slug for slug in OF_KINDS[row.kind] if slug not in without]


def _told(*words: object) -> str:
    return " · ".join(str(word) for word in words if word)


def _particulars(row: Resource) -> Iterator[str]:
    """What tells one from another that is called alike."""
    match row.kind:
        case Kind.SERVER:
            server: Server = row.server
            yield _("%(vcpus)s vCPU, %(memory)s GB memory") % {
                "vcpus": server.vcpus,
                "memory": server.memory_gb,
            }
        case Kind.VOLUME:
            volume: Volume = row.volume
            yield _("%(size)s GB, %(class)s") % {
                "size": quantity(volume.size_gb),
                "class": named(volume.storage_class),
            }
            if volume.server is not None:
                yield _("of the server %(name)s") % {"name": volume.server.resource.name}
        case Kind.CONTAINER:
            yield _("%(size)s GB") % {"size": quantity(row.container.quota_gb)}
        case Kind.NETWORK:
            yield str(NetworkZone(row.zone).label)
    if row.status != Status.ACTIVE:
        yield str(row.get_status_display())
