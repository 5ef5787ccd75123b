"""The moment a server is in the department's hands: its billing starts."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from govcloud.inventory import services as inventory
from govcloud.inventory.models import Resource
from govcloud.metering import services as metering
from govcloud.provisioning.context import ENGINE, Context
from govcloud.provisioning.kinds.base import Made, Setting, Waiting
from govcloud.provisioning.settlement import meters_of


class HandoverKind(Setting):
    """No call to the cloud: what the step does is what it records."""

    name = "handover"
    title = _("Handing over")

    def create(self, context: Context) -> Made:  # noqa: ARG002
        return Made("handover", {})

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        resources = list(Resource.objects.filter(unit__in=context.state["units"]).order_by("pk"))
        inventory.put_into_service(resources=resources, actor=ENGINE, at=context.at)
        for resource in resources:
            metering.change_usage(resource=resource, quantities=meters_of(resource), at=context.at)


class RetirementKind(Setting):
    """The other end, once nothing else works on it: nothing of the server is used any more, and its guest is not to be touched again."""

    name = "retirement"
    title = _("Taking out of service")

    def create(self, context: Context) -> Made | Waiting:
        if context.others_at_work(context.state["units"]):
            return Waiting("a backup of its storage has to end first")
        return Made("retirement", {})

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        for resource in Resource.objects.filter(unit__in=context.state["units"]).order_by("pk"):
            metering.close_usage(resource=resource, at=context.at)
