"""Ports: the addresses of servers on their networks."""

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from govcloud.gateways.openstack import errors, models
from govcloud.inventory import services as inventory
from govcloud.inventory.models import Address
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds.base import (
    Gone,
    Kind,
    Landing,
    Made,
    Ready,
    Sight,
    Skipped,
    StepFailed,
    Waiting,
)
from govcloud.provisioning.kinds.network import tags_of


class PortKind(Kind):
    """The server's address on its network, reserved in our own tables before: nobody else can have it."""

    name = "port"
    title = _("Giving the server its address")
    removal_title = _("Giving back the server's address")
    landing = Landing.LOCKED
    generations = 2

    def find(self, context: Context) -> str | None:
        address = Address.objects.get(unit=context.step.unit).address
        network = context.resource(context.state["network"])
        found = context.project.network.find_ports(network_id=network.external_id, fixed_ip=address)
        return next((port.id for port in found if port.name == context.mark), None)

    def create(self, context: Context) -> Made | Skipped | Waiting:
        """Where something else has the address, another one of the network is given. Raises ``StepFailed`` if there is none."""
        try:
            return self.ask(context)
        except errors.Conflict:
            found = self.find(context)
            if found is not None:
                return Made(found)
            missed = context.missed_at(self.name)
            if missed is not None and context.clock() < missed + settings.STEP_SETTLE:
                return Waiting("an earlier request for it may still land")
            on_it = self.ports_beside(context)
            holder = self.holder_among(on_it, context)
            if holder is None:
                raise
        context.remember({"held": holder})
        try:
            inventory.replace_address(
                unit=context.step.unit, taken={each for port in on_it for each in port.addresses}
            )
        except inventory.NoAddressLeft as none_left:
            raise StepFailed(
                f"{holder}, and the network has no other address: one of its ports or servers has to go first"
            ) from none_left
        return Waiting(f"{holder}: another address of the network is asked for")

    def ports_beside(self, context: Context) -> list[models.Port]:
        """All of its network, whoever they belong to."""
        network = context.resource(context.state["network"])
        return context.cloud.network.find_ports(network_id=network.external_id)

    def holder_among(self, ports: Collection[models.Port], context: Context) -> str | None:
        """What has the address in the cloud, for administrators; None where no port of the network has it."""
        address = Address.objects.get(unit=context.step.unit).address
        port = next((each for each in ports if address in each.addresses), None)
        if port is None:
            return None
        device = f"{port.device_owner} {port.device_id}".strip() or "no device"
        return f"{address} is held in the cloud by port {port.id} of {device}"

    def ask(self, context: Context) -> Made:
        """Raises ``Conflict`` where something has the address."""
        network = context.resource(context.state["network"])
        given = Address.objects.get(unit=context.step.unit)
        own = given.security_groups  # of one that was taken over, and is made again
        port = context.project.network.create_port(
            name=context.mark,
            network_id=network.external_id,
            subnet_id=network.network.subnet_id,
            fixed_ip=given.address,
            security_group_ids=[network.network.security_group_id] if own is None else own,
            description=context.step.label,
        )
        return Made(port.id)

    def look(self, context: Context, external_id: str) -> Sight:
        try:
            port = context.project.network.get_port(external_id)
        except errors.NotFound:
            return Gone()
        if context.step.desired == "present" and context.mark not in port.tags:
            context.project.network.set_tags(
                collection="ports", resource_id=external_id, tags=tags_of(context)
            )
        return Ready({"address": next(iter(port.addresses), ""), "mac": port.mac})

    def remove(self, context: Context, external_id: str) -> None:
        context.project.network.delete_port(external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        Address.objects.filter(unit=context.step.unit).update(port_id=context.step.external_id)

    def forget(self, context: Context) -> None:
        Address.objects.filter(unit=context.target, released_at=None).update(released_at=context.at)
