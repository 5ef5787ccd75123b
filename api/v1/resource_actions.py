"""What can be asked of a resource directly, as callers send it and find it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from api.bodies import Body, integer
from govcloud.inventory.models import Access, Protocol
from govcloud.orders.renaming import NewName
from govcloud.protection.recovering import OfRecoveryPoint
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.actions.interfaces import OnNetwork
from govcloud.provisioning.actions.login_keys import LoginKeys
from govcloud.provisioning.actions.objects import NewCredential, OfCredential
from govcloud.provisioning.actions.rebuilding import NewSystem
from govcloud.provisioning.actions.requests import Possibility
from govcloud.provisioning.actions.rules import NewRule, OfRule
from govcloud.provisioning.actions.storage import Named, OfSnapshot, ToServer


class ActionBody(Body):
    """``builds`` is the domain's class of the action's parameters."""

    builds: ClassVar[type[Any]] = Nothing

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        value.pop("action")
        return self.builds(**value)


PLAIN = (
    "start", "stop", "reboot", "hard-reboot", "replace-centre-key",
    "detach", "connect", "disconnect", "give-back-address",
)  # fmt: skip


class PlainActionBody(ActionBody):
    action = serializers.ChoiceField(PLAIN)


class RenameActionBody(ActionBody):
    builds = NewName
    action = serializers.ChoiceField(["rename"])
    name = serializers.CharField(max_length=40)


class RebuildActionBody(ActionBody):
    builds = NewSystem
    action = serializers.ChoiceField(["rebuild"])
    image = serializers.CharField(max_length=40, default="", help_text="code; the present one if left out")


class InterfaceActionBody(ActionBody):
    builds = OnNetwork
    action = serializers.ChoiceField(["add-interface", "remove-interface"])
    network = serializers.UUIDField(help_text="a network of the same system and zone")


class LoginKeysActionBody(ActionBody):
    builds = LoginKeys
    action = serializers.ChoiceField(["set-login-keys"])
    keys = serializers.ListField(
        child=serializers.CharField(max_length=4_000),
        max_length=100,
        help_text="public SSH keys, all that shall be let in: those that are not named are taken away",
    )

    def to_internal_value(self, data: Any) -> LoginKeys:
        return LoginKeys(tuple(super().to_internal_value(data).keys))


class ToServerBody(ActionBody):
    builds = ToServer
    action = serializers.ChoiceField(["attach", "move-address"])
    server = serializers.UUIDField(help_text="uuid of a server of the system")


class SnapshotBody(ActionBody):
    builds = Named
    action = serializers.ChoiceField(["snapshot"])
    name = serializers.CharField(max_length=40)


class OfSnapshotBody(ActionBody):
    builds = OfSnapshot
    action = serializers.ChoiceField(["restore", "delete-snapshot"])
    snapshot = serializers.UUIDField(help_text="uuid of a snapshot of the volume")


class OfRecoveryPointBody(ActionBody):
    builds = OfRecoveryPoint
    action = serializers.ChoiceField(["recover"])
    recovery_point = serializers.UUIDField(
        help_text="uuid of a recovery point of the volume, or of another of its system"
    )


class NewRuleBody(ActionBody):
    builds = NewRule
    action = serializers.ChoiceField(["add-rule"])
    protocol = serializers.ChoiceField(Protocol.choices)
    port_min = integer(
        required=False, allow_null=True, help_text="the first, or the only one; all if left out"
    )
    port_max = integer(required=False, allow_null=True, help_text="the last; the first if left out")
    remote = serializers.CharField(
        max_length=43, required=False, help_text="who is let in, as a range of addresses (CIDR)"
    )
    network = serializers.UUIDField(
        required=False, allow_null=True, help_text="or all of this network of the system"
    )
    description = serializers.CharField(max_length=200, allow_blank=True, default="")


class OfRuleBody(ActionBody):
    builds = OfRule
    action = serializers.ChoiceField(["remove-rule"])
    rule = serializers.UUIDField(help_text="uuid of a rule of the network")


class IssueCredentialBody(ActionBody):
    builds = NewCredential
    action = serializers.ChoiceField(["issue-credential"])
    name = serializers.CharField(max_length=40, help_text="what it is for")
    access = serializers.ChoiceField(Access.choices)


class RevokeCredentialBody(ActionBody):
    builds = OfCredential
    action = serializers.ChoiceField(["revoke-credential"])
    credential = serializers.UUIDField(help_text="uuid of a credential of the container")


BODIES: Mapping[str, type[ActionBody]] = {
    **dict.fromkeys(PLAIN, PlainActionBody),
    **dict.fromkeys(("attach", "move-address"), ToServerBody),
    "add-rule": NewRuleBody,
    "remove-rule": OfRuleBody,
    "snapshot": SnapshotBody,
    **dict.fromkeys(("restore", "delete-snapshot"), OfSnapshotBody),
    "recover": OfRecoveryPointBody,
    "rename": RenameActionBody,
    "rebuild": RebuildActionBody,
    "add-interface": InterfaceActionBody,
    "remove-interface": InterfaceActionBody,
    "set-login-keys": LoginKeysActionBody,
    "issue-credential": IssueCredentialBody,
    "revoke-credential": RevokeCredentialBody,
}
"""The body of each action; a test holds it to the table of actions."""

ANY_ACTION = PolymorphicProxySerializer(
    component_name="ActionBody",
    serializers=list(dict.fromkeys(BODIES.values())),
    resource_type_field_name=None,
)


UNKNOWN = _("There is no such action; a resource's own list tells what it can take.")


def parsed(data: Any) -> tuple[Any, Any]:
    """The action named in a body and its parameters. Raises ValidationError."""
    name = data.get("action") if isinstance(data, Mapping) else None
    body = BODIES.get(name) if isinstance(name, str) else None
    if body is None:
        raise serializers.ValidationError({"action": [ErrorDetail(str(UNKNOWN), code="unknown-action")]})
    return actions()[str(name)], body().run_validation(data)


class PossibilityAnswer(serializers.Serializer[Possibility]):
    action = serializers.CharField(source="action.name")
    title = serializers.CharField(source="action.title", help_text="in plain words")
    allowed = serializers.SerializerMethodField()
    reason = serializers.CharField(source="refusal", help_text="why not now, or not by you; else empty")

    def get_allowed(self, possibility: Possibility) -> bool:
        return not possibility.refusal
