"""The clouds' own limits of a system's projects, beside ours. For those who know what a project is."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint
from api.fields import Answer
from govcloud.provisioning import project_limits
from govcloud.provisioning.policies import LIMIT_READERS
from tenants.models import System


class CloudLimitAnswer(serializers.Serializer[Any]):
    service = serializers.CharField()
    name = serializers.CharField(help_text="as the service calls it")
    expected = serializers.IntegerField(help_text="what has been granted to the system, and it is set to")
    limit = serializers.IntegerField(
        allow_null=True, help_text="the cloud's; null is unlimited, 0 is nothing"
    )
    used = serializers.IntegerField()
    agrees = serializers.BooleanField()


class ProjectLimitsAnswer(serializers.Serializer[Any]):
    cloud = serializers.CharField(source="cloud.code")
    project = serializers.CharField(help_text="its id on the cloud")
    limits = CloudLimitAnswer(many=True, allow_null=True, help_text="null: the cloud does not answer")


class SystemLimitsAnswer(Answer):
    projects = ProjectLimitsAnswer(many=True)


class SystemLimits(Endpoint[System]):
    queryset = System.objects.select_related("department")
    serializer_class = SystemLimitsAnswer
    roles = {"retrieve": LIMIT_READERS}

    def retrieve(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Asked of the clouds now. They follow what has been ordered: a department's quota changes nothing there by itself."""
        return Response(self.get_serializer({"projects": project_limits.of_system(self.get_object())}).data)
