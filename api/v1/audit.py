"""Audit events, for those whose work is to look at them; an order's own trail is under the order."""

from typing import Any, ClassVar

import django_filters as filters
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request
from rest_framework.views import APIView

from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.filters import Filters, Ordering, Search
from govcloud.audit.models import Event, Outcome
from govcloud.audit.queries import narrowed
from govcloud.provisioning.queries import IN_THE_CLOUDS_WORDS
from tenants.models import Role
from tenants.policies import READS_AUDIT, scope_of


class EventAnswer(Answer):
    uuid = serializers.UUIDField()
    at = serializers.DateTimeField(help_text="when it happened")
    recorded_at = serializers.DateTimeField(help_text="when the database wrote it")
    actor = serializers.CharField()
    actor_name = serializers.CharField()
    verb = serializers.CharField()
    subject_type = serializers.CharField()
    subject = serializers.UUIDField(source="subject_id", allow_null=True)
    subject_label = serializers.CharField()
    thread = serializers.UUIDField(allow_null=True, help_text="the order whose story it belongs to")
    before = serializers.JSONField()
    after = serializers.JSONField()
    outcome = serializers.ChoiceField(Outcome.choices)
    reason = serializers.SerializerMethodField(
        help_text="where something waits for an administrator these are the cloud's own words: for cloud administrators and auditors, "
        "else empty"
    )
    request_id = serializers.CharField()

    def get_reason(self, event: Event) -> str:
        actor, at = self.context["request"].user, self.context["view"].at
        hidden = event.verb in IN_THE_CLOUDS_WORDS and not scope_of(actor, at=at).holds_any(
            (Role.CLOUD_ADMIN, *READS_AUDIT)
        )
        return "" if hidden else event.reason


class EventFilters(filters.FilterSet):  # type: ignore[misc]
    actor = filters.CharFilter()
    verb = filters.CharFilter()
    subject = filters.UUIDFilter("subject_id")
    thread = filters.UUIDFilter()
    outcome = filters.ChoiceFilter(choices=Outcome.choices)
    request_id = filters.CharFilter()
    at_after = filters.IsoDateTimeFilter("at", lookup_expr="gte")
    at_before = filters.IsoDateTimeFilter("at", lookup_expr="lt")


class EventSearch(Search):
    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        found = super().filter_queryset(request, queryset, view)
        return narrowed(found, self.get_search_terms(request))


class AuditEvents(Listed[Event], Retrieved[Event]):
    queryset = Event.objects.order_by("-id")
    serializer_class = EventAnswer
    filterset_class = EventFilters
    filter_backends: ClassVar[list[type[BaseFilterBackend]]] = [Filters, EventSearch, Ordering]  # type: ignore[misc]
    search_fields = ("actor_name", "subject_label", "verb")
    ordering_fields = ("id", "at")
    roles = {"list": READS_AUDIT, "retrieve": READS_AUDIT}
