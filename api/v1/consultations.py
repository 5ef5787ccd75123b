"""Opinions that somebody who decides asked for: answered by who was asked, waived by who asked."""

from typing import Any

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved
from api.filters import TrueOrFalseFilter
from api.v1.cases import ConsultationAnswer
from govcloud.approvals import sharing
from govcloud.approvals.lifecycle import ConsultationStatus
from govcloud.approvals.models import Consultation


class ConsultationReply(Body):
    answer = serializers.CharField(max_length=2_000)


class ConsultationFilters(filters.FilterSet):  # type: ignore[misc]
    todo = TrueOrFalseFilter(
        method="waiting", label="true: only what waits for an answer of the person who asks"
    )
    status = filters.MultipleChoiceFilter(choices=ConsultationStatus.choices)
    case = filters.UUIDFilter("stage__case__uuid")

    def waiting(self, rows: QuerySet[Consultation], _name: str, value: bool) -> QuerySet[Consultation]:  # noqa: FBT001
        actor = self.request.parser_context["view"].actor
        return rows.filter(person=actor, status=ConsultationStatus.ASKED) if value else rows


class Consultations(Listed[Consultation], Retrieved[Consultation]):
    """They are asked for under their case: ``POST /cases/{uuid}/consultations``."""

    queryset = Consultation.objects.order_by("-id")
    serializer_class = ConsultationAnswer
    personal = frozenset({"answer"})
    filterset_class = ConsultationFilters
    search_fields = ("question", "stage__case__subject_label")
    ordering_fields = ("asked_at", "closed_at", "status")

    def get_queryset(self) -> QuerySet[Consultation]:
        rows = Consultation.objects.visible_to(self.actor, at=self.at).order_by("-id")
        return rows.select_related("stage__case__department", "asked_by", "person")

    @extend_schema(request=ConsultationReply, responses=ConsultationAnswer)
    @action(detail=True, methods=["post"])
    def answer(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Give the opinion. It decides nothing."""
        found, text = self.get_object(), self.parsed(ConsultationReply)["answer"]
        answered = sharing.answer(consultation=found, text=text, actor=self.actor, at=self.at)
        return Response(ConsultationAnswer(answered).data)

    @extend_schema(request=None, responses=ConsultationAnswer)
    @action(detail=True, methods=["post"])
    def waiver(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Do without the opinion."""
        waived = sharing.waive(consultation=self.get_object(), actor=self.actor, at=self.at)
        return Response(ConsultationAnswer(waived).data)
