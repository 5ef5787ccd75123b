"""What is being done to a cloud, step by step, and what an administrator does with an operation that waits."""

from typing import Any

import django_filters as filters
from django.db.models import Count, Prefetch, Q, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.v1.tenants import SystemRef
from govcloud.orders import cancellation
from govcloud.provisioning import by_hand, services
from govcloud.provisioning.actions import calling_off
from govcloud.provisioning.kinds.base import about, deed_of
from govcloud.provisioning.lifecycle import FINISHED, OperationStatus, StepState
from govcloud.provisioning.models import CloudCall, Operation, OperationKind, Step
from tenants.models import Role
from tenants.policies import scope_of


class ProgressAnswer(serializers.Serializer[Any]):
    steps = serializers.IntegerField()
    finished = serializers.IntegerField()
    percent = serializers.IntegerField()


class OperationAnswer(Answer):
    uuid = serializers.UUIDField()
    kind = serializers.ChoiceField(OperationKind.choices)
    reason = serializers.CharField()
    order = serializers.UUIDField(source="thread", allow_null=True)
    action = serializers.CharField(
        help_text="the direct action's name, or how a finding about the resource was put right; "
        "empty for what an order or a plan asked for"
    )
    resource = serializers.UUIDField(
        source="resource.uuid", default=None, allow_null=True, help_text="what a direct action has in hand"
    )
    system = SystemRef()
    cloud = serializers.CharField(source="cloud.code")
    status = serializers.ChoiceField(OperationStatus.choices)
    progress = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    @extend_schema(responses=ProgressAnswer)
    def get_progress(self, operation: Any) -> dict[str, int]:
        steps, finished = operation.step_count, operation.finished_count
        return {"steps": steps, "finished": finished, "percent": 100 * finished // steps if steps else 100}


class RecapAnswer(serializers.Serializer[Any]):
    ok = serializers.IntegerField()
    changed = serializers.IntegerField()
    unreachable = serializers.IntegerField()
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField()
    rescued = serializers.IntegerField()
    ignored = serializers.IntegerField()


class TechnicalAnswer(serializers.Serializer[Step]):
    external_id = serializers.CharField()
    generation = serializers.IntegerField(help_text="counts builds after one that ended in ERROR")
    outputs = serializers.JSONField()


class StepAnswer(serializers.Serializer[Step]):
    uuid = serializers.UUIDField()
    position = serializers.IntegerField()
    label = serializers.SerializerMethodField(  # type: ignore[assignment]
        help_text="what it is about: a server's name, a volume's, or its system's in the reader's language"
    )
    kind = serializers.CharField()
    title = serializers.SerializerMethodField(help_text="what it does, in plain words")
    state = serializers.ChoiceField(StepState.choices)
    attempts = serializers.IntegerField()
    last_error = serializers.SerializerMethodField(
        help_text="the cloud's own words, for cloud administrators; else empty"
    )
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    recaps = serializers.DictField(
        source="outputs.recaps",
        child=RecapAnswer(),
        default=None,
        allow_null=True,
        help_text="of playbooks, by host",
    )
    left_to_do = serializers.SerializerMethodField(
        help_text="what a step that was skipped leaves to the department, in the reader's language; empty if nothing"
    )
    technical = serializers.SerializerMethodField(help_text="for cloud administrators")

    def get_label(self, step: Step) -> str:
        return about(step)

    def get_title(self, step: Step) -> str:
        return deed_of(step)

    def get_last_error(self, step: Step) -> str:
        return step.last_error if self.context.get("technical") else ""

    def get_left_to_do(self, step: Step) -> str:
        return by_hand.left_by(kind=step.kind, reason=step.outputs.get("reason"))

    @extend_schema_field(TechnicalAnswer(allow_null=True))
    def get_technical(self, step: Step) -> Any:
        return TechnicalAnswer(step).data if self.context.get("technical") else None


class OperationDetail(OperationAnswer):
    steps = StepAnswer(many=True)


class CloudCallAnswer(serializers.Serializer[CloudCall]):
    step = serializers.UUIDField(source="step.uuid")
    at = serializers.DateTimeField()
    service = serializers.CharField()
    method = serializers.CharField()
    path = serializers.CharField()
    status = serializers.IntegerField(allow_null=True, help_text="null: no answer was seen")
    request_id = serializers.CharField(help_text="under which the cloud logged it")
    milliseconds = serializers.IntegerField()


class Abandonment(Body):
    reason = serializers.CharField(max_length=500)


class Cancellation(Body):
    reason = serializers.CharField(max_length=500)


class OperationFilters(filters.FilterSet):  # type: ignore[misc]
    order = filters.UUIDFilter("thread")
    system = filters.UUIDFilter("system__uuid")
    cloud = filters.CharFilter("cloud__code")
    resource = filters.UUIDFilter("resource__uuid", label="direct actions on this resource")
    kind = filters.ChoiceFilter(choices=OperationKind.choices)
    status = filters.MultipleChoiceFilter(choices=OperationStatus.choices)


def with_progress(rows: QuerySet[Operation]) -> QuerySet[Operation]:
    """Adds ``step_count`` and ``finished_count``."""
    return rows.annotate(
        step_count=Count("steps"), finished_count=Count("steps", filter=Q(steps__state__in=sorted(FINISHED)))
    ).order_by("-id")


class Operations(Listed[Operation], Retrieved[Operation]):
    queryset = Operation.objects.all()
    serializer_class = OperationAnswer
    filterset_class = OperationFilters
    search_fields = ("reason", "system__name", "system__name_en")
    ordering_fields = ("created_at", "finished_at", "status")
    roles = {
        "retry": (Role.CLOUD_ADMIN,),
        "abandonment": (Role.CLOUD_ADMIN,),
        "cancellation": (Role.APPLICANT, Role.CLOUD_ADMIN),
        "calls": (Role.CLOUD_ADMIN,),
    }

    def get_queryset(self) -> QuerySet[Operation]:
        rows = Operation.objects.visible_to(self.actor, at=self.at).select_related(
            "system__department", "cloud", "resource"
        )
        return with_progress(rows)

    @extend_schema(responses=OperationDetail)
    def retrieve(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """One of them, with its steps."""
        return self.answer()

    def answer(self) -> Response:
        rows = self.get_queryset().prefetch_related(Prefetch("steps", Step.objects.order_by("position")))
        operation = rows.get(pk=self.get_object().pk)
        technical = scope_of(self.actor, at=self.at).holds(Role.CLOUD_ADMIN)
        context = {**self.get_serializer_context(), "technical": technical}
        return Response(OperationDetail(operation, context=context).data)

    @extend_schema(request=None, responses=OperationDetail)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Try the steps that wait for an administrator again."""
        services.retry(operation=self.get_object(), actor=self.actor, at=self.at)
        return self.answer()

    @extend_schema(request=Abandonment, responses=OperationDetail)
    @action(detail=True, methods=["post"])
    def abandonment(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Take down what the operation has made, in the opposite order. What a backup run has taken is kept."""
        operation = self.get_object()
        reason = self.parsed(Abandonment)["reason"]
        cancellation.abandon(operation=operation, reason=reason, actor=self.actor, at=self.at)
        return self.answer()

    @extend_schema(request=Cancellation, responses=OperationDetail)
    @action(detail=True, methods=["post"])
    def cancellation(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Call off a direct action, for whoever may ask for it: what it has done is taken back as far as that can be."""
        operation = self.get_object()
        reason = self.parsed(Cancellation)["reason"]
        calling_off.cancel(operation=operation, reason=reason, actor=self.actor, at=self.at)
        return self.answer()

    @extend_schema(responses=CloudCallAnswer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def calls(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """The calls made to the cloud for this operation, with the ids under which the cloud logged them."""
        rows = (
            CloudCall.objects.filter(step__operation=self.get_object())
            .select_related("step")
            .order_by("-id")[:1000]
        )
        return self.whole(rows, CloudCallAnswer)
