"""States of volumes that can be restored."""

import django_filters as filters
from django.db.models import QuerySet
from rest_framework import serializers

from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.v1.tenants import SystemRef
from govcloud.protection.models import RecoveryPoint


class RecoveryPointAnswer(Answer):
    uuid = serializers.UUIDField()
    volume = serializers.UUIDField(source="volume.resource.uuid")
    volume_name = serializers.CharField(source="volume.resource.name")
    system = SystemRef(source="volume.resource.system")
    plan = serializers.CharField(source="run.plan.name")
    taken_at = serializers.DateTimeField()
    size_gb = serializers.IntegerField()
    off_site = serializers.BooleanField()
    expired_at = serializers.DateTimeField(allow_null=True)


class RecoveryPointFilters(filters.FilterSet):  # type: ignore[misc]
    volume = filters.UUIDFilter("volume__resource__uuid")
    system = filters.UUIDFilter("volume__resource__system__uuid")
    off_site = filters.BooleanFilter()
    kept = filters.BooleanFilter("expired_at", lookup_expr="isnull")
    taken_after = filters.IsoDateTimeFilter("taken_at", lookup_expr="gte")
    taken_before = filters.IsoDateTimeFilter("taken_at", lookup_expr="lt")


class RecoveryPoints(Listed[RecoveryPoint], Retrieved[RecoveryPoint]):
    queryset = RecoveryPoint.objects.all()
    serializer_class = RecoveryPointAnswer
    filterset_class = RecoveryPointFilters
    search_fields = ("volume__resource__name", "run__plan__name")
    ordering_fields = ("taken_at", "size_gb")

    def get_queryset(self) -> QuerySet[RecoveryPoint]:
        rows = RecoveryPoint.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("volume__resource__system__department", "run__plan")
