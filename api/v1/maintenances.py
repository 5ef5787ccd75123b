"""Maintenance of clouds: times in which nothing new is placed on one."""

from typing import Any

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.references import find
from api.v1.people import PersonRef
from govcloud.catalog.models import Cloud
from govcloud.clouds import maintenance
from govcloud.clouds.models import Maintenance, Running
from govcloud.clouds.policies import KEEPERS


class MaintenanceSummary(serializers.Serializer[Maintenance]):
    uuid = serializers.UUIDField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    running = serializers.ChoiceField(Running.choices, help_text="what becomes of work that is under way")
    reason = serializers.CharField()


class MaintenanceAnswer(Answer):
    uuid = serializers.UUIDField()
    cloud = serializers.UUIDField(source="cloud.uuid")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(
        help_text="earlier than announced once it was ended; its start, if it was called off"
    )
    running = serializers.ChoiceField(Running.choices, help_text="what becomes of work that is under way")
    reason = serializers.CharField()
    announced_by = PersonRef()
    announced_at = serializers.DateTimeField()


class MaintenanceBody(Body):
    cloud = serializers.UUIDField()
    starts_at = serializers.DateTimeField(
        allow_null=True, default=None, help_text="null: now; what is past counts as now"
    )
    ends_at = serializers.DateTimeField()
    running = serializers.ChoiceField(
        Running.choices, default=Running.FINISH, help_text="what becomes of work that is under way"
    )
    reason = serializers.CharField(max_length=300, help_text="shown to departments whose orders wait")


class MaintenanceFilters(filters.FilterSet):  # type: ignore[misc]
    cloud = filters.UUIDFilter("cloud__uuid")
    ends_after = filters.IsoDateTimeFilter("ends_at", lookup_expr="gt")
    starts_before = filters.IsoDateTimeFilter("starts_at", lookup_expr="lte")


class Maintenances(Listed[Maintenance], Retrieved[Maintenance]):
    queryset = Maintenance.objects.all()
    serializer_class = MaintenanceAnswer
    filterset_class = MaintenanceFilters
    search_fields = ("reason", "cloud__code")
    ordering_fields = ("starts_at", "ends_at")
    roles = {"create": KEEPERS, "ending": KEEPERS}

    def get_queryset(self) -> QuerySet[Maintenance]:
        return Maintenance.objects.select_related("cloud", "announced_by").order_by("-starts_at", "-id")

    @extend_schema(request=MaintenanceBody, responses={201: MaintenanceAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Set a time aside. What is approved meanwhile and has to go there waits, and starts by itself when it ends."""
        given = self.parsed(MaintenanceBody)
        given["cloud"] = find(
            visible=Cloud.objects.all(), actor=self.actor, at=self.at, pointer="/cloud", uuid=given["cloud"]
        )
        announced = maintenance.announce(**given, actor=self.actor, at=self.at)
        location = self.reverse_action("detail", kwargs={"uuid": announced.uuid})
        return Response(self.get_serializer(announced).data, status=201, headers={"Location": location})

    @extend_schema(request=None, responses=MaintenanceAnswer)
    @action(detail=True, methods=["post"])
    def ending(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """End it now; one that has not begun is called off."""
        ended = maintenance.end(maintenance=self.get_object(), actor=self.actor, at=self.at)
        return Response(self.get_serializer(ended).data)
