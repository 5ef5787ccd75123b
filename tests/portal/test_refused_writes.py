"""A form that is refused leaves one event, whichever page takes it: by the edge, unless the refusal is told of anyway."""

import re
from datetime import datetime
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from api.refused_writes import REFUSED
from govcloud.audit.models import Event, Outcome
from tenants.models import Role
from tests.api.house import House
from tests.factories.inventory import whole_server
from tests.factories.orders import drafted, scene
from tests.factories.tenants import member
from tests.portal.conftest import Signed
from tests.portal.test_access import everybody, filled, routes, url_of
from tests.portal.test_foreign_ids import SENT

__all__ = ["everybody", "filled"]

pytestmark = pytest.mark.django_db

WHO = ("applicant", "unit_approver", "cloud_admin", "security_admin", "nobody")
NOT_WRITTEN = {"sign-in", "sign-out", "set-language", "audit-verification", "units-import"}
"""What is open to who has not signed in or ends that somebody has; and what looks alone, the import as long as nobody says so."""


@pytest.fixture
def now(at: datetime, monkeypatch: pytest.MonkeyPatch) -> datetime:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    return at


def refused() -> list[tuple[str, str]]:
    told = Event.objects.filter(verb="request.refused", outcome=Outcome.REFUSED).order_by("id")
    return list(told.values_list("subject_label", "reason"))


def sent(browser: Client, url: str) -> tuple[int, list[Event]]:
    """How a form with nothing of use in it is answered, and the refusals that are told of; what it wrote is taken back."""
    last = Event.objects.order_by("-id").values_list("id", flat=True).first()
    with transaction.atomic():
        answer: Any = browser.post(url, {**SENT, "reason": "", "text": "typed by hand"})
        told = list(Event.objects.filter(id__gt=last, outcome=Outcome.REFUSED))
        transaction.set_rollback(True)
    return int(answer.status_code), told


def test_every_form_that_is_refused_is_told_of_once(filled: House, everybody: dict[str, Client]) -> None:
    wrong, labels = [], set()
    for name in routes().keys() - NOT_WRITTEN:
        for who in WHO:
            status, told = sent(everybody[who], url_of(name, filled))
            general = [event for event in told if event.verb == "request.refused"]
            if (len(told) != 1) if status in REFUSED else general:
                wrong.append((name, who, status, [(event.verb, event.reason) for event in told]))
            labels |= {event.subject_label for event in general}
            assert "typed" not in str([vars(event) for event in general])
    assert wrong == []
    assert len(labels) > 80
    assert [
        each for each in labels if not re.fullmatch(r"POST /([a-z-]+|\{[a-z]+\}|[0-9a-f-]{36}|/)*", each)
    ] == []


def test_a_form_that_breaks_a_rule_is_told_with_its_code_and_what_it_is_about(
    now: datetime, signed_in: Signed
) -> None:
    on = scene()
    order = drafted(on, at=now)

    answer = signed_in(on.applicant).post(f"/orders/{order.number}/heading/", {"title": "typed by hand"})

    assert answer.status_code == 422
    assert refused() == [("POST /orders/{number}/heading/", "invalid")]
    event = Event.objects.get(verb="request.refused")
    assert (event.subject_id, event.thread) == (order.uuid, None)
    assert "typed" not in str(vars(event))


def test_what_the_domain_refuses_is_told_by_the_code_of_its_error(now: datetime, signed_in: Signed) -> None:
    on = scene()
    order = drafted(on, at=now)

    browser, url = signed_in(on.applicant), f"/orders/{order.number}/withdrawal/"
    assert browser.post(url, {"reason": "moved"}).status_code == 302
    assert refused() == []

    assert browser.post(url, {"reason": "moved"}).status_code == 409

    ((label, reason),) = refused()
    assert label == "POST /orders/{number}/withdrawal/"
    assert reason not in {"", "conflict", "invalid"}


def test_a_role_that_is_missing_is_told_as_such(now: datetime, signed_in: Signed) -> None:
    browser = signed_in(member(Role.CLOUD_ADMIN))

    assert browser.post("/security/accounts/", {"username": "typed"}).status_code == 403

    assert refused() == [("POST /security/accounts/", "role-missing")]


def test_a_secret_in_an_address_is_not_told(now: datetime, signed_in: Signed) -> None:
    browser = signed_in(scene().applicant)

    status = browser.post("/account/mail/a-secret-link/", {}).status_code

    told = Event.objects.filter(outcome=Outcome.REFUSED)
    assert status in REFUSED
    assert told.count() == 1
    assert "a-secret-link" not in str(list(told.values()))


def test_a_look_at_what_a_form_would_do_is_no_write(now: datetime, signed_in: Signed) -> None:
    on = scene()
    browser = signed_in(member(Role.CLOUD_ADMIN))
    url = f"/quota/{on.department.uuid}/limits/vcpus/"

    assert browser.post(url, {"limit": "1,2", "look": "yes"}).status_code == 422
    assert refused() == []
    assert browser.post(url, {"limit": "1,2", "reason": "more systems"}).status_code == 422
    assert [label for label, _reason in refused()] == [f"POST {url.replace('vcpus', '{dimension}')}"]


def test_what_was_refused_is_in_the_trail_and_not_in_the_history_of_the_thing(
    now: datetime, signed_in: Signed
) -> None:
    on = scene()
    server = whole_server(system=on.system)
    url = f"/resources/{server.resource.uuid}/"

    page = signed_in(on.applicant).post(f"{url}deeds/start/", {})

    assert page.status_code == 409
    assert Event.objects.get(verb="request.refused").subject_id == server.resource.uuid
    assert "Request refused" not in signed_in(on.applicant).get(url).content.decode()
    trail = signed_in(member(Role.AUDIT_ADMIN)).get("/audit/?view=refused").content.decode()
    assert "Request refused" in trail
