"""A container under a legal hold is frozen as far as the cloud lets us: on the sandbox over HTTP, with the clients of its credentials."""

import pytest

from govcloud.errors import Invalids
from govcloud.inventory.models import Resource
from govcloud.orders.drafts import QuotaDraft, ReleaseDraft
from govcloud.protection import holds
from govcloud.protection.holds import ContainerOnHold
from govcloud.provisioning import engine
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.actions.objects import ContainerReadOnly, NewCredential
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.models import QuotaAccount
from tenants.models import Role
from tests.factories.orders import Scene, approve_all, approved, scene, submitted
from tests.integration.building import built, now, project, states, work
from tests.integration.containing import Client, ask, container, credential, drawn
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def on(building: Sandbox) -> Scene:
    return scene(level_3=False)


@pytest.fixture
def files(on: Scene) -> Resource:
    """Of 100 GB."""
    return container(on)


def hold(on: Scene, files: Resource, *, told: bool = True) -> None:
    keeper = on.chain[Role.AUTHORITY_APPROVER]
    holds.place_on_container(resource=files, reason="evidence", actor=keeper, at=now())
    if told:
        work()


def lift(on: Scene, files: Resource) -> None:
    keeper = on.chain[Role.AUTHORITY_APPROVER]
    holds.lift_from_container(resource=files, reason="matter closed", actor=keeper, at=now())
    work()


def let_in(on: Scene, files: Resource) -> tuple[int, int]:
    """How many may read, and how many write."""
    seen = project(on).objects.get_container(files.external_id)
    return len(seen.read), len(seen.write)


def test_whoever_could_write_only_reads_until_it_is_lifted(on: Scene, files: Resource) -> None:
    client = Client(drawn(on, credential(on, files)))
    client.put("a")
    hold(on, files)
    assert (client.ask("GET", "a"), client.ask("PUT", "a", data=b"forged"), client.ask("DELETE", "a")) == (
        200, 403, 403,
    )  # fmt: skip
    lift(on, files)
    assert client.ask("PUT", "b", data=b"x") == 201
    assert {each.status for each in Operation.objects.filter(kind="freeze")} == {"done"}, states()


def test_a_credential_that_was_being_issued_lets_nobody_write(on: Scene, files: Resource) -> None:
    ask(on, files, "issue-credential", NewCredential(name="app", access="write"))
    hold(on, files)
    assert let_in(on, files) == (1, 0)


def test_new_credentials_are_to_read(on: Scene, files: Resource) -> None:
    hold(on, files)
    with pytest.raises(ContainerReadOnly):
        ask(on, files, "issue-credential", NewCredential(name="app", access="write"))
    credential(on, files, access="read")
    assert let_in(on, files) == (1, 0)


def test_its_quota_stays(on: Scene, files: Resource) -> None:
    waiting = submitted(on, at=now(), items=(QuotaDraft(target=files.uuid, quota_gb=50),))
    hold(on, files)
    with pytest.raises(ContainerOnHold):
        approve_all(on, waiting, at=now())
    with pytest.raises(Invalids) as refusal:
        submitted(on, at=now(), items=(QuotaDraft(target=files.uuid, quota_gb=200),))
    assert "container-on-hold" in [each.code for each in refusal.value.errors]
    lift(on, files)
    waiting.refresh_from_db()
    approve_all(on, waiting, at=now())
    work()
    assert QuotaAccount.objects.get(department=on.department, dimension="object_gb").used == 50


def test_nobody_abandons_it_and_a_cloud_that_fails_is_asked_again(
    on: Scene, files: Resource, building: Sandbox
) -> None:
    client = Client(drawn(on, credential(on, files)))
    building.ask("POST", "/faults", {"service": "object-store", "method": "POST", "action": "status", "status": 503, "when": "before", "times": 1})  # fmt: skip
    hold(on, files, told=False)
    engine.run_due(clock=now)
    assert client.ask("PUT", "a", data=b"x") == 201, "the cloud has not been told yet"
    with pytest.raises(provisioning.CannotBeUndone):
        provisioning.abandon(
            operation=Operation.objects.get(kind="freeze"), reason="", actor=on.applicant, at=now()
        )
    work()
    assert Step.objects.get(kind="container_freeze").state == "gone"
    assert client.ask("PUT", "b", data=b"x") == 403


def test_nobody_is_let_in_again_once_its_release_has_begun(on: Scene, files: Resource) -> None:
    credential(on, files)
    hold(on, files)
    keeper = on.chain[Role.AUTHORITY_APPROVER]
    holds.lift_from_container(resource=files, reason="matter closed", actor=keeper, at=now())
    approved(on, at=now(), items=(ReleaseDraft(target=files.uuid, kind="container"),))
    work()
    assert Step.objects.get(kind="container_thaw").state == "skipped"
    assert Resource.objects.get(pk=files.pk).status == "released", states()


def test_a_container_without_credentials_is_held_and_let_go_of(on: Scene, files: Resource) -> None:
    hold(on, files)
    lift(on, files)
    assert let_in(on, files) == (0, 0)
    assert built(on, items=(QuotaDraft(target=files.uuid, quota_gb=200),)).status == "fulfilled"
