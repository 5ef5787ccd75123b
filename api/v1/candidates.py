"""What was found in projects that were built outside, and what the names in them are taken for."""

from typing import Any

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.references import find
from govcloud.catalog.models import Cloud
from govcloud.inventory.models import ResourceKind
from govcloud.takeover import remarks, services
from govcloud.takeover.lifecycle import CandidateStatus
from govcloud.takeover.models import Candidate, Equivalent
from govcloud.takeover.policies import ACTORS, READERS
from govcloud.takeover.vocabulary import Obstacle

KINDS = (ResourceKind.SERVER, ResourceKind.VOLUME, ResourceKind.NETWORK)


class ObstacleAnswer(serializers.Serializer[Any]):
    code = serializers.ChoiceField(Obstacle.choices)
    title = serializers.CharField(help_text="in plain words")


class CandidateAnswer(Answer):
    uuid = serializers.UUIDField()
    kind = serializers.ChoiceField([(kind, kind.label) for kind in KINDS])
    external_id = serializers.CharField(help_text="its id in the cloud")
    found_name = serializers.CharField(help_text="as it is, or was, called in the cloud")
    name = serializers.CharField(help_text="that it has, or would have, here")
    status = serializers.ChoiceField(CandidateStatus.choices)
    obstacles = serializers.SerializerMethodField(help_text="why it cannot be taken over as it is")
    remark = serializers.SerializerMethodField(help_text="why it was not taken over the last time")
    cloud_status = serializers.CharField()
    flavor_name = serializers.CharField(help_text="of a server")
    vcpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    image_name = serializers.CharField()
    volume_type = serializers.CharField(help_text="of a volume")
    size_gib = serializers.IntegerField()
    held_by = serializers.ListField(
        child=serializers.CharField(), help_text="ids of the servers that have it"
    )
    cidr = serializers.CharField(help_text="of a network")
    flavor = serializers.CharField(source="flavor.code", default=None, allow_null=True)
    image = serializers.CharField(source="image.code", default=None, allow_null=True)
    storage_class = serializers.CharField(source="storage_class.code", default=None, allow_null=True)
    size_gb = serializers.IntegerField(help_text="as it is, or would be, recorded and billed")
    resource = serializers.UUIDField(source="resource.uuid", default=None, allow_null=True)
    operation = serializers.UUIDField(
        source="operation.uuid", default=None, allow_null=True, help_text="that took, or takes, it over"
    )

    @extend_schema_field(ObstacleAnswer(many=True))
    def get_obstacles(self, candidate: Candidate) -> Any:
        if candidate.status != CandidateStatus.OPEN:
            return []
        return [{"code": each, "title": str(Obstacle(each).label)} for each in candidate.obstacles]

    def get_remark(self, candidate: Candidate) -> str:
        return remarks.told(candidate.remark)


class RenamingBody(Body):
    name = serializers.CharField(max_length=48, help_text="that it shall have here")


class CandidateFilters(filters.FilterSet):  # type: ignore[misc]
    takeover = filters.UUIDFilter("takeover__uuid")
    kind = filters.ChoiceFilter(choices=[(kind, kind.label) for kind in KINDS])
    status = filters.MultipleChoiceFilter(choices=CandidateStatus.choices)
    obstacle = filters.ChoiceFilter("obstacles", choices=Obstacle.choices, method="having")

    def having(self, rows: QuerySet[Candidate], _name: str, value: str) -> QuerySet[Candidate]:
        return rows.filter(status=CandidateStatus.OPEN, obstacles__contains=[value])


class Candidates(Listed[Candidate], Retrieved[Candidate]):
    queryset = Candidate.objects.select_related(
        "takeover", "flavor", "image", "storage_class", "resource", "operation"
    )
    serializer_class = CandidateAnswer
    filterset_class = CandidateFilters
    search_fields = ("found_name", "name", "external_id")
    ordering_fields = ("found_name", "name", "kind", "status")
    roles = {"list": READERS, "retrieve": READERS, "partial_update": ACTORS}

    @extend_schema(request=RenamingBody, responses=CandidateAnswer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Choose what it shall be called here."""
        candidate = self.get_object()
        services.rename(candidate=candidate, **self.parsed(RenamingBody), actor=self.actor, at=self.at)
        return Response(self.get_serializer(self.get_object()).data)


class EquivalentAnswer(Answer):
    uuid = serializers.UUIDField()
    cloud = serializers.CharField(source="cloud.code")
    cloud_name = serializers.CharField(help_text="the cloud's name of a flavor, an image or a volume type")
    flavor = serializers.CharField(source="flavor.code", default=None, allow_null=True)
    image = serializers.CharField(source="image.code", default=None, allow_null=True)
    storage_class = serializers.CharField(source="storage_class.code", default=None, allow_null=True)


class EquivalentBody(Body):
    cloud = serializers.CharField(max_length=40, help_text="its code")
    kind = serializers.ChoiceField(sorted(services.CATALOGUE))
    cloud_name = serializers.CharField(max_length=255)
    code = serializers.CharField(max_length=40, help_text="what it is taken for, of the catalogue")


class EquivalentFilters(filters.FilterSet):  # type: ignore[misc]
    cloud = filters.CharFilter("cloud__code")


class Equivalents(Listed[Equivalent], Retrieved[Equivalent]):
    queryset = Equivalent.objects.select_related("cloud", "flavor", "image", "storage_class")
    serializer_class = EquivalentAnswer
    filterset_class = EquivalentFilters
    search_fields = ("cloud_name",)
    ordering_fields = ("cloud_name",)
    roles = {"list": READERS, "retrieve": READERS, "create": ACTORS}

    @extend_schema(request=EquivalentBody, responses={201: EquivalentAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Say what a name on a cloud is taken for, in every takeover from it; what is there already is replaced."""
        body = self.parsed(EquivalentBody)
        cloud = find(
            visible=Cloud.objects.all(),
            actor=self.actor,
            at=self.at,
            pointer="/cloud",
            code=body.pop("cloud"),
        )
        set_ = services.set_equivalent(cloud=cloud, **body, actor=self.actor, at=self.at)
        location = self.reverse_action("detail", kwargs={"uuid": set_.uuid})
        return Response(self.get_serializer(set_).data, status=201, headers={"Location": location})
