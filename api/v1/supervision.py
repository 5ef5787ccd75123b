"""Electronic supervision: cards, figures, and the monthly appraisal."""

from datetime import datetime
from typing import Any

import django_filters as filters
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import FileResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint, Listed, Retrieved
from api.exports import XLSXRenderer, attachment
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.problems import BadParameter, NotHere
from api.references import find
from api.v1.people import PersonRef
from api.v1.tenants import DepartmentRef
from govcloud.approvals.models import CaseKind
from govcloud.audit import services as audit
from govcloud.periods import Month
from govcloud.supervision import appraisal, statistics
from govcloud.supervision.models import Cause, Colour, SupervisionCard
from govcloud.supervision.policies import READERS
from tenants.models import Department, Role


class SupervisionCardAnswer(Answer):
    uuid = serializers.UUIDField()
    colour = serializers.ChoiceField(Colour.choices)
    cause = serializers.ChoiceField(Cause.choices)
    case = serializers.UUIDField(source="case.uuid")
    order = serializers.UUIDField(source="case.subject_id")
    label = serializers.CharField(source="case.subject_label")  # type: ignore[assignment]
    department = DepartmentRef()
    stage = serializers.CharField(
        source="stage.code",
        default=None,
        allow_null=True,
        help_text="null: for the matter as a whole, or for what comes after it",
    )
    fulfilment = serializers.BooleanField(
        help_text="for what is not built in time once it is approved, or not mended"
    )
    confirmation = serializers.UUIDField(
        source="confirmation.uuid",
        default=None,
        allow_null=True,
        help_text="for a confirmation that the department owes; with fulfilment, for defects that it has reported",
    )
    stage_name = serializers.CharField(source="stage.name", default=None, allow_null=True)
    stage_name_en = serializers.CharField(source="stage.name_en", default=None, allow_null=True)
    role = serializers.ChoiceField(Role.choices, help_text="whose signature was missing")
    also_roles = serializers.ListField(
        child=serializers.ChoiceField(Role.choices), help_text="whose were missing as well"
    )
    people = PersonRef(many=True, help_text="who had it by name: delegates, added reviewers")
    decider = PersonRef(allow_null=True, help_text="who decided late without a reason")
    due_at = serializers.DateTimeField(help_text="the limit as it stood")
    raised_at = serializers.DateTimeField()
    escalated_at = serializers.DateTimeField(source="escalation.at", default=None, allow_null=True)


class SupervisionCardFilters(filters.FilterSet):  # type: ignore[misc]
    colour = filters.ChoiceFilter(choices=Colour.choices)
    cause = filters.ChoiceFilter(choices=Cause.choices)
    fulfilment = TrueOrFalseFilter()
    role = filters.MultipleChoiceFilter(choices=Role.choices, method="waiting_for")
    department = filters.UUIDFilter("department__uuid")
    case = filters.UUIDFilter("case__uuid")
    raised_after = filters.IsoDateTimeFilter("raised_at", lookup_expr="gte")
    raised_before = filters.IsoDateTimeFilter("raised_at", lookup_expr="lt")

    def waiting_for(
        self, rows: QuerySet[SupervisionCard], _name: str, roles: list[str]
    ) -> QuerySet[SupervisionCard]:
        return rows.filter(Q(role__in=roles) | Q(also_roles__overlap=roles)) if roles else rows


class SupervisionCards(Listed[SupervisionCard], Retrieved[SupervisionCard]):
    """They are never changed and never removed."""

    queryset = SupervisionCard.objects.all()
    serializer_class = SupervisionCardAnswer
    filterset_class = SupervisionCardFilters
    search_fields = ("case__subject_label", "department__name", "department__name_en")
    ordering_fields = ("raised_at", "due_at", "colour")

    def get_queryset(self) -> QuerySet[SupervisionCard]:
        rows = SupervisionCard.objects.visible_to(self.actor, at=self.at)
        related = rows.select_related("case", "stage", "department", "decider", "escalation", "confirmation")
        return related.prefetch_related("people").order_by("-pk")


class MattersAnswer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(CaseKind.choices)
    closed = serializers.IntegerField(help_text="approved or rejected by people in the period")
    by_rule = serializers.IntegerField(help_text="besides these: decided by rules alone")
    early = serializers.IntegerField(help_text="on a day before that of the limit")
    in_time = serializers.IntegerField()
    on_the_spot = serializers.IntegerField(help_text="on the day of opening")
    early_rate = serializers.FloatField(allow_null=True)
    in_time_rate = serializers.FloatField(allow_null=True)
    on_the_spot_rate = serializers.FloatField(allow_null=True)


class StageFiguresAnswer(serializers.Serializer[Any]):
    flow = serializers.IntegerField(help_text="number of the flow version")
    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    limit = serializers.IntegerField(min_value=0, help_text="working days; 0: the same day")
    decided = serializers.IntegerField()
    late = serializers.IntegerField()
    mean_days = serializers.FloatField(
        allow_null=True,
        help_text="working days; 0 is the day on which it came; null where it has cards and was not decided",
    )
    median_days = serializers.IntegerField(allow_null=True)
    p90_days = serializers.IntegerField(allow_null=True)
    yellow = serializers.IntegerField()
    red = serializers.IntegerField()


class CardCountsAnswer(serializers.Serializer[Any]):
    yellow = serializers.IntegerField()
    red = serializers.IntegerField()
    reason = serializers.IntegerField(help_text="yellow cards for a missing reason")


class StatisticsAnswer(Answer):
    start = serializers.DateTimeField(source="period.start")
    end = serializers.DateTimeField(source="period.end")
    matters = MattersAnswer(many=True)
    stages = StageFiguresAnswer(many=True)
    cards = CardCountsAnswer()


PARAMETERS = [
    OpenApiParameter("start", datetime, description="by default the first of this month"),
    OpenApiParameter("end", datetime, description="exclusive; by default the first of the next month"),
    OpenApiParameter("department", str, description="uuid: only matters of it and of those below it"),
]


class StatisticsQuery(serializers.Serializer[Any]):
    start = serializers.DateTimeField(required=False)
    end = serializers.DateTimeField(required=False)
    department = serializers.UUIDField(required=False)


class SupervisionStatistics(Endpoint[SupervisionCard]):
    queryset = SupervisionCard.objects.all()
    serializer_class = StatisticsAnswer
    refusals = {"retrieve": (NotHere,)}
    roles = {"retrieve": READERS}

    @extend_schema(parameters=PARAMETERS, responses=StatisticsAnswer)
    def retrieve(self, request: Request) -> Response:  # noqa: ARG002
        """How deciding went in a period: rates, what each step takes, cards."""
        return Response(self.get_serializer(statistics.figures(period=self.period())).data)

    def period(self) -> statistics.Period:
        asked = self.asked()
        zone = timezone.get_default_timezone()
        first, following = Month.of(self.at, zone).bounds(zone)
        start, end = asked.get("start", first), asked.get("end", following)
        if start >= end:
            raise BadParameter(parameter="end", reason=f"{end.isoformat()} ≤ {start.isoformat()}")
        within = None
        if "department" in asked:
            visible = Department.objects.visible_to(self.actor, at=self.at)
            within = find(visible=visible, actor=self.actor, at=self.at, uuid=asked["department"])
        return statistics.Period(start, end, within)

    def asked(self) -> dict[str, Any]:
        """Raises BadParameter for what it does not know or cannot read."""
        query = self.request.query_params
        known = (*StatisticsQuery().fields, "fields")
        for name in query:
            if name not in known:
                raise BadParameter(parameter=name, reason=f"∉ {', '.join(known)}")
        given = StatisticsQuery(data=query)
        if not given.is_valid():
            name, errors = next(iter(given.errors.items()))
            raise BadParameter(parameter=name, reason=str(errors[0]))
        return dict(given.validated_data)


class AppraisalSheets(Endpoint[SupervisionCard]):
    queryset = SupervisionCard.objects.all()
    serializer_class = StatisticsAnswer
    roles = {"retrieve": READERS}

    @extend_schema(
        parameters=[OpenApiParameter("month", str, OpenApiParameter.PATH, description="2026-11")],
        responses={(200, XLSXRenderer.media_type): bytes},
    )
    def retrieve(self, request: Request, month: str) -> FileResponse:  # noqa: ARG002
        """A month's appraisal of units and cities as an Excel workbook, in the language of the answer."""
        try:
            asked = Month.parse(month)
        except ValueError as error:
            raise NotHere from error
        with transaction.atomic():
            audit.record(
                actor=self.actor, verb="appraisal.exported", subject=None, at=self.at, label=str(asked)
            )
        return attachment(
            lambda file: appraisal.write(month=asked, file=file), format_="xlsx", name=f"appraisal-{asked}"
        )
