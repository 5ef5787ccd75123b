"""Bearer tokens (django-rest-knox): stored as digests, expiring, revocable one by one."""

from django.utils import translation
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from tenants.models import User


class TokenAuthentication(KnoxTokenAuthentication):  # type: ignore[misc]
    """Also answers in the person's own language when the request asks for none."""

    def authenticate(self, request: Request) -> tuple[User, object] | None:
        try:
            found: tuple[User, object] | None = super().authenticate(request)
        except UnicodeDecodeError as error:
            raise AuthenticationFailed from error
        if found is not None and "Accept-Language" not in request.headers:
            translation.activate(found[0].language)
        return found
