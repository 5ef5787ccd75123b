"""The one way a request leaves for a cloud.

openstacksdk brings configuration (clouds.yaml), authentication, the catalogue and microversions; the requests themselves
are spelled out by the modules beside this one, because a request that changes something must be exactly one HTTP exchange
whose answer, request id and failure we can name. Its resource layer adds look-ups of its own, and keystoneauth sends a
request again after a lost connection, a 503 or a 401. Hence here:

- a changing request is sent once: no retry, no redirect, no second try with a new token;
- a reading request is sent a second time when the first found nobody or a passing fault;
- every request has a time limit, so a call lasts at most twice the limit and the fetching of a token;
- every exchange is recorded (``recording``), every failure is a ``CloudError``;
- a 404 is believed only from the service that was asked: a proxy in front of it that has lost sight of it says the same.
"""

import json as jsonlib
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from urllib.parse import urlsplit

import requests
from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1.adapter import Adapter
from openstack import exceptions as sdk_errors
from urllib3 import exceptions as urllib3_errors

from govcloud.gateways.openstack import errors, paging
from govcloud.gateways.openstack.recording import Exchange, ask_guards, record

if TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion

Json = dict[str, Any]

_READ_ATTEMPTS: Final = 2
_GUARDS_ANSWER_SECONDS: Final = 10.0  # together with a call's time-out, less than a request has to land in
_READ_PAUSE_SECONDS: Final = 0.3
_VERSION_PREFIX: Final = {
    "identity": "/v3",
    "compute": "/v2.1",
    "network": "/v2.0",
    "block-storage": "/v3",
    "image": "/v2",
    "placement": "",
    "object-store": "/v1",
}
_KEYSTONEAUTH_SUFFIX: Final = re.compile(r"\s*\(HTTP \d+\)(\s*\(Request-ID: [^)]*\))?\s*$")
_VERSIONED: Final = re.compile(r"/v\d+(\.\d+)?(/|$)")
_NOT_THERE: Final = frozenset({404, 410})
_SIGNED: Final = ("x-openstack-request-id", "x-compute-request-id", "x-trans-id")
"""One of these is in every answer that a service itself gives (the last is an object store's)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its status, its decoded body (empty when there is none), the request's id, its headers in small letters.

    A body that is a list comes as ``rows``.
    """

    status: int
    body: Json
    request_id: str
    headers: Mapping[str, str]


class Transport:
    """Sends requests to the services of one cloud with one set of credentials, scoped to one project."""

    def __init__(self, *, cloud: str, region: "CloudRegion") -> None:
        self.cloud = cloud
        self._region = region
        self._endpoints: dict[str, str] = {}
        self._adapters: dict[str, Adapter] = {}

    @property
    def project_id(self) -> str:
        """The project that the credentials are scoped to."""
        return self._ask_identity("get_project_id")

    @property
    def user_id(self) -> str:
        """The user that we are on this cloud."""
        return self._ask_identity("get_user_id")

    def get(
        self,
        service: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        microversion: str | None = None,
    ) -> Json:
        """Read one document. Tried twice when the first attempt found nobody or a passing fault."""
        return self._read_twice(service, "GET", path, params=params, microversion=microversion).body

    def head(self, service: str, path: str) -> Mapping[str, str]:
        """Read what the headers tell. Tried twice, as ``get`` is."""
        return self._read_twice(service, "HEAD", path).headers

    def _read_twice(self, service: str, method: str, path: str, **request: Any) -> Answer:
        for attempt in range(1, _READ_ATTEMPTS + 1):
            try:
                return self._exchange(service, method, path, **request)
            except (errors.Unreachable, errors.Unavailable):
                if attempt == _READ_ATTEMPTS:
                    raise
                time.sleep(_READ_PAUSE_SECONDS)
        raise AssertionError  # the loop returns or raises

    def pages(
        self,
        service: str,
        path: str,
        *,
        key: str,
        params: Mapping[str, Any] | None = None,
        microversion: str | None = None,
    ) -> Iterator[Json]:
        """Read a list to its end, following the service's links from page to page."""
        for page in self.whole_pages(service, path, key=key, params=params, microversion=microversion):
            yield from page

    def whole_pages(
        self,
        service: str,
        path: str,
        *,
        key: str,
        params: Mapping[str, Any] | None = None,
        microversion: str | None = None,
    ) -> Iterator[list[Json]]:
        """As ``pages``, a page at a time.

        Where the row that the next page begins behind has gone meanwhile, the list goes on behind an earlier one.
        """

        def asked(query: paging.Query) -> Json:
            return self.get(service, path, params=query, microversion=microversion)

        body = asked(dict(params or {}))
        while True:
            page: list[Json] = body.get(key, [])
            yield page
            query = paging.following(body, key)
            if query is None:
                return
            try:
                body = asked(query)
            except (errors.NotFound, errors.Refused) as refused:
                body = _go_on(asked, query, page, key=key, refused=refused)

    def send(
        self,
        service: str,
        method: str,
        path: str,
        *,
        json: Json | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        microversion: str | None = None,
    ) -> Answer:
        """Change something: one request, sent once."""
        request = {"json": json, "data": data, "headers": headers or {}, "microversion": microversion}
        return self._exchange(service, method, path, **request)

    def upload(self, service: str, path: str, *, data: BinaryIO) -> Answer:
        """Send a stream of bytes: one request, sent once."""
        headers = {"Content-Type": "application/octet-stream"}
        return self._exchange(service, "PUT", path, data=data, headers=headers)

    def authenticate(self) -> None:
        """Make sure that there is a valid token.

        Raises ``Unreachable`` or ``Unavailable`` (identity down), ``Unauthorized``, ``Misconfigured``. A failure is recorded
        like one of a call: a cloud whose identity service is down would look quiet otherwise.
        """
        started = time.monotonic()
        try:
            self._ask_identity("get_token")
        except errors.Misconfigured:
            raise  # nothing was sent
        except errors.CloudError as error:
            elapsed = round((time.monotonic() - started) * 1000)
            failure = type(error).__name__
            record(
                Exchange("identity", "POST", "/auth/tokens", error.status, error.request_id, elapsed, failure)
            )
            raise

    def endpoint(self, service: str) -> str:
        """The address of a service with its version, from clouds.yaml or the catalogue.

        Raises ``Misconfigured`` when neither has it.
        """
        if service not in self._endpoints:
            with _identity_failures():
                found = self._region.get_endpoint(service) or self._adapter(service).get_endpoint()
            if not found:
                raise errors.Misconfigured(f"cloud {self.cloud!r} offers no such service", service=service)
            base = str(found).rstrip("/")
            versioned = _VERSIONED.search(urlsplit(base).path)
            self._endpoints[service] = base if versioned else base + _VERSION_PREFIX[service]
        return self._endpoints[service]

    def _adapter(self, service: str) -> Adapter:
        """Made once for each service: the region looks its names up in a large table that it copies every time."""
        if service not in self._adapters:
            region = self._region
            with _identity_failures():
                self._adapters[service] = Adapter(
                    session=region.get_session(),
                    service_type=region.get_service_type(service),
                    service_name=region.get_service_name(service),
                    interface=region.get_interface(service),
                    region_name=region.get_region_name(service),
                )
        return self._adapters[service]

    def _ask_identity(self, question: str) -> str:
        with _identity_failures():
            return str(getattr(self._region.get_session(), question)())

    def _exchange(self, service: str, method: str, path: str, **request: Any) -> Answer:
        self.authenticate()  # beforehand: a failure to get a token must not look like a lost mutation
        url = self.endpoint(service) + path
        if errors.is_mutation(method):
            self._ask_guards(service)
        started = time.monotonic()
        status, request_id, failure = None, "", ""
        try:
            response = self._send(service, method, url, **request)
            status, request_id = response.status_code, _request_id(response)
            return self._read(service, method, response)
        except errors.CloudError as error:
            failure = type(error).__name__
            raise
        finally:
            elapsed = round((time.monotonic() - started) * 1000)
            record(Exchange(service, method, path, status, request_id, elapsed, failure))

    @staticmethod
    def _ask_guards(service: str) -> None:
        """Their answer is as old as it took to come. One that is old is not gone by: whoever was held up meanwhile may have
        lost what the request is for, and would send it all the same.
        """
        asked = time.monotonic()
        ask_guards()
        old = time.monotonic() - asked
        if old > _GUARDS_ANSWER_SECONDS:
            raise errors.Unreachable(f"held up for {old:.0f} s before the request was sent", service=service)

    def _send(self, service: str, method: str, url: str, **request: Any) -> requests.Response:
        changing, handled = errors.is_mutation(method), sys.exception()
        headers = {"Accept": "application/json", **request.pop("headers", {})}
        try:
            response: requests.Response = self._adapter(service).request(
                url,
                method,
                headers=headers,
                raise_exc=False,
                log=False,
                connect_retries=0,
                status_code_retries=0,
                allow_reauth=not changing,
                redirect=not changing,
                **{name: value for name, value in request.items() if value is not None},
            )
        except (keystone_errors.ClientException, requests.RequestException) as error:
            causes = list(_causes(error, short_of=handled))
            raise _transport_error(service, method, causes) from error
        return response

    def _read(self, service: str, method: str, response: requests.Response) -> Answer:
        if response.status_code == 401:
            self._region.get_session().invalidate()  # the next call starts with a fresh token
        body = _decode(service, method, response)
        if response.status_code in _NOT_THERE and not _is_the_services_own(service, response, body):
            raise _lost_sight_of(service, method, response.status_code)
        if response.status_code >= 300:
            raise errors.classify(
                service=service,
                method=method,
                status=response.status_code,
                body=body,
                headers=response.headers,
            )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, _document(body), _request_id(response), headers)


def _go_on(
    asked: Callable[[paging.Query], Json],
    query: paging.Query,
    page: Sequence[Json],
    *,
    key: str,
    refused: errors.CloudError,
) -> Json:
    """The page after this one, without what this one had. Raises what it was refused with where no row of this one is left."""
    for earlier in paging.behind_earlier_rows(query, page):
        with suppress(errors.NotFound, errors.Refused):
            body = asked(earlier)
            had = {row["id"] for row in page}
            return {**body, key: [row for row in body.get(key, []) if row["id"] not in had]}
    raise refused


class _identity_failures:  # noqa: N801  a context manager reads as a phrase
    """Name what goes wrong between us and the identity service; nothing has been asked of any other service yet."""

    def __enter__(self) -> None:
        self._handled = sys.exception()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # where the version of the API is looked for, keystoneauth wraps what happened in an error of its own
        chain = list(_causes(error, short_of=self._handled))
        refused = next((link for link in chain if isinstance(link, keystone_errors.HttpError)), None)
        if refused is not None and refused.http_status in _NOT_THERE:
            # nothing was asked about anything: it must not be taken for the answer that something has gone
            raise _lost_sight_of("identity", "GET", refused.http_status) from error
        if refused is not None:
            raise errors.classify(
                service="identity",
                method="GET",  # a token asked for in vain changes nothing
                status=refused.http_status or 500,
                body=_KEYSTONEAUTH_SUFFIX.sub("", str(refused.message or "")),
                headers={"x-openstack-request-id": refused.request_id or ""},
            ) from error
        lost = keystone_errors.ConnectionError
        if error is not None and any(isinstance(link, lost) for link in chain):
            raise _transport_error("identity", "GET", chain) from error
        if isinstance(error, keystone_errors.ClientException | sdk_errors.SDKException):
            raise errors.Misconfigured(str(error), service="identity") from error


def _is_the_services_own(service: str, response: requests.Response, body: object) -> bool:
    """Glance's pages are believed as they are: nothing is told to have gone by them."""
    code, _message = errors.read_fault(body)
    return service == "image" or bool(code) or any(name in response.headers for name in _SIGNED)


def _lost_sight_of(service: str, method: str, status: int) -> errors.CloudError:
    """Whoever answered may have passed nothing on, or may have done so before: the effect is unknown."""
    failure = errors.OutcomeUnknown if errors.is_mutation(method) else errors.Unavailable
    return failure(
        f"HTTP status {status} came from a proxy, not from the service", service=service, status=status
    )


def _transport_error(service: str, method: str, causes: Sequence[BaseException]) -> errors.CloudError:
    """No trustworthy answer came. Only where we know that no request left is the effect known: none."""
    words = f"{method} got no answer: {type(causes[-1]).__name__}"
    if not errors.is_mutation(method) or any(_never_left(cause) for cause in causes):
        return errors.Unreachable(words, service=service)
    return errors.OutcomeUnknown(words, service=service)


def _never_left(error: BaseException) -> bool:
    return isinstance(
        error,
        requests.ConnectTimeout
        | urllib3_errors.NewConnectionError
        | urllib3_errors.ConnectTimeoutError
        | urllib3_errors.NameResolutionError
        | ConnectionRefusedError,
    )


def _causes(error: BaseException | None, *, short_of: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, outermost first.

    ``short_of`` is what was being handled when the request began: Python makes it the context of all that is raised since,
    but a connection that an earlier request was refused says nothing about this one.
    """
    seen: set[int] = set()
    while error is not None and error is not short_of and id(error) not in seen:
        seen.add(id(error))
        yield error
        reason = getattr(error, "reason", None)  # urllib3's MaxRetryError keeps its cause there
        error = reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__


def _decode(service: str, method: str, response: requests.Response) -> object:
    """The answer's body as JSON, or as text where an error comes as a page."""
    if not response.content:
        return {}
    try:
        return jsonlib.loads(response.content)
    except ValueError as error:
        if response.status_code >= 300:
            return response.text
        if service == "object-store" and "html" in response.headers.get("content-type", ""):
            return {}  # Swift says in a page what the status says
        failure = errors.OutcomeUnknown if errors.is_mutation(method) else errors.Unavailable
        raise failure(
            "the answer is cut or not JSON",
            service=service,
            status=response.status_code,
            request_id=_request_id(response),
        ) from error


def _document(body: object) -> Json:
    if isinstance(body, list):
        return {"rows": body}
    return body if isinstance(body, dict) else {}


def _request_id(response: requests.Response) -> str:
    headers = response.headers
    return str(headers.get("x-openstack-request-id") or headers.get("x-compute-request-id") or "")
