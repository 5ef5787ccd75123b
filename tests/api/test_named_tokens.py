"""Named tokens: what limits them, who sees them, and how they end."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from allauth.socialaccount.models import SocialAccount
from django.conf import LazySettings
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from govcloud import clock
from govcloud.audit.models import Event
from tenants.access.models import ApiToken, TokenScope
from tenants.access.permissions import Permission
from tenants.models import Role, User
from tests.factories.tenants import PASSWORD, DepartmentFactory, UserFactory, grant, member, token_of

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


def signs_in(user: User) -> APIClient:
    """By name and password, as a person does."""
    body = {"username": user.username, "password": PASSWORD, "name": "laptop"}
    text = APIClient().post("/api/v1/tokens", body, format="json").json()["token"]
    return with_token(text)


def with_token(text: str, **more: str) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {text}", "Accept-Language": "en"}, **more)


def wanted(**changes: object) -> dict[str, object]:
    ends = timezone.now() + timedelta(days=30)
    return {"name": "nightly report", "scope": "roles", "expires_at": ends.isoformat(), **changes}


def made(client: APIClient, **changes: object) -> APIClient:
    return with_token(client.post("/api/v1/tokens/named", wanted(**changes)).json()["token"])


def test_a_named_token_is_shown_once_and_kept_as_a_digest() -> None:
    user = member(Role.APPLICANT, DepartmentFactory())
    answer = signs_in(user).post("/api/v1/tokens/named", wanted()).json()
    assert with_token(answer["token"]).get("/api/v1/me").json()["username"] == user.username
    stored = AuthToken.objects.get(label__uuid=answer["uuid"])
    assert answer["token"] not in str(vars(stored))
    told = Event.objects.get(verb="token.issued", after__kind="named")
    assert answer["token"] not in str(vars(told))


def test_a_token_that_may_only_read_does_not_write() -> None:
    program = made(signs_in(UserFactory()), scope="read")
    assert program.get("/api/v1/orders").status_code == 200
    refused = program.patch("/api/v1/me", {"language": "en"})
    assert (refused.status_code, refused.json()["code"]) == (403, "read-only-token")


def test_a_token_with_chosen_permissions_can_do_no_more_than_those() -> None:
    user = member(Role.CLOUD_ADMIN)
    person = signs_in(user)
    program = made(person, scope="chosen", permissions=[Permission.WATCH_ENGINE])
    assert program.get("/api/v1/engine").status_code == 200
    assert person.get("/api/v1/sweeps").status_code == 200
    assert program.get("/api/v1/sweeps").status_code == 403


@pytest.mark.parametrize("kind", ["named", "sign_in"])
def test_a_token_goes_on_when_its_holder_has_renewed_the_password(settings: LazySettings, kind: str) -> None:
    user = UserFactory(password_changed_at=clock.now() - timedelta(days=91))
    _label, text = token_of(user, kind=kind)
    program = with_token(text)
    assert program.get("/api/v1/me").status_code == 200
    settings.PASSWORD_MAX_AGE_DAYS = 90
    refused = program.get("/api/v1/me")
    assert (refused.status_code, refused.json()["code"]) == (403, "password-change-needed")
    User.objects.filter(pk=user.pk).update(password_changed_at=clock.now())
    assert program.get("/api/v1/me").status_code == 200


def test_a_token_of_who_has_no_password_or_comes_from_the_provider_does_not_grow_old(
    settings: LazySettings,
) -> None:
    settings.PASSWORD_MAX_AGE_DAYS = 90
    without = UserFactory(password="!", password_changed_at=None)
    linked = UserFactory(password_changed_at=None)
    SocialAccount.objects.create(user=linked, provider="sso", uid="subject-1")
    for user in (without, linked):
        _label, text = token_of(user)
        assert with_token(text).get("/api/v1/me").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("patch", "me", {"language": "en"}),
        ("post", "messages/reading", {}),
        ("put", "notice-preferences", {}),
        ("delete", "tokens/{token}", {}),
    ],
)
def test_nor_anything_that_asks_for_no_permission(method: str, path: str, body: dict[str, str]) -> None:
    user = member(Role.CLOUD_ADMIN)
    other, _text = token_of(user)
    program = made(signs_in(user), scope="chosen", permissions=[Permission.WATCH_ENGINE])
    answer = getattr(program, method)(f"/api/v1/{path.format(token=other.uuid)}", body)
    assert (answer.status_code, answer.json()["code"]) == (403, "not-by-limited-token")
    assert program.delete("/api/v1/tokens/current").status_code == 204


def test_a_permission_that_its_holder_has_not_is_worth_nothing() -> None:
    program = made(signs_in(UserFactory()), scope="chosen", permissions=[Permission.READ_AUDIT])
    assert program.get("/api/v1/audit-events").status_code == 403


def test_a_token_loses_at_once_what_its_holder_loses(signed_in: SignedIn) -> None:
    user = member(Role.SUPERVISOR)
    grant(user, Role.LEADER)
    program = made(signs_in(user), scope="chosen", permissions=[Permission.READ_AUDIT])
    assert program.get("/api/v1/audit-events").status_code == 200
    held = user.memberships.get(role=Role.SUPERVISOR)
    officer = signed_in(member(Role.SECURITY_ADMIN))
    officer.post(f"/api/v1/memberships/{held.uuid}/revocation", {"reason": "moved"})
    assert program.get("/api/v1/audit-events").status_code == 403


@pytest.mark.parametrize(
    ("address", "status"), [("10.20.3.4", 200), ("10.21.0.1", 403), ("2001:db8::7", 200)]
)
def test_a_token_is_good_from_its_networks_only(address: str, status: int) -> None:
    _label, text = token_of(UserFactory(), networks=["10.20.0.0/16", "2001:db8::/64"])
    answer = with_token(text, REMOTE_ADDR=address).get("/api/v1/me")
    assert answer.status_code == status


def test_a_token_that_turns_up_elsewhere_is_audited() -> None:
    label, text = token_of(UserFactory(), networks=["10.20.0.0/16"])
    with_token(text, REMOTE_ADDR="192.0.2.1").get("/api/v1/me")
    told = Event.objects.get(verb="token.used")
    assert (told.subject_id, told.reason) == (label.uuid, "wrong-network")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"networks": ["10.0.0.0/8", "somewhere"]}, "/networks/1"),
        ({"scope": "chosen"}, "/permissions"),
        ({"scope": "read", "permissions": ["orders.apply"]}, "/permissions"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2099-01-01T00:00:00Z"}, "/expires_at"),
        ({"scope": "chosen", "permissions": ["everything"]}, "/permissions/0"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(changes: dict[str, object], pointer: str) -> None:
    answer = signs_in(UserFactory()).post("/api/v1/tokens/named", wanted(**changes))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_named_token_makes_no_tokens() -> None:
    program = made(signs_in(UserFactory()))
    assert program.post("/api/v1/tokens/named", wanted()).json()["code"] == "not-by-named-token"


def test_its_last_use_is_noted_with_the_address() -> None:
    label, text = token_of(UserFactory(), last_used_at=None)
    with_token(text, REMOTE_ADDR="10.1.2.3").get("/api/v1/me")
    label.refresh_from_db()
    assert label.last_used_at is not None
    assert label.last_used_from == "10.1.2.3"


def test_it_ends_at_its_end() -> None:
    label, text = token_of(UserFactory())
    AuthToken.objects.filter(label=label).update(expiry=timezone.now())
    assert with_token(text).get("/api/v1/me").status_code == 401


def test_a_digest_without_a_name_opens_nothing() -> None:
    _token, text = AuthToken.objects.create(user=UserFactory())
    assert with_token(text).get("/api/v1/me").status_code == 401


def test_everybody_lists_their_own_and_a_security_administrator_all(signed_in: SignedIn) -> None:
    one, other = UserFactory(), UserFactory()
    token_of(one, name="of one")
    token_of(other, name="of other")
    own = signs_in(one).get("/api/v1/tokens?kind=named").json()["results"]
    assert [token["name"] for token in own] == ["of one"]
    seen = signed_in(member(Role.SECURITY_ADMIN)).get("/api/v1/tokens?search=of o").json()["results"]
    assert {token["name"] for token in seen} == {"of one", "of other"}


def test_a_security_administrator_revokes_anybodys(signed_in: SignedIn) -> None:
    label, text = token_of(UserFactory())
    officer = member(Role.SECURITY_ADMIN)
    assert signed_in(officer).delete(f"/api/v1/tokens/{label.uuid}").status_code == 204
    assert with_token(text).get("/api/v1/me").status_code == 401
    assert Event.objects.get(verb="token.revoked").actor == officer.audit_ref


def idle_for(minutes: int) -> None:
    """The tokens of signing in, as they are when nobody has used them for so long."""
    ended = timedelta(minutes=15 - minutes)
    AuthToken.objects.update(expiry=timezone.now() + ended)
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=minutes))


def test_fifteen_idle_minutes_end_a_token_of_signing_in() -> None:
    person = signs_in(UserFactory())
    assert person.get("/api/v1/me").status_code == 200
    idle_for(14)
    assert person.get("/api/v1/me").status_code == 200
    left = AuthToken.objects.get().expiry - timezone.now()
    assert left > timedelta(minutes=14)  # the use has moved its end
    idle_for(16)
    assert person.get("/api/v1/me").status_code == 401


def test_a_token_of_signing_in_ends_after_a_working_day_however_much_it_is_used() -> None:
    person = signs_in(UserFactory())
    AuthToken.objects.update(created=timezone.now() - timedelta(hours=11, minutes=55))
    idle_for(2)
    assert person.get("/api/v1/me").status_code == 200
    assert AuthToken.objects.get().expiry - timezone.now() < timedelta(minutes=14)


def test_a_session_of_the_portal_idles_for_the_api_as_well(client: APIClient) -> None:
    browser = APIClient()
    browser.force_login(UserFactory())
    assert browser.get("/api/v1/me").status_code == 200
    session = browser.session
    session["portal_last_action"] -= 16 * 60
    session.save()
    assert browser.get("/api/v1/me").status_code == 401


def test_the_limits_of_a_token_are_in_its_row() -> None:
    ends = timezone.now() + timedelta(days=1)
    answer = signs_in(UserFactory()).post(
        "/api/v1/tokens/named",
        wanted(scope="read", networks=["10.20.3.4/16"], expires_at=ends.isoformat()),
    )
    label = ApiToken.objects.get(uuid=answer.json()["uuid"])
    assert (label.scope, label.networks) == (TokenScope.READ, ["10.20.0.0/16"])
    assert abs(label.token.expiry - ends) < timedelta(seconds=5)
