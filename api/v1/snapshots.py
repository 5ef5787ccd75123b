"""Snapshots of volumes, and the evidence of what was wiped of volumes and object containers."""

import django_filters as filters
from django.db.models import QuerySet
from rest_framework import serializers

from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.v1.people import PersonRef
from api.v1.tenants import SystemRef
from govcloud.catalog.models import Wiping
from govcloud.inventory.models import ResourceKind, Snapshot, WipeRecord


class SnapshotAnswer(Answer):
    uuid = serializers.UUIDField()
    volume = serializers.UUIDField(source="volume.resource.uuid")
    volume_name = serializers.CharField(source="volume.resource.name")
    system = SystemRef(source="volume.resource.system")
    size_gb = serializers.IntegerField()
    external_id = serializers.CharField(help_text="its id in the cloud")
    name = serializers.CharField()
    taken_by = PersonRef()
    taken_at = serializers.DateTimeField()
    restored_at = serializers.DateTimeField(
        allow_null=True, help_text="when its volume was last put back to it"
    )
    deleted_at = serializers.DateTimeField(allow_null=True)


class SnapshotFilters(filters.FilterSet):  # type: ignore[misc]
    volume = filters.UUIDFilter("volume__resource__uuid")
    system = filters.UUIDFilter("volume__resource__system__uuid")
    kept = TrueOrFalseFilter("deleted_at", lookup_expr="isnull")


class Snapshots(Listed[Snapshot], Retrieved[Snapshot]):
    queryset = Snapshot.objects.all()
    serializer_class = SnapshotAnswer
    filterset_class = SnapshotFilters
    search_fields = ("name", "volume__resource__name")
    ordering_fields = ("taken_at", "size_gb", "name")

    def get_queryset(self) -> QuerySet[Snapshot]:
        rows = Snapshot.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("volume__resource__system__department", "taken_by")


class WipeRecordAnswer(Answer):
    uuid = serializers.UUIDField()
    resource = serializers.UUIDField(source="resource.uuid", help_text="what was wiped")
    kind = serializers.ChoiceField(ResourceKind.choices, source="resource.kind")
    name = serializers.CharField(source="resource.name")
    system = SystemRef(source="resource.system")
    size_gb = serializers.IntegerField()
    external_id = serializers.CharField(help_text="its id in the cloud")
    means = serializers.ChoiceField(
        Wiping.choices, help_text="as the cloud's operators declare it for the storage class"
    )
    request_id = serializers.CharField(help_text="of the deletion, in the cloud's own logs")
    requested_at = serializers.DateTimeField(allow_null=True)
    confirmed_at = serializers.DateTimeField(help_text="when the cloud said that it is gone")


class WipeRecordFilters(filters.FilterSet):  # type: ignore[misc]
    resource = filters.UUIDFilter("resource__uuid")
    kind = filters.ChoiceFilter("resource__kind", choices=ResourceKind.choices)
    system = filters.UUIDFilter("resource__system__uuid")
    means = filters.ChoiceFilter(choices=Wiping.choices)
    confirmed_after = filters.IsoDateTimeFilter("confirmed_at", lookup_expr="gte")
    confirmed_before = filters.IsoDateTimeFilter("confirmed_at", lookup_expr="lt")


class WipeRecords(Listed[WipeRecord], Retrieved[WipeRecord]):
    queryset = WipeRecord.objects.all()
    serializer_class = WipeRecordAnswer
    filterset_class = WipeRecordFilters
    search_fields = ("resource__name", "external_id")
    ordering_fields = ("confirmed_at", "size_gb")

    def get_queryset(self) -> QuerySet[WipeRecord]:
        rows = WipeRecord.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("resource__system__department")
