"""Leases that end: what departments are told, and what becomes of what nobody has renewed."""

from typing import Any

import django_filters as filters
from django.db.models import Exists, OuterRef, QuerySet
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
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.leases import services
from govcloud.leases.models import Expiry, Notice, NoticeKind, Obstacle
from govcloud.leases.policies import POSTPONERS


class LetResource(serializers.Serializer[Resource]):
    uuid = serializers.UUIDField()
    kind = serializers.ChoiceField(ResourceKind.choices)
    name = serializers.CharField()
    status = serializers.ChoiceField(Status.choices)


class LeaseNoticeAnswer(Answer):
    uuid = serializers.UUIDField()
    kind = serializers.ChoiceField(NoticeKind.choices)
    resource = LetResource()
    system = SystemRef(source="resource.system")
    lease_end = serializers.DateTimeField()
    days = serializers.IntegerField(allow_null=True, help_text="of a warning: for how many days before")
    due_at = serializers.DateTimeField(help_text="when what it tells of happens, or has happened")
    created_at = serializers.DateTimeField()


class _OfResourceFilters(filters.FilterSet):  # type: ignore[misc]
    resource = filters.UUIDFilter("resource__uuid")
    system = filters.UUIDFilter("resource__system__uuid")
    department = filters.UUIDFilter("resource__system__department__uuid")
    resource_kind = filters.ChoiceFilter("resource__kind", choices=ResourceKind.choices)


class LeaseNoticeFilters(_OfResourceFilters):
    kind = filters.MultipleChoiceFilter(choices=NoticeKind.choices)
    created_after = filters.IsoDateTimeFilter("created_at", lookup_expr="gte")
    created_before = filters.IsoDateTimeFilter("created_at", lookup_expr="lt")


class LeaseNotices(Listed[Notice], Retrieved[Notice]):
    queryset = Notice.objects.all()
    serializer_class = LeaseNoticeAnswer
    filterset_class = LeaseNoticeFilters
    search_fields = ("resource__name", "resource__system__name", "resource__system__name_en")
    ordering_fields = ("created_at", "due_at", "lease_end")

    def get_queryset(self) -> QuerySet[Notice]:
        rows = Notice.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("resource__system__department")


class ExpiryAnswer(Answer):
    uuid = serializers.UUIDField()
    resource = LetResource()
    system = SystemRef(source="resource.system")
    lease_end = serializers.DateTimeField()
    in_force = serializers.BooleanField(help_text="neither extended since nor being taken back")
    found_at = serializers.DateTimeField()
    reclaim_at = serializers.DateTimeField(help_text="when it is taken back, unless its lease is extended")
    obstacle = serializers.ChoiceField(
        Obstacle.choices, allow_blank=True, help_text="what is due waits for this; empty if for nothing"
    )
    obstacle_detail = serializers.CharField(help_text="an order's number, recovery points")
    suspension = serializers.UUIDField(
        source="suspension.uuid",
        default=None,
        allow_null=True,
        help_text="the operation that stopped a server",
    )
    reclaim = serializers.UUIDField(
        source="reclaim.uuid", default=None, allow_null=True, help_text="the operation that takes it back"
    )
    postponed_by = PersonRef(allow_null=True)
    postponed_because = serializers.CharField()


class ExpiryFilters(_OfResourceFilters):
    in_force = TrueOrFalseFilter()
    waits = TrueOrFalseFilter(method="filter_waits")
    obstacle = filters.MultipleChoiceFilter(choices=Obstacle.choices)
    reclaim_before = filters.IsoDateTimeFilter("reclaim_at", lookup_expr="lt")

    def filter_waits(self, rows: QuerySet[Expiry], _name: str, value: object) -> QuerySet[Expiry]:
        return rows.exclude(obstacle="") if value else rows.filter(obstacle="")


class PostponementBody(Body):
    until = serializers.DateTimeField()
    reason = serializers.CharField(max_length=500)


class Expiries(Listed[Expiry], Retrieved[Expiry]):
    queryset = Expiry.objects.all()
    serializer_class = ExpiryAnswer
    filterset_class = ExpiryFilters
    search_fields = ("resource__name", "resource__system__name", "resource__system__name_en")
    ordering_fields = ("reclaim_at", "lease_end", "found_at")
    roles = {"postponement": POSTPONERS}

    def get_queryset(self) -> QuerySet[Expiry]:
        in_force = Exists(Expiry.objects.in_force().filter(pk=OuterRef("pk"), reclaim=None))
        rows = Expiry.objects.visible_to(self.actor, at=self.at).annotate(in_force=in_force)
        return rows.select_related(
            "resource__system__department", "suspension", "reclaim", "postponed_by"
        ).order_by("reclaim_at", "pk")

    @extend_schema(request=PostponementBody, responses=ExpiryAnswer)
    @action(detail=True, methods=["post"])
    def postponement(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Have it taken back later than its grace says. A server stays suspended."""
        given = self.parsed(PostponementBody)
        services.postpone(expiry=self.get_object(), **given, actor=self.actor, at=self.at)
        return Response(self.get_serializer(self.get_object()).data)
