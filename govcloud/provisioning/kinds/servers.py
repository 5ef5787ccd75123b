"""What is changed of a server that stands: its name, what is on its system volume, the networks it is on."""

from contextlib import suppress
from typing import Any

from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Image
from govcloud.gateways.openstack import errors
from govcloud.gateways.openstack.models import Phase, Server
from govcloud.inventory import services as inventory
from govcloud.inventory.models import Address, Power
from govcloud.provisioning.context import ENGINE, Context
from govcloud.provisioning.kinds import standing
from govcloud.provisioning.kinds.acts import ERROR, STATUS, ActKind, power_of
from govcloud.provisioning.kinds.base import Gone, Kind, Landing, Made, Moving, Ready, Sight, Waiting
from govcloud.provisioning.kinds.compute import image_id
from govcloud.provisioning.kinds.tenancy import register_key


class RenameKind(Kind):
    """The same request again changes nothing, but one that lands late would undo an undoing: hence not repeatable."""

    name = "rename"
    title = _("Renaming the server")
    landing = Landing.LOCKED
    asked_again_on_retry = True

    def find(self, context: Context) -> str | None:
        server_id = self._server_id(context)
        return server_id if self._called(context) == context.state["name"] else None

    def create(self, context: Context) -> Made:
        server_id = self._server_id(context)
        context.project.compute.rename_server(server_id, name=context.state["name"])
        return Made(server_id, {"name": context.state["name"]})

    def look(self, context: Context, external_id: str) -> Sight:  # noqa: ARG002
        return Ready() if self._called(context) == context.state["name"] else Gone()

    def remove(self, context: Context, external_id: str) -> None:
        context.project.compute.rename_server(external_id, name=context.state["from_name"])

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        resource = context.resource(context.target)
        inventory.rename(
            resource=resource, name=context.state["name"], actor=ENGINE, thread=resource.thread, at=context.at
        )

    def forget(self, context: Context) -> None:
        resource, name = context.resource(context.target), context.state["from_name"]
        if resource.name != name:
            inventory.rename(
                resource=resource, name=name, actor=ENGINE, thread=resource.thread, at=context.at
            )

    def _called(self, context: Context) -> str:
        return context.project.compute.get_server(self._server_id(context)).name

    def _server_id(self, context: Context) -> str:
        return context.resource(context.target).external_id


class RebuildKind(ActKind):
    """An image written anew onto the system volume of a server that is stopped.

    The guest gets the key that is ours now: left to itself the cloud would give it the one that the server was created with.

    One that fails leaves the server and its system volume in error. The cloud takes another request from such a server, but
    attaches no volume in error: its status is put right before, and when the failed one is called off.
    """

    name = "rebuild"
    title = _("Writing the system anew")
    act = "rebuild"

    def create(self, context: Context) -> Made | Waiting:
        if self._volume_failed(context):  # what is at work with it may wait for that: a snapshot's deletion
            self._put_volume_right(context)
        if context.others_at_work([context.state["system_volume"]]):
            return Waiting("a backup of it has to end first")
        # another one than when the system got its project, if it was replaced since
        context.remember({"guest_key": register_key(context)})
        return super().create(context)

    def ask(self, context: Context, server_id: str) -> str:
        return context.project.compute.rebuild_server(
            server_id, image_id=image_id(context), key_name=context.step.outputs["guest_key"]
        )

    def settled(self, context: Context, server: Server) -> Sight:
        if server.status not in STATUS.values():
            return Moving()
        return Ready({"status": server.status, "guest_key": context.step.outputs.get("guest_key", "")})

    def look(self, context: Context, external_id: str) -> Sight:
        """Called off: what was begun is waited for. However it ended, the guest is not the one that we knew."""
        if context.step.desired == "present":
            return super().look(context, external_id)
        server_id = self._server_id(context)
        compute = context.project.compute
        server = compute.get_server(server_id)
        if server.task_state is not None:
            return Moving(seen=standing.of_server(server))
        if self._volume_failed(context):
            return Ready()
        record = context.resource(context.target).server
        broken = Power.BROKEN if server.status == ERROR else None
        context.seen["power"] = broken or power_of(server.status) or Power(record.power)
        with suppress(errors.NotFound):
            failed = compute.get_action(server_id, request_id=external_id).failed
            context.seen["image"] = record.image.code if failed else context.state["image"]
        return Gone()

    def remove(self, context: Context, external_id: str) -> None:  # noqa: ARG002
        """Given up on after it failed: the volume goes on to be its server's, and can be written anew or be released with it."""
        self._put_volume_right(context)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:
        power = power_of(outputs["status"]) or Power.STOPPED
        self._record(context, context.state["image"], power=power, guest_key=outputs["guest_key"])

    def forget(self, context: Context) -> None:
        seen, resource = context.seen, context.resource(context.target)
        if seen.get("power") == Power.BROKEN:
            inventory.record_failed_rebuild(
                server=resource.server, actor=ENGINE, thread=resource.thread, at=context.at
            )
        elif "image" in seen:
            self._record(context, seen["image"], power=seen["power"], guest_key="")

    def _record(self, context: Context, code: str, *, power: Power, guest_key: str) -> None:
        resource, image = context.resource(context.target), Image.objects.get(code=code)
        inventory.record_rebuild(
            server=resource.server, image=image, power=power, guest_key=guest_key,
            actor=ENGINE, thread=resource.thread, at=context.at,
        )  # fmt: skip

    def _volume_failed(self, context: Context) -> bool:
        return context.project.volumes.get_volume(self._volume_id(context)).phase is Phase.FAILED

    def _put_volume_right(self, context: Context) -> None:
        """It is its server's still: Cinder lets a server alone that has a volume lay hold of it once more."""
        context.cloud.volumes.reset_status(self._volume_id(context), status="in-use")

    def _volume_id(self, context: Context) -> str:
        return context.resource(context.state["system_volume"]).external_id


class InterfaceKind(Kind):
    """A port in a server: it is the lock, since a port is in one server at a time."""

    name = "interface"
    title = _("Connecting the server to the network")
    removal_title = _("Disconnecting the server from the network")
    landing = Landing.LOCKED
    asked_again_on_retry = True

    def find(self, context: Context) -> str | None:
        port_id = self._port_id(context)
        return port_id if port_id in self._plugged(context) else None

    def create(self, context: Context) -> Made:
        found = self.find(context)
        if found is not None:
            return Made(found)
        port_id = self._port_id(context)
        context.project.compute.add_interface(self._server_id(context), port_id=port_id)
        return Made(port_id)

    def look(self, context: Context, external_id: str) -> Sight:
        return Ready({"port": external_id}) if external_id in self._plugged(context) else Gone()

    def remove(self, context: Context, external_id: str) -> None:
        context.project.compute.remove_interface(self._server_id(context), port_id=external_id)

    def _plugged(self, context: Context) -> dict[str, str]:
        return context.project.compute.interfaces(self._server_id(context))

    def _port_id(self, context: Context) -> str:
        return Address.objects.get(unit=context.step.unit).port_id

    def _server_id(self, context: Context) -> str:
        return context.resource(context.state["server"]).external_id
