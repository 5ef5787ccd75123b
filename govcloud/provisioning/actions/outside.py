"""A network's way out, and what is done with the floating addresses that lead in.

Getting an address is an order: it takes quota, may cost money, and in the Internet zone wants its egress review. Giving it
back is nobody's to approve.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID, uuid4

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.errors import Conflict, Invalid
from govcloud.inventory import reach
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import FloatingAddress, Network, Resource, ResourceKind
from govcloud.provisioning.actions.base import Action, Nothing
from govcloud.provisioning.actions.rules import room
from govcloud.provisioning.actions.storage import ToServer
from govcloud.provisioning.lifecycle import Desired
from govcloud.provisioning.services import StepSpec
from tenants.models import NetworkZone, Role, User

P = TypeVar("P")


class CannotMoveThere(Invalid):
    """Also for another system's server: both answer alike."""

    code = "address-cannot-move-there"
    message = _(
        "The system has no other server %(server)s in use in the %(zone)s, on a network that is connected to the same outside."
    )


class MovingNeedsReview(Conflict):
    code = "egress-review-needed"
    message = _(
        "In the %(zone)s it was reviewed for “%(server)s” alone: give the address back, and order one for the other server."
    )


class _NetworkAction(Action[Nothing]):
    resource_kind = ResourceKind.NETWORK
    roles = (Role.APPLICANT, Role.CLOUD_ADMIN)


class ConnectNetwork(_NetworkAction):
    """In the Internet zone too: the order of the network had its egress review."""

    name = "connect"
    title = _("connect the network to the outside")

    def refusal(self, resource: Resource) -> Promise | None:
        return _("it is connected") if resource.network.router_id else None

    def plan(self, resource: Resource, parameters: Nothing, *, key: str) -> list[StepSpec]:  # noqa: ARG002
        state, unit = {"network": str(resource.unit)}, uuid4()
        limits = room(resource, f"{key}:room")
        router = StepSpec(
            key=f"{key}:router", kind="router", label=resource.name, unit=unit, desired_state=state, needs=(limits.key,)
        )  # fmt: skip
        leg = StepSpec(
            key=f"{key}:router_interface", kind="router_interface", label=resource.name, unit=unit, desired_state=state,
            needs=(router.key,),
        )  # fmt: skip
        return [limits, router, leg]


class DisconnectNetwork(_NetworkAction):
    name = "disconnect"
    title = _("disconnect the network from the outside")

    def refusal(self, resource: Resource) -> str | Promise | None:
        if not resource.network.router_id:
            return _("it is not connected")
        leading = list(reach.addresses_leading_to(resource).select_related("server__resource"))
        if leading:
            told = _(", ").join(f"{each.address or '…'} ({each.server.resource.name})" for each in leading)
            return _("floating addresses lead to its servers: %(addresses)s") % {"addresses": told}
        return None

    def plan(self, resource: Resource, parameters: Nothing, *, key: str) -> list[StepSpec]:  # noqa: ARG002
        return taken_off(resource.network, key=key, unit=uuid4())

    def begin(
        self, resource: Resource, parameters: Nothing, steps: Sequence[StepSpec], *, actor: User, at: datetime
    ) -> None:
        del parameters, steps, actor, at
        reach.being_disconnected(resource.network)


def taken_off(network: Network, *, key: str, unit: UUID, needs: Sequence[str] = ()) -> list[StepSpec]:
    """The steps that take down a network's router, which is nobody else's."""
    label = network.resource.name
    state = {"network": str(network.resource.unit), "router": network.router_id}
    leg = StepSpec(
        key=f"{key}:router_interface", kind="router_interface", label=label, unit=unit, desired=Desired.ABSENT,
        external_id=network.subnet_id, desired_state=state, needs=tuple(needs),
    )  # fmt: skip
    router = StepSpec(
        key=f"{key}:router", kind="router", label=label, unit=unit, desired=Desired.ABSENT,
        external_id=network.router_id, desired_state=state, needs=(leg.key,),
    )  # fmt: skip
    return [leg, router]


class _AddressAction(Action[P], Generic[P]):
    resource_kind = ResourceKind.SERVER
    roles = (Role.APPLICANT, Role.CLOUD_ADMIN)

    def refusal(self, resource: Resource) -> Promise | None:
        return None if _held_by(resource) is not None else _("it has no floating address")


class GiveBackAddress(_AddressAction[Nothing]):
    name = "give-back-address"
    title = _("give the floating address back")
    leaves_it_as_ordered = True

    def plan(self, resource: Resource, parameters: Nothing, *, key: str) -> list[StepSpec]:  # noqa: ARG002
        given = _of(resource)
        gone = given_back(given, key=f"{key}:floating_address", unit=uuid4())
        return [gone, room(resource, f"{key}:room", gone.key)]


def given_back(given: FloatingAddress, *, key: str, unit: UUID, needs: Sequence[str] = ()) -> StepSpec:
    """A floating address taken down; its quota is given back when the cloud has confirmed it."""
    return StepSpec(
        key=key, kind="floating_address", label=str(given), unit=unit, desired=Desired.ABSENT,
        external_id=given.external_id, desired_state={"floating": str(given.unit)}, needs=tuple(needs),
    )  # fmt: skip


class MoveAddress(_AddressAction[ToServer]):
    name = "move-address"
    title = _("move the floating address to another server")

    def in_vain(self, resource: Resource) -> str | Promise | None:
        if resource.zone != NetworkZone.INTERNET:
            return None
        told = {"zone": NetworkZone.INTERNET.label}
        return (
            _(
                "in the %(zone)s it was reviewed for this server alone: give it back, and order one for the other"
            )
            % told
        )

    def with_it(self, resource: Resource, parameters: ToServer) -> Sequence[int]:
        found = _other(resource, parameters)
        return () if found is None else (found.pk,)

    def check(self, resource: Resource, parameters: ToServer) -> None:
        """Raises MovingNeedsReview, CannotMoveThere, and what ``reach`` says against it."""
        given, here = _of(resource), ("/server",)
        zone = NetworkZone(resource.zone)
        if zone == NetworkZone.INTERNET:
            raise MovingNeedsReview(zone=zone.label, server=resource.name)
        found = _other(resource, parameters)
        if found is None:
            raise CannotMoveThere(server=parameters.server, zone=zone.label, pointers=here)
        network = reach.network_of(found, pointer=here[0])
        reach.require_reachable(found, network, pointer=here[0])
        if network.external_network_id != given.network.external_network_id:
            raise CannotMoveThere(server=parameters.server, zone=zone.label, pointers=here)

    def begin(
        self,
        resource: Resource,
        parameters: ToServer,
        steps: Sequence[StepSpec],
        *,
        actor: User,
        at: datetime,
    ) -> None:
        """Raises NotConnected."""
        del steps, actor, at
        reach.being_moved(given=_of(resource), to=Resource.objects.get(uuid=parameters.server))

    def plan(self, resource: Resource, parameters: ToServer, *, key: str) -> list[StepSpec]:
        to = Resource.objects.get(uuid=parameters.server)
        state = {"floating": str(_of(resource).unit), "from": str(resource.unit), "to": str(to.unit)}
        return [
            StepSpec(
                key=f"{key}:floating_move", kind="floating_move", label=resource.name, unit=uuid4(), desired_state=state
            )
        ]  # fmt: skip


def _other(resource: Resource, parameters: ToServer) -> Resource | None:
    """The server that is named, if it is another of the system's, where the first one is."""
    servers = Resource.objects.filter(
        system=resource.system_id,
        cloud=resource.cloud_id,
        zone=resource.zone,
        kind=ResourceKind.SERVER,
        status__in=(Status.ACTIVE, Status.CHANGING),
    ).exclude(pk=resource.pk)
    return servers.filter(uuid=parameters.server).first()


def _held_by(resource: Resource) -> FloatingAddress | None:
    held = FloatingAddress.objects.filter(server=resource.pk, released_at=None)
    return held.select_related("network").first()


def _of(resource: Resource) -> FloatingAddress:
    """Of a server that has one, as was looked at before."""
    return FloatingAddress.objects.select_related("network").get(server=resource.pk, released_at=None)
