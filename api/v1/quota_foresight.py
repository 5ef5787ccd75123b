"""Before it is asked for: what an order, or some amounts, would take up the tree; and what is granted of what there is."""

from typing import Any, cast

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Endpoint
from api.fields import Answer
from api.problems import BadParameter, NotHere, field_errors
from api.references import find
from api.v1.order_answers import EffectAnswer, LimitEffectAnswer
from govcloud.orders import services as orders
from govcloud.orders.models import Order
from govcloud.provisioning import granted
from govcloud.quotas import services
from govcloud.quotas.models import Dimension, QuotaAccount
from govcloud.quotas.policies import CAPACITY_READERS
from govcloud.quotas.services import LARGEST_LIMIT
from tenants.models import Department


class WhatIf(Body):
    department = serializers.UUIDField(required=False)
    order = serializers.UUIDField(required=False)

    def get_fields(self) -> dict[str, Any]:
        amount: dict[str, Any] = {"min_value": -LARGEST_LIMIT, "max_value": LARGEST_LIMIT, "required": False}
        return super().get_fields() | {each.value: serializers.IntegerField(**amount) for each in Dimension}


class WhatIfAnswer(Answer):
    fits = serializers.BooleanField()
    effects = EffectAnswer(many=True, help_text="from the top of the tree down")
    limits = LimitEffectAnswer(many=True, help_text="of an order for quota")


class QuotaEffects(Endpoint[QuotaAccount]):
    queryset = QuotaAccount.objects.none()
    serializer_class = WhatIfAnswer
    refusals = {"retrieve": (NotHere,)}

    @extend_schema(
        parameters=[
            OpenApiParameter("order", str, description="uuid of an order; alone"),
            OpenApiParameter("department", str, description="uuid of a department, with amounts"),
            *(
                OpenApiParameter(each.value, int, description="taken; given back where below zero")
                for each in Dimension
            ),
        ]
    )
    def retrieve(self, request: Request) -> Response:  # noqa: ARG002
        """What an order, or amounts in a department, would take: of it, and of all above it. Nothing is held by asking."""
        asked = self.asked()
        limits: list[Any] = []
        if "order" in asked:
            order = self.named(Order, asked.pop("order"))
            effects = orders.effect(order=order, at=self.at)
            limits = orders.limits(order=order, at=self.at)
        else:
            department = self.named(Department, asked.pop("department"))
            effects = services.effect(department=department, amounts=asked)
        fits = all(one.fits for one in (*effects, *limits))
        return Response(self.get_serializer({"fits": fits, "effects": effects, "limits": limits}).data)

    def asked(self) -> dict[str, Any]:
        """Raises BadParameter for what cannot be asked."""
        given = {name: value for name, value in self.request.query_params.items() if name != "fields"}
        read = WhatIf(data=given)
        try:
            read.is_valid(raise_exception=True)
        except ValidationError as error:
            first = next(field_errors(error.detail))
            raise BadParameter(parameter=first["pointer"].lstrip("/"), reason=first["detail"]) from error
        asked = cast("dict[str, Any]", read.validated_data)
        if ("order" in asked) == ("department" in asked) or ("order" in asked and len(asked) > 1):
            reason = _("it is asked about one order, or about one department with amounts")
            raise BadParameter(parameter="department", reason=reason)
        return asked

    def named(self, model: Any, uuid: Any) -> Any:
        visible = model.objects.visible_to(self.actor, at=self.at)
        return find(visible=visible, actor=self.actor, at=self.at, uuid=uuid)


class BackingAnswer(serializers.Serializer[Any]):
    cloud = serializers.CharField(source="cloud.code", help_text="code")
    site = serializers.CharField(source="cloud.site")
    total = serializers.IntegerField(allow_null=True, help_text="null: it has not said so lately")
    used = serializers.IntegerField(allow_null=True)
    read_at = serializers.DateTimeField(allow_null=True)


class GrantedAnswer(serializers.Serializer[Any]):
    dimension = serializers.ChoiceField(Dimension.choices)
    granted = serializers.IntegerField(help_text="limits at the top of the tree, together")
    unlimited = serializers.IntegerField(help_text="how many units at the top have no limit")
    held = serializers.IntegerField()
    used = serializers.IntegerField()
    physical = serializers.IntegerField(
        allow_null=True, help_text="what the clouds have together, vCPU with overcommit; null: none counts it"
    )
    ratio = serializers.DecimalField(
        12, 2, allow_null=True, help_text="granted for one that exists; null if unknown or unlimited"
    )
    backing = BackingAnswer(many=True)


class QuotaCapacityAnswer(Answer):
    at = serializers.DateTimeField()
    dimensions = GrantedAnswer(many=True)


class QuotaCapacity(Endpoint[QuotaAccount]):
    queryset = QuotaAccount.objects.none()
    serializer_class = QuotaCapacityAnswer
    roles = {"retrieve": CAPACITY_READERS}

    def retrieve(self, request: Request) -> Response:  # noqa: ARG002
        """What has been granted to all departments together against what the clouds have, by dimension."""
        dimensions = granted.against_capacity(at=self.at)
        return Response(self.get_serializer({"at": self.at, "dimensions": dimensions}).data)
