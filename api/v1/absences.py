"""Substitutes: who decides on behalf of whom, and for how long."""

from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.references import find
from api.v1.people import PersonRef
from govcloud.approvals import absences
from govcloud.approvals.models import Absence
from tenants.models import DECIDING, User


class AbsenceAnswer(Answer):
    uuid = serializers.UUIDField()
    person = PersonRef()
    substitute = PersonRef()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(help_text="not included")
    reason = serializers.CharField()
    named_at = serializers.DateTimeField()


class AbsenceBody(Body):
    substitute = serializers.UUIDField(help_text="one of GET /absences/substitutes")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(help_text="not included")
    reason = serializers.CharField(max_length=200, allow_blank=True, default="")


class Absences(Listed[Absence], Retrieved[Absence]):
    """One's own, and those one stands in for."""

    queryset = Absence.objects.all()
    serializer_class = AbsenceAnswer
    search_fields = ("reason",)
    ordering_fields = ("starts_at", "ends_at", "named_at")
    roles = {"create": tuple(sorted(DECIDING))}
    personal = frozenset({"end"})

    def get_queryset(self) -> QuerySet[Absence]:
        rows = Absence.objects.filter(Q(person=self.actor) | Q(substitute=self.actor))
        return rows.select_related("person", "substitute").order_by("-starts_at", "-id")

    @extend_schema(request=AbsenceBody, responses={201: AbsenceAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Have somebody decide on one's behalf for a time."""
        given = self.parsed(AbsenceBody)
        people = User.objects.filter(
            pk__in=[user.pk for user in absences.substitutes_for(self.actor, at=self.at)]
        )
        substitute = find(
            visible=people, actor=self.actor, at=self.at, pointer="/substitute", uuid=given["substitute"]
        )
        absence = absences.name_substitute(
            **{**given, "substitute": substitute}, actor=self.actor, at=self.at
        )
        location = self.reverse_action("detail", kwargs={"uuid": absence.uuid})
        return Response(AbsenceAnswer(absence).data, status=201, headers={"Location": location})

    @extend_schema(request=None, responses=AbsenceAnswer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Be back before the time."""
        ended = absences.end(absence=self.get_object(), actor=self.actor, at=self.at)
        return Response(AbsenceAnswer(ended).data)

    @extend_schema(responses=PersonRef(many=True))
    @action(detail=False, methods=["get"], pagination_class=None, filter_backends=[])
    def substitutes(self, request: Request) -> Response:  # noqa: ARG002
        """Who can stand in for the asker: people who decide wherever they do."""
        return self.whole(absences.substitutes_for(self.actor, at=self.at), PersonRef)
