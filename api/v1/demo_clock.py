"""The clock of a demonstration, which can be moved forward. An installation in production has none (404)."""

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Endpoint
from api.fields import Answer
from govcloud import clock
from govcloud.audit import services as audit
from tenants.models import Role, User


class ClockAnswer(Answer):
    now = serializers.DateTimeField()


class NewTime(Body):
    to = serializers.DateTimeField(
        help_text="must lie in the clock's future, and at most ten years from today"
    )


class DemoClock(Endpoint[User]):
    queryset = User.objects.none()
    serializer_class = ClockAnswer
    roles = {"update": (Role.CLOUD_ADMIN, Role.SYSTEM_ADMIN)}

    def retrieve(self, request: Request) -> Response:  # noqa: ARG002
        """What the clock reads."""
        if settings.DEMO_CLOCK_FILE is None:
            raise clock.NoDemoClock
        return Response({"now": self.at})

    @extend_schema(request=NewTime, responses=ClockAnswer)
    def update(self, request: Request) -> Response:  # noqa: ARG002
        """Move the clock forward, for everything in this installation."""
        now = clock.advance(to=self.parsed(NewTime)["to"])
        audit.record(
            actor=self.actor, verb="clock.advanced", subject=None, at=self.at, label="demo clock",
            before={"now": self.at}, after={"now": now},
        )  # fmt: skip
        return Response({"now": now})
