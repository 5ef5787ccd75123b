"""Passes that compare a cloud with the records."""

from typing import Any

import django_filters as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.references import find
from govcloud.catalog.models import Cloud
from govcloud.reconciliation import services
from govcloud.reconciliation.lifecycle import SweepStatus
from govcloud.reconciliation.models import Extent, Sweep
from govcloud.reconciliation.policies import ACTORS, READERS


class SweepAnswer(Answer):
    uuid = serializers.UUIDField()
    cloud = serializers.CharField(source="cloud.code")
    extent = serializers.ChoiceField(Extent.choices)
    status = serializers.ChoiceField(SweepStatus.choices)
    requested_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True, help_text="null while it has not ended")
    servers = serializers.IntegerField(
        allow_null=True, help_text="of ours on the cloud when it began; null until then"
    )
    seconds_per_thousand = serializers.FloatField(
        allow_null=True,
        help_text="seconds for a thousand servers; null while it has not ended, and without any",
    )
    api_calls = serializers.IntegerField()
    objects_seen = serializers.IntegerField(help_text="things of the cloud that were looked at")
    findings_opened = serializers.IntegerField()
    findings_closed = serializers.IntegerField()
    failure = serializers.CharField(help_text="why it failed; else empty")


class SweepBody(Body):
    cloud = serializers.CharField(max_length=40, help_text="its code")
    extent = serializers.ChoiceField(
        Extent.choices, required=False, help_text="everything when that is due, else what has changed"
    )


class SweepFilters(filters.FilterSet):  # type: ignore[misc]
    cloud = filters.CharFilter("cloud__code")
    extent = filters.ChoiceFilter(choices=Extent.choices)
    status = filters.MultipleChoiceFilter(choices=SweepStatus.choices)


class Sweeps(Listed[Sweep], Retrieved[Sweep]):
    queryset = Sweep.objects.select_related("cloud")
    serializer_class = SweepAnswer
    filterset_class = SweepFilters
    search_fields = ("cloud__code", "failure")
    ordering_fields = ("requested_at", "started_at", "finished_at", "status")
    roles = {"list": READERS, "retrieve": READERS, "create": ACTORS}

    @extend_schema(request=SweepBody, responses={202: SweepAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Compare a cloud with the records now. One pass at a time per cloud."""
        body = self.parsed(SweepBody)
        clouds = Cloud.objects.all()
        cloud = find(visible=clouds, actor=self.actor, at=self.at, pointer="/cloud", code=body["cloud"])
        sweep = services.ask(cloud=cloud, extent=body.get("extent"), actor=self.actor, at=self.at)
        location = self.reverse_action("detail", kwargs={"uuid": sweep.uuid})
        data: Any = self.get_serializer(sweep).data
        return Response(data, status=202, headers={"Location": location})
