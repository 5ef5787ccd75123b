"""What lets somebody in or loses data, and nobody else approves: with a confirmed second factor only."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.conf import LazySettings
from rest_framework.test import APIClient

from govcloud.inventory.models import Resource
from govcloud.provisioning.actions.base import actions
from govcloud.provisioning.models import Operation
from tenants.access import confirmations, entry, second_factor
from tenants.models import DECIDING, UNIT_ROLES, Role, User
from tests.factories.inventory import CredentialFactory, whole_server
from tests.factories.second_factors import confirmed, enrolled
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMT3AdMHZHnj5w51YmlryrPm0g3q0FimJcDEIAA1aiJL ops"


@pytest.fixture(autouse=True)
def _required(settings: LazySettings) -> None:
    settings.SECOND_FACTOR = "required"


@pytest.fixture
def server() -> Resource:
    return whole_server().resource


@pytest.fixture
def applicant(server: Resource) -> User:
    return member(Role.APPLICANT, server.system.department)


def ask(client: APIClient, server: Resource, **body: Any) -> tuple[int, str]:
    answer = client.post(f"/api/v1/resources/{server.uuid}/actions", body)
    return answer.status_code, answer.json().get("code", "")


def test_these_are_the_actions_that_are_sensitive() -> None:
    sensitive = {name for name, each in actions().items() if each.sensitive}
    assert sensitive == {"set-login-keys", "rebuild", "restore", "recover", "delete-snapshot"}


def test_a_password_alone_lets_nobody_into_a_server(
    signed_in: SignedIn, applicant: User, server: Resource, at: datetime
) -> None:
    keys = {"action": "set-login-keys", "keys": [KEY]}
    client = signed_in(applicant)
    assert ask(client, server, **keys) == (403, "second-factor-needed")
    enrolled(applicant, at=at)
    assert ask(client, server, **keys) == (403, "second-factor-unconfirmed")
    assert not Operation.objects.exists()
    confirmations.confirm_on_the_machine(
        user=applicant, code=confirmations.code_of(applicant), actor=applicant, at=at
    )
    assert ask(client, server, **keys)[0] == 401  # a token from before counts no more
    assert ask(signed_in(applicant), server, **keys) == (202, "")


def test_what_leaves_it_as_it_was_needs_none(signed_in: SignedIn, applicant: User, server: Resource) -> None:
    assert ask(signed_in(applicant), server, action="stop") == (202, "")


def test_the_list_of_actions_says_so_beforehand(
    signed_in: SignedIn, applicant: User, server: Resource
) -> None:
    url = f"/api/v1/resources/{server.uuid}/actions"
    listed = {row["action"]: row for row in signed_in(applicant).get(url).json()}
    told = str(entry.SecondFactorNeeded().detail)
    assert (listed["rebuild"]["allowed"], listed["rebuild"]["reason"]) == (False, told)
    assert listed["stop"]["allowed"]


def test_nor_does_it_open_a_console_or_draw_a_secret(
    signed_in: SignedIn, applicant: User, server: Resource
) -> None:
    credential = CredentialFactory(container__resource__system=server.system)
    client = signed_in(applicant)
    for path in (f"resources/{server.uuid}/console", f"container-credentials/{credential.uuid}/secret"):
        answer = client.post(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (403, "second-factor-needed")


def test_an_applicants_second_factor_is_listed_for_who_confirms_it(
    signed_in: SignedIn, applicant: User, at: datetime
) -> None:
    enrolled(applicant, at=at)
    officer = member(Role.SECURITY_ADMIN)
    confirmed(officer, at=at)
    (row,) = signed_in(officer).get("/api/v1/second-factors?waiting=true").json()["results"]
    assert row["user"]["uuid"] == str(applicant.uuid)


def test_everybody_who_decides_has_to_have_one(at: datetime) -> None:
    for role in DECIDING - UNIT_ROLES:
        assert second_factor.obliged(member(role), at=at)
