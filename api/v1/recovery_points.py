"""States of volumes that can be written over a volume again: `POST /resources/{uuid}/actions` with `recover`."""

from typing import Any

import django_filters as filters
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.v1.people import PersonRef
from api.v1.tenants import SystemRef
from govcloud.protection import holds
from govcloud.protection.models import LegalHold, RecoveryPoint


class LegalHoldAnswer(serializers.Serializer[LegalHold]):
    reason = serializers.CharField()
    placed_by = PersonRef()
    placed_at = serializers.DateTimeField()
    lifted_by = PersonRef(allow_null=True)
    lifted_at = serializers.DateTimeField(allow_null=True, help_text="null: it is in force")
    lifted_because = serializers.CharField()


class LegalHoldBody(Body):
    reason = serializers.CharField(max_length=500)


class RecoveryPointAnswer(Answer):
    uuid = serializers.UUIDField()
    volume = serializers.UUIDField(source="volume.resource.uuid")
    volume_name = serializers.CharField(source="volume.resource.name")
    system = SystemRef(source="volume.resource.system")
    plan = serializers.CharField(source="run.plan.name")
    taken_at = serializers.DateTimeField()
    size_gb = serializers.IntegerField()
    off_site = serializers.BooleanField()
    restored_at = serializers.DateTimeField(
        allow_null=True, help_text="when it was last written over a volume"
    )
    expired_at = serializers.DateTimeField(allow_null=True)
    lost = serializers.BooleanField(
        help_text="somebody deleted it past us: the cloud does not have it any more"
    )
    legal_holds = LegalHoldAnswer(source="holds", many=True)


class RecoveryPointFilters(filters.FilterSet):  # type: ignore[misc]
    volume = filters.UUIDFilter("volume__resource__uuid")
    system = filters.UUIDFilter("volume__resource__system__uuid")
    off_site = TrueOrFalseFilter()
    kept = TrueOrFalseFilter("expired_at", lookup_expr="isnull")
    lost = TrueOrFalseFilter()
    on_hold = TrueOrFalseFilter(method="filter_on_hold")
    taken_after = filters.IsoDateTimeFilter("taken_at", lookup_expr="gte")
    taken_before = filters.IsoDateTimeFilter("taken_at", lookup_expr="lt")

    def filter_on_hold(
        self, rows: QuerySet[RecoveryPoint], _name: str, value: object
    ) -> QuerySet[RecoveryPoint]:
        in_force = Exists(LegalHold.objects.filter(point=OuterRef("pk"), lifted_at=None))
        return rows.filter(in_force if value else ~in_force)


class RecoveryPoints(Listed[RecoveryPoint], Retrieved[RecoveryPoint]):
    queryset = RecoveryPoint.objects.all()
    serializer_class = RecoveryPointAnswer
    filterset_class = RecoveryPointFilters
    search_fields = ("volume__resource__name", "run__plan__name")
    roles = {"legal_hold": holds.KEEPERS, "legal_hold_lifting": holds.KEEPERS}
    ordering_fields = ("taken_at", "size_gb")

    def get_queryset(self) -> QuerySet[RecoveryPoint]:
        rows = RecoveryPoint.objects.visible_to(self.actor, at=self.at)
        rows = rows.select_related("volume__resource__system__department", "run__plan")
        return rows.prefetch_related(
            Prefetch("holds", LegalHold.objects.select_related("placed_by", "lifted_by"))
        )

    @extend_schema(request=LegalHoldBody, responses=RecoveryPointAnswer)
    @action(detail=True, methods=["post"], url_path="legal-hold")
    def legal_hold(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Keep it until the hold is lifted; neither its volume nor its server is released meanwhile."""
        reason = self.parsed(LegalHoldBody)["reason"]
        holds.place(point=self.get_object(), reason=reason, actor=self.actor, at=self.at)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=LegalHoldBody, responses=RecoveryPointAnswer)
    @action(detail=True, methods=["post"], url_path="legal-hold-lifting")
    def legal_hold_lifting(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Lift its legal hold."""
        reason = self.parsed(LegalHoldBody)["reason"]
        holds.lift(point=self.get_object(), reason=reason, actor=self.actor, at=self.at)
        return Response(self.get_serializer(self.get_object()).data)
