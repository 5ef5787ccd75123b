"""People: how one is named in answers, and for those who keep them, their roles and what becomes of it when they leave."""

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
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.references import find
from api.v1.tenants import DepartmentRef
from govcloud.audit import watching
from govcloud.organisation import handover
from govcloud.organisation.people import kept_by, not_over, require_keeper, with_roles
from govcloud.organisation.policies import KEEPERS_OF_PEOPLE
from tenants.models import Role, User

MOST_SUCCESSORS = 20


class PersonRef(serializers.Serializer[User]):
    # No account name, no address, no other personal data.
    uuid = serializers.UUIDField()
    name = serializers.CharField(source="audit_name")


class HeldAnswer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    role = serializers.ChoiceField(Role.choices)
    department = DepartmentRef(allow_null=True, help_text="null: held for the whole centre")
    valid_from = serializers.DateTimeField()
    valid_until = serializers.DateTimeField(allow_null=True)


class PersonAnswer(Answer):
    uuid = serializers.UUIDField()
    name = serializers.CharField(source="audit_name")
    username = serializers.CharField()
    active = serializers.BooleanField(source="is_active")
    roles = HeldAnswer(source="held", many=True, help_text="held now, or to come")


class PersonFilters(filters.FilterSet):  # type: ignore[misc]
    department = filters.UUIDFilter(method="with_role_in", label="with a role there, now or to come")
    role = filters.ChoiceFilter(choices=Role.choices, method="holding")
    active = TrueOrFalseFilter("is_active")

    def with_role_in(self, rows: QuerySet[User], _name: str, value: Any) -> QuerySet[User]:
        return rows.filter(pk__in=self._held().filter(department__uuid=value).values("user"))

    def holding(self, rows: QuerySet[User], _name: str, value: str) -> QuerySet[User]:
        return rows.filter(pk__in=self._held().filter(role=value).values("user"))

    def _held(self) -> Any:
        return not_over(at=self.request.parser_context["view"].at)


class DepartureBody(Body):
    successors = serializers.ListField(
        child=serializers.UUIDField(),
        default=list,
        max_length=MOST_SUCCESSORS,
        help_text="who takes over, in this order: each open order goes to the first who may apply for its department",
    )
    reason = serializers.CharField(max_length=500)
    force = serializers.BooleanField(
        default=False, help_text="although nobody else could apply or decide, or take an order over"
    )
    dry_run = serializers.BooleanField(default=False, help_text="tell what would move, and change nothing")


class MoveAnswer(serializers.Serializer[Any]):
    order = serializers.UUIDField(source="order.uuid")
    number = serializers.CharField(source="order.number")
    status = serializers.CharField(source="order.status")
    successor = PersonRef(allow_null=True, help_text="null: none of those named may take it over")


class LostWebhookAnswer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    name = serializers.CharField()


class DepartureAnswer(serializers.Serializer[Any]):
    orders = MoveAnswer(source="moves", many=True)
    roles = HeldAnswer(source="held", many=True, help_text="that end")
    without_holder = HeldAnswer(
        source="uncovered", many=True, help_text="of them, that nobody else holds there"
    )
    tokens = serializers.IntegerField(help_text="that are revoked")
    webhooks = LostWebhookAnswer(
        many=True, help_text="that this person keeps: disabled until somebody else takes them over"
    )


class People(Listed[User], Retrieved[User]):
    queryset = User.objects.all()
    serializer_class = PersonAnswer
    filterset_class = PersonFilters
    search_fields = ("username", "display_name")
    ordering_fields = ("username", "display_name")
    roles = dict.fromkeys(("list", "retrieve", "departure"), KEEPERS_OF_PEOPLE)

    def get_queryset(self) -> QuerySet[User]:
        people = kept_by(self.actor, at=self.at).order_by("username")
        return with_roles(people, self.actor, at=self.at)

    @extend_schema(request=DepartureBody, responses=DepartureAnswer)
    @action(detail=True, methods=["post"])
    def departure(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Somebody leaves: what they have open goes to their successors, every role ends, they are shut out at once."""
        person, given = self.get_object(), self.parsed(DepartureBody)
        watching.note(only_looks=given["dry_run"])
        require_keeper(person=person, actor=self.actor, at=self.at)
        successors = [
            find(
                visible=kept_by(self.actor, at=self.at),
                actor=self.actor,
                at=self.at,
                pointer=f"/successors/{position}",
                uuid=uuid,
            )
            for position, uuid in enumerate(given["successors"])
        ]
        if given["dry_run"]:
            foreseen = handover.foresee(person=person, successors=successors, at=self.at)
        else:
            foreseen = handover.hand_over(
                person=person, successors=successors, reason=given["reason"], force=given["force"],
                actor=self.actor, at=self.at,
            )  # fmt: skip
        return Response(DepartureAnswer(foreseen).data)
