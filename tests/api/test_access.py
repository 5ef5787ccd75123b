"""Every route for every role: the committed table ``access.json`` says what each is answered.

``UPDATE_BASELINES=1`` writes the table anew; what changed in it is what a reviewer looks at. ``stranger`` is an
applicant of another department, ``nobody`` has no role, ``anonymous`` has not signed in.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.urls import URLPattern
from django.utils import timezone
from rest_framework.test import APIClient

from api.urls import v1
from govcloud.audit.models import Event, Outcome
from govcloud.organisation import writing
from govcloud.urls import urlpatterns as root
from tenants.access.confirmations import code_of
from tenants.access.models import TokenKind
from tenants.models import UNIT_ROLES, Role, User
from tests.api.house import House, house, stranger_department
from tests.api.story import content, order_body
from tests.factories.clouds import CREDENTIALS
from tests.factories.takeovers import TakeoverFactory
from tests.factories.tenants import UserFactory, credit_code, member, token_of

TABLE = Path(__file__).with_name("access.json")
TENANT_LISTS = (
    "departments", "systems", "quota-accounts", "quota-changes", "quota-raises", "quota-crossings", "orders", "cases", "consultations", "operations", "resources", "recovery-points",
    "usage-segments", "statements", "snapshots", "wipe-records", "legal-holds", "expiries", "lease-notices",
    "security-rules", "floating-addresses", "container-credentials", "supervision-cards",
)  # fmt: skip
REFUSED = frozenset({403, 404, 409, 412, 422})
"""How writes are answered that were understood and are not done."""
PREVIEWS = frozenset({"POST flow-versions/{key}/dry-run", "POST unit-sheet"})
"""What is asked for by POST and, as the table asks for it, writes nothing."""
OF_THEIR_KEEPERS = ("people", "access-reviews", "access-review-lines")
"""Lists for those who keep the people of a unit alone; everybody else is refused."""


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str  # with {key} for what identifies one
    resource: str

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    def url(self, keys: dict[str, Any]) -> str:
        return "/api/v1/" + self.path.replace("{key}", str(keys.get(self.resource, "")))


def routes() -> Iterator[Route]:
    """All that the API answers to who has signed in, read from its URL patterns."""
    for pattern in _flat(v1):
        actions = getattr(pattern.callback, "actions", None)
        path = _plain(str(pattern.pattern))
        if actions:
            yield from (
                Route(method, path, path.split("/")[0]) for method in sorted(actions) if method != "head"
            )


OPEN_TO_ALL = {
    "api/v1/schema/": "what the API is, without anything of the installation",
    "api/v1/docs/": "the same, to be read",
    "api/v1/problems/": "what refusals mean",
    "api/v1/problems/role-missing": "what one of them means",
    "healthz": "whether the process lives: asked by what restarts it",
    "readyz": "whether it can work: asked by what sends it requests",
    "metrics": "figures for Prometheus: by a token of its own or from this machine",
}
"""Addresses beside the table, and why no role is looked at there: for everybody the answer is the same."""


def others() -> set[str]:
    """What is answered beside the views of the table and the portal, by its pattern."""
    found = {
        f"api/v1/{_plain(str(each.pattern))}" for each in _flat(v1) if not hasattr(each.callback, "actions")
    }
    return found | {str(each.pattern) for each in root if isinstance(each, URLPattern)}


def _flat(patterns: list[Any]) -> Iterator[Any]:
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from _flat(pattern.url_patterns)
        else:
            yield pattern


def _plain(pattern: str) -> str:
    start, end = pattern.find("<"), pattern.find(">")
    return pattern if start < 0 else f"{pattern[:start]}{{key}}{pattern[end + 1 :]}"


@pytest.fixture
def filled(db: None) -> House:
    return house(2)


@pytest.fixture
def everybody(filled: House) -> dict[str, APIClient]:
    """A client per role, signed in (a named token would be refused some routes as such); the unit roles are held in the department
    that everything in the house belongs to.
    """

    def signed_in(user: User) -> APIClient:
        _label, text = token_of(user, kind=TokenKind.SIGN_IN)
        return APIClient(headers={"Authorization": f"Bearer {text}", "Accept-Language": "en"})

    unit = filled.on.department
    clients = {role.value: signed_in(member(role, unit if role in UNIT_ROLES else None)) for role in Role}
    clients["stranger"] = signed_in(member(Role.APPLICANT, stranger_department()))
    clients["nobody"] = signed_in(UserFactory())
    clients["anonymous"] = APIClient()
    return clients


def bodies(filled: House) -> dict[str, dict[str, Any]]:
    """A well-formed body for each route that reads one, so that what refuses is a rule and not the form."""
    order = filled.order
    account = User.objects.get(uuid=filled.keys["accounts"])
    shared = {"stage": "unit_approval", "person": str(filled.on.chain[Role.AUTHORITY_APPROVER].uuid)}
    return {
        "POST departments": {"name": "n", "credit_code": credit_code(77_777), "division": "450000"},
        "PATCH departments/{key}": {"name": "n"},
        "POST departments/{key}/connection": {"connection": "not_connected", "reason": "moved"},
        "POST departments/{key}/move": {"parent": None, "reason": "reform"},
        "POST departments/{key}/closing": {"reason": "merged"},
        "PATCH systems/{key}": {"name": "n"},
        "POST systems/{key}/retirement": {"reason": "replaced"},
        "POST people/{key}/departure": {"reason": "left", "dry_run": True},
        "POST access-reviews": {"title": "t", "due_at": "2999-01-01T00:00:00Z"},
        "POST access-reviews/{key}/closing": {"reason": "done"},
        "POST access-review-lines/{key}/decision": {"verdict": "confirmed"},
        "POST systems": {
            "department": str(filled.on.department.uuid),
            "code": "new-system",
            "name": "n",
            "mlps_level": 2,
        },
        "POST orders": order_body(filled.on.system.uuid, items=[]),
        "PUT orders/{key}": content(),
        "POST orders/{key}/withdrawal": {"reason": "not needed"},
        "POST orders/{key}/cancellation": {"reason": "not needed"},
        "POST orders/{key}/confirmation": {"answer": "confirmed"},
        "POST orders/{key}/remedy": {"remedy": "enlarged"},
        "POST orders/{key}/decisions": {"verb": "approve", "revision_hash": order.case.revision_hash},
        "POST cases/{key}/delegations": {**shared, "reason": "away"},
        "POST cases/{key}/reviewers": {**shared, "reason": "capacity"},
        "POST cases/{key}/consultations": {**shared, "question": "enough?"},
        "POST cases/{key}/reminders": {"text": "soon"},
        "POST consultations/{key}/answer": {"answer": "enough"},
        "POST absences": {
            "substitute": shared["person"],
            "starts_at": "2999-01-01T00:00:00Z",
            "ends_at": "2999-01-08T00:00:00Z",
        },
        "POST flow-versions": {"name": "n", "based_on": str(filled.keys["flow-versions"])},
        "PUT flow-versions/{key}": {"name": "n", "stages": []},
        "POST flow-versions/{key}/publication": {"in_force_from": "2999-01-01T00:00:00Z"},
        "POST resources/{key}/actions": {"action": "stop"},
        "POST recovery-points/{key}/legal-hold": {"reason": "case 12"},
        "POST recovery-points/{key}/legal-hold-lifting": {"reason": "case 12"},
        "POST expiries/{key}/postponement": {"until": "2027-02-01T00:00:00Z", "reason": "audit"},
        "POST resources/{key}/legal-hold": {"reason": "case 12"},
        "POST resources/{key}/legal-hold-lifting": {"reason": "case 12"},
        "POST operations/{key}/abandonment": {"reason": "not needed"},
        "POST operations/{key}/cancellation": {"reason": "not needed"},
        "POST clouds": {"code": "east", "name": "n", "site": "main"},
        "POST clouds/{key}/deactivation": {"reason": "full"},
        "POST clouds/{key}/retirement": {"reason": "old"},
        "PUT clouds/{key}/credentials": CREDENTIALS,
        "POST maintenances": {
            "cloud": str(filled.on.catalogue.cloud.uuid),
            "ends_at": "2999-01-01T00:00:00Z",
            "reason": "new switches",
        },
        "POST sweeps": {"cloud": "sandbox"},
        "POST takeovers": {"cloud": "sandbox", "project": known_project()},
        "PUT takeovers/{key}/assignment": {"system": str(filled.on.system.uuid), "zone": "private"},
        "POST takeovers/{key}/giving-up": {
            "candidates": [str(filled.keys["takeover-candidates"])],
            "reason": "wrong",
        },
        "PATCH takeover-candidates/{key}": {"name": "oa"},
        "POST equivalents": {
            "cloud": "sandbox",
            "kind": "flavor",
            "cloud_name": "m1.large",
            "code": "g.4c16g",
        },
        "POST findings/{key}/dismissal": {"reason": "agreed"},
        "PATCH quota-accounts/{key}": {"limit": 5},
        "PUT quota-accounts/{key}/allotment": {"limit": 5, "reason": "more systems"},
        "POST month-closes": {"month": "2026-02"},
        "POST statements/{key}/confirmation": {},
        "POST statements/{key}/dispute": {"reason": "too much"},
        "POST tokens": {"username": "nobody", "password": "a guess", "name": "n"},
        "POST tokens/named": {
            "name": "n",
            "scope": "read",
            "expires_at": (timezone.now() + timedelta(days=1)).isoformat(),
        },
        "PATCH me": {"language": "en"},
        "POST accounts": {"username": "new-person", "name": "n"},
        "POST accounts/{key}/second-factor-reset": {"reason": "lost"},
        "POST accounts/{key}/second-factor-confirmation": {"code": code_of(account)},
        "POST memberships": {"user": str(filled.keys["accounts"]), "role": "finance"},
        "POST memberships/{key}/revocation": {"reason": "moved"},
        "POST role-requests": {
            "user": str(filled.keys["accounts"]),
            "role": "system_admin",
            "reason": "vacant",
        },
        "POST role-requests/{key}/refusal": {"reason": "not needed"},
        "PUT special-days/{key}": {"kind": "rest", "name": "n"},
        "PUT notice-preferences": {"digest_hour": 9, "ways": {}},
        "POST webhooks": {"name": "n", "url": "https://bus.example/"},
        "PUT webhooks/{key}": {"name": "n", "url": "https://bus.example/"},
        "POST webhooks/{key}/deactivation": {"reason": "moved"},
        "PUT demo-clock": {"to": "2020-01-01T00:00:00Z"},
    }


def sheet() -> BytesIO:
    file = BytesIO(writing.blank())
    file.name = "units.xlsx"
    return file


def known_project() -> str:
    """One that was surveyed before: no cloud has to be asked for it."""
    return TakeoverFactory._meta.model.objects.values_list("project_id", flat=True).first()


@dataclass(frozen=True, slots=True)
class Told:
    """How a request is answered, and what events tell that it was refused."""

    status: int
    refused: tuple[Event, ...]

    @property
    def untold(self) -> str:
        """What is wrong with the events of a write; empty if nothing is."""
        if self.status in REFUSED and len(self.refused) != 1:
            return f"{self.status}, told {len(self.refused)} times"
        general = [event for event in self.refused if event.verb == "request.refused"]
        if general and self.status not in REFUSED:
            return f"{self.status}, told as refused"
        return ""


def asked(client: APIClient, route: Route, filled: House) -> Told:
    """What comes of it; what it wrote is taken back."""
    body = bodies(filled).get(str(route), {})
    options: dict[str, Any] = {} if route.method == "get" else {"data": body, "headers": {"If-Match": "*"}}
    if str(route) == "POST unit-sheet":
        options = {"data": {"file": sheet(), "dry_run": "true"}, "format": "multipart"}
    before = Event.objects.order_by("-id").values_list("id", flat=True).first()
    with transaction.atomic():
        answer = getattr(client, route.method)(route.url(filled.keys), **options)
        refused = tuple(Event.objects.filter(id__gt=before, outcome=Outcome.REFUSED))
        transaction.set_rollback(True)
    if answer.streaming:
        for close in answer._resource_closers:  # close() would end the test's own connection to the database
            close()
    return Told(answer.status_code, refused)


def test_every_route_answers_every_role_as_committed_and_tells_once_of_what_it_refuses_to_write(
    filled: House, everybody: dict[str, APIClient]
) -> None:
    told = {
        route: {who: asked(client, route, filled) for who, client in everybody.items()} for route in routes()
    }
    found = {str(route): {who: one.status for who, one in row.items()} for route, row in told.items()}
    if os.environ.get("UPDATE_BASELINES"):
        TABLE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    assert found == json.loads(TABLE.read_text())
    wrong = {
        f"{route} {who}: {one.untold}"
        for route, row in told.items()
        for who, one in row.items()
        if route.method != "get" and str(route) not in PREVIEWS and one.untold
    }
    assert wrong == set()
    general = [
        (route, event)
        for route, row in told.items()
        for one in row.values()
        for event in one.refused
        if event.verb == "request.refused"
    ]
    assert {route.method for route, _event in general} == {"post", "put", "patch", "delete"}
    for route, event in general:
        shown = route.path.replace("{key}", r"(\{[a-z]+\}|[0-9a-f-]{36})")
        assert re.fullmatch(f"{route.method.upper()} /api/v1/{shown}", event.subject_label)
        assert re.fullmatch("[a-z0-9-]+", event.reason)
        assert (event.before, event.after) == ({}, {})


def test_what_is_beside_the_table_is_answered_alike_to_everybody(everybody: dict[str, APIClient]) -> None:
    known = {path.replace("role-missing", "{key}") for path in OPEN_TO_ALL}
    assert others() == known
    for path in OPEN_TO_ALL:
        with transaction.atomic():
            answers = {client.get(f"/{path}").status_code for client in everybody.values()}
            transaction.set_rollback(True)
        assert len(answers) == 1, path


def test_the_table_has_no_server_error_and_lets_nobody_in_who_has_not_signed_in() -> None:
    table = json.loads(TABLE.read_text())
    assert max(status for row in table.values() for status in row.values()) < 500
    assert {row["anonymous"] for row in table.values()} == {401}


def test_a_stranger_is_never_answered_with_what_belongs_to_others() -> None:
    table = json.loads(TABLE.read_text())
    of_tenants = {
        route: row
        for route, row in table.items()
        if route.split()[1].startswith(TENANT_LISTS + OF_THEIR_KEEPERS) and "{key}" in route
    }
    assert len(of_tenants) > len(TENANT_LISTS)
    assert {row["stranger"] for row in of_tenants.values()} <= {403, 404}
    assert {row["nobody"] for row in of_tenants.values()} <= {403, 404}


def test_a_strangers_lists_hold_nothing_of_the_house(filled: House, everybody: dict[str, APIClient]) -> None:
    for resource in TENANT_LISTS:
        own = everybody["stranger"].get(f"/api/v1/{resource}").json()["results"]
        theirs = everybody["supervisor"].get(f"/api/v1/{resource}").json()["results"]
        assert str(filled.keys[resource]) in {row["uuid"] for row in theirs}, resource
        assert str(filled.keys[resource]) not in {row["uuid"] for row in own}, resource
        assert len(own) <= (1 if resource == "departments" else 0), resource
