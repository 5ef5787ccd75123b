"""Projects that were built outside, and how a cloud administrator takes them over."""

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
from api.v1.candidates import CandidateAnswer
from api.v1.order_answers import EffectAnswer
from api.v1.tariffs import MeterAnswer
from api.v1.tenants import SystemRef
from govcloud.catalog.models import Cloud
from govcloud.clouds.refusals import CloudSilent, CredentialsRefused
from govcloud.takeover import leaving, services, taking
from govcloud.takeover.lifecycle import TakeoverStatus
from govcloud.takeover.models import Takeover
from govcloud.takeover.policies import ACTORS, READERS
from govcloud.takeover.queries import counted
from tenants.models import NetworkZone, System

MOST = 10_000  # candidates named in one request


class TakeoverAnswer(Answer):
    uuid = serializers.UUIDField()
    cloud = serializers.CharField(source="cloud.code")
    project = serializers.CharField(source="project_id", help_text="its id in the cloud")
    project_name = serializers.CharField()
    status = serializers.ChoiceField(TakeoverStatus.choices, help_text="of the survey")
    requested_at = serializers.DateTimeField()
    surveyed_at = serializers.DateTimeField(
        allow_null=True, help_text="what is told of the project is of then"
    )
    api_calls = serializers.IntegerField(help_text="that the last survey took")
    failure = serializers.CharField(help_text="why the last survey failed; else empty")
    system = SystemRef(default=None, allow_null=True)
    zone = serializers.CharField(help_text="network zone; empty until it is assigned")
    lease_end = serializers.DateTimeField(allow_null=True)
    billing_start = serializers.DateTimeField(allow_null=True, help_text="null: when it is taken over")
    found = serializers.IntegerField(help_text="things in the project")
    obstructed = serializers.IntegerField(help_text="of them, that cannot be taken over as they are")
    taken = serializers.IntegerField(help_text="of them, that are ours, or are becoming or ceasing to be")


class SurveyBody(Body):
    cloud = serializers.CharField(max_length=40, help_text="its code")
    project = serializers.CharField(
        max_length=255, help_text="its id, or its name in the domain of systems' projects"
    )


class AssignmentBody(Body):
    system = serializers.UUIDField()
    zone = serializers.ChoiceField(NetworkZone.choices)
    lease_end = serializers.DateTimeField(allow_null=True, default=None)
    billing_start = serializers.DateTimeField(
        allow_null=True, default=None, help_text="not before the takeover; null: when it is taken over"
    )


class TakingBody(Body):
    candidates = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=MOST,
        help_text="all that can be if left out",
    )
    raise_limits = serializers.BooleanField(
        default=False, help_text="lift the limits of the department tree to what is taken over"
    )


class GivingUpBody(Body):
    candidates = serializers.ListField(child=serializers.UUIDField(), allow_empty=False, max_length=MOST)
    reason = serializers.CharField(max_length=500)


class MeterPriceAnswer(serializers.Serializer[Any]):
    meter = MeterAnswer()
    quantity = serializers.DecimalField(18, 6)
    per_month = serializers.DecimalField(14, 6, help_text="yuan for one unit")
    amount = serializers.DecimalField(18, 2, help_text="yuan")


class ForesightAnswer(serializers.Serializer[Any]):
    coming = CandidateAnswer(many=True)
    staying = CandidateAnswer(many=True, help_text="with their obstacles")
    quota = EffectAnswer(many=True)
    prices = MeterPriceAnswer(many=True)
    monthly_total = serializers.DecimalField(18, 2, help_text="yuan for a whole month")


class RefusedAnswer(serializers.Serializer[Any]):
    candidate = serializers.UUIDField(source="candidate.uuid")
    name = serializers.CharField(source="candidate")
    code = serializers.CharField(source="error.code")
    detail = serializers.CharField(source="error.detail")


class TakingAnswer(serializers.Serializer[Any]):
    operation = serializers.UUIDField(source="operation.uuid", help_text="that does it")
    begun = CandidateAnswer(many=True)
    refused = RefusedAnswer(many=True, help_text="what stays behind, and why")


class LeavingAnswer(serializers.Serializer[Any]):
    operation = serializers.UUIDField(source="uuid")


class TakeoverFilters(filters.FilterSet):  # type: ignore[misc]
    cloud = filters.CharFilter("cloud__code")
    system = filters.UUIDFilter("system__uuid")
    status = filters.MultipleChoiceFilter(choices=TakeoverStatus.choices)


class Takeovers(Listed[Takeover], Retrieved[Takeover]):
    queryset = Takeover.objects.all()
    serializer_class = TakeoverAnswer
    filterset_class = TakeoverFilters
    search_fields = ("project_id", "project_name", "system__code", "system__name", "system__name_en")
    ordering_fields = ("requested_at", "surveyed_at", "project_name")
    refusals = {"create": (CloudSilent, CredentialsRefused)}
    roles = {
        "list": READERS,
        "retrieve": READERS,
        "foresight": READERS,
        "create": ACTORS,
        "survey": ACTORS,
        "assignment": ACTORS,
        "taking": ACTORS,
        "giving_up": ACTORS,
    }

    def get_queryset(self) -> QuerySet[Takeover]:
        rows = Takeover.objects.select_related("cloud", "system__department")
        return counted(rows).order_by("-id")

    @extend_schema(request=SurveyBody, responses={202: TakeoverAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Have a project surveyed: what is in it, what it would become, and what stands against it. Nothing is changed."""
        body = self.parsed(SurveyBody)
        cloud = find(
            visible=Cloud.objects.all(), actor=self.actor, at=self.at, pointer="/cloud", code=body["cloud"]
        )
        asked = services.request(cloud=cloud, project=body["project"], actor=self.actor, at=self.at)
        location = self.reverse_action("detail", kwargs={"uuid": asked.uuid})
        data: Any = self.get_serializer(self.get_queryset().get(pk=asked.pk)).data
        return Response(data, status=202, headers={"Location": location})

    @extend_schema(request=None, responses={202: TakeoverAnswer})
    @action(detail=True, methods=["post"])
    def survey(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Look again at what is in the project."""
        services.survey_again(takeover=self.get_object(), actor=self.actor, at=self.at)
        return Response(self.get_serializer(self.get_object()).data, status=202)

    @extend_schema(request=AssignmentBody, responses=TakeoverAnswer)
    @action(detail=True, methods=["put"])
    def assignment(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Say for which system the project is taken over, and under what terms."""
        takeover = self.get_object()
        body = self.parsed(AssignmentBody)
        body["system"] = find(
            visible=System.objects.visible_to(self.actor, at=self.at).select_related("department"),
            actor=self.actor,
            at=self.at,
            pointer="/system",
            uuid=body["system"],
        )
        services.assign(takeover=takeover, to=services.Assignment(**body), actor=self.actor, at=self.at)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(responses=ForesightAnswer)
    @action(detail=True, methods=["get"], filterset_class=None, search_fields=(), ordering_fields=())
    def foresight(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """What taking over all that can be would take of the quota, and cost; and what would stay. Writes nothing."""
        foreseen: Any = taking.foresee(takeover=self.get_object(), at=self.at)
        return Response(ForesightAnswer(foreseen).data)

    @extend_schema(request=TakingBody, responses={202: TakingAnswer})
    @action(detail=True, methods=["post"])
    def taking(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Take over these candidates with all that belongs to them, or all that can be. What cannot is told, the rest goes on."""
        takeover = self.get_object()
        body = self.parsed(TakingBody)
        begun: Any = taking.take(takeover=takeover, actor=self.actor, at=self.at, **body)
        return Response(TakingAnswer(begun).data, status=202)

    @extend_schema(request=GivingUpBody, responses={202: LeavingAnswer})
    @action(detail=True, methods=["post"], url_path="giving-up")
    def giving_up(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Take our mark off again and forget these. Nothing is deleted in the cloud; usage until now stays billed."""
        takeover = self.get_object()
        body = self.parsed(GivingUpBody)
        operation: Any = leaving.give_up(takeover=takeover, actor=self.actor, at=self.at, **body)
        return Response(LeavingAnswer(operation).data, status=202)
