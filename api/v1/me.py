"""Who is asking: the person, their roles and where they hold them."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Endpoint
from api.fields import Answer
from govcloud.audit import services as audit
from tenants.models import Membership, Role, User


class RoleAnswer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(Role.choices)
    department = serializers.UUIDField(source="department.uuid", default=None, allow_null=True)
    department_name = serializers.CharField(source="department.name", default=None, allow_null=True)
    valid_until = serializers.DateTimeField(allow_null=True)


class MeAnswer(Answer):
    uuid = serializers.UUIDField()
    username = serializers.CharField()
    display_name = serializers.CharField()
    language = serializers.CharField()
    roles = RoleAnswer(many=True)


class Preferences(Body):
    language = serializers.ChoiceField(settings.LANGUAGES)


class Me(Endpoint[User]):
    """The person who asks."""

    queryset = User.objects.all()
    serializer_class = MeAnswer
    personal = frozenset({"partial_update"})

    def answer(self) -> Response:
        roles = (
            Membership.objects.valid(at=self.at)
            .filter(user=self.actor)
            .select_related("department")
            .order_by("role", "id")
        )
        person = {
            name: getattr(self.actor, name) for name in ("uuid", "username", "display_name", "language")
        }
        return Response(self.get_serializer({**person, "roles": roles}).data)

    def retrieve(self, request: Request) -> Response:  # noqa: ARG002
        """Who you are, and the roles you hold."""
        return self.answer()

    @extend_schema(request=Preferences, responses=MeAnswer)
    def partial_update(self, request: Request) -> Response:  # noqa: ARG002
        """Choose the language in which you are answered when a request names none."""
        language = self.parsed(Preferences)["language"]
        before = self.actor.language
        User.objects.filter(pk=self.actor.pk).update(language=language)
        self.actor.language = language
        audit.record(
            actor=self.actor, verb="user.language_chosen", subject=self.actor, at=self.at,
            before={"language": before}, after={"language": language},
        )  # fmt: skip
        return self.answer()
