"""Statements: what a department owes for a month, line by line, and what it says to that."""

from typing import Any

import django_filters as filters
from django.db import transaction
from django.db.models import QuerySet
from django.http import FileResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved, below
from api.etags import etag_of
from api.exports import CSVRenderer, XLSXRenderer, attachment
from api.fields import Answer
from api.v1.tariffs import MeterAnswer
from api.v1.tenants import DepartmentRef
from govcloud.audit import services as audit
from govcloud.chargeback import exports as chargeback_exports
from govcloud.chargeback import services
from govcloud.chargeback.lifecycle import Status
from govcloud.chargeback.models import Statement, StatementLine


class StatementAnswer(Answer):
    uuid = serializers.UUIDField()
    number = serializers.CharField()
    month = serializers.CharField(source="close.month")
    department = DepartmentRef()
    status = serializers.ChoiceField(Status.choices)
    total = serializers.DecimalField(18, 2, help_text="yuan; the sum of its lines")
    issued_at = serializers.DateTimeField()
    version = serializers.IntegerField()


class StatementLineAnswer(Answer):
    """Everything that is needed to recompute the line: amount = quantity x per_month x seconds / month_seconds."""

    position = serializers.IntegerField()
    system = serializers.UUIDField(source="system.uuid")
    system_name = serializers.CharField(source="system.name")
    segment = serializers.UUIDField(source="segment.uuid")
    resource_name = serializers.CharField()
    meter = MeterAnswer()
    tariff = serializers.CharField(source="tariff.code")
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    quantity = serializers.DecimalField(18, 6)
    seconds = serializers.DecimalField(16, 6)
    month_seconds = serializers.IntegerField()
    per_month = serializers.DecimalField(14, 6)
    rated = serializers.DecimalField(20, 6)
    amount = serializers.DecimalField(18, 2)


class ConfirmationBody(Body):
    reason = serializers.CharField(max_length=500, allow_blank=True, default="")


class DisputeBody(Body):
    reason = serializers.CharField(max_length=2_000, allow_blank=True, help_text="what is wrong")


class StatementFilters(filters.FilterSet):  # type: ignore[misc]
    month = filters.CharFilter("close__month")
    department = filters.UUIDFilter("department__uuid")
    status = filters.MultipleChoiceFilter(choices=Status.choices)
    number = filters.CharFilter()


class Statements(Listed[Statement], Retrieved[Statement]):
    queryset = Statement.objects.all()
    serializer_class = StatementAnswer
    filterset_class = StatementFilters
    search_fields = ("number", "department__name", "department__name_en")
    ordering_fields = ("number", "total", "issued_at", "status")
    refusals = {"export": (chargeback_exports.TooLongForSheet,)}

    def get_queryset(self) -> QuerySet[Statement]:
        return Statement.objects.visible_to(self.actor, at=self.at).select_related("department", "close")

    def retrieve(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """One of them."""
        return self.answer(self.get_object())

    def answer(self, statement: Statement) -> Response:
        return Response(self.get_serializer(statement).data, headers={"ETag": etag_of(statement)})

    @extend_schema(responses=StatementLineAnswer(many=True))
    @below()
    def lines(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """The statement's lines, in their order."""
        lines = StatementLine.objects.filter(statement=self.get_object()).order_by("position")
        return self.paged(lines.select_related("system", "segment", "meter", "tariff"), StatementLineAnswer)

    @extend_schema(
        parameters=[OpenApiParameter("format", str, enum=["csv", "xlsx"])],
        responses={(200, "text/csv"): bytes, (200, XLSXRenderer.media_type): bytes},
    )
    @action(detail=True, methods=["get"], renderer_classes=[CSVRenderer, XLSXRenderer])
    def export(self, request: Request, **kwargs: Any) -> FileResponse:  # noqa: ARG002
        """The statement as a file, with every figure that its lines can be recomputed from."""
        statement = self.get_object()
        format_ = request.accepted_renderer.format
        write = {"csv": chargeback_exports.write_csv, "xlsx": chargeback_exports.write_xlsx}[format_]
        file = attachment(
            lambda file: write(statement=statement, file=file), format_=format_, name=statement.number
        )
        with transaction.atomic():
            audit.record(
                actor=self.actor,
                verb="statement.exported",
                subject=statement,
                at=self.at,
                after={"format": format_},
            )
        return file

    @extend_schema(request=ConfirmationBody, responses=StatementAnswer)
    @action(detail=True, methods=["post"])
    def confirmation(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """The department accepts what it is billed."""
        statement = self.get_object()
        reason = self.parsed(ConfirmationBody)["reason"]
        return self.answer(services.confirm(statement=statement, reason=reason, actor=self.actor, at=self.at))

    @extend_schema(request=DisputeBody, responses=StatementAnswer)
    @action(detail=True, methods=["post"])
    def dispute(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """The department says what is wrong with its statement."""
        statement = self.get_object()
        reason = self.parsed(DisputeBody)["reason"]
        return self.answer(services.dispute(statement=statement, reason=reason, actor=self.actor, at=self.at))
