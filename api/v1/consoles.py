"""The screens of servers."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint
from api.fields import Answer
from govcloud.clouds.refusals import CredentialsRefused
from govcloud.inventory.models import Resource
from govcloud.provisioning import consoles


class ConsoleAnswer(Answer):
    url = serializers.URLField(
        help_text="opens the screen for whoever has it, for some minutes: a secret, not kept here"
    )


class Consoles(Endpoint[Resource]):
    once: ClassVar[bool] = False
    serializer_class = ConsoleAnswer
    refusals = {"create": (consoles.CloudDoesNotAnswer, CredentialsRefused)}

    def get_queryset(self) -> Any:
        return Resource.objects.visible_to(self.actor, at=self.at).with_particulars()

    @extend_schema(request=None, responses={201: ConsoleAnswer}, tags=["resources"])
    def create(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """A link to the server's screen, good for some minutes. That somebody asked for one is audited."""
        url = consoles.open_console(resource=self.get_object(), actor=self.actor, at=self.at)
        return Response(ConsoleAnswer({"url": url}).data, status=201)
