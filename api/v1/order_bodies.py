"""An order as a department sends it, read into the drafts of the domain."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from api.bodies import Body, integer
from govcloud.approvals import confirmation
from govcloud.approvals.models import Answer, Verb
from govcloud.catalog.models import Site
from govcloud.inventory.models import ResourceKind
from govcloud.orders.drafts import (
    AddressDraft,
    BackupDraft,
    ContainerDraft,
    ExtendDraft,
    ItemDraft,
    LimitDraft,
    NetworkDraft,
    QuotaDraft,
    ReleaseDraft,
    RenewDraft,
    ResizeDraft,
    RetypeDraft,
    ServerDraft,
    StorageDraft,
    VolumeDraft,
)
from govcloud.orders.services import LONGEST_REASON
from govcloud.protection.models import Frequency
from govcloud.quotas.models import Dimension
from tenants.models import NetworkZone


class VolumeBody(Body):
    storage_class = serializers.CharField(max_length=40, help_text="code")
    size_gb = integer()

    def to_internal_value(self, data: Any) -> VolumeDraft:
        return VolumeDraft(**super().to_internal_value(data))


class ItemBody(Body):
    builds: ClassVar[type[Any]]

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        value.pop("action")
        return self.builds(**self.arranged(value))

    def arranged(self, value: dict[str, Any]) -> dict[str, Any]:
        del value["kind"]
        return value


class NetworkItemBody(ItemBody):
    builds = NetworkDraft
    action = serializers.ChoiceField(["create"])
    kind = serializers.ChoiceField(["network"])
    name = serializers.CharField(max_length=40)
    zone = serializers.ChoiceField(NetworkZone.choices)
    site = serializers.ChoiceField(
        Site.choices, default=Site.MAIN, help_text="where it shall stand, with the servers on it"
    )


class ServerItemBody(ItemBody):
    builds = ServerDraft
    action = serializers.ChoiceField(["create"])
    kind = serializers.ChoiceField(["server"])
    name = serializers.CharField(max_length=40, help_text="servers get it with a number: app-1, app-2")
    quantity = integer(default=1)
    zone = serializers.ChoiceField(NetworkZone.choices)
    flavor = serializers.CharField(max_length=40, help_text="code")
    image = serializers.CharField(max_length=40, help_text="code")
    network = serializers.CharField(
        max_length=40, help_text="name of a network in this order, or uuid of one that is"
    )
    system_volume = VolumeBody()
    data_volumes = serializers.ListField(child=VolumeBody(), required=False, max_length=20)
    lease_months = integer(default=12)

    def arranged(self, value: dict[str, Any]) -> dict[str, Any]:
        return {**super().arranged(value), "data_volumes": tuple(value.get("data_volumes", ()))}


class BackupItemBody(ItemBody):
    builds = BackupDraft
    action = serializers.ChoiceField(["create"])
    kind = serializers.ChoiceField(["backup"])
    name = serializers.CharField(max_length=40)
    dr_level = integer(help_text="GB/T 20988")
    capacity_gb = integer()
    frequency = serializers.ChoiceField(Frequency.choices)
    off_site = serializers.BooleanField()


class VolumeItemBody(ItemBody):
    builds = StorageDraft
    action = serializers.ChoiceField(["create"])
    kind = serializers.ChoiceField(["volume"])
    name = serializers.CharField(max_length=40)
    zone = serializers.ChoiceField(NetworkZone.choices)
    storage_class = serializers.CharField(max_length=40, help_text="code")
    size_gb = integer()
    server = serializers.UUIDField(
        required=False, allow_null=True, help_text="uuid of a server of the system, to be attached to"
    )
    lease_months = integer(default=12)


class ContainerItemBody(ItemBody):
    builds = ContainerDraft
    action = serializers.ChoiceField(["create"])
    kind = serializers.ChoiceField(["container"])
    name = serializers.CharField(max_length=40)
    zone = serializers.ChoiceField(NetworkZone.choices)
    storage_class = serializers.CharField(max_length=40, help_text="code of a class that keeps objects")
    quota_gb = integer(help_text="what it may hold, and what is billed")
    lease_months = integer(default=12)


class ContainerQuotaItemBody(ItemBody):
    builds = QuotaDraft
    action = serializers.ChoiceField(["change"])
    kind = serializers.ChoiceField(["container"])
    target = serializers.UUIDField(help_text="the container's uuid")
    quota_gb = integer(help_text="larger or smaller, not less than it holds")


class ChangeVolumeItemBody(ItemBody):
    # One of the two: a new size, or a new storage class.
    default_error_messages = {"one-change": _("A change has either a new size_gb or a new storage_class.")}
    action = serializers.ChoiceField(["change"])
    kind = serializers.ChoiceField(["volume"])
    target = serializers.UUIDField(help_text="the volume's uuid")
    size_gb = integer(required=False, help_text="its new size")
    storage_class = serializers.CharField(max_length=40, required=False, help_text="code of its new class")

    def to_internal_value(self, data: Any) -> Any:
        value = Body.to_internal_value(self, data)
        match "size_gb" in value, "storage_class" in value:
            case True, False:
                return ExtendDraft(target=value["target"], size_gb=value["size_gb"])
            case False, True:
                return RetypeDraft(target=value["target"], storage_class=value["storage_class"])
        text = self.error_messages["one-change"]
        raise serializers.ValidationError({"size_gb": [ErrorDetail(str(text), code="one-change")]})


class ChangeServerItemBody(ItemBody):
    # One of the two: a new flavor, or a floating address.
    default_error_messages = {"one-change": _("A change has either a new flavor or a floating address.")}
    action = serializers.ChoiceField(["change"])
    kind = serializers.ChoiceField(["server"])
    target = serializers.UUIDField(help_text="the server's uuid")
    flavor = serializers.CharField(
        max_length=40, required=False, help_text="code of its new flavor, larger or smaller"
    )
    floating_address = serializers.BooleanField(
        required=False, help_text="true: it shall be reached from outside its network"
    )

    def to_internal_value(self, data: Any) -> Any:
        value = Body.to_internal_value(self, data)
        match "flavor" in value, value.get("floating_address", False):
            case True, False:
                return ResizeDraft(target=value["target"], flavor=value["flavor"])
            case False, True:
                return AddressDraft(target=value["target"])
        text = self.error_messages["one-change"]
        raise serializers.ValidationError({"flavor": [ErrorDetail(str(text), code="one-change")]})


class QuotaItemBody(ItemBody):
    builds = LimitDraft
    action = serializers.ChoiceField(["change"])
    kind = serializers.ChoiceField(["quota"])
    dimension = serializers.ChoiceField(Dimension.choices)
    limit = serializers.IntegerField(
        help_text="what the department's limit shall become; 0 is nothing at all"
    )
    until = serializers.DateField(
        required=False,
        allow_null=True,
        help_text="of a temporary raise: its last day; it falls back by itself",
    )

    def arranged(self, value: dict[str, Any]) -> dict[str, Any]:
        return {**super().arranged(value), "dimension": Dimension(value["dimension"])}


class RenewItemBody(ItemBody):
    builds = RenewDraft
    action = serializers.ChoiceField(["renew"])
    kind = serializers.ChoiceField(ResourceKind.choices)
    target = serializers.UUIDField(help_text="the resource's uuid; a server's volumes go by its lease")
    lease_months = integer(help_text="added to what is left of the lease, or counted from the hand-over")

    def arranged(self, value: dict[str, Any]) -> dict[str, Any]:
        return value


class ReleaseItemBody(ItemBody):
    builds = ReleaseDraft
    action = serializers.ChoiceField(["release"])
    kind = serializers.ChoiceField(ResourceKind.choices)
    target = serializers.UUIDField(help_text="the resource's uuid")

    def arranged(self, value: dict[str, Any]) -> dict[str, Any]:
        return value


class ReleaseContainerItemBody(ReleaseItemBody):
    kind = serializers.ChoiceField(["container"])
    delete_contents = serializers.BooleanField(
        default=False, help_text="delete what it holds as well; else only an empty one is released"
    )


BODIES: Mapping[tuple[str, str], type[ItemBody]] = {
    ("create", "network"): NetworkItemBody,
    ("create", "server"): ServerItemBody,
    ("create", "backup"): BackupItemBody,
    ("create", "volume"): VolumeItemBody,
    ("create", "container"): ContainerItemBody,
    ("change", "container"): ContainerQuotaItemBody,
    ("change", "quota"): QuotaItemBody,
    ("change", "volume"): ChangeVolumeItemBody,
    **{("renew", kind): RenewItemBody for kind in ResourceKind.values},
    ("change", "server"): ChangeServerItemBody,
    **{("release", kind): ReleaseItemBody for kind in ResourceKind.values},
    ("release", "container"): ReleaseContainerItemBody,
}


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="OrderItemBody",
        serializers=[
            NetworkItemBody,
            ServerItemBody,
            BackupItemBody,
            VolumeItemBody,
            ContainerItemBody,
            ContainerQuotaItemBody,
            QuotaItemBody,
            ChangeVolumeItemBody,
            ChangeServerItemBody,
            RenewItemBody,
            ReleaseItemBody,
            ReleaseContainerItemBody,
        ],
        resource_type_field_name=None,
    )
)
class AnyItemBody(serializers.Field[ItemDraft, Any, Any, Any]):
    default_error_messages = {
        "not-an-object": _("An item is an object."),
        "unknown-item": _("No item has the action “{action}” and the kind “{kind}”."),
    }

    def to_internal_value(self, data: Any) -> ItemDraft:
        if not isinstance(data, Mapping):
            self.fail("not-an-object")
        action, kind = data.get("action"), data.get("kind")
        body = BODIES.get((action, kind)) if isinstance(action, str) and isinstance(kind, str) else None
        if body is None:
            self.fail("unknown-item", action=action, kind=kind)
        item: ItemDraft = body().run_validation(data)
        return item

    def to_representation(self, value: Any) -> Any:
        return value


class OrderContent(Body):
    title = serializers.CharField(max_length=120)
    justification = serializers.CharField(max_length=10_000, allow_blank=True, default="")
    urgency = serializers.CharField(
        max_length=500,
        allow_blank=True,
        default="",
        help_text="why it is urgent, for a flow that has a fast lane; empty where it is not",
    )
    declares_classified = serializers.BooleanField(
        help_text="whether the work is classified: then it must not be entered here"
    )
    items = serializers.ListField(child=AnyItemBody(), max_length=200)


class OrderBody(OrderContent):
    system = serializers.UUIDField(help_text="the application system it is for")


class SubmissionBody(Body):
    files_hash = serializers.CharField(
        max_length=128,
        allow_blank=True,
        required=False,
        help_text="of the files that were read, as the order has it; left out, whatever files it has",
    )


class WithdrawalBody(Body):
    reason = serializers.CharField(
        max_length=LONGEST_REASON,
        allow_blank=True,
        default="",
        help_text="of an order that was submitted; a draft is discarded without one",
    )


class CancellationBody(Body):
    reason = serializers.CharField(max_length=500)
    units = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        min_length=1,
        max_length=1_000,
        help_text="of the order's units: servers, networks, backup allowances; left out, all that do not stand yet",
    )


class DeliveryConfirmationBody(Body):
    answer = serializers.ChoiceField(Answer.choices)
    remark = serializers.CharField(
        max_length=confirmation.LONGEST, allow_blank=True, default="", help_text="required for defects"
    )


class RemedyBody(Body):
    remedy = serializers.CharField(max_length=confirmation.LONGEST, help_text="what was done")


class DecisionBody(Body):
    verb = serializers.ChoiceField(Verb.choices)
    opinion = serializers.CharField(max_length=2_000, allow_blank=True, default="")
    revision_hash = serializers.CharField(
        max_length=128, help_text="of the revision that was read, as the order's case has it"
    )
    stage = serializers.CharField(
        max_length=40,
        allow_blank=True,
        default="",
        help_text="code of the stage that was read; tells a second click from a second stage",
    )
