"""A project built outside is taken over in the portal, from its survey to giving it up, on the sandbox cloud over HTTP."""

import re
from uuid import uuid4

import pytest
from django.test import Client

from govcloud.takeover import tasks
from govcloud.takeover.models import Candidate, Takeover
from tenants.models import Role, User
from tests.factories.orders import Scene, scene
from tests.factories.tenants import member
from tests.integration.building import work
from tests.integration.outside import Outside, project_of
from tests.integration.sandboxed import Sandbox
from tests.integration.test_takeover import furnished, used
from tests.portal.reading import text

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("building"),
    pytest.mark.filterwarnings("ignore:Support for InfluxDB"),  # of the other team's openstacksdk
]


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False, zone="private")


@pytest.fixture
def admin() -> User:
    return member(Role.CLOUD_ADMIN)


@pytest.fixture
def theirs(building: Sandbox) -> Outside:
    return project_of(building, name=f"oa-{uuid4().hex[:8]}")


@pytest.fixture
def browser(admin: User, client: Client) -> Client:
    client.force_login(admin)
    client.cookies["django_language"] = "en"
    return client


def sent(browser: Client, path: str, typed: dict[str, object]) -> str:
    """The page that a form leads to."""
    answer = browser.post(path, typed, follow=True)
    assert answer.status_code == 200, text(answer)
    return text(answer)


def done() -> None:
    work()
    tasks.settle()


def test_a_project_is_surveyed_assigned_taken_over_and_given_up(
    on: Scene, theirs: Outside, browser: Client
) -> None:
    furnished(theirs, "10.77.40.0/24")
    asked = sent(browser, "/takeovers/survey/", {"cloud": on.catalogue.cloud.code, "project": theirs.name})
    assert "about to be surveyed" in asked
    tasks.ring()
    takeover = Takeover.objects.get()
    page = f"/takeovers/{takeover.uuid}/"
    assert browser.get(page, headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"
    surveyed = text(browser.get(page))
    assert "Say first for which system" in surveyed
    terms = {"system": on.system.code, "zone": "private", "lease_end": "2030-12-31", "billing_start": ""}
    assert "It is taken over for this system" in sent(browser, f"{page}assignment/", terms)
    named = {str(each): each for each in takeover.candidates.all()}
    spare = next(each for each in named.values() if each.found_name == "spare")
    assert "It will have this name here." in sent(
        browser, f"{page}things/{spare.uuid}/name/", {"name": "old-spare"}
    )
    assert "1 thing is being taken over." in sent(browser, f"{page}taking/", {"candidate": [spare.uuid]})
    assert "being taken over: 1" in text(browser.get(page, headers={"HX-Request": "true"}))
    done()
    assert used(on) == {"storage_gb": 20}
    rest = sent(browser, f"{page}taking/", {"everything": "yes"})
    assert "being taken over" in rest
    done()
    assert used(on)["servers"] == 2
    ours = text(browser.get(f"{page}?view=ours"))
    assert "old-spare" in ours
    refused = browser.post(f"{page}giving-up/?view=ours", {"candidate": [spare.uuid], "reason": ""})
    assert (refused.status_code, "Give a reason" in text(refused)) == (422, True)
    assert re.search(rf'value="{spare.uuid}"[^>]*checked', refused.content.decode())
    given = sent(browser, f"{page}giving-up/?view=ours", {"candidate": [spare.uuid], "reason": "划错系统"})
    assert "is being given up" in given
    done()
    spare.refresh_from_db()
    assert spare.status == "open"


def test_a_name_that_the_catalogue_does_not_know_is_taken_for_something_of_it(
    on: Scene, theirs: Outside, browser: Client
) -> None:
    theirs.volume("spare", size=20)
    on.catalogue.cloud.storage_classes.filter(cloud_name="sas").update(cloud_name="sas-new")
    sent(browser, "/takeovers/survey/", {"cloud": on.catalogue.cloud.code, "project": theirs.name})
    tasks.ring()
    takeover = Takeover.objects.get()
    page = f"/takeovers/{takeover.uuid}/"
    sent(browser, f"{page}assignment/", {"system": on.system.code, "zone": "private"})
    assert "“sas” is taken for" in text(browser.get(page))
    typed = {"kind": "storage_class", "cloud_name": "sas", "code": "sas"}
    assert "The name is known from now on." in sent(browser, f"{page}names/", typed)
    assert "sas → sas" in text(browser.get(page))


def test_what_does_not_fit_stays_and_is_told(theirs: Outside, browser: Client) -> None:
    on = scene(level_3=False, zone="private", limits={"storage_gb": 10})
    theirs.volume("spare", size=20)
    sent(browser, "/takeovers/survey/", {"cloud": on.catalogue.cloud.code, "project": theirs.name})
    tasks.ring()
    page = f"/takeovers/{Takeover.objects.get().uuid}/"
    foreseen = sent(browser, f"{page}assignment/", {"system": on.system.code, "zone": "private"})
    assert "1 come, 0 stay" in foreseen
    refused = browser.post(f"{page}taking/", {"candidate": [Candidate.objects.get().uuid]})
    assert (refused.status_code, Candidate.objects.get().status) == (409, "open"), text(refused)
    assert "being taken over" in sent(
        browser, f"{page}taking/", {"candidate": [Candidate.objects.get().uuid], "raise_limits": "yes"}
    )
    done()
    assert used(on) == {"storage_gb": 20}
