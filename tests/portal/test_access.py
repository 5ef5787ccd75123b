"""Every address of the portal for every role: the committed table ``access.json`` says what a look at each is answered.

``UPDATE_BASELINES=1`` writes the table anew; what changed in it is what a reviewer looks at. ``stranger`` is an applicant of another
department, ``nobody`` has no role, ``anonymous`` has not signed in. Addresses that take forms alone lead to the page that they are on
(302); what is sent to them is tested with their pages.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, reverse

from govcloud.inventory.models import ContainerCredential
from govcloud.portal.urls import urlpatterns
from govcloud.protection.models import RecoveryPoint
from tenants.models import UNIT_ROLES, Role, User
from tests.api.house import AT, House, house, stranger_department
from tests.factories.tenants import UserFactory, member
from tests.portal.test_foreign_ids import OF_SOMEBODY, REST

pytestmark = pytest.mark.django_db

TABLE = Path(__file__).with_name("access.json")

OF_THE_CENTRE = {
    "account-": "accounts",
    "role-revocation": "memberships",
    "role-": "role-requests",
    "anybodys-token-": "tokens",
    "finding": "findings",
    "audit-event": "audit-events",
    "unit-": "departments",
    "review-closing": "access-reviews",
    "flow": "flow-versions",
    "operation-": "operations",
    "cloud": "clouds",
    "takeover": "takeovers",
}
"""By how a route's name begins, what its ``uuid`` is of, where it is nobody's in particular."""

MORE = {**REST, "code": "unit_approval", "link": "no-such-link", "month": "2026-11", "day": "2026-01-01"}


@pytest.fixture
def filled(db: None, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr("govcloud.clock.now", lambda: AT)
    return house(2)


@pytest.fixture
def everybody(filled: House) -> dict[str, Client]:
    """A browser per role; the unit roles are held in the department that everything in the house belongs to."""

    def signed_in(user: User) -> Client:
        browser = Client()
        browser.force_login(user)
        return browser

    unit = filled.on.department
    browsers = {role.value: signed_in(member(role, unit if role in UNIT_ROLES else None)) for role in Role}
    browsers["stranger"] = signed_in(member(Role.APPLICANT, stranger_department()))
    browsers["nobody"] = signed_in(UserFactory())
    browsers["anonymous"] = Client()
    return browsers


def routes() -> dict[str, URLPattern]:
    return {str(each.name): each for each in urlpatterns if isinstance(each, URLPattern)}


def url_of(name: str, filled: House) -> str:
    row = ContainerCredential.objects.get(uuid=filled.keys["container-credentials"])
    point = RecoveryPoint.objects.select_related("volume__resource").get(uuid=filled.keys["recovery-points"])
    keys = {
        **filled.keys,
        "orders": filled.order.number,
        "containers": row.container.resource.uuid,
        "volumes": point.volume.resource.uuid,
    }
    named = OF_SOMEBODY.get(name, {})
    centre = next((keys[kind] for begins, kind in OF_THE_CENTRE.items() if name.startswith(begins)), None)
    beside = {"maintenance_uuid": keys["maintenances"], "candidate_uuid": keys["takeover-candidates"]}
    told = {**MORE, **beside, "uuid": centre, **{parameter: keys[kind] for parameter, kind in named.items()}}
    return reverse(f"portal:{name}", kwargs={each: told[each] for each in routes()[name].pattern.converters})


def looked_at(browser: Client, url: str) -> int:
    """How it is answered; what was written of it is taken back."""
    with transaction.atomic():
        answer: Any = browser.get(url)
        transaction.set_rollback(True)
    if answer.streaming:
        for close in answer._resource_closers:  # close() would end the test's own connection to the database
            close()
    return int(answer.status_code)


def test_every_address_answers_every_role_as_committed(filled: House, everybody: dict[str, Client]) -> None:
    urls = {name: url_of(name, filled) for name in routes()}
    found = {
        name: {who: looked_at(browser, url) for who, browser in everybody.items()}
        for name, url in urls.items()
    }
    if os.environ.get("UPDATE_BASELINES"):
        TABLE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    assert found == json.loads(TABLE.read_text())


def test_the_table_has_no_server_error_and_opens_nothing_to_who_has_not_signed_in() -> None:
    table = json.loads(TABLE.read_text())
    assert max(status for row in table.values() for status in row.values()) < 500
    opened = {name for name, row in table.items() if row["anonymous"] == 200}
    assert opened == {"sign-in", "session"}  # which tells how many seconds are left of none


def test_a_stranger_sees_nothing_that_belongs_to_others() -> None:
    table = json.loads(TABLE.read_text())
    for who in ("stranger", "nobody"):
        assert {table[name][who] for name in OF_SOMEBODY} <= {302, 403, 404}
