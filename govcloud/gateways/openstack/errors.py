"""What can go wrong between us and a cloud, told apart by what it means for the effect of the call.

A caller must know one thing before any other: may the call have taken effect? ``CloudError.effect_unknown`` says so.
Where it is true, the only right continuation is to look; a second blind request is how duplicates are made.

The clouds do not agree on statuses (Nova refuses a full quota with 403, Cinder and Glance with 413, Neutron with 409 and
a type in the body; Nova tells a lost race for a volume with 400), so ``classify`` looks at service, status and body.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

_MESSAGE_LIMIT: Final = 500
_LONGEST_WAIT: Final = 600.0  # seconds, whatever a clock that is far off makes of an instant
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_QUOTA: Final = re.compile(
    r"quota exceeded|exceeds? .*quota|over (a )?limit|maximum number of", re.IGNORECASE
)
# Nova (400) when a volume is reserved by somebody else, and when a resize is being kept or taken back already, while the
# server still waits for that; Cinder (400) when an object's state forbids the request.
_STATE_CONFLICT: Final = re.compile(
    r"(available|downloading) to reserve|instance has not been resized|invalid (volume|snapshot|backup): .*\b(status|state|attach|in[ -]use)",
    re.IGNORECASE | re.DOTALL,
)
_TAGS: Final = re.compile(
    r"<(?:head|title|style)\b.*?</(?:head|title|style)>|<[^>]+>", re.IGNORECASE | re.DOTALL
)


class CloudError(Exception):
    """A call to a cloud that did not do what was asked.

    ``status`` is the HTTP status (``None`` when no answer came), ``code`` the cloud's own name of the error where the
    body has one (Neutron's ``type``, Nova's and Cinder's fault key), ``message`` the cloud's words, cut and free of
    anything we sent, ``request_id`` what its operators search their logs for.
    """

    effect_unknown: bool = False

    def __init__(
        self,
        message: str,
        *,
        service: str,
        status: int | None = None,
        code: str = "",
        request_id: str = "",
    ) -> None:
        self.service = service
        self.status = status
        self.code = code
        self.message = message[:_MESSAGE_LIMIT]
        self.request_id = request_id
        super().__init__(self.message)

    def __str__(self) -> str:
        status = "" if self.status is None else f" {self.status}"
        request = f" ({self.request_id})" if self.request_id else ""
        return f"{self.service}{status}: {self.message}{request}"


class Misconfigured(CloudError):
    """Our own side is wrong: no such cloud in clouds.yaml, credentials incomplete, service not in the catalogue."""


class Unreachable(CloudError):
    """The request never reached the service: no effect."""


class OutcomeUnknown(CloudError):
    """The request was sent and no trustworthy answer came (time-out, reset, cut body, 5xx): look before acting."""

    effect_unknown = True


class Unavailable(CloudError):
    """A reading request failed on the cloud's side; try again later."""


class Unauthorized(CloudError):
    """Credentials or token refused.

    A service that calls others with our token may find out half-way: after a changing request the effect is unknown.
    """

    def __init__(self, message: str, *, effect_unknown: bool = False, **details: Any) -> None:
        super().__init__(message, **details)
        self.effect_unknown = effect_unknown


class NoCredentials(Unauthorized):
    """There is nothing to sign in with: none are kept, or they cannot be decrypted here. No request was sent."""


class NotFound(CloudError):
    """There is no such thing, or it is not ours to see."""


class Conflict(CloudError):
    """The state of the thing, or somebody faster, forbids it: no effect."""


class OverQuota(CloudError):
    """A limit of the project in the cloud is reached: no effect."""


class RateLimited(CloudError):
    """Too many requests: no effect. ``retry_after`` is in seconds."""

    def __init__(self, message: str, *, retry_after: float, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class Refused(CloudError):
    """The cloud understood and said no (bad request, forbidden): the same request will be refused again."""


def is_mutation(method: str) -> bool:
    """Whether a request with this method may change something."""
    return method.upper() not in _SAFE_METHODS


def classify(
    *, service: str, method: str, status: int, body: object = None, headers: Mapping[str, str] | None = None
) -> CloudError:
    """The error that an HTTP answer stands for.

    ``body`` is the decoded JSON, or text where the answer was none; ``status`` is at least 300.
    """
    headers = {name.lower(): value for name, value in (headers or {}).items()}
    code, message = read_fault(body)
    details: dict[str, Any] = {
        "service": service,
        "status": status,
        "code": code,
        "request_id": headers.get("x-openstack-request-id") or headers.get("x-compute-request-id") or "",
    }
    message = message or f"HTTP status {status}"
    if status == 401:
        return Unauthorized(message, effect_unknown=is_mutation(method), **details)
    if status == 429 or (status == 413 and _seconds(headers) > 0):
        return RateLimited(message, retry_after=_seconds(headers) or 1.0, **details)
    if (status >= 500 and status != 501) or status == 408:
        return (OutcomeUnknown if is_mutation(method) else Unavailable)(message, **details)
    return _refusal(status, code, message)(message, **details)


def _refusal(status: int, code: str, message: str) -> type[CloudError]:
    if status in {404, 410}:
        return NotFound
    if status == 413 or (status == 409 and code == "OverQuota") or (status == 403 and _QUOTA.search(message)):
        return OverQuota
    if status == 409 or (status == 400 and _STATE_CONFLICT.search(message)):
        return Conflict
    return Refused


def read_fault(body: object) -> tuple[str, str]:
    """The cloud's code and message in an error body, in whichever of the services' shapes it comes.

    Nova, Cinder and Keystone wrap ``{"message": ...}`` under one key, Neutron puts ``type`` beside it, Placement lists
    ``errors`` with a ``detail``, Glance answers with a page of HTML.
    """
    if isinstance(body, str):
        return "", " ".join(_TAGS.sub(" ", body).split())
    if not isinstance(body, dict) or not body:
        return "", ""
    key, fault = next(iter(body.items()))
    if isinstance(fault, list) and fault:
        fault = fault[0]
    if not isinstance(fault, dict):
        return "", str(fault)
    text = str(fault.get("message") or fault.get("detail") or fault.get("title") or "")
    return str(fault.get("type") or fault.get("code_name") or key), " ".join(text.split())


def _seconds(headers: Mapping[str, str]) -> float:
    """How long to wait: seconds, or until an instant (proxies that limit rates tell one); 1 where it is neither."""
    told = headers.get("retry-after", "0")
    with suppress(ValueError):
        seconds = float(told)
        return min(seconds, _LONGEST_WAIT) if seconds >= 0 else 1.0  # not a number is neither
    with suppress(ValueError):
        until = parsedate_to_datetime(told)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)  # an offset of -0000
        return min(max((until - datetime.now(UTC)).total_seconds(), 1.0), _LONGEST_WAIT)
    return 1.0
