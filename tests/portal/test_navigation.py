"""The header leads to every page that the reader may open, and to no other."""

from datetime import datetime

import pytest
from django.urls import reverse

from govcloud.portal.navigation import EVERYBODYS, FURTHER
from tenants.models import DECIDING, UNIT_ROLES, Role
from tests.factories.approvals import default_flow
from tests.factories.tenants import DepartmentFactory, member
from tests.portal.conftest import Signed

KEEP_CLOUDS = (Role.CLOUD_ADMIN, Role.SYSTEM_ADMIN, Role.SUPERVISOR)
ELSEWHERE = {
    "/absences/": set(Role)
    - set(DECIDING),  # everybody may see who stands in for whom; they have nothing to hand over
    "/security/accounts/": {Role.SECURITY_ADMIN},  # in the menu of the security pages
    "/clouds/": set(Role)
    - set(KEEP_CLOUDS),  # where things are built is told on orders; the work is done by these
}
"""Pages that these may open and do not find in the header."""


@pytest.mark.django_db
@pytest.mark.parametrize("role", list(Role))
def test_what_somebody_may_open_is_linked(
    signed_in: Signed, monkeypatch: pytest.MonkeyPatch, at: datetime, role: Role
) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    default_flow()
    browser = signed_in(member(role, DepartmentFactory() if role in UNIT_ROLES else None))
    header = browser.get("/orders/").content.decode().split("</header>")[0]
    pages = {reverse(entry.view) for entry in (*EVERYBODYS, *FURTHER)}
    linked = {page for page in pages if f'href="{page}"' in header}
    opened = {page for page in pages if browser.get(page).status_code == 200}
    assert linked == {page for page in opened if role not in ELSEWHERE.get(page, ())}
