"""Starting, stopping and restarting a server."""

from typing import ClassVar

from django.db.models import Max
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.inventory.models import Power, Resource, ResourceKind, Volume
from govcloud.provisioning import by_hand
from govcloud.provisioning.actions.base import Action, Nothing
from govcloud.provisioning.lifecycle import StepState
from govcloud.provisioning.models import Step
from govcloud.provisioning.services import StepSpec
from tenants.models import Role


class _PowerAction(Action[Nothing]):
    resource_kind = ResourceKind.SERVER
    leaves_it_as_ordered = True
    roles = (Role.APPLICANT, Role.CLOUD_ADMIN)
    to: ClassVar[Power]
    already: ClassVar[Promise]

    def refusal(self, resource: Resource) -> Promise | None:
        return self.already if resource.server.power == self.to else None

    def plan(self, resource: Resource, parameters: Nothing, *, key: str) -> list[StepSpec]:  # noqa: ARG002
        state = {"power": self.to, "resource": str(resource.unit)}
        return [
            StepSpec(
                key=f"{key}:power", kind="power", label=resource.name, unit=resource.unit, desired_state=state
            )
        ]


class Start(_PowerAction):
    name = "start"
    title = _("start the server")
    to = Power.RUNNING
    already = _("it is running")

    def plan(self, resource: Resource, parameters: Nothing, *, key: str) -> list[StepSpec]:
        """Volumes that grew while it was stopped have their file systems grown now; a start is not held up by that."""
        steps = super().plan(resource, parameters, key=key)
        volumes = not_taken_up(resource)
        if volumes:
            state = {"server": str(resource.unit), "volumes": volumes, "may_be_skipped": True}
            steps.append(
                StepSpec(
                    key=f"{key}:grow", kind="grow", label=resource.name, unit=resource.unit, desired_state=state,
                    needs=(steps[0].key,),
                )
            )  # fmt: skip
        return steps


def not_taken_up(server: Resource) -> list[str]:
    """Units of its volumes that grew while it was stopped, since it was last started with that to be done."""
    grown = Step.objects.filter(kind="grow")
    done = grown.filter(unit=server.unit, state=StepState.DONE).aggregate(last=Max("finished_at"))["last"]
    put_off = grown.filter(
        operation__with_it=server, state=StepState.SKIPPED, outputs__reason=by_hand.SWITCHED_OFF
    )
    if done is not None:
        put_off = put_off.filter(finished_at__gt=done)
    named = {unit for step in put_off for unit in step.desired_state["volumes"]}
    here = Volume.objects.filter(
        server=server.server, resource__unit__in=named, resource__released_at=None
    ).order_by("pk")
    return [str(unit) for unit in here.values_list("resource__unit", flat=True)]


class Stop(_PowerAction):
    name = "stop"
    title = _("stop the server")
    to = Power.STOPPED
    already = _("it is stopped")


class SoftReboot(Action[Nothing]):
    """Asks the guest to shut down and start; what does not listen needs the hard one."""

    name = "reboot"
    title = _("restart the server")
    resource_kind = ResourceKind.SERVER
    leaves_it_as_ordered = True
    roles = (Role.APPLICANT, Role.CLOUD_ADMIN)
    hard: ClassVar[bool] = False

    def refusal(self, resource: Resource) -> Promise | None:
        return _("it is stopped") if resource.server.power == Power.STOPPED else None

    def plan(self, resource: Resource, parameters: Nothing, *, key: str) -> list[StepSpec]:  # noqa: ARG002
        state = {"hard": self.hard, "resource": str(resource.unit)}
        return [
            StepSpec(
                key=f"{key}:reboot",
                kind="reboot",
                label=resource.name,
                unit=resource.unit,
                desired_state=state,
            )
        ]


class HardReboot(SoftReboot):
    """Cuts the power and starts again, from whatever state."""

    name = "hard-reboot"
    title = _("cut the server's power and start it again")
    hard = True

    def refusal(self, resource: Resource) -> Promise | None:  # noqa: ARG002
        return None
