"""A container under a legal hold is frozen as far as the cloud lets us: on the sandbox over HTTP, with the clients of its credentials."""

import time
from datetime import timedelta

import pytest
from pytest_django import Settings

from govcloud.errors import Invalids
from govcloud.inventory.containers import GIB
from govcloud.inventory.models import Resource
from govcloud.orders.drafts import QuotaDraft, ReleaseDraft
from govcloud.protection import holds
from govcloud.protection.holds import ContainerOnHold
from govcloud.provisioning import engine
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.actions.objects import ContainerReadOnly, NewCredential, OfCredential
from govcloud.provisioning.lifecycle import FINISHED
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.models import QuotaAccount
from tenants.models import Role
from tests.factories.orders import Scene, approve_all, approved, scene, submitted
from tests.integration.building import built, now, project, states, work
from tests.integration.containing import Client, ask, container, credential, drawn, named
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


def lift(on: Scene, files: Resource, *, told: bool = True) -> None:
    keeper = on.chain[Role.AUTHORITY_APPROVER]
    holds.lift_from_container(resource=files, reason="matter closed", actor=keeper, at=now())
    if told:
        work()


def ended(kind: str, **which: str) -> None:
    """Let a worker work until the step of this kind has ended, whatever else waits."""
    while Step.objects.filter(kind=kind, **which).exclude(state__in=FINISHED).exists():
        if not engine.run_due(clock=now, most=1):
            time.sleep(0.05)


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
    on: Scene, files: Resource, building: Sandbox, settings: Settings
) -> None:
    client = Client(drawn(on, credential(on, files)))
    settings.STEP_SETTLE = timedelta(seconds=2)
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


def test_who_was_shut_out_is_let_in_again_by_neither_while_their_user_is_still_there(
    on: Scene, files: Resource, building: Sandbox
) -> None:
    given = credential(on, files)
    stays = {"service": "identity", "method": "DELETE", "path": "/users/", "action": "status", "status": 503}
    building.ask("POST", "/faults", stays)
    ask(on, named("files"), "revoke-credential", OfCredential(credential=given.uuid))
    ended("credential_access", desired="absent")
    hold(on, files, told=False)
    ended("container_freeze")
    assert let_in(on, files) == (0, 0)
    lift(on, files, told=False)
    ended("container_thaw")
    assert let_in(on, files) == (0, 0)
    given.refresh_from_db()
    assert given.revoked_at is None, "it is in force by the record until its user is gone"


def test_a_lost_thaw_that_lands_after_a_new_hold_is_set_right(
    on: Scene, files: Resource, building: Sandbox, settings: Settings
) -> None:
    credential(on, files)
    hold(on, files)
    settings.STEP_SETTLE = timedelta(seconds=6)
    late = {"service": "object-store", "method": "POST", "action": "reset", "when": "late", "seconds": 4, "times": 1}  # fmt: skip
    building.ask("POST", "/faults", late)
    lift(on, files, told=False)
    lands = time.monotonic() + 5
    engine.run_due(clock=now, most=1)
    hold(on, files, told=False)
    time.sleep(0.5)
    engine.run_due(clock=now)
    assert let_in(on, files) == (1, 0), "told at once, whatever may still land"
    work()
    time.sleep(max(0, lands - time.monotonic()))
    assert let_in(on, files) == (1, 0)
    assert {each.status for each in Operation.objects.filter(kind="freeze")} == {"done"}, states()


def test_a_thaw_of_what_the_cloud_does_not_have_any_more_ends(
    on: Scene, files: Resource, building: Sandbox
) -> None:
    hold(on, files)
    lost = {"service": "object-store", "method": "POST", "action": "reset", "when": "before", "times": 1}
    building.ask("POST", "/faults", lost)
    lift(on, files, told=False)
    engine.run_due(clock=now, most=1)
    project(on).objects.delete_container(files.external_id)
    work()
    assert Step.objects.get(kind="container_thaw").state == "skipped", states()


def test_a_change_of_its_quota_that_has_begun_waits_for_a_person_under_a_hold(
    on: Scene, files: Resource
) -> None:
    approved(on, at=now(), items=(QuotaDraft(target=files.uuid, quota_gb=200),))
    hold(on, files, told=False)
    engine.run_due(clock=now)
    step = Step.objects.get(kind="container_quota")
    assert "legal hold" in step.last_error
    assert project(on).objects.get_container(files.external_id).quota_bytes == 100 * GIB
    lift(on, files)
    assert project(on).objects.get_container(files.external_id).quota_bytes == 200 * GIB, states()
