"""Closing a month: its usage is rated and one statement issued per department."""

from typing import Any

import django_filters as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.converters import CODE
from api.endpoints import Listed, Retrieved
from api.fields import Answer
from govcloud.chargeback import services
from govcloud.chargeback.models import MonthClose
from govcloud.periods import MONTH, Month
from tenants.access.permissions import Permission
from tenants.models import Role

READERS = (Permission.READ_MONTHS,)


class MonthCloseAnswer(Answer):
    uuid = serializers.UUIDField()
    month = serializers.CharField(help_text="2026-11")
    closed_at = serializers.DateTimeField()
    lines = serializers.IntegerField()
    total = serializers.DecimalField(18, 2, help_text="yuan, of all departments")


class MonthBody(Body):
    month = serializers.RegexField(MONTH, help_text="2026-11; months are closed in order")


class MonthCloseFilters(filters.FilterSet):  # type: ignore[misc]
    month = filters.CharFilter()


class MonthCloses(Listed[MonthClose], Retrieved[MonthClose]):
    queryset = MonthClose.objects.order_by("-month")
    serializer_class = MonthCloseAnswer
    filterset_class = MonthCloseFilters
    search_fields = ("month",)
    ordering_fields = ("month", "closed_at", "total")
    lookup_field = "month"
    lookup_value_converter = CODE
    roles = {"list": READERS, "retrieve": READERS, "create": (Role.FINANCE,)}

    @extend_schema(request=MonthBody, responses={201: MonthCloseAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Close a month that is over. What is closed cannot be changed any more."""
        month = Month.parse(self.parsed(MonthBody)["month"])
        close = services.close_month(month=month, actor=self.actor, at=self.at)
        location = self.reverse_action("detail", kwargs={"month": close.month})
        data: Any = self.get_serializer(close).data
        return Response(data, status=201, headers={"Location": location})
