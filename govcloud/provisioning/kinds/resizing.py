"""A server on another flavor: moved there, and kept there once its guest has been looked at.

Until it is kept, the cloud holds the old flavor ready: abandoning the operation takes the server back to it. The last step
to be undone is the move itself, so that is where the truth is recorded, whichever of the two flavors it turned out to be.
"""

from typing import Any

from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Flavor
from govcloud.gateways.openstack import errors, models
from govcloud.gateways.openstack.models import Phase
from govcloud.inventory.models import Resource
from govcloud.provisioning import settlement
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds import standing
from govcloud.provisioning.kinds.acts import ActKind
from govcloud.provisioning.kinds.base import Broken, Gone, Kind, Landing, Made, Moving, Ready, Sight, Waiting
from govcloud.provisioning.kinds.compute import flavor_id

WAITING = "VERIFY_RESIZE"
NOT_MOVED = (
    "the cloud could not move the server, as a rule because no host has room; it goes on with its old flavor"
)
STAYING = frozenset({"ACTIVE", "SHUTOFF"})


class ResizeKind(ActKind):
    name = "resize"
    title = _("Moving the server to its new size")
    act = "resize"

    def create(self, context: Context) -> Made | Waiting:
        if context.others_at_work(context.state["volumes"]):
            return Waiting("a backup of its storage has to end first")  # its volumes move with it
        if context.order_at_work(context.resource(context.target)):
            return Waiting("what the order does with its storage has to end first")
        wanted = flavor_id(context)
        context.remember({"flavor_id": wanted})
        server = self._server(context)
        if (
            server.phase is Phase.SETTLED
            and server.status in STAYING | {WAITING}
            and server.flavor_id == wanted
        ):
            # an earlier request, given up on for being slow, has landed since; or somebody was here before us, and the
            # cloud refuses to move a server to the flavor it has
            return Made(server.id)
        return super().create(context)

    def ask(self, context: Context, server_id: str) -> str:
        flavor = context.step.outputs["flavor_id"]
        return context.project.compute.resize_server(server_id, flavor_id=flavor)

    def look(self, context: Context, external_id: str) -> Sight:
        """Only the record of the request tells of one that found no room: the server is ACTIVE again, without a fault."""
        server = self._server(context)
        if server.phase is Phase.FAILED:
            return Broken(server.fault.message if server.fault else "the server went to ERROR")
        if server.phase is Phase.MOVING:
            return Moving(seen=standing.of_server(server))
        kept = server.flavor_id == context.step.outputs.get("flavor_id")
        if context.step.desired == "absent":
            context.seen["kept"] = kept
            return Gone() if server.status in STAYING else Ready()
        if kept:
            return Ready({"flavor_id": server.flavor_id, "status": server.status})
        return self._stayed(context, server.id, external_id)

    def _stayed(self, context: Context, server_id: str, request_id: str) -> Sight:
        try:
            action = context.project.compute.get_action(server_id, request_id=request_id)
        except errors.NotFound:
            return Moving()
        if action.failed:
            return Broken(NOT_MOVED)
        return Moving()

    def remove(self, context: Context, external_id: str) -> None:  # noqa: ARG002
        server = self._server(context)
        if server.status == WAITING and server.phase is Phase.SETTLED:
            context.project.compute.revert_resize(server.id)

    def forget(self, context: Context) -> None:
        if context.seen.get("kept"):
            flavor = Flavor.objects.get(code=context.state["flavor"])
            settlement.resized(context=context, resource=context.resource(context.target), flavor=flavor)
        else:
            settlement.unchanged(context=context)

    def _server(self, context: Context) -> models.Server:
        return context.project.compute.get_server(self._server_id(context))


class ResizeConfirmationKind(Kind):
    name = "resize_confirmation"
    title = _("Keeping the new size")
    landing = Landing.LOCKED  # the cloud takes one confirmation
    asked_again_on_retry = True

    def find(self, context: Context) -> str | None:
        server = self._server(context)
        kept = server.status in STAYING and server.flavor_id == self._flavor_id(context)
        return server.id if kept else None

    def create(self, context: Context) -> Made:
        found = self.find(context)  # the cloud may be set to confirm by itself after a while
        if found is not None:
            return Made(found)
        server_id = self._resource(context).external_id
        context.project.compute.confirm_resize(server_id)
        return Made(server_id)

    def look(self, context: Context, external_id: str) -> Sight:  # noqa: ARG002
        server = self._server(context)
        if server.phase is Phase.FAILED:
            return Broken(server.fault.message if server.fault else "the server went to ERROR")
        if server.phase is Phase.MOVING or server.status == WAITING:
            return Moving(seen=standing.of_server(server)) if context.step.desired == "present" else Ready()
        if context.step.desired == "absent":
            return Gone()
        if server.flavor_id != self._flavor_id(context):
            return Broken("the server has its old flavor again")
        return Ready({"status": server.status})

    def remove(self, context: Context, external_id: str) -> None:
        """What the cloud has confirmed stays; the step before this one records which flavor it is."""

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        flavor = Flavor.objects.get(code=context.state["flavor"])
        settlement.resized(context=context, resource=self._resource(context), flavor=flavor)

    def _server(self, context: Context) -> models.Server:
        return context.project.compute.get_server(self._resource(context).external_id)

    def _resource(self, context: Context) -> Resource:
        return context.resource(context.target)

    def _flavor_id(self, context: Context) -> str | None:
        """None where the move was taken back while this worker was held up: nothing that it finds counts any more."""
        found: str | None = context.sibling("resize").outputs.get("flavor_id")
        return found
