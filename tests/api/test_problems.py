"""Whatever is wrong, the answer is a problem with a code that leads to an explanation in both languages."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, OperationalError
from rest_framework.test import APIClient

from api.problem_pages import errors_by_code
from api.problems import KINDS, HttpProblem, status_of
from govcloud.errors import DomainError
from tenants.models import Role, User
from tests.factories.tenants import UserFactory, grant, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


def test_an_address_that_does_not_exist_is_a_problem_as_well(anonymous: APIClient) -> None:
    answer = anonymous.get("/api/v1/nowhere")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["request_id"] == answer["X-Request-Id"]


@pytest.mark.parametrize("body", ["{", "", "nul", '{"a": NaN}', "[" * 100_000, b"\xff\xfe", '{"a": 1} x'])
def test_a_body_that_is_no_json_is_malformed(anonymous: APIClient, body: str | bytes) -> None:
    answer = anonymous.post("/api/v1/tokens", body, content_type="application/json")
    assert answer.status_code in {400, 422}
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "language", "said"),
    [
        ('{\n"a" 1}', "en", "it is no JSON from line 2, column 5 on"),
        ('{\n"a" 1}', "zh-hans", "第 2 行第 5 列"),
        (b"\xff\xfe", "en", "it is not in UTF-8"),
        ('{"a": NaN}', "en", "a number that JSON does not have"),
        ("[" * 100_000, "en", "nested too deeply"),
    ],
)
def test_a_body_that_cannot_be_read_says_why_in_plain_words(
    body: str | bytes, language: str, said: str
) -> None:
    client = APIClient(headers={"Accept-Language": language})
    answer = client.post("/api/v1/tokens", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert said in answer.json()["detail"]


def test_a_method_that_is_not_possible_is_named(signed_in: SignedIn) -> None:
    answer = signed_in(UserFactory()).delete("/api/v1/me")
    assert answer.json()["detail"] == "DELETE is not possible here."
    assert "GET" in answer["Allow"]


def test_a_host_that_is_not_ours_is_said_to_be_the_trouble(anonymous: APIClient) -> None:
    answer = anonymous.get("/api/v1/me", headers={"Host": "elsewhere.example"})
    assert (answer.status_code, answer.json()["code"]) == (400, "host-not-allowed")


@pytest.mark.parametrize("body", ["[]", "7", "null", '"text"'])
def test_a_body_that_is_no_object_is_refused(anonymous: APIClient, body: str) -> None:
    answer = anonymous.post("/api/v1/tokens", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("post", "/api/v1/month-closes", {"Idempotency-Key": "a"}),
        ("post", "/api/v1/month-closes", {}),
        ("put", "/api/v1/demo-clock", {}),
        ("post", "/api/v1/tokens", {}),
    ],
)
def test_a_body_too_large_to_read_is_refused(
    signed_in: SignedIn, method: str, path: str, headers: dict[str, str]
) -> None:
    person = member(Role.FINANCE)
    grant(person, Role.CLOUD_ADMIN)
    body = '{"month": "' + "x" * 3_000_000 + '"}'
    answer = getattr(signed_in(person), method)(path, body, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("delete", "/api/v1/me", {}, 405, "method-not-allowed"),
        ("options", "/api/v1/me", {}, 405, "method-not-allowed"),
        ("get", "/api/v1/me", {"headers": {"Accept": "text/html"}}, 406, "not-acceptable"),
        (
            "patch",
            "/api/v1/me",
            {"data": "language=en", "content_type": "text/plain"},
            415,
            "unsupported-media-type",
        ),
        ("get", "/api/v1/flavors?format=pdf", {}, 400, "bad-parameter"),
        ("get", "/api/v1/systems/not-a-uuid", {}, 404, "not-found"),
        ("get", "/api/v1/divisions/%00", {}, 404, "not-found"),
        ("get", "/api/v1/flavors/%00", {}, 404, "not-found"),
        ("get", "/api/v1/flavors?page=99", {}, 404, "not-found"),
        ("get", "/api/v1/flavors?page=99999999999999999999", {}, 404, "not-found"),
        ("get", "/api/v1/orders?page=x", {}, 400, "bad-parameter"),
        ("get", "/api/v1/orders?page=0", {}, 400, "bad-parameter"),
        ("get", "/api/v1/orders?page=-1", {}, 400, "bad-parameter"),
        ("get", "/api/v1/orders?page=last", {}, 400, "bad-parameter"),
        ("get", "/api/v1/orders?page=%00", {}, 400, "bad-parameter"),
        ("get", "/api/v1/orders?search=%00", {}, 400, "bad-parameter"),
        ("get", "/api/v1/dr-tiers/999999999999999999999", {}, 404, "not-found"),
    ],
)
def test_http_has_its_own_problems(  # noqa: PLR0917  one column of the table each
    signed_in: SignedIn, method: str, path: str, options: dict, status: int, code: str
) -> None:
    answer = getattr(signed_in(UserFactory()), method)(path, **options)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"


def test_a_problem_is_told_in_the_language_asked_for(signed_in: SignedIn) -> None:
    client = signed_in(UserFactory())
    details = [
        client.patch("/api/v1/me", {"language": "tlh"}, headers={"Accept-Language": language}).json()[
            "detail"
        ]
        for language in ("en", "zh-hans")
    ]
    assert details[0] == "Some fields cannot be taken as they are."


def test_the_unexpected_is_a_problem_with_the_request_id(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(UserFactory())
    client.raise_request_exception = False

    def broken(*_args: object, **_kwargs: object) -> None:
        raise DatabaseError("a column is missing")

    monkeypatch.setattr("api.v1.me.Me.answer", broken)
    answer = client.get("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert answer.json()["request_id"] == answer["X-Request-Id"]
    assert "column" not in answer.content.decode()


def test_a_busy_database_is_not_the_callers_fault(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadlocked(*_args: object, **_kwargs: object) -> None:
        raise OperationalError("deadlock detected")

    monkeypatch.setattr("api.v1.me.Me.answer", deadlocked)
    answer = signed_in(UserFactory()).get("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (503, "database-busy")
    assert int(answer["Retry-After"]) > 0


@pytest.mark.parametrize("code", sorted(errors_by_code()))
def test_every_code_leads_to_its_explanation(anonymous: APIClient, code: str) -> None:
    page = anonymous.get(f"/api/v1/problems/{code}")
    assert page.status_code == 200
    text = page.content.decode()
    assert 'lang="zh-hans"' in text
    assert 'lang="en"' in text
    assert "%(" not in text


def test_all_codes_are_on_one_page(anonymous: APIClient) -> None:
    text = anonymous.get("/api/v1/problems/").content.decode()
    assert all(f"/api/v1/problems/{code}" in text for code in errors_by_code())


def test_a_code_means_one_thing() -> None:
    """Only the names of the kinds themselves are shared, by the interface's own wording of them."""
    seen: dict[str, set[int]] = {}

    def walk(error: type[DomainError]) -> None:
        for sub in error.__subclasses__():
            if sub not in KINDS and sub is not HttpProblem:
                seen.setdefault(sub.code, set()).add(status_of(sub))
            walk(sub)

    walk(DomainError)
    assert {code for code, statuses in seen.items() if len(statuses) > 1} == set()


def test_a_type_is_where_its_page_is(anonymous: APIClient) -> None:
    assert anonymous.get(anonymous.get("/api/v1/me").json()["type"]).status_code == 200


def test_text_that_is_no_text_is_echoed_as_it_was_sent(signed_in: SignedIn) -> None:
    body = '{"language": "en", "\\ud800": 1}'
    answer = signed_in(UserFactory()).patch("/api/v1/me", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
