"""The centre's own key in a server, replaced by the current one (``clouds.guest_keys``)."""

from dataclasses import replace

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.clouds import guest_keys
from govcloud.inventory.models import Guest, Power, Resource, ResourceKind
from govcloud.provisioning.actions.base import NO_KEY, Action, Nothing
from govcloud.provisioning.services import StepSpec
from tenants.models import Role


class ReplaceCentreKey(Action[Nothing]):
    """Done by itself to one server after the other once the key was replaced (``rotation``); asked for, it is done now."""

    name = "replace-centre-key"
    title = _("replace the centre's key in the server")
    resource_kind = ResourceKind.SERVER
    for_the_centre = True
    leaves_it_as_ordered = True
    roles = (Role.CLOUD_ADMIN,)

    def refusal(self, resource: Resource) -> Promise | None:
        if resource.server.guest == Guest.UNMANAGED:
            return NO_KEY
        current = guest_keys.latest()
        if current is None or resource.server.guest_key == current.name:
            return _("it has the centre's current key")
        return _("it is stopped") if resource.server.power == Power.STOPPED else None

    def plan(self, resource: Resource, parameters: Nothing, *, key: str) -> list[StepSpec]:  # noqa: ARG002
        state = {"server": str(resource.unit), "volumes": []}
        let_in, taken_away = (
            StepSpec(key=f"{key}:{kind}", kind=kind, label=resource.name, unit=resource.unit, desired_state=state)
            for kind in ("new_key", "former_keys")
        )  # fmt: skip
        return [let_in, replace(taken_away, needs=(let_in.key,))]
