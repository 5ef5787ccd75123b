"""The end of a lease and its extension, as steps: a server stopped and no longer metered, and the way back."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from govcloud.inventory import leases
from govcloud.inventory.lifecycle import STANDING, Status
from govcloud.inventory.models import Power
from govcloud.metering import services as metering
from govcloud.provisioning import settlement
from govcloud.provisioning.context import ENGINE, Context
from govcloud.provisioning.kinds.acts import ASKED, STATUS, PowerKind
from govcloud.provisioning.kinds.base import (
    Gone,
    Made,
    Moving,
    Ready,
    Setting,
    Sight,
    Skipped,
    StepFailed,
    Waiting,
)


class LeaseKind(Setting):
    """No call to the cloud: what the step does is what it records, counted from the moment at which it does.

    Taken back, the lease ends when it did before, and those of the volumes that went by it, unless another extension came after.
    """

    name = "lease"
    title = _("Extending the lease")

    def create(self, context: Context) -> Made:
        resource = context.resource(context.target)
        if resource.status not in STANDING | {Status.CHANGING} or resource.lease_end is None:
            raise StepFailed(f"{resource.name} is {resource.status}: there is no lease to extend")
        volumes = leases.with_server(resource).values_list("unit", "lease_end")
        ends = {str(unit): end.isoformat() if end else None for unit, end in volumes}
        state = context.state
        ordered_from = (
            datetime.fromisoformat(state["runs_until"]) if "runs_until" in state else resource.lease_end
        )
        to = leases.extended(ordered_from, months=state["months"], at=context.at)
        before = resource.lease_end.isoformat()
        return Made("lease", {"before": before, "to": to.isoformat(), "volumes": ends})

    def record(self, context: Context, outputs: dict[str, Any]) -> None:
        """Until the end that was ordered; never a shorter time than it is let for by now."""
        leases.extend(
            resource=context.resource(context.target),
            to=datetime.fromisoformat(outputs["to"]),
            actor=ENGINE,
            thread=context.operation.thread,
            at=context.at,
        )

    def look(self, context: Context, external_id: str) -> Sight:
        context.seen.update(context.step.outputs)
        return super().look(context, external_id)

    def forget(self, context: Context) -> None:
        seen = context.seen
        if "to" in seen:
            leases.take_back(
                resource=context.resource(context.target),
                extended_to=datetime.fromisoformat(seen["to"]),
                to=datetime.fromisoformat(seen["before"]),
                volumes=seen["volumes"],
                actor=ENGINE,
                thread=context.operation.thread,
                at=context.at,
            )


class SuspensionKind(Setting):
    """No call to the cloud: the server, which the step before has stopped, is suspended and not metered any more."""

    name = "suspension"
    title = _("Suspending the server")

    def create(self, context: Context) -> Made:  # noqa: ARG002
        return Made("suspension", {})

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        resource = context.resource(context.target)
        metering.close_usage(resource=resource, at=context.at)
        leases.suspend(server=resource.server, actor=ENGINE, thread=resource.thread, at=context.at)

    def forget(self, context: Context) -> None:
        """Called off before it was reached; the operation gives the server back."""
        leases.forget_suspension(context.resource(context.target).server)


class ResumptionKind(PowerKind):
    """A suspended server brought back to what it was, and metered again. One whose suspension was called off stays as it is."""

    name = "resumption"
    title = _("Bringing the server back")

    def create(self, context: Context) -> Made | Moving | Waiting | Skipped:
        resource = self._resource(context)
        match resource.status:
            case Status.CHANGING:
                return Waiting("what is being done with the server has to end first")
            case Status.SUSPENDED if self._wanted(context) is Power.BROKEN:
                return Made(resource.external_id, {})  # its lease goes on; only a rebuild brings it back
            case Status.SUSPENDED:
                return super().create(context)
            case Status.ACTIVE:
                return Skipped("it was not suspended")
        raise StepFailed(f"{resource.name} is {resource.status}: it cannot be brought back")

    def look(self, context: Context, external_id: str) -> Sight:
        if context.step.desired != "absent":
            return super().look(context, external_id)
        server = context.project.compute.get_server(external_id)
        if server.task_state is not None:
            return Moving()
        context.seen["status"] = server.status
        if server.status == STATUS[Power.RUNNING]:
            return Ready()
        unanswered = context.step.intent_at is not None and self._may_yet_happen(context, server)
        return Moving() if unanswered else Gone()

    def remove(self, context: Context, external_id: str) -> None:
        """Its lease has not been extended after all."""
        compute = context.project.compute
        if compute.get_server(external_id).status == STATUS[Power.RUNNING]:
            context.remember({ASKED: None})  # the start has landed
            compute.stop_server(external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:
        super().record(context, outputs)
        resource = self._resource(context)
        leases.resume(server=resource.server, actor=ENGINE, thread=context.operation.thread, at=context.at)
        settlement.bill(resource, at=context.at)

    def _wanted(self, context: Context) -> Power:
        return leases.power_after(self._resource(context).server)
