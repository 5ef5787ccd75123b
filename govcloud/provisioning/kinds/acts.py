"""What a server is asked to do that leaves no thing behind."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from govcloud.gateways.openstack import errors
from govcloud.gateways.openstack.models import Server
from govcloud.inventory.models import Power, Resource
from govcloud.inventory.models import Server as Record
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds import standing
from govcloud.provisioning.kinds.base import (
    Broken,
    Gone,
    Kind,
    Landing,
    Made,
    Moving,
    Ready,
    Sight,
    Skipped,
    Waiting,
)

IDLE = timedelta(
    minutes=15
)  # a server without a task has by then done what it will do: its host may have been restarted
STATUS = {Power.RUNNING: "ACTIVE", Power.STOPPED: "SHUTOFF"}
ERROR = "ERROR"
ASKED = "asked"  # when a start or stop was requested last


def power_of(status: str) -> Power | None:
    """What a server's status in the cloud says of it; None for what is neither on nor off."""
    return next((power for power, name in STATUS.items() if name == status), None)


def record_power_as_seen(context: Context) -> None:
    """Of what was called off: the record says how the server was seen last, if it was."""
    found = power_of(context.seen.get("status", ""))
    if found is not None:
        Record.objects.filter(resource=context.resource(context.target)).update(power=found)


class ActKind(Kind):
    """A request whose only trace is the cloud's record of it (Nova's instance actions), such as a reboot.

    The records that were there before are written down before the request is sent; one that was not there is ours. So a
    worker that comes after a crash can tell whether the request landed, and sends it again only when it did not. The
    ``external_id`` is the id of the request.
    """

    landing = Landing.OPEN
    asked_again_on_retry = True
    act: str  # what the cloud calls it in its records

    def ask(self, context: Context, server_id: str) -> str:
        """Send the request; gives its id."""
        raise NotImplementedError

    def settled(self, context: Context, server: Server) -> Sight:
        """What the server's state says once the cloud has finished with the request."""
        raise NotImplementedError

    def find(self, context: Context) -> str | None:
        before = context.step.outputs.get("before")
        if before is None:
            return None  # the worker did not come as far as asking
        return next((each for each in self._records(context) if each not in before), None)

    def create(self, context: Context) -> Made | Waiting:
        if "before" not in context.step.outputs:
            context.remember({"before": self._records(context)})
        return Made(self.ask(context, self._server_id(context)))

    def look(self, context: Context, external_id: str) -> Sight:
        if context.step.desired == "absent":
            return Gone()  # what was asked for cannot be taken back
        server_id = self._server_id(context)
        compute = context.project.compute
        server = compute.get_server(server_id)
        if server.task_state is not None:
            return Moving(seen=standing.of_server(server))
        try:
            action = compute.get_action(server_id, request_id=external_id)
        except errors.NotFound:
            return Moving()  # the record is written a moment after the answer
        if action.failed:
            fault = server.fault.message if server.fault else f"{action.name} ended in an error"
            return Broken(f"the cloud could not: {fault}")
        sight = self.settled(context, server) if action.finished else Moving()
        waited = context.at - (context.step.intent_at or context.at)
        if isinstance(sight, Moving) and waited > IDLE:
            return Broken(f"the cloud is not at work on it any more, and the server is {server.status}")
        return sight

    def remove(self, context: Context, external_id: str) -> None:
        """There is nothing to take down."""

    def _records(self, context: Context) -> list[str]:
        found = context.project.compute.actions(self._server_id(context))
        return [action.request_id for action in found if action.name == self.act]

    def _server_id(self, context: Context) -> str:
        return context.resource(context.target).external_id


class RebootKind(ActKind):
    name = "reboot"
    title = _("Restarting the server")
    act = "reboot"

    def ask(self, context: Context, server_id: str) -> str:
        return context.project.compute.reboot_server(server_id, hard=context.state["hard"])

    def settled(self, context: Context, server: Server) -> Sight:  # noqa: ARG002
        return Ready({"status": server.status}) if server.status == "ACTIVE" else Moving()

    def look(self, context: Context, external_id: str) -> Sight:
        """Called off: what was begun is waited for. A server that stood still runs after a hard one."""
        if context.step.desired == "present":
            return super().look(context, external_id)
        server = context.project.compute.get_server(self._server_id(context))
        if server.task_state is not None:
            return Moving(seen=standing.of_server(server))
        context.seen["status"] = server.status
        return Gone()

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        Record.objects.filter(resource=context.resource(context.target)).update(power=Power.RUNNING)

    def forget(self, context: Context) -> None:
        record_power_as_seen(context)


class PowerKind(Kind):
    """A server running or stopped. Asking for the state that it is in changes nothing, so it may be asked for again.

    Called off, what was asked for may happen all the same: it is waited for, so that the record says what came of it.
    """

    name = "power"
    title = _("Starting or stopping the server")
    landing = Landing.REPEATABLE
    asked_again_on_retry = True

    def find(self, context: Context) -> str | None:
        """Called off, what a request has done that nobody saw answered has to be looked at."""
        return self._resource(context).external_id if context.step.desired == "absent" else None

    def create(self, context: Context) -> Made | Moving | Waiting | Skipped:
        wanted, resource = self._wanted(context), self._resource(context)
        compute = context.project.compute
        server = compute.get_server(resource.external_id)
        if server.task_state is not None:
            return Moving(seen=standing.of_server(server))
        if resource.server.power == Power.BROKEN and server.status == ERROR:
            return Skipped("its system could not be written anew: it does not run")
        if server.status != STATUS[wanted]:
            ask = compute.start_server if wanted is Power.RUNNING else compute.stop_server
            context.remember({ASKED: context.clock().isoformat()})
            ask(resource.external_id)
        return Made(resource.external_id)

    def look(self, context: Context, external_id: str) -> Sight:
        server = context.project.compute.get_server(external_id)
        if server.task_state is not None:
            return Moving(seen=standing.of_server(server))
        context.seen["status"] = server.status
        if context.step.desired == "absent":  # it stays as it is then
            return Moving() if self._may_yet_happen(context, server) else Gone()
        if server.status == STATUS[self._wanted(context)]:
            return Ready({"status": server.status})
        young = context.at - (context.step.intent_at or context.at) < self.patience / 10
        return Moving() if young else Broken(f"the server is {server.status}")

    def remove(self, context: Context, external_id: str) -> None:
        """There is nothing to take down."""

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        Record.objects.filter(resource=self._resource(context)).update(power=self._wanted(context))

    def forget(self, context: Context) -> None:
        record_power_as_seen(context)

    def _may_yet_happen(self, context: Context, server: Server) -> bool:
        asked = context.step.outputs.get(ASKED)
        if asked is None or server.status == STATUS[self._wanted(context)]:
            return False
        return context.clock() < datetime.fromisoformat(asked) + settings.STEP_SETTLE

    def _wanted(self, context: Context) -> Power:
        return Power(context.state["power"])

    def _resource(self, context: Context) -> Resource:
        return context.resource(context.target)
