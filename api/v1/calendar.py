"""The working calendar: the dates on which the week's pattern does not hold."""

from datetime import MAXYEAR, MINYEAR
from typing import Any, ClassVar

import django_filters as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.converters import DAY
from api.endpoints import Endpoint, Listed, Retrieved
from api.fields import Answer
from govcloud.audit import watching
from govcloud.calendars import editing, sheets
from govcloud.calendars.models import DayKind, SpecialDay
from tenants.models import Role

KEEPERS = (Role.SYSTEM_ADMIN,)


class SpecialDayAnswer(Answer):
    day = serializers.DateField()
    kind = serializers.ChoiceField(DayKind.choices)
    name = serializers.CharField()


class SpecialDayBody(Body):
    kind = serializers.ChoiceField(DayKind.choices)
    name = serializers.CharField(max_length=200, allow_blank=True, help_text="the holiday it belongs to")


class SpecialDayFilters(filters.FilterSet):  # type: ignore[misc]
    year = filters.NumberFilter("day__year", min_value=MINYEAR, max_value=MAXYEAR)
    kind = filters.ChoiceFilter(choices=DayKind.choices)
    since = filters.DateFilter("day", lookup_expr="gte")
    before = filters.DateFilter("day", lookup_expr="lt")


class SpecialDays(Listed[SpecialDay], Retrieved[SpecialDay]):
    """On all other dates Monday to Friday are working days. Changes hold for limits that are set from then on."""

    queryset = SpecialDay.objects.order_by("day")
    serializer_class = SpecialDayAnswer
    filterset_class = SpecialDayFilters
    search_fields = ("name",)
    ordering_fields = ("day",)
    lookup_field = "day"
    lookup_value_converter = DAY
    roles = {"update": KEEPERS, "destroy": KEEPERS}

    @extend_schema(request=SpecialDayBody, responses=SpecialDayAnswer)
    def update(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Enter a day, or correct it."""
        given = self.parsed(SpecialDayBody)
        row = editing.enter(day=kwargs["day"], **given, actor=self.actor, at=self.at)
        return Response(self.get_serializer(row).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Take a day out: the week's pattern holds again."""
        editing.take_out(day=kwargs["day"], actor=self.actor, at=self.at)
        return Response(status=204)


class SheetBody(Body):
    file = serializers.FileField(
        help_text="CSV or XLSX: date, kind (rest or work, 休 or 班), name; a heading"
    )
    dry_run = serializers.BooleanField(default=True, help_text="true: only tell what would come of it")


class RowErrorAnswer(serializers.Serializer[Any]):
    line = serializers.IntegerField(source="number")
    code = serializers.CharField(source="error.code")
    detail = serializers.CharField(source="error.detail")


class SheetReport(Answer):
    taken_in = serializers.BooleanField(help_text="false: a dry run, or a line is wrong")
    added = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    row_errors = RowErrorAnswer(many=True, help_text="one is enough to keep all of the file out")


class CalendarSheet(Endpoint[SpecialDay]):
    queryset = SpecialDay.objects.all()
    serializer_class = SheetReport
    parser_classes: ClassVar[list[type[BaseParser]]] = [MultiPartParser]  # type: ignore[misc]
    roles = {"create": KEEPERS}
    once = False

    @extend_schema(request={"multipart/form-data": SheetBody}, responses=SheetReport)
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Enter a year's arrangements from a file: all of it, or (when a line is wrong) nothing."""
        given = self.parsed(SheetBody)
        watching.note(only_looks=given["dry_run"])
        rows = sheets.read(given["file"].read(sheets.MOST_BYTES + 1))
        report = editing.take_in(rows=rows, dry=given["dry_run"], actor=self.actor, at=self.at)
        told = {
            "taken_in": not given["dry_run"] and not report.errors, "added": report.added, "changed": report.changed,
            "unchanged": report.unchanged, "row_errors": report.errors,
        }  # fmt: skip
        return Response(self.get_serializer(told).data)
