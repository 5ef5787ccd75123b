"""The clouds' own limits beside ours, read from the sandbox cloud over HTTP."""

import re

import pytest
from django.conf import settings
from django.test import Client

from govcloud.gateways import openstack
from govcloud.inventory.models import Project
from govcloud.orders.drafts import LimitDraft
from govcloud.provisioning import project_limits
from govcloud.provisioning.project_limits import CloudLimit
from govcloud.quotas.models import Dimension
from tenants.models import Role
from tests.factories.inventory import ProjectFactory
from tests.factories.orders import NETWORK, SERVERS, Scene, approved, scene
from tests.factories.tenants import member
from tests.integration.building import built, now
from tests.portal.reading import text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("building")]


def limits(on: Scene) -> dict[str, CloudLimit]:
    (found,) = project_limits.of_system(on.system)
    assert found.limits is not None
    return {each.name: each for each in found.limits}


def test_they_follow_what_is_ordered_and_not_the_departments_quota() -> None:
    on = scene(limits={"vcpus": 100}, level_3=False, zone="private")
    built(on, items=(NETWORK, SERVERS))
    before = limits(on)
    assert (before["cores"].limit, before["cores"].expected, before["cores"].used) == (8, 8, 8)
    assert all(each.agrees for each in before.values())
    asked = LimitDraft(dimension=Dimension.VCPUS, limit=200)
    approved(on, at=now(), items=(asked,))
    assert limits(on) == before


def test_what_somebody_changed_there_shows_and_0_is_not_unlimited() -> None:
    on = scene(level_3=False, zone="private")
    built(on, items=(NETWORK, SERVERS))
    identifier = Project.objects.get(system=on.system).external_id
    openstack.connect(cloud="sandbox").quotas.set_compute(identifier, {"cores": None, "instances": 0})
    found = limits(on)
    assert (found["cores"].limit, found["cores"].agrees) == (None, False)
    assert (found["instances"].limit, found["instances"].agrees) == (0, False)


def test_a_cloud_that_does_not_answer_hides_no_other() -> None:
    on = scene(level_3=False, zone="private")
    built(on, items=(NETWORK, SERVERS))
    ProjectFactory(system=on.system, cloud__code="nowhere")
    told = {each.cloud.code: each.limits is not None for each in project_limits.of_system(on.system)}
    assert told == {"nowhere": False, "sandbox": True}


def test_a_system_of_which_nothing_stands_has_none() -> None:
    assert project_limits.of_system(scene().system) == []


def test_the_page_of_a_system_has_them_and_what_differs() -> None:
    on = scene(level_3=False, zone="private")
    built(on, items=(NETWORK, SERVERS))
    identifier = Project.objects.get(system=on.system).external_id
    openstack.connect(cloud="sandbox").quotas.set_compute(identifier, {"cores": 6, "instances": None})
    browser = Client()
    browser.force_login(member(Role.CLOUD_ADMIN))
    browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    page = text(browser.get(f"/systems/{on.system.uuid}/cloud-limits/"))
    assert identifier in page
    assert "compute · cores 8 6 8 other than granted" in page
    assert "compute · instances 2 unlimited 2 other than granted" in page
    assert re.search(r"compute · ram ([\d,]+) \1 \1 as granted", page)
