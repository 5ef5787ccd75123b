from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import LazySettings
from django.db.models.functions import Now
from django.test import Client
from knox.models import AuthToken
from rest_framework.test import APIClient

from govcloud.audit.models import Event, Outcome
from tenants.access.models import AttemptCount
from tenants.models import User
from tests.factories.second_factors import enrolled
from tests.factories.tenants import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


def sign_in(client: APIClient, user: User, password: str = PASSWORD) -> object:
    return client.post(
        "/api/v1/tokens", {"username": user.username, "password": password, "name": "laptop"}, format="json"
    )


def test_name_and_password_give_a_token_that_works(anonymous: APIClient) -> None:
    user = UserFactory()
    answer = sign_in(anonymous, user)
    assert answer.status_code == 201, answer.content
    token = answer.json()
    assert token["expires_at"] > token["created_at"]
    assert (
        anonymous.get("/api/v1/me", headers={"Authorization": f"Bearer {token['token']}"}).json()["username"]
        == user.username
    )
    assert Event.objects.get(verb="token.issued").actor == user.audit_ref


def test_the_token_is_never_shown_again(anonymous: APIClient, signed_in: SignedIn) -> None:
    user = UserFactory()
    token = sign_in(anonymous, user).json()["token"]
    listed = signed_in(user).get("/api/v1/tokens?kind=sign_in")
    assert [t["name"] for t in listed.json()["results"]] == ["laptop"]
    assert token not in listed.content.decode()


def test_a_wrong_password_is_refused_and_audited_without_what_was_typed(anonymous: APIClient) -> None:
    user = UserFactory()
    answer = sign_in(anonymous, user, "guess")
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong-credentials")
    event = Event.objects.get(verb="token.refused")
    assert event.outcome == Outcome.REFUSED
    assert (event.actor, event.subject_id) == (user.audit_ref, user.uuid)
    assert "guess" not in str(event.__dict__)


def test_what_was_typed_as_a_name_is_not_stored(anonymous: APIClient) -> None:
    anonymous.post("/api/v1/tokens", {"username": "my-secret-password", "password": "guess", "name": "x"})
    event = Event.objects.get(verb="token.refused")
    assert "my-secret-password" not in str(event.__dict__)
    assert (event.actor, event.subject_id) == ("system:sign-in", None)


def at_the_portal(user: User, password: str = PASSWORD) -> int:
    return Client().post("/sign-in/", {"username": user.username, "password": password}).status_code


def test_five_failures_for_a_token_lock_the_account_at_both_entrances(anonymous: APIClient) -> None:
    user = UserFactory()
    assert [sign_in(anonymous, user, "guess").status_code for _ in range(5)] == [401] * 5
    answer = sign_in(anonymous, user)
    assert (answer.status_code, answer.json()["code"]) == (429, "account-locked")
    assert 0 < int(answer["Retry-After"]) <= 30 * 60
    locked = Event.objects.get(reason="account-locked")
    assert (locked.verb, locked.actor, locked.outcome) == ("token.refused", user.audit_ref, Outcome.REFUSED)
    assert at_the_portal(user) == 200
    assert not Event.objects.filter(verb="session.opened", outcome=Outcome.DONE).exists()


def test_failures_at_the_portal_and_for_a_token_count_together(anonymous: APIClient) -> None:
    user = UserFactory()
    for _ in range(3):
        at_the_portal(user, "guess")
    assert [sign_in(anonymous, user, "guess").status_code for _ in range(3)] == [401, 401, 429]


def test_a_lock_ends_by_itself_and_a_token_forgets_failures(
    anonymous: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, now = UserFactory(), [datetime.now(UTC)]
    monkeypatch.setattr("govcloud.clock.now", lambda: now[0])
    for _ in range(5):
        sign_in(anonymous, user, "guess")
    assert sign_in(anonymous, user).status_code == 429
    now[0] += timedelta(minutes=31)
    for _ in range(4):
        sign_in(anonymous, user, "guess")
    AttemptCount.objects.all().delete()  # a minute later
    assert sign_in(anonymous, user).status_code == 201
    assert sign_in(anonymous, user, "guess").status_code == 401
    assert at_the_portal(user) == 302


def test_the_eleventh_attempt_within_a_minute_is_turned_away(anonymous: APIClient) -> None:
    user = UserFactory()
    assert [sign_in(anonymous, user, "guess").status_code for _ in range(10)] == [401] * 5 + [429] * 5
    answer = sign_in(anonymous, user)
    assert (answer.status_code, answer.json()["code"]) == (429, "too-many-requests")
    assert int(answer["Retry-After"]) > 0
    assert sign_in(anonymous, UserFactory()).status_code == 201


@pytest.mark.parametrize("spelling", [" {}", "{} ", "\t{}\n", "\u3000{}", "{}\u00a0"])
def test_white_space_around_a_name_is_no_new_start(anonymous: APIClient, spelling: str) -> None:
    attempt = {"username": "nobody", "password": "guess", "name": "x"}
    assert [anonymous.post("/api/v1/tokens", attempt).status_code for _ in range(10)] == [401] * 10
    attempt["username"] = spelling.format("NoBody")
    assert anonymous.post("/api/v1/tokens", attempt).status_code == 429


def test_one_address_is_turned_away_whatever_the_names(anonymous: APIClient) -> None:
    statuses = [
        anonymous.post(
            "/api/v1/tokens", {"username": f"nobody-{n}", "password": "guess", "name": "x"}
        ).status_code
        for n in range(61)
    ]
    assert statuses == [401] * 60 + [429]


def test_a_made_up_forwarding_address_is_no_new_start(anonymous: APIClient) -> None:
    attempt = {"username": "nobody", "password": "guess", "name": "x"}
    statuses = [
        anonymous.post("/api/v1/tokens", attempt, headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code
        for n in range(11)
    ]
    assert statuses == [401] * 10 + [429]


def test_the_trusted_proxy_tells_the_address(anonymous: APIClient, settings: LazySettings) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    attempt = {"username": "nobody", "password": "guess", "name": "x"}

    def tried(forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        return anonymous.post("/api/v1/tokens", attempt, headers=headers).status_code

    assert [tried(f"10.9.9.{n}, 192.0.2.7") for n in range(11)] == [401] * 10 + [429]
    assert tried("192.0.2.8") == 401


def test_who_is_asked_for_the_code_after_the_right_password_has_not_guessed(
    anonymous: APIClient, at: datetime
) -> None:
    user = UserFactory()
    enrolled(user, at=at)
    assert sign_in(anonymous, user).json()["code"] == "code-needed"
    assert sorted(AttemptCount.objects.values_list("attempts", flat=True)) == [0, 1]


def test_going_on_with_a_locked_account_is_told_once_for_a_lock(
    anonymous: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, now = UserFactory(), [datetime.now(UTC)]
    monkeypatch.setattr("govcloud.clock.now", lambda: now[0])
    for lock in (1, 2):
        for _attempt in range(8):
            sign_in(anonymous, user, "guess")
        at_the_portal(user, "guess")
        assert Event.objects.filter(reason="account-locked").count() == lock
        now[0] += timedelta(minutes=31)
        AttemptCount.objects.all().delete()


def test_signing_out_ends_the_current_token(anonymous: APIClient) -> None:
    token = sign_in(anonymous, UserFactory()).json()["token"]
    mine = {"Authorization": f"Bearer {token}"}
    assert anonymous.delete("/api/v1/tokens/current", headers=mine).status_code == 204
    assert anonymous.get("/api/v1/me", headers=mine).status_code == 401
    assert Event.objects.filter(verb="token.revoked").exists()


def test_one_token_is_revoked_by_its_id_and_nobody_elses(anonymous: APIClient, signed_in: SignedIn) -> None:
    user = UserFactory()
    created = sign_in(anonymous, user).json()
    assert signed_in(UserFactory()).delete(f"/api/v1/tokens/{created['uuid']}").status_code == 404
    assert signed_in(user).delete(f"/api/v1/tokens/{created['uuid']}").status_code == 204
    assert (
        anonymous.get("/api/v1/me", headers={"Authorization": f"Bearer {created['token']}"}).status_code
        == 401
    )


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer a b", "Bearer nonsense", "Bearer \xe9\xe9", "Basic eDp5"]
)
def test_what_is_no_token_is_a_clear_401(anonymous: APIClient, header: str) -> None:
    answer = anonymous.get("/api/v1/me", headers={"Authorization": header})
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")


def test_an_expired_token_is_no_obstacle_to_a_new_one(anonymous: APIClient) -> None:
    user = UserFactory()
    answer = anonymous.post(
        "/api/v1/tokens",
        {"username": user.username, "password": PASSWORD, "name": "new"},
        format="json",
        headers={"Authorization": "Bearer long-expired"},
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(("asked", "answered"), [({}, "zh-hans"), ({"Accept-Language": "en"}, "en")])
def test_a_person_is_answered_in_their_own_language_unless_the_request_names_one(
    anonymous: APIClient, asked: dict[str, str], answered: str
) -> None:
    token = sign_in(anonymous, UserFactory(language="zh-hans")).json()["token"]
    answer = APIClient().get(
        "/api/v1/systems?fields=none", headers={"Authorization": f"Bearer {token}", **asked}
    )
    assert answer["Content-Language"] == answered


def test_nobody_holds_more_tokens_than_the_limit(anonymous: APIClient, signed_in: SignedIn) -> None:
    user = UserFactory()
    for _ in range(20):
        signed_in(user)
    answer = sign_in(anonymous, user)
    assert (answer.status_code, answer.json()["code"]) == (409, "too-many-tokens")
    AuthToken.objects.filter(user=user).update(expiry=Now())
    assert sign_in(anonymous, user).status_code == 201
