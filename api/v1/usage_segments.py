"""Usage as it is billed: so much of a meter, from one instant to another."""

import django_filters as filters
from django.db.models import QuerySet
from rest_framework import serializers

from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.v1.tariffs import MeterAnswer
from api.v1.tenants import SystemRef
from govcloud.metering.models import UsageSegment
from tenants.queries import within


class UsageSegmentAnswer(Answer):
    uuid = serializers.UUIDField()
    resource = serializers.UUIDField(source="resource.uuid")
    resource_name = serializers.CharField(source="resource.name")
    system = SystemRef(source="resource.system")
    meter = MeterAnswer()
    quantity = serializers.DecimalField(18, 6)
    start = serializers.DateTimeField(source="period.lower")
    end = serializers.DateTimeField(
        source="period.upper", allow_null=True, help_text="not included; null: goes on"
    )


class UsageSegmentFilters(filters.FilterSet):  # type: ignore[misc]
    resource = filters.UUIDFilter("resource__uuid")
    system = filters.UUIDFilter("resource__system__uuid")
    department = filters.UUIDFilter("resource__system__department__uuid")
    order = filters.UUIDFilter("resource__thread")
    meter = filters.CharFilter("meter__code")
    used_at = filters.IsoDateTimeFilter("period", lookup_expr="contains")
    open = TrueOrFalseFilter("period__upper_inf")


class UsageSegments(Listed[UsageSegment], Retrieved[UsageSegment]):
    queryset = UsageSegment.objects.all()
    serializer_class = UsageSegmentAnswer
    filterset_class = UsageSegmentFilters
    search_fields = ("resource__name", "meter__code")
    ordering_fields = ("period", "quantity")

    def get_queryset(self) -> QuerySet[UsageSegment]:
        rows = UsageSegment.objects.filter(
            within(self.actor, at=self.at, path="resource__system__department__path")
        )
        return rows.select_related("resource__system__department", "meter")
