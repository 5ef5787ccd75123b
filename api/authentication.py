"""Who is asking: by a bearer token, or by the portal's session."""

from datetime import datetime
from hmac import compare_digest
from typing import cast

from django.utils import timezone, translation
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.crypto import hash_token
from knox.models import AuthToken
from knox.settings import CONSTANTS
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from govcloud import clock
from govcloud.audit import watching
from tenants.access import entry, sessions, tokens
from tenants.access.attempts import address_of
from tenants.access.models import ApiToken
from tenants.models import User


class TokenAuthentication(KnoxTokenAuthentication):  # type: ignore[misc]
    """Tokens are stored as digests, end by themselves, and can be revoked one by one; each keeps to its own limits.

    Also answers in the person's own language when the request asks for none.
    """

    def authenticate(self, request: Request) -> tuple[User, AuthToken] | None:
        try:
            found: tuple[User, AuthToken] | None = super().authenticate(request)
        except UnicodeDecodeError as error:
            raise AuthenticationFailed from error
        if found is None:
            return None
        user, token = found
        watching.note(actor=user)
        at = _instant_of(request)
        thing = entry.first_thing_by_token(user, at=at)
        if thing is not None:
            raise thing
        tokens.use(
            token.label,
            user=user,
            reads=request.method in SAFE_METHODS,
            address=address_of(request.META),
            now=timezone.now(),
            at=at,
        )
        if "Accept-Language" not in request.headers:
            translation.activate(user.language)
        return user, token

    def authenticate_credentials(self, token: bytes) -> tuple[User, AuthToken]:
        """By one query; what has ended stays until its holder needs its place."""
        text = token.decode("utf-8")
        rows = ApiToken.objects.in_force(now=timezone.now()).select_related("token__user")
        digest = hash_token(text)
        for label in rows.filter(token__token_key=text[: CONSTANTS.TOKEN_KEY_LENGTH]):
            if compare_digest(digest, label.token.digest):
                return cast("tuple[User, AuthToken]", self.validate_user(label.token))
        raise AuthenticationFailed


class PortalSession(SessionAuthentication):
    """Who has something to do in the portal first does it there first."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        found = cast("tuple[User, None] | None", super().authenticate(request))
        if found is not None:
            at_provider = sessions.began_at_provider(request._request, user=found[0])  # noqa: SLF001
            thing = entry.first_thing(found[0], at=_instant_of(request), at_provider=at_provider)
            if thing is not None:
                raise thing
        return found


def _instant_of(request: Request) -> datetime:
    """That of the view, if it has one, so that roles are read once."""
    view = (request.parser_context or {}).get("view")
    at: datetime = getattr(view, "at", None) or clock.now()
    return at
