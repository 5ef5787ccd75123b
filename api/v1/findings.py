"""What is not as recorded, and what a cloud administrator does about it."""

from typing import Any

import django_filters as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved, below
from api.fields import Answer
from api.v1.audit import EventAnswer
from api.v1.tenants import SystemRef
from govcloud.audit.queries import history
from govcloud.clouds.refusals import CloudSilent, CredentialsRefused
from govcloud.reconciliation import remarks, services
from govcloud.reconciliation.findings import mark_of
from govcloud.reconciliation.lifecycle import FindingStatus
from govcloud.reconciliation.models import Difference, Finding
from govcloud.reconciliation.policies import ACTORS, READERS
from govcloud.reconciliation.vocabulary import Field, FindingKind, Remedy, SubjectKind


class DifferenceAnswer(serializers.Serializer[Difference]):
    field = serializers.ChoiceField(Field.choices)
    title = serializers.CharField(source="get_field_display", help_text="the field in plain words")
    expected = serializers.CharField(help_text="as the record has it; empty for nothing")
    found = serializers.CharField(help_text="as the cloud shows it; empty for nothing")


class FindingAnswer(Answer):
    uuid = serializers.UUIDField()
    kind = serializers.ChoiceField(FindingKind.choices)
    subject = serializers.ChoiceField(SubjectKind.choices)
    remedy = serializers.ChoiceField(Remedy.choices, help_text="what is proposed")
    title = serializers.CharField(source="get_remedy_display", help_text="the proposal in plain words")
    possible = serializers.SerializerMethodField(
        help_text="what can be applied by a click, the proposal first; nothing while it is not open"
    )
    status = serializers.ChoiceField(FindingStatus.choices)
    name = serializers.CharField()
    cloud = serializers.CharField(source="cloud.code", default=None, allow_null=True)
    external_id = serializers.CharField(
        help_text="its id in the cloud; of a project for limits, of a quota account"
    )
    system = SystemRef(default=None, allow_null=True)
    resource = serializers.UUIDField(source="resource.uuid", default=None, allow_null=True)
    differences = DifferenceAnswer(many=True)
    mark = serializers.SerializerMethodField(
        help_text="of what it says; another once a pass finds something else"
    )
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    sightings = serializers.IntegerField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.CharField(
        source="decided_by.display_name",
        default=None,
        allow_null=True,
        help_text="who applied or dismissed it",
    )
    decided_at = serializers.DateTimeField(allow_null=True)
    remark = serializers.SerializerMethodField(
        help_text="why it was dismissed, or what kept the last application from being done"
    )
    operation = serializers.UUIDField(
        source="operation.uuid", default=None, allow_null=True, help_text="that the last application started"
    )

    def get_remark(self, finding: Any) -> str:
        return remarks.told(finding.remark)

    def get_mark(self, finding: Any) -> str:
        return mark_of(finding)

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(Remedy.choices)))
    def get_possible(self, finding: Any) -> list[Remedy]:
        return services.possible(finding)


READ = "the ``mark`` of the finding as it was read; refused (409 `finding-changed`) if it says something else by now"


class ApplicationBody(Body):
    remedy = serializers.ChoiceField(
        Remedy.choices,
        required=False,
        help_text="one of those that are possible; the proposal if none is named",
    )
    mark = serializers.CharField(required=False, max_length=16, help_text=READ)


class DismissalBody(Body):
    reason = serializers.CharField(max_length=500)
    mark = serializers.CharField(required=False, max_length=16, help_text=READ)


class FindingFilters(filters.FilterSet):  # type: ignore[misc]
    cloud = filters.CharFilter("cloud__code")
    kind = filters.MultipleChoiceFilter(choices=FindingKind.choices)
    subject = filters.MultipleChoiceFilter(choices=SubjectKind.choices)
    remedy = filters.MultipleChoiceFilter(choices=Remedy.choices)
    status = filters.MultipleChoiceFilter(choices=FindingStatus.choices)
    system = filters.UUIDFilter("system__uuid")
    resource = filters.UUIDFilter("resource__uuid")
    seen_after = filters.IsoDateTimeFilter("last_seen_at", lookup_expr="gte")
    seen_before = filters.IsoDateTimeFilter("last_seen_at", lookup_expr="lt")


class Findings(Listed[Finding], Retrieved[Finding]):
    queryset = Finding.objects.select_related(
        "cloud", "system__department", "resource", "decided_by", "operation"
    ).prefetch_related("differences")
    serializer_class = FindingAnswer
    filterset_class = FindingFilters
    search_fields = ("name", "external_id", "system__code", "system__name", "system__name_en")
    ordering_fields = ("first_seen_at", "last_seen_at", "kind", "status", "sightings")
    refusals = {"application": (CloudSilent, CredentialsRefused)}
    roles = {
        "list": READERS,
        "retrieve": READERS,
        "history": READERS,
        "application": ACTORS,
        "dismissal": ACTORS,
    }

    @extend_schema(request=ApplicationBody, responses={200: FindingAnswer, 202: FindingAnswer})
    @action(detail=True, methods=["post"])
    def application(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Do what it proposes, once it is clear that it still holds: at once (200), or by an operation (202)."""
        finding = self.get_object()
        asked = self.parsed(ApplicationBody)
        applied = services.apply(
            finding=finding,
            remedy=asked.get("remedy", ""),
            mark=asked.get("mark", ""),
            actor=self.actor,
            at=self.at,
        )
        return self.answer(status=202 if applied.status == FindingStatus.APPLYING else 200)

    @extend_schema(request=DismissalBody, responses=FindingAnswer)
    @action(detail=True, methods=["post"])
    def dismissal(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """It is known and shall stay so. It comes back when what differs changes."""
        finding = self.get_object()
        asked = self.parsed(DismissalBody)
        services.dismiss(
            finding=finding,
            reason=asked["reason"],
            mark=asked.get("mark", ""),
            actor=self.actor,
            at=self.at,
        )
        return self.answer()

    @extend_schema(responses=EventAnswer(many=True))
    @below()
    def history(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """What was done about it, by whom, oldest first."""
        return self.paged(history(self.get_object().uuid), EventAnswer)

    def answer(self, *, status: int = 200) -> Response:
        return Response(self.get_serializer(self.get_object()).data, status=status)
