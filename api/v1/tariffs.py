"""Price books and their prices."""

from typing import Any

import django_filters as filters
from rest_framework import serializers

from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.v1.catalog import Named
from govcloud.chargeback.models import Tariff


class MeterAnswer(Named):
    unit = serializers.CharField()


class PriceAnswer(serializers.Serializer[Any]):
    meter = MeterAnswer()
    per_month = serializers.DecimalField(14, 6, help_text="Yuan for one unit for one whole month")


class TariffAnswer(Answer):
    uuid = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    in_force_from = serializers.DateTimeField(source="in_force.lower")
    in_force_until = serializers.DateTimeField(
        source="in_force.upper", allow_null=True, help_text="not included"
    )
    prices = PriceAnswer(many=True)


class TariffFilters(filters.FilterSet):  # type: ignore[misc]
    in_force_at = filters.IsoDateTimeFilter("in_force", lookup_expr="contains")


class Tariffs(Listed[Tariff], Retrieved[Tariff]):
    queryset = Tariff.objects.prefetch_related("prices__meter")
    serializer_class = TariffAnswer
    filterset_class = TariffFilters
    search_fields = ("code", "name", "name_en")
    ordering_fields = ("code", "in_force")
