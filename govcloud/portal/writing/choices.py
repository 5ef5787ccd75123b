"""What can be put into an order, one form for each: which fields it has, and what draft they make."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import partial
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from govcloud.catalog.models import Kind
from govcloud.orders.drafts import (
    AddressDraft,
    BackupDraft,
    ContainerDraft,
    ExtendDraft,
    ItemDraft,
    LimitDraft,
    NetworkDraft,
    QuotaDraft,
    ReleaseDraft,
    RenewDraft,
    ResizeDraft,
    RetypeDraft,
    ServerDraft,
    StorageDraft,
    VolumeDraft,
)
from govcloud.portal.writing.fields import (
    YES,
    Field,
    Rows,
    an_id,
    choice,
    day,
    number,
    one_of,
    text,
    tick,
    whole,
)
from govcloud.protection.models import Frequency
from govcloud.provisioning.actions.storage import DATA_VOLUMES
from govcloud.quotas.models import Dimension
from govcloud.quotas.services import LARGEST_LIMIT

GB = "GB"
NAME = text(
    "name",
    _("Name"),
    hint=_(
        "1 to 30 lower-case letters, digits and hyphens, a letter first; nothing else in the system has it."
    ),
)
ZONE = choice("zone", _("Network zone"), "zones")
LEASE = number("lease_months", _("Lease"), unit=_("months"), default="12", hint=_("1 to 12"))
STORAGE_CLASS = choice("storage_class", _("Storage class"), "classes")
SIZE = number("size_gb", pgettext_lazy("of storage", "Size"), unit=GB)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """``makes`` the draft of what the fields gave; ``creates`` tells what is new from what is done to something that stands."""

    slug: str
    label: str | Promise
    draft: type[Any]
    fields: tuple[Field, ...]
    makes: Callable[[dict[str, Any]], ItemDraft]
    rows: Rows | None = None
    hint: str | Promise = ""
    creates: bool = False


def _plainly(draft: type[Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda given: draft(**given)


def _server(given: dict[str, Any]) -> ServerDraft:
    volumes = tuple(VolumeDraft(**each) for each in given.pop("data_volumes"))
    return ServerDraft(
        **{**given, "system_volume": VolumeDraft(**given["system_volume"]), "data_volumes": volumes}
    )


def _target(what: str | Promise, options: str) -> Field:
    return choice("target", what, options, read=an_id)


CHOICES: Mapping[str, Choice] = {
    each.slug: each
    for each in (
        Choice(
            slug="network",
            label=_("Network"),
            draft=NetworkDraft,
            fields=(
                NAME,
                ZONE,
                choice(
                    "site", _("Site"), "sites", default="main", hint=_("Where the servers on it stand too.")
                ),
            ),
            makes=_plainly(NetworkDraft),
            creates=True,
        ),
        Choice(
            slug="server",
            label=_("Servers"),
            draft=ServerDraft,
            fields=(
                text(
                    "name",
                    _("Name"),
                    hint=_(
                        "Servers get it with a number: app-1, app-2. Lower-case letters, digits, hyphens."
                    ),
                ),
                number("quantity", _("How many"), default="1"),
                ZONE,
                choice("network", _("Network"), "networks", hint=_("In the same zone.")),
                choice("flavor", _("Flavor"), "flavors"),
                choice("image", _("Image"), "images"),
                choice("system_volume/storage_class", _("System volume: storage class"), "classes"),
                number("system_volume/size_gb", _("System volume: size"), unit=GB, default="40"),
                LEASE,
            ),
            rows=Rows(
                key="data_volumes", label=_("Data volume"), fields=(STORAGE_CLASS, SIZE), most=DATA_VOLUMES
            ),
            makes=_server,
            creates=True,
        ),
        Choice(
            slug="backup",
            label=_("Backup"),
            draft=BackupDraft,
            fields=(
                NAME,
                choice("dr_level", _("DR level"), "tiers", read=whole),
                number(
                    "capacity_gb",
                    _("Capacity"),
                    unit=GB,
                    hint=_("At least one full copy of all volumes that it covers."),
                ),
                choice("frequency", _("How often"), "frequencies", read=one_of(Frequency), default="daily"),
                tick("off_site", _("Kept off site"), default=YES),
            ),
            makes=_plainly(BackupDraft),
            hint=_(
                "It covers the servers of this order; without any, those of the system that nothing covers."
            ),
            creates=True,
        ),
        Choice(
            slug="volume",
            label=_("Volume"),
            draft=StorageDraft,
            fields=(
                NAME,
                ZONE,
                STORAGE_CLASS,
                SIZE,
                choice("server", _("Attached to"), "servers", read=an_id, optional=True),
                LEASE,
            ),
            makes=_plainly(StorageDraft),
            creates=True,
        ),
        Choice(
            slug="container",
            label=_("Object container"),
            draft=ContainerDraft,
            fields=(
                NAME,
                ZONE,
                choice("storage_class", _("Storage class"), "object_classes"),
                number("quota_gb", _("Capacity"), unit=GB, hint=_("What it may hold, and what is billed.")),
                LEASE,
            ),
            makes=_plainly(ContainerDraft),
            creates=True,
        ),
        Choice(
            slug="extend",
            label=_("Grow a volume"),
            draft=ExtendDraft,
            fields=(
                _target(_("Volume"), "volumes"),
                number("size_gb", _("New size"), unit=GB, hint=_("More than now: volumes only grow.")),
            ),
            makes=_plainly(ExtendDraft),
        ),
        Choice(
            slug="release",
            label=_("Release"),
            draft=ReleaseDraft,
            fields=(
                _target(_("What is given back"), "resources"),
                tick("delete_contents", _("Of an object container: delete what it holds as well, for good")),
            ),
            makes=_plainly(ReleaseDraft),
            hint=_(
                "A server goes with its volumes: their data is wiped, and their recovery points are deleted. "
                "With a backup the recovery points go that it made."
            ),
        ),
        Choice(
            slug="resize",
            label=_("Another flavor"),
            draft=ResizeDraft,
            fields=(_target(_("Server"), "servers"), choice("flavor", _("New flavor"), "flavors")),
            makes=_plainly(ResizeDraft),
            hint=_("The server is restarted for it."),
        ),
        Choice(
            slug="renew",
            label=_("Renew a lease"),
            draft=RenewDraft,
            fields=(
                _target(_("Whose lease"), "leased"),
                number(
                    "lease_months",
                    _("Longer by"),
                    unit=_("months"),
                    hint=_("1 to 12, and no further than a year from now."),
                ),
            ),
            makes=_plainly(RenewDraft),
            hint=_("A server's volumes go by its lease."),
        ),
        Choice(
            slug="retype",
            label=_("Another storage class"),
            draft=RetypeDraft,
            fields=(
                _target(_("Volume"), "volumes"),
                choice("storage_class", _("New storage class"), "classes"),
            ),
            makes=_plainly(RetypeDraft),
        ),
        Choice(
            slug="address",
            label=_("Floating address"),
            draft=AddressDraft,
            fields=(_target(_("Server"), "servers"),),
            makes=_plainly(AddressDraft),
            hint=_("The server is reached from outside its network, which has to be connected."),
        ),
        Choice(
            slug="capacity",
            label=_("Another capacity of a container"),
            draft=QuotaDraft,
            fields=(
                _target(_("Object container"), "containers"),
                number(
                    "quota_gb",
                    _("New capacity"),
                    unit=GB,
                    hint=_("Larger or smaller, not less than it holds."),
                ),
            ),
            makes=_plainly(QuotaDraft),
        ),
        Choice(
            slug="quota",
            label=_("Quota"),
            draft=LimitDraft,
            fields=(
                choice("dimension", _("Dimension"), "dimensions", read=one_of(Dimension)),
                number(
                    "limit",
                    _("New limit"),
                    read=partial(whole, most=LARGEST_LIMIT),
                    hint=_("In the unit of the dimension; 0 is nothing at all."),
                ),
                day(
                    "until",
                    pgettext_lazy("last day", "Until"),
                    optional=True,
                    hint=_("Of a raise for a time: its last day; it falls back by itself."),
                ),
            ),
            makes=_plainly(LimitDraft),
            hint=_("The department's quota is ordered by itself, without other items."),
        ),
    )
}
"""In the order in which they are offered: what is new first, then what is done to what stands, most used first."""

OF_KINDS: Mapping[str, tuple[str, ...]] = {
    Kind.SERVER: ("resize", "address", "renew", "release"),
    Kind.VOLUME: ("extend", "retype", "renew", "release"),
    Kind.CONTAINER: ("capacity", "renew", "release"),
    Kind.NETWORK: ("release",),
    Kind.BACKUP: ("renew", "release"),
}
"""What can be ordered for something that stands, by its kind."""


def choice_of(draft: ItemDraft) -> Choice:
    return next(each for each in CHOICES.values() if each.draft is type(draft))


def beginning(choice: Choice) -> dict[str, str]:
    """What stands in the fields of a new item."""
    return {field.key: field.default for field in choice.fields}


def values_of(draft: ItemDraft) -> dict[str, str]:
    """What stands in the fields of an item that is written already."""
    values: dict[str, str] = {}
    for field in fields(draft):
        value = getattr(draft, field.name)
        match value:
            case VolumeDraft():
                values |= _volume(field.name, value)
            case tuple():
                for number, each in enumerate(value):
                    values |= _volume(f"{field.name}/{number}", each)
            case bool():
                values[field.name] = YES if value else ""
            case date():
                values[field.name] = value.isoformat()
            case None:
                values[field.name] = ""
            case _:
                values[field.name] = str(value)
    return values


def _volume(key: str, volume: VolumeDraft) -> dict[str, str]:
    return {f"{key}/storage_class": volume.storage_class, f"{key}/size_gb": str(volume.size_gb)}
