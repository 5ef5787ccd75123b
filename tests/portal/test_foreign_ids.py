"""Every address of the portal that names something: what is somebody else's answers 404, and that it was asked for is told.

The routes are read from the URL patterns; one that is in neither table fails.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import URLPattern, reverse
from django.urls.converters import UUIDConverter

from govcloud.approvals.models import FlowVersion
from govcloud.audit.models import Event
from govcloud.portal.urls import urlpatterns
from tenants.models import Role, User
from tests.api.house import recovery_point
from tests.factories.approvals import absence, consulted
from tests.factories.inventory import CredentialFactory, WipeRecordFactory, whole_server
from tests.factories.notifications import posted, webhook
from tests.factories.orders import Scene, paper_of, scene, submitted
from tests.factories.organisation import review_of
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory, SystemFactory, grant, member, token_of
from tests.portal.conftest import Signed

pytestmark = pytest.mark.django_db

OF_SOMEBODY: Mapping[str, Mapping[str, str]] = {
    "token-revocation": {"uuid": "tokens"},
    "quota-unit": {"uuid": "departments"},
    "quota-allotment": {"uuid": "departments"},
    "quota-limit": {"uuid": "departments"},
    "quota-history": {"uuid": "departments"},
    "inbox-message": {"uuid": "messages"},
    "inbox-opening": {"uuid": "messages"},
    "operation": {"uuid": "operations"},
    "operation-cancellation": {"uuid": "operations"},
    "resource": {"uuid": "resources"},
    "resource-console": {"uuid": "resources"},
    "resource-login-keys": {"uuid": "resources"},
    "resource-login-key-removal": {"uuid": "resources"},
    "resource-secret": {"uuid": "containers", "credential": "container-credentials"},
    "resource-act": {"uuid": "resources"},
    "resource-postponement": {"uuid": "resources"},
    "wipe-record": {"uuid": "wipe-records"},
    "resource-hold": {"uuid": "containers"},
    "resource-hold-lifting": {"uuid": "containers"},
    "resource-point-hold": {"uuid": "volumes", "point": "recovery-points"},
    "resource-point-hold-lifting": {"uuid": "volumes", "point": "recovery-points"},
    "system-new": {"uuid": "departments"},
    "unit": {"uuid": "departments"},
    "unit-connection": {"uuid": "departments"},
    "system": {"uuid": "systems"},
    "system-cloud-limits": {"uuid": "systems"},
    "system-owner": {"uuid": "systems"},
    "system-change": {"uuid": "systems"},
    "system-retirement": {"uuid": "systems"},
    "system-standing": {"uuid": "systems"},
    "system-change-of": {"uuid": "systems", "resource": "resources"},
    "person": {"uuid": "people"},
    "person-departure": {"uuid": "people"},
    "review": {"uuid": "access-reviews"},
    "review-export": {"uuid": "access-reviews"},
    "review-decision": {"review": "access-reviews", "uuid": "access-review-lines"},
    "order": {"number": "orders"},
    "order-heading": {"number": "orders"},
    "order-new-item": {"number": "orders"},
    "order-item": {"number": "orders"},
    "order-item-removal": {"number": "orders"},
    "order-submission": {"number": "orders"},
    "order-withdrawal": {"number": "orders"},
    "order-cancellation": {"number": "orders"},
    "order-confirmation": {"number": "orders"},
    "order-remedy": {"number": "orders"},
    "order-form": {"number": "orders"},
    "order-package": {"number": "orders"},
    "order-files": {"number": "orders"},
    "order-file": {"number": "orders", "uuid": "attachments"},
    "order-file-removal": {"number": "orders", "uuid": "attachments"},
    "decision": {"number": "orders"},
    "delegation": {"number": "orders"},
    "reviewer": {"number": "orders"},
    "consultation": {"number": "orders"},
    "consultation-answer": {"number": "orders", "uuid": "consultations"},
    "consultation-waiver": {"number": "orders", "uuid": "consultations"},
    "reminder": {"number": "orders"},
    "webhook": {"uuid": "webhooks"},
    "webhook-off": {"uuid": "webhooks"},
    "webhook-on": {"uuid": "webhooks"},
    "webhook-secret": {"uuid": "webhooks"},
    "webhook-redelivery": {"webhook": "webhooks", "uuid": "webhook-deliveries"},
    "absence-end": {"uuid": "absences"},
}
"""By the route's name, what each of its parameters names."""

OF_THE_CENTRE = frozenset(
    {
        "account-of", "account-password-reset", "account-factor-reset", "role-revocation", "role-confirmation", "role-refusal",
        "anybodys-token-revocation", "finding", "finding-application", "finding-dismissal", "audit-event", "unit-change",
        "unit-move", "unit-closing", "review-closing", "flow", "flow-draft", "flow-name", "flow-new-stage", "flow-stage",
        "flow-stage-place", "flow-publication", "flow-discarding", "operation-retry", "operation-abandonment", "cloud",
        "cloud-change", "cloud-credentials", "cloud-names", "cloud-maintenance", "cloud-maintenance-end", "cloud-activation", "cloud-deactivation", "cloud-retirement", "takeover",
        "takeover-export", "takeover-survey-again", "takeover-assignment", "takeover-equivalent", "takeover-taking",
        "takeover-giving-up", "takeover-renaming",
    }
)  # fmt: skip
"""Who may ask for any of it may ask for all of it; everybody else is told that they may not, whatever they name."""

EVERYBODYS = frozenset({"cloud"})
"""Of the centre, and open to whoever has signed in."""

REST = {
    "form": "csv",
    "dimension": "vcpus",
    "choice": "server",
    "position": 1,
    "action": "start",
    "code": "unit",
}
"""What other parameters are, which name nothing that is somebody's."""

SENT = {"to": "up", "keys": ""}
"""What forms must have to be read at all: where a stage of a flow shall go, who may log in to a server."""


@dataclass(frozen=True, slots=True)
class Named:
    """What stands in an address, and what the event is about."""

    key: str
    uuid: UUID


def routes() -> dict[str, URLPattern]:
    """Those with a parameter that names one of something."""
    found = (each for each in urlpatterns if isinstance(each, URLPattern))
    return {str(each.name): each for each in found if _named_by(each)}


def _named_by(route: URLPattern) -> list[str]:
    converters = route.pattern.converters
    return [name for name, each in converters.items() if isinstance(each, UUIDConverter) or name == "number"]


def test_every_route_that_names_something_is_in_one_of_the_tables() -> None:
    assert routes().keys() == OF_SOMEBODY.keys() | OF_THE_CENTRE
    assert not OF_SOMEBODY.keys() & OF_THE_CENTRE
    assert {name: set(_named_by(routes()[name])) for name in OF_SOMEBODY} == {
        name: set(parameters) for name, parameters in OF_SOMEBODY.items()
    }


def things(on: Scene, person: User, *, at: datetime) -> dict[str, Named]:
    """One of everything that can be somebody's: the unit's, and the person's."""
    order = submitted(on, at=at)
    row = CredentialFactory(container__resource__system=on.system)
    review = review_of(on.department, at=at)
    hook, _secret = webhook("https://bus.example/hook", at=at, department=on.department)
    notice = posted(person, at=at, department=on.department)
    call = hook.deliveries.create(channel="webhook", notice=notice, next_run_at=at, created_at=at)
    server = whole_server(system=on.system)
    point = recovery_point(server.volumes.first())
    rows: dict[str, Any] = {
        "departments": on.department,
        "systems": on.system,
        "people": person,
        "tokens": token_of(person)[0],
        "messages": person.messages.create(notice=notice, created_at=at),
        "absences": absence(person, on.chain[Role.TECHNICAL_REVIEWER], begins=at),
        "resources": server.resource,
        "operations": point.run.operation,
        "volumes": point.volume.resource,
        "recovery-points": point,
        "wipe-records": WipeRecordFactory(volume=server.volumes.first()),
        "containers": row.container.resource,
        "container-credentials": row,
        "access-reviews": review,
        "access-review-lines": review.lines.first(),
        "attachments": paper_of(order, at=at),
        "consultations": consulted(order.case, on.chain[Role.TECHNICAL_REVIEWER], at=at),
        "webhooks": hook,
        "webhook-deliveries": call,
    }
    named = {kind: Named(str(row.uuid), row.uuid) for kind, row in rows.items()}
    return {**named, "orders": Named(order.number, order.uuid)}


def elsewhere(on: Scene) -> Scene:
    """Another department that orders, and somebody who may do there whatever people of a unit may."""
    department = DepartmentFactory()
    opened(department)
    person = member(Role.UNIT_APPROVER, department)
    grant(person, Role.APPLICANT, department)
    return Scene(
        catalogue=on.catalogue,
        department=department,
        system=SystemFactory(department=department, level_3=True),
        applicant=person,
        chain={**on.chain, Role.UNIT_APPROVER: member(Role.UNIT_APPROVER, department)},
    )


@pytest.fixture
def on(db: None, at: datetime, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    return scene()


def asked(browser: Client, name: str, named: Mapping[str, str]) -> Iterator[int]:
    """The answers to each method that the address takes."""
    rest = {each: REST[each] for each in routes()[name].pattern.converters.keys() - named.keys()}
    url = reverse(f"portal:{name}", kwargs={**named, **rest})
    got = browser.get(url)
    if got.status_code != 302:  # from an address that takes forms alone, to the page that they are on
        yield got.status_code
    sent = browser.post(url, SENT)
    if sent.status_code != 405:
        yield sent.status_code


def test_somebody_elses_id_answers_404_and_is_told(on: Scene, signed_in: Signed, at: datetime) -> None:
    mine = elsewhere(on)
    theirs, own = things(on, on.applicant, at=at), things(mine, mine.applicant, at=at)
    browser = signed_in(mine.applicant)
    refused = Event.objects.filter(verb="access.refused", actor=mine.applicant.audit_ref)
    wrong = []
    for name, parameters in OF_SOMEBODY.items():
        for foreign in parameters:
            named = {each: (theirs if each == foreign else own)[kind] for each, kind in parameters.items()}
            told = refused.filter(subject_id=named[foreign].uuid)
            before = told.count()
            answers = list(asked(browser, name, {each: one.key for each, one in named.items()}))
            if set(answers) != {404} or told.count() != before + len(answers):
                wrong.append((name, foreign, answers, told.count() - before))
    assert wrong == []


def test_what_is_the_centres_is_refused_to_others_whatever_they_name(on: Scene, signed_in: Signed) -> None:
    browser = signed_in(on.applicant)
    one = str(FlowVersion.objects.get().uuid)
    named = {
        name: dict.fromkeys(_named_by(routes()[name]), one) for name in sorted(OF_THE_CENTRE - EVERYBODYS)
    }
    wrong = [(name, set(asked(browser, name, there))) for name, there in named.items()]
    assert [each for each in wrong if each[1] != {403}] == []


def test_what_one_sees_at_another_address_is_not_there_and_no_offence(
    on: Scene, signed_in: Signed, at: datetime
) -> None:
    paper = paper_of(submitted(on, at=at), at=at)
    of_another_system = replace(on, system=SystemFactory(department=on.department, level_3=True))
    other = submitted(of_another_system, at=at)
    assert signed_in(on.applicant).get(f"/orders/{other.number}/files/{paper.uuid}/").status_code == 404
    assert not Event.objects.filter(verb="access.refused").exists()
