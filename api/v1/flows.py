"""Versions of the approval flow: read by who takes part in deciding, edited by the system administrator."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body, integer
from api.endpoints import Listed, Retrieved
from api.etags import etag_of, expected_version
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.references import find
from api.v1.people import PersonRef
from govcloud.approvals import flows
from govcloud.approvals.dry_run import CASES, MOST_CASES, Rerouted, dry_run
from govcloud.approvals.models import (
    Case,
    CaseKind,
    FlowVersion,
    MatterAction,
    Priority,
    Quorum,
    Quota,
    Sizes,
)
from govcloud.approvals.policies import FLOW_EDITORS, FLOW_READERS
from govcloud.approvals.routing import Limits, StageRule, Station
from govcloud.errors import DomainError
from tenants.models import NetworkZone, Role


def _number(text: str) -> serializers.IntegerField:
    return integer(allow_null=True, default=None, help_text=text)


def _yuan(text: str) -> serializers.DecimalField:
    return serializers.DecimalField(18, 2, allow_null=True, default=None, help_text=text)


def _choice(choices: Any, text: str) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices, allow_blank=True, default="", help_text=text)


class StageBody(Body):
    code = serializers.CharField(max_length=40, help_text="stable name, “technical_review”")
    name = serializers.CharField(max_length=80)
    name_en = serializers.CharField(max_length=80)
    role = serializers.ChoiceField(Role.choices, help_text="one that decides")
    also_roles = serializers.ListField(
        child=serializers.ChoiceField(Role.choices),
        default=list,
        max_length=6,
        help_text="roles that countersign",
    )
    quorum = serializers.ChoiceField(
        Quorum.choices, default=Quorum.ONE, help_text="how many of each role sign"
    )
    quorum_count = _number("so many, where the quorum is “some”")
    working_days = integer(
        least=0, help_text="limit; 0: the same day, until 18:00 or on the next working day"
    )
    only_kind = _choice(CaseKind.choices, "conditions: the stage is left out unless all that are given hold")
    only_action = _choice(MatterAction.choices, "among what is asked for")
    only_zone = _choice(NetworkZone.choices, "the most exposed zone")
    only_quota = _choice(Quota.choices, "")
    only_priority = _choice(Priority.choices, "")
    min_mlps_level = _number("")
    min_dr_level = _number("")
    min_quantity = _number("resources")
    min_amount = _yuan("yuan a month")
    auto_quota = _choice(Quota.choices, "rule: the stage is decided by it where all that is given holds")
    auto_sizes = _choice(Sizes.choices, "")
    auto_zone = _choice(NetworkZone.choices, "")
    auto_max_mlps_level = _number("")
    auto_max_quantity = _number("resources")
    auto_below_amount = _yuan("yuan a month")

    def to_internal_value(self, data: Any) -> StageRule:
        value = super().to_internal_value(data)
        return StageRule(**{**value, "also_roles": tuple(value["also_roles"])})

    def to_representation(self, instance: Any) -> Any:
        return super().to_representation(asdict(instance) if isinstance(instance, StageRule) else instance)


class FlowBody(Body):
    name = serializers.CharField(max_length=80)
    fulfilment_days = integer(
        required=False,
        allow_null=True,
        help_text="working days for building; null: no limit; left out: as it was",
    )
    confirmation_days = integer(
        required=False,
        allow_null=True,
        help_text="working days for the department to confirm what was delivered; null: it is not asked; left out: as it was",
    )
    stages = serializers.ListField(child=StageBody(), max_length=flows.MOST_STAGES)


class DraftBody(Body):
    name = serializers.CharField(max_length=80)
    based_on = serializers.UUIDField(help_text="the version whose stages it begins with")


class PublicationBody(Body):
    in_force_from = serializers.DateTimeField(help_text="not before now")


class DryRunBody(Body):
    cases = serializers.IntegerField(
        min_value=1, max_value=MOST_CASES, default=CASES, help_text="so many, the last ones"
    )


class ProblemAnswer(serializers.Serializer[DomainError]):
    pointer = serializers.SerializerMethodField(help_text="into the flow: /stages/0/role")
    code = serializers.CharField()
    detail = serializers.CharField()

    def get_pointer(self, error: DomainError) -> str:
        return error.pointers[0] if error.pointers else ""


class FlowSummary(Answer):
    uuid = serializers.UUIDField()
    number = serializers.IntegerField(allow_null=True, help_text="null: a draft")
    name = serializers.CharField()
    version = serializers.IntegerField(help_text="its ETag, to be sent as If-Match with a change of a draft")
    based_on = serializers.UUIDField(source="based_on.uuid", default=None, allow_null=True)
    drafted_by = PersonRef(allow_null=True)
    fulfilment_days = serializers.IntegerField(
        allow_null=True, help_text="working days in which what was approved is built; null: no limit"
    )
    confirmation_days = serializers.IntegerField(
        allow_null=True,
        help_text="working days in which the department confirms what was delivered; null: it is not asked",
    )
    in_force_from = serializers.DateTimeField(allow_null=True)
    published_at = serializers.DateTimeField(allow_null=True)
    published_by = PersonRef(
        allow_null=True, help_text="null: by a command, as an installation's first version"
    )


class FlowAnswer(FlowSummary):
    stages = serializers.SerializerMethodField()
    problems = serializers.SerializerMethodField(help_text="what keeps a draft from being published")
    editors = serializers.SerializerMethodField(
        help_text="who has drafted or changed it: none of them publishes it"
    )

    @extend_schema_field(StageBody(many=True))
    def get_stages(self, flow: FlowVersion) -> Any:
        return StageBody(cast("Any", flows.rules_of(flow.stages.all())), many=True).data

    @extend_schema_field(ProblemAnswer(many=True))
    def get_problems(self, flow: FlowVersion) -> Any:
        found = [] if flow.published_at else flows.problems(flow=flow, at=self.context["at"])
        return ProblemAnswer(cast("Any", found), many=True).data

    @extend_schema_field(PersonRef(many=True))
    def get_editors(self, flow: FlowVersion) -> Any:
        return PersonRef(cast("Any", flows.editors_of(flow)), many=True).data


class StationAnswer(serializers.Serializer[Station]):
    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    roles = serializers.ListField(child=serializers.ChoiceField(Role.choices))
    quorum = serializers.ChoiceField(Quorum.choices)
    quorum_count = serializers.IntegerField(allow_null=True)
    automatic = serializers.BooleanField(help_text="decided by rule")


class ReroutedAnswer(serializers.Serializer[Rerouted]):
    case = serializers.UUIDField(source="case.uuid")
    label = serializers.SerializerMethodField(  # type: ignore[assignment]
        help_text="empty where the order is not for the asker to see; what it was routed by stands beside"
    )
    opened_at = serializers.DateTimeField(source="case.opened_at")
    kind = serializers.ChoiceField(CaseKind.choices, source="case.kind")
    zone = serializers.ChoiceField(NetworkZone.choices, source="case.zone")
    mlps_level = serializers.IntegerField(source="case.mlps_level")
    amount = serializers.DecimalField(18, 2, source="case.amount", help_text="yuan a month")
    before = StationAnswer(many=True)
    after = StationAnswer(many=True)

    def get_label(self, one: Rerouted) -> str:
        return one.case.subject_label if one.case.pk in self.context["seen"] else ""


class DryRunAnswer(serializers.Serializer[Any]):
    compared = serializers.IntegerField()
    unknown = serializers.IntegerField(help_text="not compared: it is not known what they were routed by")
    rerouted = ReroutedAnswer(many=True, help_text="those that would have gone by other people")


class FlowFilters(filters.FilterSet):  # type: ignore[misc]
    draft = TrueOrFalseFilter("published_at", lookup_expr="isnull")


class FlowVersions(Listed[FlowVersion], Retrieved[FlowVersion]):
    """Cases run on the version that was in force when they were opened. What is published never changes."""

    queryset = FlowVersion.objects.order_by("-number")
    serializer_class = FlowSummary
    filterset_class = FlowFilters
    search_fields = ("name",)
    ordering_fields = ("number", "in_force_from", "published_at")
    versioned = frozenset({"update", "destroy", "publication"})
    previews = frozenset({"dry_run"})
    roles = {
        "list": FLOW_READERS,
        "retrieve": FLOW_READERS,
        **dict.fromkeys(("create", "update", "destroy", "publication", "dry_run"), FLOW_EDITORS),
    }

    def get_queryset(self) -> QuerySet[FlowVersion]:
        return super().get_queryset().select_related("based_on", "drafted_by", "published_by")

    @extend_schema(responses=FlowAnswer)
    def retrieve(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """One of them with its stages; of a draft also what keeps it from being published."""
        return self.answer(self.get_object())

    @extend_schema(request=DraftBody, responses={201: FlowAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Draft a version, with the stages of one that was."""
        given = self.parsed(DraftBody)
        based_on = find(
            visible=FlowVersion.objects.all(),
            actor=self.actor,
            at=self.at,
            pointer="/based_on",
            uuid=given["based_on"],
        )
        flow = flows.draft(name=given["name"], based_on=based_on, actor=self.actor, at=self.at)
        location = self.reverse_action("detail", kwargs={"uuid": flow.uuid})
        return self.answer(flow, status=201, headers={"Location": location})

    @extend_schema(request=FlowBody, responses=FlowAnswer)
    def update(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Replace what is in a draft. Everything that is wrong with its stages is told at once."""
        flow = self.get_object()
        version = expected_version(request, flow)
        given = {**asdict(flow.limits), **self.parsed(FlowBody)}
        limits = Limits(given.pop("fulfilment_days"), given.pop("confirmation_days"))
        return self.answer(
            flows.change(
                flow=flow, **given, limits=limits, expected_version=version, actor=self.actor, at=self.at
            )
        )

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Throw a draft away."""
        flow = self.get_object()
        version = expected_version(request, flow)
        flows.discard(flow=flow, expected_version=version, actor=self.actor, at=self.at)
        return Response(status=204)

    @extend_schema(request=PublicationBody, responses=FlowAnswer)
    @action(detail=True, methods=["post"])
    def publication(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Publish a draft as the next version, in force from a date. Running cases stay on theirs.

        Who has drafted or changed it is refused (`own-flow`): it takes another system administrator.
        """
        flow = self.get_object()
        version = expected_version(request, flow)
        begins = self.parsed(PublicationBody)["in_force_from"]
        return self.answer(
            flows.publish_draft(
                flow=flow, in_force_from=begins, expected_version=version, actor=self.actor, at=self.at
            )
        )

    @extend_schema(request=DryRunBody, responses=DryRunAnswer)
    @action(detail=True, methods=["post"], url_path="dry-run")
    def dry_run(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """What it would have done to the last cases: those that would have gone by other people. Nothing is changed."""
        flow = self.get_object()
        given = self.parsed(DryRunBody)
        found = dry_run(flow=flow, cases=given["cases"], actor=self.actor, at=self.at)
        context = {"seen": self.seen([one.case for one in found.rerouted])}
        return Response(DryRunAnswer(found, context=context).data)

    def seen(self, cases: Sequence[Case]) -> set[int]:
        """Which of the cases the asker may see: a system administrator as such reads no department's orders."""
        visible = Case.objects.visible_to(self.actor, at=self.at).filter(pk__in=[case.pk for case in cases])
        return set(visible.values_list("pk", flat=True))

    def answer(
        self, flow: FlowVersion, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        data = FlowAnswer(flow, context={**self.get_serializer_context(), "at": self.at}).data
        return Response(data, status=status, headers={"ETag": etag_of(flow), **(headers or {})})
