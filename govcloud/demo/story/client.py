"""A small client of the HTTP API: one person with one token."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import requests

TIMEOUT = 60.0  # seconds for one answer
Json = dict[str, Any]


class Refused(Exception):
    """The API refused; ``code`` is the stable code of the problem details (RFC 9457)."""

    def __init__(self, response: requests.Response) -> None:
        problem = _problem(response)
        self.status = response.status_code
        self.code = str(problem.get("type", "")).rsplit("/", 1)[-1]
        self.detail = str(problem.get("detail", response.text[:500]))
        self.errors: list[Json] = problem.get("errors", [])
        named = "".join(f" [{e.get('pointer')}: {e.get('code')}]" for e in self.errors)
        request = response.request
        super().__init__(
            f"{request.method} {request.path_url}: {self.status} {self.code}: {self.detail}{named}"
        )


def _problem(response: requests.Response) -> Json:
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _read(version: int | None) -> dict[str, str]:
    """Binds what is sent to what was read."""
    return {} if version is None else {"If-Match": f'"{version}"'}


class Api:
    """The API at ``url`` as the person sees it whose token this is. Paths are below ``/api/v1/``."""

    def __init__(self, url: str, *, token: str = "") -> None:
        self.root = f"{url.rstrip('/')}/api/v1/"
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy of the environment between us and the service
        self.session.headers.update({"Accept-Language": "en", "Accept": "application/json"})
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **params: Any) -> Any:
        """The answer's body. Raises Refused."""
        return self._send("GET", path, params=params).json()

    def post(
        self, path: str, body: Mapping[str, Any] | None = None, *, key: str = "", version: int | None = None
    ) -> Any:
        """A POST with an Idempotency-Key, so that it could be sent again. Raises Refused."""
        headers = {"Idempotency-Key": key or str(uuid4()), **_read(version)}
        return self._send("POST", path, json=body, headers=headers).json()

    def put(self, path: str, body: Mapping[str, Any], *, version: int | None = None) -> Any:
        return self._send("PUT", path, json=body, headers=_read(version)).json()

    def delete(self, path: str) -> None:
        self._send("DELETE", path)

    def download(self, path: str, **params: Any) -> bytes:
        """A file, whole. Raises Refused."""
        return self._send("GET", path, params=params, headers={"Accept": "*/*"}).content

    def all(self, path: str, **params: Any) -> Iterator[Json]:
        """The rows of a list, page after page."""
        page = 1
        while True:
            answer = self.get(path, **params, page=page, page_size=200)
            yield from answer["results"]
            if not answer["next"]:
                return
            page += 1

    def count(self, path: str, **params: Any) -> int:
        return int(self.get(path, **params, page_size=1)["count"])

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        response = self.session.request(method, self.root + path, timeout=TIMEOUT, **options)
        if not response.ok:
            raise Refused(response)
        return response


def sign_in(url: str, *, username: str, password: str) -> Api:
    """A token of the person's for this story: a named one, which does not end while a cloud is slow. Raises Refused."""
    credentials = {"username": username, "password": password, "name": "the story"}
    person = Api(url, token=Api(url).post("tokens", credentials)["token"])
    ends = datetime.now(UTC) + timedelta(days=1)
    named = {"name": "the story", "scope": "roles", "expires_at": ends.isoformat()}
    token = person.post("tokens/named", named)["token"]
    person.delete("tokens/current")
    return Api(url, token=token)
