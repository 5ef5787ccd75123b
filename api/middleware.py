"""What every answer carries: a request id, and below ``/api/`` a content security policy."""

import re
from collections.abc import Callable
from uuid import uuid4

from django.http import HttpRequest, HttpResponse

from govcloud.audit import services as audit

ACCEPTABLE = re.compile(r"^[A-Za-z0-9._-]{8,64}$")


class RequestIdMiddleware:
    """Takes ``X-Request-Id`` from a caller when it is well-formed, else makes one, and sends it back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        identifier = given if ACCEPTABLE.fullmatch(given) else str(uuid4())
        with audit.request(identifier):
            response = self.get_response(request)
        response["X-Request-Id"] = identifier
        return response


API_POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"
"""Data and the plain pages of the API: nothing in them runs."""

DOCUMENTATION = "/api/v1/docs/"
DOCUMENTATION_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""Swagger UI, served from here, styles some elements inline and speaks to this API."""


class ContentSecurityPolicyMiddleware:
    """Below ``/api/``; the portal has its own policy for its pages."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/api/"):
            policy = DOCUMENTATION_POLICY if request.path == DOCUMENTATION else API_POLICY
            response.headers.setdefault("Content-Security-Policy", policy)
        return response
