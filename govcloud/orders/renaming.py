"""Giving a server another name, directly. Names are claimed by orders, so that is where the action lives."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.errors import Invalid, Invalids
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.orders.rules.of_items import NameTaken, well_named
from govcloud.orders.rules.standing import names_taken
from govcloud.provisioning.actions.base import Action
from govcloud.provisioning.services import StepSpec
from tenants.models import Role, System

HERE = ("/name",)


class SameName(Invalid):
    code = "same-name"
    message = _("“%(name)s” is its name already.")


@dataclass(frozen=True, slots=True)
class NewName:
    name: str


class Rename(Action[NewName]):
    """The guest keeps its host name; its volumes keep theirs."""

    name = "rename"
    title = _("rename the server")
    resource_kind = ResourceKind.SERVER
    leaves_it_as_ordered = True
    roles = (Role.APPLICANT, Role.CLOUD_ADMIN)

    def refusal(self, resource: Resource) -> Promise | None:  # noqa: ARG002
        return None

    def lock(self, resource: Resource) -> None:
        """The system: whoever claims a name in it waits for us."""
        System.objects.select_for_update(no_key=True).get(pk=resource.system_id)

    def check(self, resource: Resource, parameters: NewName) -> None:
        name = parameters.name
        malformed = list(well_named(name, ""))
        if malformed:
            raise Invalids(malformed)
        if name == resource.name:
            raise SameName(name=name, pointers=HERE)
        if names_taken(system=resource.system, wanted=[name]):
            raise NameTaken(name=name, pointers=HERE)

    def plan(self, resource: Resource, parameters: NewName, *, key: str) -> list[StepSpec]:
        state = {"resource": str(resource.unit), "name": parameters.name, "from_name": resource.name}
        return [
            StepSpec(
                key=f"{key}:rename",
                kind="rename",
                label=resource.name,
                unit=resource.unit,
                desired_state=state,
            )
        ]
