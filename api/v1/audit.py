"""Audit events, for those whose work is to look at them; an order's own trail is under the order."""

import django_filters as filters
from rest_framework import serializers

from api.endpoints import Listed, Retrieved
from api.fields import Answer
from govcloud.audit.models import Event, Outcome
from tenants.policies import READS_AUDIT


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
    reason = serializers.CharField()
    request_id = serializers.CharField()


class EventFilters(filters.FilterSet):  # type: ignore[misc]
    actor = filters.CharFilter()
    verb = filters.CharFilter()
    subject = filters.UUIDFilter("subject_id")
    thread = filters.UUIDFilter()
    outcome = filters.ChoiceFilter(choices=Outcome.choices)
    request_id = filters.CharFilter()
    at_after = filters.IsoDateTimeFilter("at", lookup_expr="gte")
    at_before = filters.IsoDateTimeFilter("at", lookup_expr="lt")


class AuditEvents(Listed[Event], Retrieved[Event]):
    queryset = Event.objects.order_by("-id")
    serializer_class = EventAnswer
    filterset_class = EventFilters
    search_fields = ("actor_name", "subject_label", "verb")
    ordering_fields = ("id", "at")
    roles = {"list": READS_AUDIT, "retrieve": READS_AUDIT}
