"""Links to servers' screens, on the sandbox cloud over HTTP."""

import pytest

from govcloud.audit.models import Event
from govcloud.clouds.refusals import CredentialsRefused
from govcloud.errors import DomainError
from govcloud.inventory.models import Resource, Server
from govcloud.provisioning import consoles
from tenants.models import Role
from tenants.policies import RoleMissing
from tests.factories.orders import Scene, scene
from tests.factories.tenants import DepartmentFactory, member
from tests.integration.building import built, now
from tests.integration.sandboxed import Sandbox
from tests.integration.test_direct_actions import ONE_SERVER

pytestmark = pytest.mark.django_db


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def server(on: Scene, building: Sandbox) -> Resource:
    built(on, items=ONE_SERVER)
    return Resource.objects.get(kind="server")


def test_a_console_link_is_answered_audited_and_kept_nowhere(on: Scene, server: Resource) -> None:
    url = consoles.open_console(resource=server, actor=on.applicant, at=now())
    assert server.external_id in url
    event = Event.objects.get(verb="server.console_opened")
    assert (event.subject_id, url in str(vars(event))) == (server.uuid, False)


def test_a_stopped_server_has_no_console_and_strangers_have_none(on: Scene, server: Resource) -> None:
    with pytest.raises(RoleMissing):
        consoles.open_console(resource=server, actor=member(Role.APPLICANT, DepartmentFactory()), at=now())
    Server.objects.filter(resource=server).update(power="stopped")
    with pytest.raises(consoles.NoConsole):
        consoles.open_console(resource=Resource.objects.get(pk=server.pk), actor=on.applicant, at=now())


@pytest.mark.parametrize(
    ("status", "code"), [(400, "consoles-not-offered"), (409, "no-console"), (503, "cloud-does-not-answer")]
)
def test_a_cloud_without_an_answer_is_told_as_what_it_is(
    on: Scene, server: Resource, building: Sandbox, status: int, code: str
) -> None:
    rule = {"service": "compute", "method": "POST", "path": "/remote-consoles$", "action": "status"}
    building.ask("POST", "/faults", {**rule, "status": status, "message": "no", "times": 9})
    with pytest.raises(DomainError) as refusal:
        consoles.open_console(resource=server, actor=on.applicant, at=now())
    assert refusal.value.code == code
    assert not Event.objects.filter(verb="server.console_opened").exists()


def test_credentials_that_have_ended_are_told_as_that(on: Scene, server: Resource, building: Sandbox) -> None:
    """Trying again in a moment would not help."""
    asked = {"service": "compute", "method": "POST", "path": "/remote-consoles$", "action": "status"}
    building.ask(
        "POST", "/faults", {**asked, "status": 401, "message": "token expired", "when": "before", "times": 1}
    )
    signs_in = {"service": "identity", "method": "POST", "path": "/auth/tokens$", "action": "status"}
    building.ask("POST", "/faults", {**signs_in, "status": 401, "message": "no", "times": 9})
    with pytest.raises(CredentialsRefused, match=on.catalogue.cloud.code):
        consoles.open_console(resource=server, actor=on.applicant, at=now())
