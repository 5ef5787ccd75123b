"""A write that is refused leaves one event, whoever refuses it. That every route does so is in ``test_access``."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from api.refused_writes import PARAMETER
from govcloud.audit import services
from govcloud.audit.models import Event, Outcome
from tenants.access.models import TokenScope
from tenants.models import Role, User
from tests.factories.orders import Scene, drafted, scene
from tests.factories.tenants import UserFactory, member, token_of

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]
MIDDLEWARE = "api.refused_writes.RefusedWritesMiddleware"


@pytest.fixture
def on(db: None, at: datetime, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    return scene()


def refused() -> list[tuple[str, str]]:
    told = Event.objects.filter(verb="request.refused", outcome=Outcome.REFUSED).order_by("id")
    return list(told.values_list("subject_label", "reason"))


def test_what_is_refused_is_told_with_who_what_and_the_code_and_nothing_that_was_typed(
    on: Scene, signed_in: SignedIn, at: datetime
) -> None:
    order = drafted(on, at=at)
    url = f"/api/v1/orders/{order.uuid}"
    client = signed_in(on.applicant)
    assert client.post(f"{url}/withdrawal", {"reason": "moved"}).status_code == 200
    assert refused() == []

    answer = client.post(
        f"{url}/withdrawal", {"reason": "typed by hand"}, headers={"X-Request-Id": "mine-0001"}
    )

    assert answer.status_code == 409
    event = Event.objects.get(verb="request.refused")
    assert (event.outcome, event.reason) == (Outcome.REFUSED, answer.json()["code"])
    assert event.actor == on.applicant.audit_ref
    assert event.subject_label == f"POST {url}/withdrawal"
    assert (event.subject_type, event.subject_id, event.thread) == ("orders.order", order.uuid, None)
    assert event.request_id == "mine-0001"
    assert "typed" not in str(vars(event))


@pytest.mark.parametrize(
    ("request_line", "body", "told"),
    [
        ("post sweeps?who=typed", {"cloud": "typed"}, ("POST /api/v1/sweeps", "role-missing")),
        ("patch me", {"language": "typed"}, ("PATCH /api/v1/me", "invalid")),
        (
            "put special-days/2026-01-01",
            {"name": "typed"},
            ("PUT /api/v1/special-days/{day}", "role-missing"),
        ),
        ("post tokens/named", {"name": "typed"}, ("POST /api/v1/tokens/named", "not-by-named-token")),
    ],
)
def test_missing_roles_and_wrong_fields_are_told_by_the_route(
    on: Scene, signed_in: SignedIn, request_line: str, body: dict[str, Any], told: tuple[str, str]
) -> None:
    method, path = request_line.split()
    answer = getattr(signed_in(on.applicant), method)(f"/api/v1/{path}", body)

    assert answer.status_code in {403, 422}
    assert refused() == [told]
    assert "typed" not in str(list(Event.objects.values()))


def test_what_is_not_there_is_told_by_its_id_alone(on: Scene, signed_in: SignedIn) -> None:
    nothing = uuid4()

    assert signed_in(on.applicant).delete(f"/api/v1/tokens/{nothing}").status_code == 404

    assert refused() == [(f"DELETE /api/v1/tokens/{nothing}", "not-found")]
    assert Event.objects.get(verb="request.refused").subject_id is None


def test_a_version_that_was_changed_meanwhile_is_told(on: Scene, signed_in: SignedIn, at: datetime) -> None:
    order = drafted(on, at=at)

    client = signed_in(on.applicant)
    answer = client.post(f"/api/v1/orders/{order.uuid}/submission", headers={"If-Match": '"99"'})

    assert answer.status_code == 412
    assert refused() == [(f"POST /api/v1/orders/{order.uuid}/submission", "precondition-failed")]


def test_a_token_that_may_not_is_told_as_its_holder(on: Scene) -> None:
    _label, text = token_of(on.applicant, scope=TokenScope.READ)
    client = APIClient(headers={"Authorization": f"Bearer {text}"})

    assert client.patch("/api/v1/me", {"language": "en"}).status_code == 403

    assert refused() == [("PATCH /api/v1/me", "read-only-token")]
    assert Event.objects.get(verb="request.refused").actor == on.applicant.audit_ref


def test_reads_previews_and_who_is_nobody_leave_nothing(on: Scene, signed_in: SignedIn) -> None:
    client, officer = signed_in(on.applicant), signed_in(member(Role.SYSTEM_ADMIN))

    assert client.get("/api/v1/audit-events").status_code == 403
    assert client.post("/api/v1/nowhere", {}).status_code == 404
    assert client.get(f"/api/v1/orders/{uuid4()}").status_code == 404
    assert officer.post(f"/api/v1/flow-versions/{uuid4()}/dry-run", {}).status_code == 404
    assert APIClient().post("/api/v1/sweeps", {"cloud": "x"}).status_code == 401
    assert APIClient().post("/api/v1/tokens", {"name": "n"}).status_code == 422

    assert refused() == []


def test_a_forged_request_is_nobodys(on: Scene) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(on.applicant)

    assert browser.post("/api/v1/sweeps", {"cloud": "x"}, content_type="application/json").status_code == 403
    assert browser.post("/absences/", {}).status_code == 403

    assert refused() == []


def test_the_same_refusal_is_told_once_a_minute(
    on: Scene, signed_in: SignedIn, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, other = signed_in(on.applicant), signed_in(UserFactory())

    for _attempt in range(3):
        client.post("/api/v1/sweeps", {"cloud": "x"})
    assert len(refused()) == 1
    client.post("/api/v1/takeovers", {})  # another route
    client.patch("/api/v1/me", {"language": "x"})  # another code
    other.post("/api/v1/sweeps", {"cloud": "x"})  # another person
    assert len(refused()) == 4
    monkeypatch.setattr("govcloud.clock.now", lambda: at + timedelta(minutes=1))
    client.post("/api/v1/sweeps", {"cloud": "x"})
    assert len(refused()) == 5


def test_a_write_that_is_done_asks_the_database_nothing_more(
    on: Scene, signed_in: SignedIn, settings: LazySettings
) -> None:
    def statements() -> int:
        client = signed_in(on.applicant)
        client.patch("/api/v1/me", {"language": "en"})  # notes that the token is in use
        with CaptureQueriesContext(connection) as queries:
            assert client.patch("/api/v1/me", {"language": "zh-hans"}).status_code == 200
        return len(queries)

    watched = statements()
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if each != MIDDLEWARE]
    assert watched == statements()


def test_a_refusal_that_cannot_be_told_of_fails_the_request(
    on: Scene, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_event: object) -> None:
        raise OperationalError

    monkeypatch.setattr(services, "record_once", broken)
    client = signed_in(on.applicant)
    client.raise_request_exception = False

    assert client.post("/api/v1/sweeps", {"cloud": "x"}).status_code == 503


def test_parameters_of_every_kind_of_route_are_recognised() -> None:
    shown = PARAMETER.sub(lambda found: f"{{{found[1]}}}", "a/<uuid:uuid>/b/<day>/<str:link>/")
    assert shown == "a/{uuid}/b/{day}/{link}/"
