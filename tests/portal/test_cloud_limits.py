"""The page that tells what the clouds let a system's projects have; what is told of one that answers is in ``tests/integration``."""

import pytest

from tenants.models import Role
from tests.factories.inventory import ProjectFactory
from tests.factories.tenants import member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text


@pytest.mark.parametrize("role", [Role.CLOUD_ADMIN, Role.TECHNICAL_REVIEWER, Role.LEADER, Role.SUPERVISOR])
def test_who_knows_what_a_project_is_comes_to_it_from_the_system(
    people: scenes.Cast, signed_in: Signed, role: Role
) -> None:
    browser, page = signed_in(member(role)), f"/systems/{people.system.uuid}/"
    assert f'href="{page}cloud-limits/"' in browser.get(page).content.decode()
    answer = browser.get(f"{page}cloud-limits/")
    assert (answer.status_code, "no project on any cloud yet" in text(answer)) == (200, True)


def test_others_who_see_the_system_do_not(people: scenes.Cast, signed_in: Signed) -> None:
    browser, page = signed_in(people.applicant), f"/systems/{people.system.uuid}/"
    assert "cloud-limits" not in browser.get(page).content.decode()
    assert browser.get(f"{page}cloud-limits/").status_code == 403


def test_a_cloud_that_does_not_answer_says_so(people: scenes.Cast, signed_in: Signed) -> None:
    ProjectFactory(
        system=people.system, cloud__code="silent", cloud__name_en="Silent cloud", external_id="p-1"
    )
    page = text(signed_in(people.admin).get(f"/systems/{people.system.uuid}/cloud-limits/"))
    for words in ("Silent cloud", "p-1", "The cloud does not answer"):
        assert words in page, words
