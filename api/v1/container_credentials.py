"""Who reaches the object containers from outside, and the secrets they sign in with."""

from typing import Any, ClassVar

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint, Listed, Retrieved
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.v1.people import PersonRef
from api.v1.tenants import SystemRef
from govcloud.clouds.refusals import CredentialsRefused
from govcloud.inventory.models import Access, ContainerCredential
from govcloud.provisioning import container_secrets
from govcloud.provisioning.consoles import CloudDoesNotAnswer


class CredentialAnswer(Answer):
    uuid = serializers.UUIDField()
    name = serializers.CharField()
    access = serializers.ChoiceField(Access.choices)
    container = serializers.UUIDField(source="container.resource.uuid")
    container_name = serializers.CharField(source="container.resource.name")
    system = SystemRef(source="container.resource.system")
    user_name = serializers.CharField(help_text="its user in the cloud")
    issued_by = PersonRef()
    issued_at = serializers.DateTimeField()
    secret_set_at = serializers.DateTimeField(
        allow_null=True, help_text="when its secret was drawn last; null: never, it is good for nothing yet"
    )
    revoked_at = serializers.DateTimeField(allow_null=True)


class CredentialFilters(filters.FilterSet):  # type: ignore[misc]
    container = filters.UUIDFilter("container__resource__uuid")
    system = filters.UUIDFilter("container__resource__system__uuid")
    access = filters.ChoiceFilter(choices=Access.choices)
    in_force = TrueOrFalseFilter("revoked_at", lookup_expr="isnull")


class ContainerCredentials(Listed[ContainerCredential], Retrieved[ContainerCredential]):
    queryset = ContainerCredential.objects.all()
    serializer_class = CredentialAnswer
    filterset_class = CredentialFilters
    search_fields = ("name", "container__resource__name")
    ordering_fields = ("issued_at", "name")

    def get_queryset(self) -> QuerySet[ContainerCredential]:
        rows = ContainerCredential.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("container__resource__system__department", "issued_by")


class SecretAnswer(Answer):
    auth_url = serializers.URLField(help_text="where to sign in (Keystone)")
    user_id = serializers.CharField()
    user_name = serializers.CharField()
    project_id = serializers.CharField(help_text="to sign in to; not the one that the container is in")
    secret = serializers.CharField(help_text="the user's password: shown this once, kept nowhere")
    storage_url = serializers.URLField(help_text="the container's own address")
    container = serializers.CharField(help_text="its name in the cloud")


class Secrets(Endpoint[ContainerCredential]):
    once: ClassVar[bool] = False  # an answer that is kept to be given again would keep the secret
    commits_itself: ClassVar[bool] = True
    serializer_class = SecretAnswer
    refusals = {"create": (CloudDoesNotAnswer, CredentialsRefused)}

    def get_queryset(self) -> Any:
        rows = ContainerCredential.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("container__resource__system__department", "container__resource__cloud")

    @extend_schema(request=None, responses={201: SecretAnswer}, tags=["container-credentials"])
    def create(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Draw a new secret. The one before is good no more; that somebody drew one is audited."""
        drawn = container_secrets.draw(credential=self.get_object(), actor=self.actor, at=self.at)
        return Response(SecretAnswer(drawn).data, status=201)
