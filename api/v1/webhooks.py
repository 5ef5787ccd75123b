"""Webhooks: where outside systems hear of events, what was sent to them, and what they answered."""

from typing import Any
from uuid import UUID

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved
from api.etags import etag_of, expected_version
from api.fields import Answer
from api.references import find
from api.v1.people import PersonRef
from api.v1.tenants import DepartmentRef
from govcloud.notifications import webhooks
from govcloud.notifications.kinds import SENT_OUTSIDE, Kind
from govcloud.notifications.lifecycle import DeliveryState, WebhookStatus
from govcloud.notifications.models import Attempt, Delivery, Webhook
from govcloud.notifications.policies import KEEPERS
from govcloud.notifications.webhooks import WebhookDraft
from tenants.models import Department, Role
from tenants.policies import scope_of


class WebhookAnswer(Answer):
    uuid = serializers.UUIDField()
    name = serializers.CharField()
    url = serializers.CharField()
    department = DepartmentRef(allow_null=True, help_text="whose events it hears of; null: everybody's")
    kinds = serializers.ListField(
        child=serializers.ChoiceField(list(SENT_OUTSIDE.items())),
        help_text="those it hears of; empty: all of these",
    )
    status = serializers.ChoiceField(WebhookStatus.choices)
    failing_since = serializers.DateTimeField(allow_null=True)
    registered_by = PersonRef()
    registered_at = serializers.DateTimeField()
    keeper = PersonRef(
        help_text="who answers for it now; when they may no more, it is disabled until somebody takes it over"
    )
    version = serializers.IntegerField()


class WebhookSecretAnswer(Answer):
    secret = serializers.CharField(help_text="signs every call; shown this once")


class RegisteredWebhookAnswer(WebhookAnswer):
    secret = serializers.CharField(help_text="signs every call; shown this once")


class ActivatedWebhookAnswer(WebhookAnswer):
    secret = serializers.CharField(
        allow_null=True, help_text="of one that was taken over: signs every call from now on; shown this once"
    )


class WebhookChange(Body):
    name = serializers.CharField(max_length=200, allow_blank=True)
    url = serializers.CharField(max_length=2_000)
    kinds = serializers.ListField(child=serializers.CharField(max_length=60), default=list)


class WebhookBody(WebhookChange):
    department = serializers.UUIDField(
        allow_null=True, default=None, help_text="for the events of one department"
    )


class SwitchOffBody(Body):
    reason = serializers.CharField(max_length=500)


class WebhookFilters(filters.FilterSet):  # type: ignore[misc]
    status = filters.MultipleChoiceFilter(choices=WebhookStatus.choices)
    department = filters.UUIDFilter("department__uuid")


class Webhooks(Listed[Webhook], Retrieved[Webhook]):
    """The system administrator keeps all of them, a unit's approver those of the unit."""

    queryset = Webhook.objects.all()
    serializer_class = WebhookAnswer
    filterset_class = WebhookFilters
    search_fields = ("name", "url")
    ordering_fields = ("name", "registered_at")
    once = False
    versioned = frozenset({"update"})
    roles = dict.fromkeys(
        ("list", "retrieve", "create", "update", "activation", "deactivation", "secret"), KEEPERS
    )

    def get_queryset(self) -> QuerySet[Webhook]:
        rows = Webhook.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("department", "registered_by", "keeper").order_by("pk")

    def retrieve(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """One of them."""
        return self.answer(self.get_object())

    def answer(self, webhook: Webhook) -> Response:
        return Response(self.get_serializer(webhook).data, headers={"ETag": etag_of(webhook)})

    @extend_schema(request=WebhookBody, responses={201: RegisteredWebhookAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Register an address. The answer has the secret that signs its calls, which is shown this once."""
        given = self.parsed(WebhookBody)
        uuid = given.pop("department")
        department = self.department(uuid) if uuid else None
        webhook, secret = webhooks.register(
            draft=WebhookDraft(**given), department=department, actor=self.actor, at=self.at
        )
        body = {**self.get_serializer(webhook).data, "secret": secret}
        location = self.reverse_action("detail", kwargs={"uuid": webhook.uuid})
        return Response(body, status=201, headers={"Location": location, "ETag": etag_of(webhook)})

    def department(self, uuid: UUID) -> Department:
        everywhere = Role.SYSTEM_ADMIN in scope_of(self.actor, at=self.at).roles
        visible = (
            Department.objects.all() if everywhere else Department.objects.visible_to(self.actor, at=self.at)
        )
        return find(visible=visible, actor=self.actor, at=self.at, pointer="/department", uuid=uuid)

    @extend_schema(request=WebhookChange, responses=WebhookAnswer)
    def update(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Give it another name, address or choice of kinds."""
        webhook = self.get_object()
        expected = expected_version(self.request, webhook)
        draft = WebhookDraft(**self.parsed(WebhookChange))
        return self.answer(
            webhooks.change(
                webhook=webhook, draft=draft, expected_version=expected, actor=self.actor, at=self.at
            )
        )

    @extend_schema(request=None, responses=ActivatedWebhookAnswer)
    @action(detail=True, methods=["post"])
    def activation(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Switch it on: it hears of what happens from now on.

        One whose keeper does not keep it any more is taken over by that, with a new secret.
        """
        webhook, secret = webhooks.switch_on(webhook=self.get_object(), actor=self.actor, at=self.at)
        body = {**self.get_serializer(webhook).data, "secret": secret}
        return Response(body, headers={"ETag": etag_of(webhook)})

    @extend_schema(request=SwitchOffBody, responses=WebhookAnswer)
    @action(detail=True, methods=["post"])
    def deactivation(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Switch it off; what was on its way is given up."""
        webhook = self.get_object()
        reason = self.parsed(SwitchOffBody)["reason"]
        return self.answer(webhooks.switch_off(webhook=webhook, reason=reason, actor=self.actor, at=self.at))

    @extend_schema(request=None, responses=WebhookSecretAnswer)
    @action(detail=True, methods=["post"])
    def secret(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Have its calls signed with another secret from now on. Who draws it keeps the webhook from then on."""
        secret = webhooks.renew_secret(webhook=self.get_object(), actor=self.actor, at=self.at)
        return Response(WebhookSecretAnswer({"secret": secret}).data)


class AttemptAnswer(serializers.Serializer[Attempt]):
    at = serializers.DateTimeField()
    succeeded = serializers.BooleanField()
    status_code = serializers.IntegerField(allow_null=True, help_text="null: no answer came")
    milliseconds = serializers.IntegerField()
    detail = serializers.CharField(help_text="what was answered, or why no answer came")


class WebhookDeliveryAnswer(Answer):
    uuid = serializers.UUIDField()
    webhook = serializers.UUIDField(source="webhook.uuid")
    notice = serializers.UUIDField(source="notice.uuid", help_text="what is sent as webhook-id")
    kind = serializers.ChoiceField(Kind.choices, source="notice.kind")
    state = serializers.ChoiceField(DeliveryState.choices)
    created_at = serializers.DateTimeField()
    next_run_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    attempts = AttemptAnswer(many=True)


class WebhookDeliveryFilters(filters.FilterSet):  # type: ignore[misc]
    webhook = filters.UUIDFilter("webhook__uuid")
    state = filters.MultipleChoiceFilter(choices=DeliveryState.choices)
    kind = filters.MultipleChoiceFilter("notice__kind", choices=Kind.choices)


class WebhookDeliveries(Listed[Delivery], Retrieved[Delivery]):
    queryset = Delivery.objects.all()
    serializer_class = WebhookDeliveryAnswer
    filterset_class = WebhookDeliveryFilters
    search_fields = ()
    ordering_fields = ("created_at", "finished_at")
    roles = dict.fromkeys(("list", "retrieve", "redelivery"), KEEPERS)

    def get_queryset(self) -> QuerySet[Delivery]:
        rows = Delivery.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("webhook", "notice").prefetch_related("attempts").order_by("-pk")

    @extend_schema(request=None, responses=WebhookDeliveryAnswer)
    @action(detail=True, methods=["post"])
    def redelivery(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Send it once more, under the same id."""
        webhooks.send_again(delivery=self.get_object(), actor=self.actor, at=self.at)
        return Response(self.get_serializer(self.get_object()).data)
