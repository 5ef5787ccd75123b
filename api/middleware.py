"""Gives every request an id, which its answer, its log lines and its audit events carry."""

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
        identifier = given if ACCEPTABLE.match(given) else str(uuid4())
        with audit.request(identifier):
            response = self.get_response(request)
        response["X-Request-Id"] = identifier
        return response
