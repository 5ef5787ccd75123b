"""Accounts: opened by system administrators, who reset passwords; security administrators confirm and reset second factors."""

from typing import Any

import django_filters as filters
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.v1.people import PersonRef
from api.v1.roles import ReasonBody
from govcloud.organisation import identity
from govcloud.organisation.policies import READERS_OF_ACCOUNTS
from tenants.access import accounts, confirmations
from tenants.access.models import Enrolment
from tenants.models import Role, User


class AccountAnswer(Answer):
    uuid = serializers.UUIDField()
    username = serializers.CharField()
    name = serializers.CharField(source="audit_name")
    language = serializers.CharField()
    is_active = serializers.BooleanField()
    has_second_factor = serializers.BooleanField()
    has_password = serializers.BooleanField(
        source="has_usable_password", help_text="False: signs in by the identity provider only, or has left."
    )
    password_changed_at = serializers.DateTimeField(
        allow_null=True,
        help_text="Null of a password: set by somebody else, to be changed at the next sign-in with it.",
    )
    last_login = serializers.DateTimeField(allow_null=True)
    date_joined = serializers.DateTimeField()


class FirstPasswordAnswer(Answer):
    uuid = serializers.UUIDField(source="user.uuid")
    username = serializers.CharField(source="user.username")
    password = serializers.CharField(
        help_text="Shown this once; the person changes it at the first sign-in. Empty: there is none."
    )


class AccountBody(Body):
    username = serializers.CharField(max_length=150)
    name = serializers.CharField(max_length=80)
    language = serializers.ChoiceField(settings.LANGUAGES, default=settings.LANGUAGE_CODE)
    with_password = serializers.BooleanField(
        default=True, help_text="False: the person signs in by the identity provider only."
    )


class ConfirmationCodeBody(Body):
    code = serializers.CharField(
        max_length=20, write_only=True, help_text="That the person tells, face to face; upper or lower case."
    )


class AccountFilters(filters.FilterSet):  # type: ignore[misc]
    is_active = TrueOrFalseFilter()
    has_second_factor = TrueOrFalseFilter()


class Accounts(Listed[User], Retrieved[User]):
    """Who can sign in. People with an account have no rights until a security administrator gives them a role."""

    queryset = User.objects.all()
    serializer_class = AccountAnswer
    filterset_class = AccountFilters
    search_fields = ("username", "display_name")
    ordering_fields = ("username", "last_login", "date_joined")
    once = False  # answers hold a first password, which is never kept
    roles = {
        "list": READERS_OF_ACCOUNTS,
        "retrieve": READERS_OF_ACCOUNTS,
        "create": (Role.SYSTEM_ADMIN,),
        "password_reset": (Role.SYSTEM_ADMIN,),
        "second_factor_reset": (Role.SECURITY_ADMIN,),
        "second_factor_confirmation": (Role.SECURITY_ADMIN,),
    }

    def get_queryset(self) -> QuerySet[User]:
        factors = Authenticator.objects.filter(user=OuterRef("pk"), type=Authenticator.Type.TOTP)
        return User.objects.annotate(has_second_factor=Exists(factors)).order_by("username")

    @extend_schema(request=AccountBody, responses={201: FirstPasswordAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Open an account. The answer has its first password."""
        given = self.parsed(AccountBody)
        opened = accounts.open_account(
            username=given["username"],
            display_name=given["name"],
            language=given["language"],
            with_password=given["with_password"],
            actor=self.actor,
            at=self.at,
        )
        location = self.reverse_action("detail", kwargs={"uuid": opened.user.uuid})
        return Response(FirstPasswordAnswer(opened).data, status=201, headers={"Location": location})

    @extend_schema(request=None, responses=FirstPasswordAnswer)
    @action(detail=True, methods=["post"], url_path="password-reset")
    def password_reset(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """A first password anew, for who has forgotten theirs; all their sessions end."""
        opened = identity.reset_password(user=self.get_object(), actor=self.actor, at=self.at)
        return Response(FirstPasswordAnswer(opened).data)

    @extend_schema(request=ReasonBody, responses={204: None})
    @action(detail=True, methods=["post"], url_path="second-factor-reset")
    def second_factor_reset(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Take a lost second factor away; who needs one sets up another at the next sign-in."""
        user, reason = self.get_object(), self.parsed(ReasonBody)["reason"]
        identity.reset_second_factor(user=user, reason=reason, actor=self.actor, at=self.at)
        return Response(status=204)

    @extend_schema(request=ConfirmationCodeBody, responses={204: None})
    @action(detail=True, methods=["post"], url_path="second-factor-confirmation")
    def second_factor_confirmation(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Confirm that a second factor is that of whom the account belongs to, by the code that they tell.

        Not one's own. Wrong codes are audited; five of them lock your account.
        """
        user, code = self.get_object(), self.parsed(ConfirmationCodeBody)["code"]
        identity.confirm(user=user, code=code, actor=self.actor, at=self.at)
        return Response(status=204)


class SecondFactorAnswer(Answer):
    user = PersonRef()
    enrolled_at = serializers.DateTimeField()
    confirmed_at = serializers.DateTimeField(allow_null=True)
    confirmed_by = PersonRef(
        allow_null=True,
        help_text="Null of a confirmed one: on the machine, or before confirmations were asked for.",
    )


class SecondFactorFilters(filters.FilterSet):  # type: ignore[misc]
    confirmed = TrueOrFalseFilter("confirmed_at", lookup_expr="isnull", exclude=True)
    waiting = TrueOrFalseFilter(
        method="that_waits", label="not confirmed, of somebody whose role needs a confirmed one"
    )

    def that_waits(self, rows: QuerySet[Enrolment], _name: str, value: bool) -> QuerySet[Enrolment]:  # noqa: FBT001
        waiting = confirmations.waiting(at=self.request.parser_context["view"].at).values("pk")
        return rows.filter(pk__in=waiting) if value else rows.exclude(pk__in=waiting)


class SecondFactors(Listed[Enrolment]):
    """Who has set up a second factor, and who has confirmed it; `waiting=true` are those to be confirmed."""

    queryset = Enrolment.objects.select_related("user", "confirmed_by").order_by("enrolled_at", "pk")
    serializer_class = SecondFactorAnswer
    filterset_class = SecondFactorFilters
    search_fields = ("user__username", "user__display_name")
    ordering_fields = ("enrolled_at", "confirmed_at")
    roles = {"list": (Role.SECURITY_ADMIN,)}
