"""Cases: matters being decided, and what waits for the person who asks (``?todo=true``)."""

from typing import Any, cast

import django_filters as filters
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.v1.people import PersonRef
from api.v1.tenants import DepartmentRef
from govcloud.approvals import pauses
from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import Case, CaseKind, CaseStage, Decision, Verb
from govcloud.approvals.policies import deciders
from tenants.models import Role


class DecisionAnswer(serializers.Serializer[Decision]):
    uuid = serializers.UUIDField()
    verb = serializers.ChoiceField(Verb.choices)
    opinion = serializers.CharField()
    decider = PersonRef()
    revision_hash = serializers.CharField()
    at = serializers.DateTimeField()


class StageAnswer(serializers.Serializer[CaseStage]):
    position = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    role = serializers.ChoiceField(Role.choices)
    working_days = serializers.IntegerField()
    status = serializers.ChoiceField(StageStatus.choices)
    since = serializers.DateTimeField(source="opened_at", allow_null=True)
    due_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    revision = serializers.IntegerField()
    decision = DecisionAnswer(default=None, allow_null=True)
    deciders = serializers.SerializerMethodField(help_text="who may decide it; empty once it is decided")

    @extend_schema(responses=PersonRef(many=True))
    def get_deciders(self, stage: CaseStage) -> list[Any]:
        people = self.context.get("deciders", {}).get(stage.role, ())
        unfinished = stage.status in {StageStatus.CURRENT, StageStatus.WAITING}
        return list(PersonRef(people, many=True).data) if unfinished else []


class PauseAnswer(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True, help_text="null while it lasts")


class CaseAnswer(Answer):
    uuid = serializers.UUIDField()
    kind = serializers.ChoiceField(CaseKind.choices)
    status = serializers.ChoiceField(Status.choices)
    subject_kind = serializers.CharField(help_text="“order”")
    subject = serializers.UUIDField(source="subject_id", help_text="the order's uuid")
    label = serializers.CharField(source="subject_label")  # type: ignore[assignment]
    department = DepartmentRef()
    applicant = PersonRef()
    revision = serializers.IntegerField()
    revision_hash = serializers.CharField(help_text="to be sent with a decision")
    opened_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    pauses = serializers.SerializerMethodField(
        help_text="while it was back for correction: the clock of the whole case stood still"
    )
    stages = StageAnswer(many=True, help_text="in the order in which they were opened, earlier rounds first")

    @extend_schema_field(PauseAnswer(many=True))
    def get_pauses(self, case: Case) -> Any:
        return PauseAnswer(cast("Any", list(pauses.of(case.stages.all()))), many=True).data


class CaseFilters(filters.FilterSet):  # type: ignore[misc]
    todo = filters.BooleanFilter(
        method="waiting", label="true: only what waits for a decision of the person who asks"
    )
    status = filters.MultipleChoiceFilter(choices=Status.choices)
    kind = filters.ChoiceFilter(choices=CaseKind.choices)
    department = filters.UUIDFilter("department__uuid")
    subject = filters.UUIDFilter("subject_id")
    due_before = filters.IsoDateTimeFilter("due_at", lookup_expr="lt")

    def waiting(self, rows: QuerySet[Case], _name: str, value: bool) -> QuerySet[Case]:  # noqa: FBT001
        """Narrows what the view lets through to what ``Case.objects.todo`` names."""
        view = self.request.parser_context["view"]
        if not value:
            return rows
        return rows.filter(pk__in=Case.objects.todo(view.actor, at=view.at).values("pk"))


def with_stages(rows: QuerySet[Case]) -> QuerySet[Case]:
    stages = CaseStage.objects.select_related("decision__decider").order_by("revision", "position")
    return rows.select_related("department", "applicant", "submitted_by").prefetch_related(
        Prefetch("stages", stages)
    )


def decider_context(case: Case, *, at: Any) -> dict[str, Any]:
    """Who may decide the stages of a case that are still open, in one query; for ``StageAnswer``."""
    roles = {s.role for s in case.stages.all() if s.status in {StageStatus.CURRENT, StageStatus.WAITING}}
    if not roles:
        return {"deciders": {}}
    without = {case.applicant, case.submitted_by} - {None}
    return {"deciders": deciders(department=case.department, roles=roles, without=without, at=at)}


class Cases(Listed[Case], Retrieved[Case]):
    """Matters being decided. They are decided under their order: ``POST /orders/{uuid}/decisions``."""

    queryset = Case.objects.all()
    serializer_class = CaseAnswer
    filterset_class = CaseFilters
    search_fields = ("subject_label", "department__name", "department__name_en")
    ordering_fields = ("opened_at", "due_at", "status")

    def get_queryset(self) -> QuerySet[Case]:
        return with_stages(Case.objects.visible_to(self.actor, at=self.at))

    def retrieve(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """One of them."""
        case = self.get_object()
        context = {**self.get_serializer_context(), **decider_context(case, at=self.at)}
        return Response(CaseAnswer(case, context=context).data)
