"""The inbox of the person who asks, and how notices reach them."""

from typing import Any

import django_filters as filters
from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body, ByName, integer
from api.endpoints import Endpoint, Listed, Retrieved
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from govcloud.notifications import services
from govcloud.notifications.kinds import Kind, Way
from govcloud.notifications.models import Message, Preference
from govcloud.notifications.texts import told_to


class MessageAnswer(Answer):
    uuid = serializers.UUIDField()
    kind = serializers.ChoiceField(Kind.choices, source="notice.kind")
    title = serializers.SerializerMethodField()
    text = serializers.SerializerMethodField()
    subject_type = serializers.CharField(source="notice.subject_type", help_text="“approvals.case”")
    subject = serializers.UUIDField(source="notice.subject_id")
    thread = serializers.UUIDField(
        source="notice.thread", allow_null=True, help_text="the order that it belongs to"
    )
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)

    def get_title(self, message: Message) -> str:
        return told_to(message, language=_language()).title

    def get_text(self, message: Message) -> str:
        return told_to(message, language=_language()).text


def _language() -> str:
    return get_language() or settings.LANGUAGE_CODE


class MessageFilters(filters.FilterSet):  # type: ignore[misc]
    unread = TrueOrFalseFilter("read_at", lookup_expr="isnull")
    kind = filters.MultipleChoiceFilter("notice__kind", choices=Kind.choices)
    thread = filters.UUIDFilter("notice__thread")
    created_after = filters.IsoDateTimeFilter("created_at", lookup_expr="gte")
    created_before = filters.IsoDateTimeFilter("created_at", lookup_expr="lt")


class ReadAnswer(Answer):
    read = serializers.IntegerField(help_text="how many were unread")


class Messages(Listed[Message], Retrieved[Message]):
    """An inbox is its owner's alone, whatever roles the reader holds."""

    queryset = Message.objects.all()
    serializer_class = MessageAnswer
    personal = frozenset({"reading", "reading_all"})
    filterset_class = MessageFilters
    search_fields = ()
    ordering_fields = ("created_at", "read_at")

    def get_queryset(self) -> QuerySet[Message]:
        return Message.objects.visible_to(self.actor).select_related("notice").order_by("-pk")

    @extend_schema(request=None, responses=ReadAnswer)
    @action(detail=True, methods=["post"])
    def reading(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Mark one as read."""
        message = self.get_object()
        count = services.read(person=self.actor, messages=[message.uuid], at=self.at)
        return Response(ReadAnswer({"read": count}).data)

    @extend_schema(operation_id="messages_reading_all", request=None, responses=ReadAnswer)
    @action(detail=False, methods=["post"], url_path="reading", url_name="reading-all")
    def reading_all(self, request: Request) -> Response:  # noqa: ARG002
        """Mark all of them as read."""
        return Response(ReadAnswer({"read": services.read(person=self.actor, at=self.at)}).data)


class PreferencesAnswer(Answer):
    digest_hour = serializers.IntegerField(
        allow_null=True, help_text="one mail at this hour of working days; null: each at once"
    )
    ways = serializers.DictField(
        child=serializers.ChoiceField(Way.choices), help_text="by kind, those that nobody has chosen included"
    )


class PreferencesBody(Body):
    digest_hour = integer(allow_null=True)
    ways = ByName(
        child=serializers.ChoiceField(Way.choices), default=dict, help_text="kinds left out stay as they are"
    )


class Preferences(Endpoint[Preference]):
    """The choices of the person who asks."""

    queryset = Preference.objects.all()
    serializer_class = PreferencesAnswer
    personal = frozenset({"update"})

    def retrieve(self, request: Request) -> Response:  # noqa: ARG002
        """How notices reach you."""
        return Response(self.get_serializer(services.preferences(person=self.actor)).data)

    @extend_schema(request=PreferencesBody, responses=PreferencesAnswer)
    def update(self, request: Request) -> Response:  # noqa: ARG002
        """Choose how notices reach you: each by mail or in the inbox only, at once or as a digest."""
        chosen = services.prefer(person=self.actor, **self.parsed(PreferencesBody), at=self.at)
        return Response(self.get_serializer(chosen).data)
