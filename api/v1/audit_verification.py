"""Whether the audit trail is what was written: the chain of seals recomputed."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint
from api.fields import Answer
from api.problems import BadParameter
from govcloud.audit.models import Event
from govcloud.audit.verification import Anchor, Damage, anchored, verify
from tenants.policies import READS_AUDIT


class AnchorAnswer(serializers.Serializer[Any]):
    seal = serializers.IntegerField()
    digest = serializers.CharField()


class BreachAnswer(serializers.Serializer[Any]):
    damage = serializers.ChoiceField(Damage.choices)
    seal = serializers.IntegerField()
    position = serializers.IntegerField(allow_null=True)
    event = serializers.UUIDField(source="event_uuid", allow_null=True)
    description = serializers.CharField(source="*")


class VerificationAnswer(Answer):
    intact = serializers.BooleanField()
    seals = serializers.IntegerField()
    events = serializers.IntegerField(help_text="sealed ones that were recomputed")
    waiting = serializers.IntegerField(help_text="events not sealed yet")
    waiting_seconds = serializers.FloatField(
        help_text="how long the oldest of them has been; far above the pause between seals it tells that sealing has stopped"
    )
    last = AnchorAnswer(
        allow_null=True, help_text="worth keeping outside of this database, to be sent as anchor"
    )
    breach = BreachAnswer(allow_null=True, help_text="the first record that is not what it was")


class AuditVerification(Endpoint[Event]):
    queryset = Event.objects.none()
    serializer_class = VerificationAnswer
    roles = {"retrieve": READS_AUDIT}

    @extend_schema(
        parameters=[OpenApiParameter("anchor", str, description="NUMBER:DIGEST of a seal as kept elsewhere.")]
    )
    def retrieve(self, request: Request) -> Response:
        """Recompute the chain of seals from the first event on."""
        return Response(self.get_serializer(verify(anchors=_anchors(request))).data)


def _anchors(request: Request) -> list[Anchor]:
    given = request.query_params.get("anchor")
    if given is None:
        return []
    try:
        return [anchored(given)]
    except ValueError as error:
        raise BadParameter(parameter="anchor", reason="NUMBER:DIGEST") from error
