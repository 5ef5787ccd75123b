"""What somebody who decides on an order sees besides the order: its price, what it takes, and what the clouds have left."""

from typing import Any, cast

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.v1.clouds import PoolAnswer
from api.v1.order_answers import EffectAnswer, LimitEffectAnswer, PricedAnswer
from api.v1.placements import PlacementAnswer
from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.orders import fulfilment
from govcloud.orders.grounds import Grounds, grounds_of
from govcloud.orders.models import Order
from govcloud.provisioning import capacity
from tenants.access.permissions import Permission

READERS = (Permission.WEIGH,)


class CapacityAnswer(serializers.Serializer[Any]):
    """Null figures are of a cloud that does not answer."""

    cloud = serializers.CharField(help_text="code")
    site = serializers.CharField()
    answers = serializers.BooleanField()
    vcpus_total = serializers.IntegerField(allow_null=True, help_text="with overcommit")
    vcpus_used = serializers.IntegerField(allow_null=True)
    memory_gb_total = serializers.IntegerField(allow_null=True)
    memory_gb_used = serializers.IntegerField(allow_null=True)
    storage = PoolAnswer(many=True)
    read_at = serializers.DateTimeField(allow_null=True)


class ObjectionAnswer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="of the problem that it would be refused with")
    detail = serializers.CharField()
    pointers = serializers.ListField(
        child=serializers.CharField(), help_text="to what of the order it is about: “/items/1/quantity”"
    )


class BarAnswer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="of the problem that an approval would be refused with")
    detail = serializers.CharField()


class ReviewAnswer(PricedAnswer):
    """Capacity is advice: nothing is reserved by looking."""

    order = serializers.UUIDField(source="uuid")
    number = serializers.CharField()
    revision_hash = serializers.CharField(
        source="case.revision_hash", default=None, allow_null=True, help_text="to be sent with the decision"
    )
    quote = serializers.SerializerMethodField(help_text="null where there is no price; see hindrance")
    hindrance = serializers.SerializerMethodField(help_text="why there is no quote; null where there is one")
    bar = serializers.SerializerMethodField(
        help_text="why it cannot be approved any more, only returned or rejected; null where it can"
    )
    objections = serializers.SerializerMethodField(
        help_text="until it is decided, what it would be refused for if it were submitted now; its last approval may be, too"
    )
    effect = serializers.SerializerMethodField()
    limits = serializers.SerializerMethodField(
        help_text="of an order for quota: what the tree of units leaves"
    )
    capacity = serializers.SerializerMethodField()
    placements = serializers.SerializerMethodField(
        help_text="where its parts go; before it is approved, where they would go now"
    )

    @extend_schema_field(BarAnswer(allow_null=True))
    def get_bar(self, order: Order) -> Any:
        bar = self._grounds(order).bar
        return BarAnswer(bar).data if bar is not None else None

    @extend_schema_field(ObjectionAnswer(many=True))
    def get_objections(self, order: Order) -> Any:
        return ObjectionAnswer(cast("Any", self._grounds(order).objections), many=True).data

    @extend_schema_field(EffectAnswer(many=True))
    def get_effect(self, order: Order) -> Any:
        return EffectAnswer(cast("Any", self._grounds(order).effect), many=True).data

    @extend_schema_field(LimitEffectAnswer(many=True))
    def get_limits(self, order: Order) -> Any:
        return LimitEffectAnswer(cast("Any", self._grounds(order).limits), many=True).data

    def _grounds(self, order: Order) -> Grounds:
        """Once for an answer."""
        if not hasattr(self, "_found"):
            self._found = grounds_of(order=order, at=self.context["at"])
        return self._found

    @extend_schema_field(PlacementAnswer(many=True))
    def get_placements(self, order: Order) -> Any:
        shown = fulfilment.placements(order, at=self.context["at"])
        return PlacementAnswer(cast("Any", shown), many=True).data

    @extend_schema_field(CapacityAnswer(many=True))
    def get_capacity(self, _order: Order) -> Any:
        clouds = Cloud.objects.filter(status=CloudStatus.ENABLED)
        return CapacityAnswer(cast("Any", [self._of(cloud) for cloud in clouds]), many=True).data

    def _of(self, cloud: Cloud) -> dict[str, Any]:
        found = capacity.of(cloud, at=self.context["at"])
        figures = ("vcpus_total", "vcpus_used", "memory_gb_total", "memory_gb_used", "read_at")
        pools = found.storage.items() if found is not None else ()
        return {
            "cloud": cloud.code,
            "site": cloud.site,
            "answers": found is not None,
            **{name: getattr(found, name, None) for name in figures},
            "storage": [{"name": name, "total_gb": total, "free_gb": free} for name, (total, free) in pools],
        }
