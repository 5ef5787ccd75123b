"""How the engine is doing: what operators look at before they look anywhere else. docs/operating.md explains each figure."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from api.endpoints import Endpoint
from api.fields import Answer
from govcloud.provisioning import overview
from govcloud.provisioning.kinds.base import title_of
from govcloud.provisioning.lifecycle import OperationStatus, Outcome, StepState
from govcloud.provisioning.models import Operation
from govcloud.provisioning.policies import OPERATORS


class OldestDueAnswer(serializers.Serializer[Any]):
    operation = serializers.UUIDField()
    kind = serializers.CharField()
    since = serializers.DateTimeField()
    age_seconds = serializers.FloatField()


class LeaseAnswer(serializers.Serializer[Any]):
    operation = serializers.UUIDField()
    kind = serializers.CharField()
    cloud = serializers.CharField()
    state = serializers.ChoiceField(StepState.choices)
    worker = serializers.CharField()
    until = serializers.DateTimeField()
    expired = serializers.BooleanField(help_text="its worker is gone; the next one takes the step")


class StatesAnswer(serializers.Serializer[Any]):
    unknown = serializers.IntegerField(help_text="asked for, outcome not seen")
    settling = serializers.IntegerField(help_text="the cloud works on it")
    replacing = serializers.IntegerField(help_text="came out broken, is taken down and built anew")
    removing = serializers.IntegerField(help_text="is taken down")


class QueueAnswer(serializers.Serializer[Any]):
    due = serializers.IntegerField(help_text="steps that a worker could take now")
    oldest = OldestDueAnswer(allow_null=True)
    held = serializers.IntegerField(help_text="steps in workers' hands")
    expired = serializers.IntegerField(help_text="steps whose worker is gone")
    states = StatesAnswer()
    leases = LeaseAnswer(many=True, help_text="at most 50, those that run out first")


class ParkedAnswer(serializers.Serializer[Any]):
    operations = serializers.IntegerField()
    oldest_at = serializers.DateTimeField(allow_null=True)
    age_seconds = serializers.FloatField()
    url = serializers.SerializerMethodField(help_text="the list of them")

    @extend_schema_field(serializers.URLField())
    def get_url(self, _parked: Any) -> str:
        path = reverse("api:operations-list", request=self.context["request"])
        return f"{path}?status={OperationStatus.PARKED}&ordering=created_at"


class ServiceCallsAnswer(serializers.Serializer[Any]):
    calls = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]


class OutcomesAnswer(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, Any]:
        return {outcome.value: serializers.IntegerField() for outcome in Outcome}


class WindowAnswer(serializers.Serializer[Any]):
    window = serializers.ChoiceField([(name, name) for name in overview.WINDOWS], source="name")
    calls = serializers.IntegerField()
    errors = serializers.IntegerField(help_text="throttled, failed or unanswered")  # type: ignore[assignment]
    error_rate = serializers.FloatField(help_text="errors of all calls, 0 to 1")
    outcomes = OutcomesAnswer()
    services = serializers.DictField(child=ServiceCallsAnswer(), help_text="by service")


class TrafficAnswer(serializers.Serializer[Any]):
    cloud = serializers.CharField(source="cloud.code")
    name = serializers.CharField(source="cloud.name")
    name_en = serializers.CharField(source="cloud.name_en")
    windows = WindowAnswer(many=True)
    size_differences = serializers.SerializerMethodField(
        help_text="sizes in which it has something otherwise than the catalogue"
    )

    def get_size_differences(self, traffic: overview.Traffic) -> int:
        return len(traffic.differences)


class WorkerAnswer(serializers.Serializer[Any]):
    name = serializers.CharField()
    seen_at = serializers.DateTimeField()
    present = serializers.BooleanField(help_text="seen in the last two minutes, or holds a lease")


class EngineSweepAnswer(serializers.Serializer[Any]):
    last_at = serializers.DateTimeField(allow_null=True)
    late_seconds = serializers.FloatField(allow_null=True, help_text="null: none has ever come")


class PaceAnswer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    title = serializers.SerializerMethodField(help_text="what it does, in plain words")
    done = serializers.IntegerField(help_text="in the last day")
    median_seconds = serializers.FloatField()
    p95_seconds = serializers.FloatField()

    def get_title(self, pace: overview.Pace) -> str:
        return title_of(pace.kind)


class EngineAnswer(Answer):
    at = serializers.DateTimeField()
    queue = QueueAnswer()
    parked = ParkedAnswer()
    clouds = TrafficAnswer(many=True)
    workers = WorkerAnswer(many=True)
    sweep = EngineSweepAnswer()
    paces = PaceAnswer(many=True, help_text="how long the steps of the last day took, by kind")


class Engine(Endpoint[Operation]):
    queryset = Operation.objects.none()
    serializer_class = EngineAnswer
    roles = {"retrieve": OPERATORS}

    def retrieve(self, request: Request) -> Response:  # noqa: ARG002
        """Queue, leases, what waits for an administrator, calls to the clouds, workers, the pace of steps."""
        return Response(self.get_serializer(overview.read(at=self.at)).data)
