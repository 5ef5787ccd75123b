"""A server on a second network of its system, and off it again."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.errors import Conflict, Invalid
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Address, AddressBlock, Resource, ResourceKind
from govcloud.provisioning.actions.base import Action
from govcloud.provisioning.actions.rules import room
from govcloud.provisioning.lifecycle import Desired
from govcloud.provisioning.services import StepSpec
from tenants.models import NetworkZone, Role

HERE = ("/network",)


class NetworkNotForServer(Invalid):
    """Also for another system's network: both answer alike."""

    code = "network-not-for-server"
    message = _("The system has no network %(network)s in use in the %(zone)s, where the server is.")


class AlreadyOnNetwork(Conflict):
    code = "already-on-network"
    message = _("“%(name)s” is on the network “%(network)s” already.")


class NotOnNetwork(Invalid):
    code = "not-on-network"
    message = _("“%(name)s” is not on a network %(network)s.")


class ManagedByIt(Conflict):
    code = "management-interface"
    message = _(
        "“%(name)s” is managed by its address on the network “%(network)s”, which stays as long as it does."
    )


@dataclass(frozen=True, slots=True)
class OnNetwork:
    network: UUID


class _InterfaceAction(Action[OnNetwork]):
    resource_kind = ResourceKind.SERVER
    roles = (Role.APPLICANT, Role.CLOUD_ADMIN)


class AddInterface(_InterfaceAction):
    name = "add-interface"
    title = _("connect the server to another network")

    def refusal(self, resource: Resource) -> Promise | None:  # noqa: ARG002
        return None

    def check(self, resource: Resource, parameters: OnNetwork) -> None:
        network = _network(resource, parameters)
        if network is not None:  # as it is once nobody is just releasing it
            network = Resource.objects.select_for_update(no_key=True).get(pk=network.pk)
        if network is None or network.status != Status.ACTIVE or network.zone != resource.zone:
            zone = NetworkZone(resource.zone).label
            raise NetworkNotForServer(network=parameters.network, zone=zone, pointers=HERE)
        taken = _addresses(resource) | Address.objects.filter(unit=resource.unit)
        if taken.filter(block__unit=network.unit).exists():
            raise AlreadyOnNetwork(name=resource.name, network=network.name, pointers=HERE)

    def plan(self, resource: Resource, parameters: OnNetwork, *, key: str) -> list[StepSpec]:
        network, unit = Resource.objects.get(uuid=parameters.network), uuid4()
        block = AddressBlock.objects.get(unit=network.unit)
        inventory.reserve_address(block=block, unit=unit, server=resource.server)
        more, port = room(resource, f"{key}:room"), f"{key}:port"
        state = {"network": str(network.unit), "server": str(resource.unit)}
        return [
            more,
            StepSpec(
                key=port, kind="port", label=resource.name, unit=unit, desired_state=state,
                needs=(more.key,),
            ),
            StepSpec(
                key=f"{key}:interface", kind="interface", label=resource.name, unit=unit, desired_state=state,
                needs=(port,),
            ),
        ]  # fmt: skip


class RemoveInterface(_InterfaceAction):
    """The first interface, by which the server is managed, stays."""

    name = "remove-interface"
    title = _("take the server off a network")

    def refusal(self, resource: Resource) -> Promise | None:
        return None if _addresses(resource).exists() else _("it is on one network only")

    def check(self, resource: Resource, parameters: OnNetwork) -> None:
        network = _network(resource, parameters)
        if network is None:
            raise NotOnNetwork(name=resource.name, network=parameters.network, pointers=HERE)
        if Address.objects.filter(unit=resource.unit, block__unit=network.unit).exists():
            raise ManagedByIt(name=resource.name, network=network.name, pointers=HERE)
        if not _addresses(resource).filter(block__unit=network.unit).exists():
            raise NotOnNetwork(name=resource.name, network=network.name, pointers=HERE)

    def plan(self, resource: Resource, parameters: OnNetwork, *, key: str) -> list[StepSpec]:
        network = Resource.objects.get(uuid=parameters.network)
        # What was taken over may be on one network twice: the last one goes, and can be asked for again.
        address = _addresses(resource).filter(block__unit=network.unit).latest("pk")
        state = {"resource": str(address.unit), "server": str(resource.unit)}
        unplugged, gone = f"{key}:interface", f"{key}:port"
        return [
            StepSpec(
                key=unplugged, kind="interface", label=resource.name, unit=address.unit, desired=Desired.ABSENT,
                external_id=address.port_id, desired_state=state,
            ),
            StepSpec(
                key=gone, kind="port", label=resource.name, unit=address.unit, desired=Desired.ABSENT,
                external_id=address.port_id, desired_state=state, needs=(unplugged,),
            ),
            room(resource, f"{key}:room", gone),
        ]  # fmt: skip


def _network(resource: Resource, parameters: OnNetwork) -> Resource | None:
    """The network that is named, if it is one of the server's system on the same cloud and its addresses are ours to give."""
    found = Resource.objects.filter(
        uuid=parameters.network,
        kind=ResourceKind.NETWORK,
        system=resource.system,
        cloud=resource.cloud,
        unit__in=AddressBlock.objects.filter(released_at=None).values("unit"),
    )
    return found.first()


def _addresses(resource: Resource) -> QuerySet[Address]:
    """Of the interfaces after the first."""
    return Address.objects.filter(server=resource.server, released_at=None)
