"""The centre's own key in a guest, replaced: the new one is let in, and only who has entered with it takes away the others."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, Final

from django.core.exceptions import ObjectDoesNotExist
from django.utils.translation import gettext_lazy as _

from govcloud.clouds import guest_keys
from govcloud.clouds.models import GuestKey
from govcloud.gateways.openstack import errors
from govcloud.inventory import services as inventory
from govcloud.inventory.models import Resource
from govcloud.provisioning.context import ENGINE, Context
from govcloud.provisioning.kinds.base import Made, Moving, Skipped, StepFailed, Waiting
from govcloud.provisioning.kinds.guests import NO_GUESTS, ConfigureKind
from govcloud.provisioning.lifecycle import StepState

TRIES: Final = 2  # of a run that fails in the guest
TRIED_FOR: Final = timedelta(minutes=1)
SHUT: Final = "the guest does not answer, or does not let us in"


class _CentreKeyKind(ConfigureKind):
    """Whatever goes wrong, the server is left as it is and tried again another day: its department needs it meanwhile.

    The outputs name the new key, so that both steps mean the same one.
    """

    playbook: ClassVar[str] = "centre_keys.yml"
    longest: ClassVar[float | None] = 180.0

    def new_key(self, context: Context) -> GuestKey:
        raise NotImplementedError

    def create(self, context: Context) -> Made | Skipped | Moving | Waiting:
        key = self.new_key(context)
        context.remember({"guest_key": key.name})
        over = context.at - (context.step.started_at or context.at) > TRIED_FOR
        try:
            made = super().create(context)
        except ObjectDoesNotExist as missing:  # the network has gone
            return Skipped(str(missing))
        except (StepFailed, errors.CloudError) as failed:
            final = isinstance(failed, errors.Refused | errors.Misconfigured)
            if final or over or context.step.attempts + 1 >= TRIES:
                return Skipped(str(failed))
            raise
        if isinstance(made, Moving) and over:
            return Skipped(SHUT)
        if isinstance(made, Skipped) and made.reason == NO_GUESTS:
            made = Made(
                context.resource().external_id, {"reason": NO_GUESTS}
            )  # no key of ours leads anywhere
        if isinstance(made, Made):
            return replace(made, outputs={**(made.outputs or {}), "guest_key": key.name})
        return made

    def accounts(self, context: Context, server: Resource) -> list[dict[str, Any]]:  # noqa: ARG002
        return []

    def variables(self, context: Context) -> dict[str, Any]:
        return {"centre_keys_present": [self.new_key(context).public_key]}

    def record(self, context: Context, outputs: dict[str, Any]) -> None:
        """That another key is let in changes nothing that we know of the server."""


class NewKeyKind(_CentreKeyKind):
    name = "new_key"
    title = _("Letting in the centre's new key")

    def new_key(self, context: Context) -> GuestKey:
        begun_with = context.step.outputs.get("guest_key")
        return GuestKey.objects.get(name=begun_with) if begun_with else GuestKey.objects.latest("pk")


class FormerKeysKind(_CentreKeyKind):
    """Entered with the new key alone, so it is known to work before the others go."""

    name = "former_keys"
    title = _("Taking away the centre's former keys")

    def new_key(self, context: Context) -> GuestKey:
        return GuestKey.objects.get(name=context.sibling(NewKeyKind.name).outputs["guest_key"])

    def create(self, context: Context) -> Made | Skipped | Moving | Waiting:
        let_in = context.sibling(NewKeyKind.name)
        if let_in.state == StepState.SKIPPED:
            return Skipped(let_in.outputs["reason"])
        return super().create(context)

    def keys(self, context: Context, server: Resource) -> list[str]:  # noqa: ARG002
        return [guest_keys.opened(self.new_key(context))]

    def variables(self, context: Context) -> dict[str, Any]:
        former = GuestKey.objects.filter(pk__lt=self.new_key(context).pk)
        return {
            **super().variables(context),
            "centre_keys_absent": list(former.values_list("public_key", flat=True)),
        }

    def record(self, context: Context, outputs: dict[str, Any]) -> None:
        inventory.record_guest_key(
            server=context.resource().server, guest_key=outputs["guest_key"], actor=ENGINE, at=context.at
        )
