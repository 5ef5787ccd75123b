"""Legal holds, in force and lifted: on recovery points and on object containers. They are placed and lifted where these are."""

from typing import Any

import django_filters as filters
from django.db.models import Q, QuerySet
from rest_framework import serializers

from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.v1.people import PersonRef
from api.v1.tenants import SystemRef
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.protection.models import LegalHold, RecoveryPoint


class HeldResource(serializers.Serializer[Resource]):
    uuid = serializers.UUIDField()
    kind = serializers.ChoiceField(ResourceKind.choices)
    name = serializers.CharField()


class HeldPoint(serializers.Serializer[RecoveryPoint]):
    uuid = serializers.UUIDField()
    taken_at = serializers.DateTimeField()


class HoldAnswer(Answer):
    uuid = serializers.UUIDField()
    resource = HeldResource(help_text="the container, or the volume that the recovery point is of")
    recovery_point = HeldPoint(source="point", allow_null=True, help_text="null: the container is held")
    system = SystemRef(source="resource.system")
    reason = serializers.CharField()
    placed_by = PersonRef()
    placed_at = serializers.DateTimeField()
    lifted_by = PersonRef(allow_null=True)
    lifted_at = serializers.DateTimeField(allow_null=True, help_text="null: it is in force")
    lifted_because = serializers.CharField()


class HoldFilters(filters.FilterSet):  # type: ignore[misc]
    in_force = TrueOrFalseFilter("lifted_at", lookup_expr="isnull")
    resource = filters.UUIDFilter(method="filter_of_resource")
    system = filters.UUIDFilter(method="filter_of_resource")
    department = filters.UUIDFilter(method="filter_of_resource")
    resource_kind = filters.ChoiceFilter(choices=ResourceKind.choices, method="filter_of_resource")
    placed_after = filters.IsoDateTimeFilter("placed_at", lookup_expr="gte")
    placed_before = filters.IsoDateTimeFilter("placed_at", lookup_expr="lt")

    COLUMNS = {
        "resource": "uuid",
        "system": "system__uuid",
        "department": "system__department__uuid",
        "resource_kind": "kind",
    }

    def filter_of_resource(self, rows: QuerySet[LegalHold], name: str, value: object) -> QuerySet[LegalHold]:
        """By a column of what is held, or of what the held point is of."""
        column = self.COLUMNS[name]
        return rows.filter(
            Q(**{f"container__resource__{column}": value})
            | Q(**{f"point__volume__resource__{column}": value})
        )


class LegalHolds(Listed[LegalHold], Retrieved[LegalHold]):
    queryset = LegalHold.objects.all()
    serializer_class = HoldAnswer
    filterset_class = HoldFilters
    search_fields = ("reason", "container__resource__name", "point__volume__resource__name")
    ordering_fields = ("placed_at", "lifted_at")

    def get_queryset(self) -> QuerySet[Any]:
        rows = LegalHold.objects.visible_to(self.actor, at=self.at)
        return rows.with_what_is_held().order_by("-placed_at", "-id")
