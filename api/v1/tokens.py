"""API tokens: a person's name and password for a token, shown once; listed by name, revoked one by one."""

import math
from typing import Any, ClassVar, cast

from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from knox.models import AuthToken
from knox.settings import knox_settings
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from api.bodies import Body
from api.endpoints import Listed
from api.fields import Answer
from api.models import TokenName
from api.problems import HttpProblem, TooManyRequests
from api.throttles import AddressThrottle, SignInThrottle
from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from govcloud.audit.services import SystemActor
from govcloud.errors import Conflict
from tenants.lockout import LOCKED, locked_until
from tenants.models import User


class WrongCredentials(HttpProblem):
    status: ClassVar[int] = 401
    code = "wrong-credentials"
    message = _("No active account has this name and password.")


class AccountLocked(TooManyRequests):
    code = LOCKED
    message = _(
        "Too many failed attempts to sign in. Try again in %(seconds)s seconds, or ask your security administrator."
    )


class TooManyTokens(Conflict):
    code = "too-many-tokens"
    message = _("You have %(limit)s tokens, which is the limit. Revoke one first.")


class NotByToken(Conflict):
    code = "not-by-token"
    message = _("This request was not made with a token, so there is no current one.")


class Credentials(Body):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)
    name = serializers.CharField(max_length=80, help_text="What you will recognise the token by.")


class TokenAnswer(Answer):
    uuid = serializers.UUIDField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField(source="token.created")
    expires_at = serializers.DateTimeField(source="token.expiry")


class NewTokenAnswer(TokenAnswer):
    token = serializers.SerializerMethodField(help_text="Shown this once; only its digest is kept.")

    def get_token(self, _named: TokenName) -> str:
        return cast("str", self.context["token"])


class Tokens(Listed[TokenName]):
    """Tokens of the person who asks. A token is shown once, when it is made."""

    queryset = TokenName.objects.select_related("token").order_by("pk")
    serializer_class = TokenAnswer
    once = False  # the answer holds the token, which is never kept
    search_fields = ("name",)
    ordering_fields = ("name",)

    def get_queryset(self) -> QuerySet[TokenName]:
        return super().get_queryset().filter(token__user=self.actor)

    def get_permissions(self) -> list[Any]:
        return (
            [AllowAny()]
            if self.action == "create"
            else cast("list[BasePermission]", super().get_permissions())
        )

    def get_authenticators(self) -> list[Any]:
        """Signing in looks at no earlier sign-in, so that an expired token is no obstacle to a new one."""
        return (
            [] if self.request is not None and self.request.method == "POST" else super().get_authenticators()
        )

    def get_throttles(self) -> list[BaseThrottle]:
        return [AddressThrottle(), SignInThrottle()] if self.action == "create" else []

    @extend_schema(request=Credentials, responses={201: NewTokenAnswer}, auth=[])
    def create(self, request: Request) -> Response:
        """Sign in: name and password for a token. Refusals are audited; attempts are limited, and five failures lock."""
        given = self.parsed(Credentials)
        user = self._identified(given["username"], given["password"])
        named, token = issue(user=user, name=given["name"])
        user_logged_in.send(sender=User, request=request._request, user=user)  # noqa: SLF001
        audit.record(
            actor=user,
            verb="token.issued",
            subject=named,
            at=self.at,
            after={"expires_at": named.token.expiry},
        )
        answer = NewTokenAnswer(named, context={**self.get_serializer_context(), "token": token})
        return Response(answer.data, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Revoke one of your tokens."""
        return self._revoke(self.get_object())

    @extend_schema(request=None, responses={204: None})
    @action(detail=False, methods=["delete"])
    def current(self, request: Request) -> Response:
        """Sign out: revoke the token that this request was made with."""
        if not isinstance(request.auth, AuthToken):
            raise NotByToken
        named = TokenName.objects.filter(token=request.auth).first()
        if named is None:
            raise NotByToken
        return self._revoke(named)

    def _identified(self, username: str, password: str) -> User:
        """Whose name and password these are. Raises WrongCredentials, and AccountLocked without looking at them."""
        account = User.objects.filter(username=username).first()
        until = locked_until(account, at=self.at) if account is not None else None
        if until is not None:
            self._refused(account, reason=AccountLocked.code)
            raise AccountLocked(seconds=math.ceil((until - self.at).total_seconds()))
        user = authenticate(self.request, username=username, password=password)
        if not isinstance(user, User):
            self._refused(account, reason=WrongCredentials.code)
            raise WrongCredentials
        return user

    def _refused(self, account: User | None, *, reason: str) -> None:
        """What was typed as a name is not kept: people type passwords there."""
        actor = account or SystemActor("sign-in")
        refuse(actor=actor, verb="token.refused", subject=account, at=self.at, reason=reason)

    def _revoke(self, named: TokenName) -> Response:
        audit.record(actor=self.actor, verb="token.revoked", subject=named, at=self.at)
        named.token.delete()
        return Response(status=204)


def issue(*, user: User, name: str) -> tuple[TokenName, str]:
    """A new token and its text, which is nowhere kept. Raises TooManyTokens."""
    limit = knox_settings.TOKEN_LIMIT_PER_USER
    User.objects.select_for_update().get(pk=user.pk)  # so that two at once are counted one after the other
    in_force = Q(expiry__isnull=True) | Q(expiry__gt=Now())
    if AuthToken.objects.filter(in_force, user=user).count() >= limit:
        raise TooManyTokens(limit=limit)
    token, text = AuthToken.objects.create(user=user)
    return TokenName.objects.create(token=token, name=name), text
