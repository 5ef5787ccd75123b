"""Limits are set on the version that was read."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from govcloud.audit.models import Event
from govcloud.quotas.models import QuotaAccount
from tenants.models import Role, User
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture
def account() -> QuotaAccount:
    return opened(DepartmentFactory(), vcpus=10)["vcpus"]


@pytest.fixture
def keeper(signed_in: SignedIn) -> APIClient:
    return signed_in(member(Role.CLOUD_ADMIN))


def test_a_limit_is_set_and_audited(keeper: APIClient, account: QuotaAccount) -> None:
    url = f"/api/v1/quota-accounts/{account.uuid}"
    answer = keeper.patch(url, {"limit": 20}, headers={"If-Match": keeper.get(url)["ETag"]})
    assert (answer.status_code, answer.json()["limit"], answer.json()["free"]) == (200, 20, 20)
    event = Event.objects.get(verb="quota.limit_set")
    assert (event.before, event.after) == ({"limit": 10}, {"limit": 20})


def test_null_is_unlimited_and_zero_is_nothing(keeper: APIClient, account: QuotaAccount) -> None:
    url = f"/api/v1/quota-accounts/{account.uuid}"
    for limit, free in ((None, None), (0, 0)):
        assert keeper.patch(url, {"limit": limit}, headers={"If-Match": "*"}).json()["free"] == free


def test_of_two_who_change_the_same_version_the_second_is_told(
    keeper: APIClient, account: QuotaAccount
) -> None:
    url = f"/api/v1/quota-accounts/{account.uuid}"
    etag = keeper.get(url)["ETag"]
    assert keeper.patch(url, {"limit": 20}, headers={"If-Match": etag}).status_code == 200
    stale = keeper.patch(url, {"limit": 30}, headers={"If-Match": etag})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition-failed")
    account.refresh_from_db()
    assert account.limit == 20


def test_a_change_without_a_version_is_not_taken(keeper: APIClient, account: QuotaAccount) -> None:
    answer = keeper.patch(f"/api/v1/quota-accounts/{account.uuid}", {"limit": 20})
    assert (answer.status_code, answer.json()["code"]) == (428, "precondition-required")


@pytest.mark.parametrize("limit", [-1, 1.5, "many", 10**30, True])
def test_an_impossible_limit_is_refused(keeper: APIClient, account: QuotaAccount, limit: object) -> None:
    answer = keeper.patch(
        f"/api/v1/quota-accounts/{account.uuid}", {"limit": limit}, headers={"If-Match": "*"}
    )
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/limit")
