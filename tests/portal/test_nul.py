"""PostgreSQL knows no NUL in a text; what a person types into the address bar must not become our error."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.test_sign_in import sign_in


@pytest.mark.parametrize("number", ["%00", "SR-2026%00", "%00%00"])
def test_no_order_has_a_nul_in_its_number(people: scenes.Cast, signed_in: Signed, number: str) -> None:
    assert signed_in(people.applicant).get(f"/orders/{number}/").status_code == 404


@pytest.mark.parametrize("parameter", ["view", "status", "system", "q", "sort", "page", "next"])
@pytest.mark.parametrize("path", ["/orders/", "/orders/export.csv", "/orders/export.xlsx", "/sign-in/"])
def test_nul_in_a_parameter_is_ignored(
    people: scenes.Cast, signed_in: Signed, path: str, parameter: str
) -> None:
    browser = signed_in(people.applicant) if path != "/sign-in/" else Client()
    assert browser.get(f"{path}?{parameter}=%00").status_code == 200


@pytest.mark.parametrize("wanted", ["\0", "/orders/\0", "/orders/?q=\0"])
def test_signing_in_with_a_nul_in_the_way_back_is_possible(
    people: scenes.Cast, client: Client, wanted: str
) -> None:
    answer = sign_in(client, "applicant", next=wanted)
    assert answer.status_code == 302
    assert client.get(answer.url, follow=True).status_code in {200, 404}


@pytest.mark.parametrize("wanted", ["%00", "/orders/%00/", "//%00"])
def test_who_is_signed_in_already_is_led_on(people: scenes.Cast, signed_in: Signed, wanted: str) -> None:
    assert signed_in(people.applicant).get(f"/sign-in/?next={wanted}").status_code == 302


@pytest.mark.parametrize("field", ["username", "password"])
def test_nul_in_what_is_typed_is_refused(people: scenes.Cast, client: Client, field: str) -> None:
    typed = {"username": "applicant", "password": "guess", field: "a\0b"}
    assert client.post("/sign-in/", typed).status_code == 200


def test_nul_in_the_language_switch_is_ignored(people: scenes.Cast, client: Client) -> None:
    answer = client.post("/language/", {"language": "\0", "next": "/sign-in/?next=\0"})
    assert answer.status_code == 302
    assert parse_qs(urlsplit(answer.url).query).keys() <= {"next"}
