"""Files in which the sealed trail has left the machine."""

from typing import Any, ClassVar

import django_filters as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from govcloud.audit import exporting
from govcloud.audit.models import Export
from tenants.models import Role
from tenants.policies import READS_AUDIT


class AuditExportAnswer(Answer):
    uuid = serializers.UUIDField()
    number = serializers.IntegerField()
    at = serializers.DateTimeField(help_text="when it was begun")
    first_seal = serializers.IntegerField()
    last_seal = serializers.IntegerField()
    events = serializers.IntegerField()
    file = serializers.CharField()
    size = serializers.IntegerField(help_text="bytes; 0 until it has been delivered once")
    digest = serializers.CharField(help_text="SHA-256 of the file, hexadecimal")
    destination = serializers.CharField()
    delivered_at = serializers.DateTimeField(
        allow_null=True, help_text="null while it has not been delivered"
    )


class AuditExportFilters(filters.FilterSet):  # type: ignore[misc]
    delivered = TrueOrFalseFilter("delivered_at", lookup_expr="isnull", exclude=True)
    at_after = filters.IsoDateTimeFilter("at", lookup_expr="gte")
    at_before = filters.IsoDateTimeFilter("at", lookup_expr="lt")


class AuditExports(Listed[Export], Retrieved[Export]):
    queryset = Export.objects.order_by("-number")
    serializer_class = AuditExportAnswer
    filterset_class = AuditExportFilters
    search_fields = ("file", "destination")
    ordering_fields = ("number", "at")
    roles = {"list": READS_AUDIT, "retrieve": READS_AUDIT, "create": (Role.AUDIT_ADMIN,)}
    once: ClassVar[bool] = False  # a second one finds nothing to export
    commits_itself: ClassVar[bool] = True

    @extend_schema(request=None, responses={201: AuditExportAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Export now what has been sealed since the last time."""
        made = exporting.export(actor=self.actor, at=self.at)
        if made is None:
            raise exporting.NothingToExport
        location = self.reverse_action("detail", kwargs={"uuid": made.uuid})
        data: Any = self.get_serializer(made).data
        return Response(data, status=201, headers={"Location": location})
