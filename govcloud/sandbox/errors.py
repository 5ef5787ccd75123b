"""Refusals of the sandbox's services, and the body each real service would send with them."""

import html
import json
from http import HTTPStatus
from typing import Any

_FAULT_NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
_NEUTRON_KINDS = {400: "BadRequest", 403: "PolicyNotAuthorized", 404: "HTTPNotFound", 409: "Conflict"}


class ApiError(Exception):
    """A request refused with `status`; `kind` is the exception name Neutron shows to its callers."""

    def __init__(
        self, status: int, message: str, *, kind: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.headers = headers or {}


def bad_request(message: str, *, kind: str = "") -> ApiError:
    return ApiError(400, message, kind=kind)


def unauthorized(identity_url: str) -> ApiError:
    """The 401 of keystonemiddleware and of Keystone itself."""
    message = "The request you have made requires authentication."
    return ApiError(401, message, headers={"WWW-Authenticate": f'Keystone uri="{identity_url}"'})


def forbidden(message: str, *, kind: str = "") -> ApiError:
    return ApiError(403, message, kind=kind)


def not_found(message: str, *, kind: str = "") -> ApiError:
    return ApiError(404, message, kind=kind)


def conflict(message: str, *, kind: str = "") -> ApiError:
    return ApiError(409, message, kind=kind)


def over_limit(message: str) -> ApiError:
    """Cinder's over-quota answer: 413 that asks to come back at once."""
    return ApiError(413, message, headers={"Retry-After": "0"})


def render(service: str, error: ApiError, request_id: str) -> tuple[bytes, str]:
    """The body and content type with which `service` reports `error`."""
    if service == "object-store" and error.status != 401:
        title = HTTPStatus(error.status).phrase
        return f"<html><h1>{title}</h1><p>{html.escape(error.message)}</p></html>".encode(), "text/html"
    if service == "image":
        return _html(error), "text/html; charset=UTF-8"
    return json.dumps(_document(service, error, request_id)).encode(), "application/json"


def _document(service: str, error: ApiError, request_id: str) -> dict[str, Any]:
    title = HTTPStatus(error.status).phrase
    if service == "identity" or error.status == 401:
        return {"error": {"code": error.status, "message": error.message, "title": title}}
    if service == "network":
        kind = error.kind or _NEUTRON_KINDS.get(error.status, "HTTPInternalServerError")
        return {"NeutronError": {"type": kind, "message": error.message, "detail": ""}}
    if service == "placement":
        entry = {"status": error.status, "title": title, "detail": error.message, "request_id": request_id}
        return {"errors": [entry]}
    if service == "sandbox":
        return {"error": error.message}
    fault: dict[str, Any] = {"code": error.status, "message": error.message}
    if "Retry-After" in error.headers:
        fault["retryAfter"] = error.headers["Retry-After"]
    return {_FAULT_NAMES.get(error.status, "computeFault"): fault}


def _html(error: ApiError) -> bytes:
    title = f"{error.status} {HTTPStatus(error.status).phrase}"
    return (
        f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n"
        f"  {html.escape(error.message)}<br /><br />\n\n\n </body>\n</html>"
    ).encode()
