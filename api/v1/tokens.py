"""API tokens: name and password for one that lasts as long as it is used; and named ones for programs, with limits."""

import math
from typing import Any, ClassVar, cast

import django_filters as filters
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from knox.models import AuthToken
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from api.bodies import Body
from api.endpoints import Listed
from api.fields import Answer
from api.problems import HttpProblem, TooManyRequests
from api.throttles import SignInThrottle
from govcloud.audit.refusals import refuse
from govcloud.audit.services import SystemActor
from govcloud.errors import Conflict, Forbidden
from tenants.access import attempts, entry, second_factor
from tenants.access import tokens as access
from tenants.access.models import ApiToken, TokenKind, TokenScope
from tenants.access.permissions import Permission
from tenants.lockout import CODE_NEEDED, LOCKED, first_since, locked_until
from tenants.models import User


class WrongCredentials(HttpProblem):
    status: ClassVar[int] = 401
    code = "wrong-credentials"
    message = _("No active account has this name and password.")


class CodeNeeded(HttpProblem):
    status: ClassVar[int] = 401
    code = CODE_NEEDED
    message = _("This account has a second factor: send the code that the authenticator app shows now.")


class AccountLocked(TooManyRequests):
    code = LOCKED
    message = _(
        "Too many failed attempts to sign in. Try again in %(seconds)s seconds, or ask your security administrator."
    )


class NotByToken(Conflict):
    code = "not-by-token"
    message = _("This request was not made with a token, so there is no current one.")


class NotByNamedToken(Forbidden):
    code = "not-by-named-token"
    message = _("A named token makes no further tokens: sign in.")


class Credentials(Body):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)
    code = serializers.CharField(
        max_length=20, default="", allow_blank=True, write_only=True, help_text="Of the second factor."
    )
    name = serializers.CharField(max_length=80, help_text="What you will recognise the token by.")


class NamedTokenBody(Body):
    name = serializers.CharField(max_length=80, help_text="What you will recognise the token by.")
    scope = serializers.ChoiceField(TokenScope.choices)
    permissions = serializers.ListField(
        child=serializers.ChoiceField(Permission.choices), default=list, help_text="Of the scope “chosen”."
    )
    networks = serializers.ListField(
        child=serializers.CharField(max_length=43), default=list, max_length=20,
        help_text="CIDR; none: usable from anywhere.",
    )  # fmt: skip
    expires_at = serializers.DateTimeField()


class TokenAnswer(Answer):
    uuid = serializers.UUIDField()
    name = serializers.CharField()
    holder = serializers.UUIDField(source="token.user.uuid")
    holder_name = serializers.CharField(source="token.user.display_name")
    kind = serializers.ChoiceField(TokenKind.choices)
    scope = serializers.ChoiceField(TokenScope.choices)
    permissions = serializers.ListField(child=serializers.ChoiceField(Permission.choices))
    networks = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField(source="token.created")
    expires_at = serializers.DateTimeField(
        source="token.expiry", help_text="Of a token of signing in: unless it is used before."
    )
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")
    last_used_from = serializers.CharField(allow_null=True)


class NewTokenAnswer(TokenAnswer):
    token = serializers.SerializerMethodField(help_text="Shown this once; only its digest is kept.")

    def get_token(self, _label: ApiToken) -> str:
        return cast("str", self.context["token"])


class TokenFilters(filters.FilterSet):  # type: ignore[misc]
    holder = filters.UUIDFilter("token__user__uuid")
    kind = filters.ChoiceFilter(choices=TokenKind.choices)
    scope = filters.ChoiceFilter(choices=TokenScope.choices)


class Tokens(Listed[ApiToken]):
    """One's own; security administrators see and revoke everybody's. A token is shown once, when it is made."""

    queryset = ApiToken.objects.select_related("token__user").order_by("pk")
    serializer_class = TokenAnswer
    personal = frozenset({"destroy"})
    filterset_class = TokenFilters
    once = False  # the answer holds the token, which is never kept
    search_fields = ("name", "token__user__username", "token__user__display_name")
    ordering_fields = ("name", "last_used_at")
    refusals = {"create": (WrongCredentials, CodeNeeded, entry.PasswordChangeNeeded)}

    def get_queryset(self) -> QuerySet[ApiToken]:
        visible = ApiToken.objects.visible_to(self.actor, at=self.at).in_force(now=timezone.now())
        return visible.select_related("token__user").order_by("pk")

    def get_permissions(self) -> list[Any]:
        return (
            [AllowAny()]
            if self.action == "create"
            else cast("list[BasePermission]", super().get_permissions())
        )

    def get_authenticators(self) -> list[Any]:
        """Signing in looks at no earlier sign-in, so that an expired token is no obstacle to a new one."""
        method = (self.request.method or "").lower() if self.request is not None else ""
        return [] if self.action_map.get(method) == "create" else super().get_authenticators()

    def get_throttles(self) -> list[BaseThrottle]:
        return [SignInThrottle()] if self.action == "create" else []

    def _is_one_transaction(self, request: HttpRequest) -> bool:
        """Signing in is not: the attempt is counted whatever becomes of it, and what it writes is one transaction by itself."""
        signs_in = self.action_map.get((request.method or "").lower()) == "create"
        return not signs_in and super()._is_one_transaction(request)

    @extend_schema(request=Credentials, responses={201: NewTokenAnswer}, auth=[])
    def create(self, request: Request) -> Response:
        """Sign in: name and password, and a code of the second factor, for a token that ends when it idles.

        Refusals are audited; attempts are limited, and five failures lock.
        """
        given = self.parsed(Credentials)
        user = self._identified(given["username"], given["password"], given["code"])
        self._was_right()
        thing = entry.first_thing(user, at=self.at)
        if thing is not None:
            raise thing
        issued = access.sign_in(user=user, name=given["name"], at=self.at)
        user_logged_in.send(sender=User, request=request._request, user=user)  # noqa: SLF001
        return self._shown(issued)

    @extend_schema(request=NamedTokenBody, responses={201: NewTokenAnswer})
    @action(detail=False, methods=["post"])
    def named(self, request: Request) -> Response:
        """Make a token for a program: with a scope, an end, and the networks it may be used from."""
        if isinstance(request.auth, AuthToken) and request.auth.label.kind == TokenKind.NAMED:
            raise NotByNamedToken
        given = self.parsed(NamedTokenBody)
        return self._shown(
            access.issue(
                user=self.actor,
                name=given["name"],
                scope=given["scope"],
                permissions=given["permissions"],
                networks=given["networks"],
                until=given["expires_at"],
                now=timezone.now(),
                at=self.at,
            )
        )

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Revoke one of your tokens; a security administrator, anybody's."""
        access.revoke(token=self.get_object(), actor=self.actor, at=self.at)
        return Response(status=204)

    @extend_schema(request=None, responses={204: None})
    @action(detail=False, methods=["delete"])
    def current(self, request: Request) -> Response:
        """Sign out: revoke the token that this request was made with."""
        if not isinstance(request.auth, AuthToken):
            raise NotByToken
        access.revoke(token=request.auth.label, actor=self.actor, at=self.at)
        return Response(status=204)

    def _shown(self, issued: access.Issued) -> Response:
        answer = NewTokenAnswer(issued.token, context={**self.get_serializer_context(), "token": issued.text})
        return Response(answer.data, status=201)

    def _identified(self, username: str, password: str, code: str) -> User:
        """Whose name, password and code these are. Raises WrongCredentials, CodeNeeded, and AccountLocked without looking."""
        account = User.objects.filter(username=username).first()
        until = locked_until(account, at=self.at) if account is not None else None
        if until is not None:
            self._refused(account, reason=AccountLocked.code)
            raise AccountLocked(seconds=math.ceil((until - self.at).total_seconds()))
        if account is None or authenticate(self.request, username=username, password=password) is None:
            self._refused(account, reason=WrongCredentials.code)
            raise WrongCredentials
        if second_factor.enrolled(account):
            if not code:
                self._was_right()
                self._refused(account, reason=CodeNeeded.code)
                raise CodeNeeded
            if not second_factor.accepts(account, code):
                self._refused(account, reason=second_factor.WrongCode.code)
                raise WrongCredentials
        return account

    def _was_right(self) -> None:
        attempts.give_back(address=attempts.address_of(self.request.META), now=timezone.now())

    def _refused(self, account: User | None, *, reason: str) -> None:
        """What was typed as a name is not kept: people type passwords there. Of a lock its first attempt is told."""
        if reason == LOCKED and account is not None and not first_since(account, at=self.at):
            return
        actor = account or SystemActor("sign-in")
        refuse(actor=actor, verb="token.refused", subject=account, at=self.at, reason=reason)
