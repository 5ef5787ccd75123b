"""What can be done to a resource directly, each with what its form asks for."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Image
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Address, FloatingAddress, Network, Resource, ResourceKind, Snapshot
from govcloud.orders.renaming import NewName
from govcloud.portal.seen import id_or_nobody
from govcloud.portal.templatetags.portal import moment_in_words, named
from govcloud.protection import recovering
from govcloud.protection.models import RecoveryPoint
from govcloud.protection.recovering import OfRecoveryPoint
from govcloud.provisioning.actions.base import Action, Nothing
from govcloud.provisioning.actions.rebuilding import NewSystem
from govcloud.provisioning.actions.requests import Possibility
from govcloud.provisioning.actions.storage import Named, OfSnapshot, ToServer, servers_where_it_is

Option = tuple[str, str]

MOST_POINTS = 100
NOTHING = _("there is nothing to choose")


@dataclass(frozen=True, slots=True)
class Asks:
    """What an action asks for: a text, or one of what ``options`` has; ``builds`` its parameters of what was given."""

    label: str | Promise
    builds: Callable[[str], Any]
    options: Callable[[Resource], list[Option]] | None = None
    longest: int = 40
    nothing: str | Promise = NOTHING  # why not now, where there are no options


@dataclass(frozen=True, slots=True)
class Deed:
    """``warning`` is asked for once more before it is done; ``refusal`` is empty when it can be; ``typed`` is what was given
    in vain.
    """

    action: Action[Any]
    refusal: str
    warning: str | Promise
    asks: Asks | None
    options: Sequence[Option] = ()
    typed: str | None = None

    @property
    def possible(self) -> bool:
        return not self.refusal and (self.asks is None or self.asks.options is None or bool(self.options))


def _beside(resource: Resource) -> QuerySet[Resource]:
    """The servers of its system where it is."""
    servers = Resource.objects.filter(
        system=resource.system_id, cloud=resource.cloud_id, kind=ResourceKind.SERVER, status=Status.ACTIVE
    )
    return servers.exclude(pk=resource.pk).order_by("name")


def _servers(resource: Resource) -> list[Option]:
    """Those that can have a volume."""
    rows = servers_where_it_is(resource).filter(status=Status.ACTIVE)
    return [(str(row.uuid), row.name) for row in rows.order_by("name")]


def _reached_alike(resource: Resource) -> list[Option]:
    """Where its floating address can go: to servers without one, whose networks lead to the same outside."""
    in_force = FloatingAddress.objects.filter(released_at=None)
    outside = in_force.filter(server=resource.pk).values("network__external_network_id")
    networks = Network.objects.filter(external_network_id__in=outside).exclude(router_id="")
    there = Address.objects.filter(block__unit__in=networks.values("resource__unit"), released_at=None)
    rows = _beside(resource).filter(zone=resource.zone, unit__in=there.values("unit"))
    return [(str(row.uuid), row.name) for row in rows.exclude(pk__in=in_force.values("server"))]


def _snapshots(resource: Resource) -> list[Option]:
    kept = Snapshot.objects.filter(volume=resource.volume, deleted_at=None)
    return [(str(row.uuid), row.name) for row in kept]


def _recovery_points(resource: Resource) -> list[Option]:
    """Its own first. A system may have thousands: of each volume the newest, as many as can be looked through."""
    return [(str(point.uuid), _told(point)) for point in recovering.fitting(resource)[:MOST_POINTS]]


def _told(point: RecoveryPoint) -> str:
    """Of which volume, of when, and how large: what is chosen is written over all that the volume has."""
    return f"{point.volume.resource.name} · {moment_in_words(point.taken_at)} · {point.size_gb} GB"


def _images(resource: Resource) -> list[Option]:
    here = Image.objects.filter(clouds__cloud=resource.cloud_id, retired_at=None)
    others = here.exclude(pk=resource.server.image_id).order_by("code")
    present = resource.server.image
    return [(row.code, named(row)) for row in (present, *others)]


ASKS: Mapping[str, Asks | None] = {
    **dict.fromkeys(
        (
            "start",
            "stop",
            "reboot",
            "hard-reboot",
            "replace-centre-key",
            "detach",
            "connect",
            "disconnect",
            "give-back-address",
        )
    ),
    "rename": Asks(_("New name"), NewName),
    "rebuild": Asks(_("Image"), NewSystem, _images),
    "snapshot": Asks(_("Name of the snapshot"), lambda given: Named(name=given)),
    "restore": Asks(_("Snapshot"), lambda given: OfSnapshot(snapshot=id_or_nobody(given)), _snapshots),
    "delete-snapshot": Asks(
        _("Snapshot"), lambda given: OfSnapshot(snapshot=id_or_nobody(given)), _snapshots
    ),
    "recover": Asks(
        _("Recovery point"),
        lambda given: OfRecoveryPoint(recovery_point=id_or_nobody(given)),
        _recovery_points,
    ),
    "attach": Asks(
        _("Server"),
        lambda given: ToServer(server=id_or_nobody(given)),
        _servers,
        nothing=_("its system has no server in use where the volume is"),
    ),
    "move-address": Asks(
        _("Server"),
        lambda given: ToServer(server=id_or_nobody(given)),
        _reached_alike,
        nothing=_(
            "its system has no other server in use there that has no floating address and is connected to the same outside"
        ),
    ),
}
"""The actions that ask for one thing at most, by name; ``forms`` has those that ask for more."""

WARNINGS: Mapping[str, str | Promise] = {
    "stop": _("Whoever uses it loses the connection. It is billed on."),
    "reboot": _("Whoever uses it loses the connection for a minute or two."),
    "hard-reboot": _("As if the plug were pulled: what has not been written to disk is lost."),
    "rebuild": _("All that is on its system volume is lost. Its data volumes stay."),
    "detach": _("Its server can no longer read what is on it. A file system that you mounted yourselves has to be unmounted first."),
    "restore": _("All that has been written to it since is lost."),
    "recover": _("All that is on the volume now is lost: it will hold what the recovery point holds."),
    "delete-snapshot": _("This cannot be taken back."),
    "disconnect": _("Nothing on it can be reached from outside any more, nor reach anything there."),
    "move-address": _("This server cannot be reached from outside any more; the other one can, at this address."),
    "give-back-address": _("The server cannot be reached from outside any more, and the address goes to somebody else."),
}  # fmt: skip


def deeds(
    resource: Resource, possibilities: Iterable[Possibility], *, typed: Mapping[str, str]
) -> Iterator[Deed]:
    """``typed`` is what was given for an action that was refused, by its name."""
    for possibility in possibilities:
        name = possibility.action.name
        if name not in ASKS:
            continue
        asks = ASKS[name]
        wanted = asks is not None and asks.options is not None and not possibility.refusal
        options = asks.options(resource) if wanted and asks and asks.options else []
        yield Deed(
            possibility.action,
            possibility.refusal,
            WARNINGS.get(name, ""),
            asks,
            options,
            typed.get(name),
        )


def builds(name: str) -> Callable[[str], Any] | None:
    """What makes an action's parameters of what was given for it; None for an action that has no form here."""
    if name not in ASKS:
        return None
    asks = ASKS[name]
    return (
        (lambda _given: Nothing())
        if asks is None
        else lambda given: asks.builds(given.strip()[: 2 * asks.longest])
    )
