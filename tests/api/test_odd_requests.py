"""What callers send that nobody meant to be sent is refused where it is, and never our error."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from govcloud.catalog.models import Cloud
from tenants.models import Role, User
from tests.factories.catalog import CloudFactory
from tests.factories.tenants import PASSWORD, UserFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture
def cloud() -> Cloud:
    return CloudFactory()


@pytest.mark.parametrize("name", ["a\x00b", "x" * 121])
def test_a_name_that_is_no_text_is_refused_where_things_are_given_by_name(
    signed_in: SignedIn, cloud: Cloud, name: str
) -> None:
    client = signed_in(member(Role.CLOUD_ADMIN))
    answer = client.put(
        f"/api/v1/clouds/{cloud.uuid}/names", {"flavors": {name: "m1.large"}}, headers={"If-Match": "*"}
    )
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/flavors/{name}")


def test_a_format_that_there_is_not_is_a_bad_parameter_wherever_it_is_asked_for(signed_in: SignedIn) -> None:
    client = signed_in(member(Role.SYSTEM_ADMIN))
    for path in ("me", "unit-sheet", "orders"):
        answer = client.get(f"/api/v1/{path}?format=pdf")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-parameter"), path


def test_signing_in_works_where_the_server_tells_no_address(anonymous: APIClient) -> None:
    person = UserFactory()
    answer = anonymous.post(
        "/api/v1/tokens", {"username": person.username, "password": PASSWORD, "name": "a"}, REMOTE_ADDR=None
    )
    assert answer.status_code == 201


@pytest.mark.parametrize("year", ["0", "-1", "10000", "1e9"])
def test_a_year_that_no_calendar_has_is_a_bad_parameter(signed_in: SignedIn, year: str) -> None:
    answer = signed_in(UserFactory()).get(f"/api/v1/special-days?year={year}")
    assert (answer.status_code, answer.json()["params"]["parameter"]) == (400, "year")
