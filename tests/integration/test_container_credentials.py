"""Who reaches a container from outside: issued, drawn, rotated and revoked, on the sandbox cloud over HTTP."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.apps import apps
from django.db.models import JSONField, TextField
from django.db.models.fields import CharField
from keystoneauth1.exceptions import Unauthorized
from pytest_django import Settings
from rest_framework.test import APIClient

from govcloud.audit.models import Event
from govcloud.gateways.openstack import connect
from govcloud.inventory.models import Project, Resource
from govcloud.provisioning import container_secrets, engine
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.actions.objects import (
    BadCredentialName,
    NewCredential,
    NoSuchCredential,
    OfCredential,
)
from govcloud.provisioning.actions.requests import ActionNotAllowed
from govcloud.provisioning.consoles import CloudDoesNotAnswer
from govcloud.provisioning.container_secrets import CredentialGone
from govcloud.provisioning.models import Operation
from tenants.models import Role
from tenants.policies import RoleMissing
from tests.factories.orders import Scene, scene
from tests.factories.tenants import member, token_of
from tests.integration.building import now, project, states, work
from tests.integration.containing import Client, ask, container, credential, drawn, named
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def on(building: Sandbox) -> Scene:
    assert building
    return scene(level_3=False)


@pytest.fixture
def files(on: Scene) -> Resource:
    return container(on)


@pytest.fixture
def soon_landed(settings: Settings) -> None:
    settings.STEP_SETTLE = timedelta(seconds=2)


def users(on: Scene) -> list[str]:
    """Ids of those that were made for the scene's system."""
    found = connect(cloud="sandbox").identity._transport.get("identity", "/users")["users"]
    return [user["id"] for user in found if user.get("description", "").startswith(f"{on.system.code} ")]


def let_in(on: Scene, files: Resource) -> tuple[int, int]:
    """How many may read, and how many of them may write."""
    seen = project(on).objects.get_container(files.external_id)
    return len(seen.read), len(seen.write)


def test_whoever_may_write_reads_and_writes_this_container_and_reaches_nothing_else(
    on: Scene, files: Resource
) -> None:
    client = Client(drawn(on, credential(on, files)))
    client.put("a")
    assert (client.ask("GET", "a"), client.ask("GET"), client.ask("DELETE", "a")) == (200, 200, 204)
    account = client.given.storage_url.rpartition("/")[0]
    for method, url in (("GET", account), ("GET", f"{account}/other"), ("PUT", f"{account}/other"), ("POST", client.given.storage_url), ("DELETE", client.given.storage_url)):  # fmt: skip
        assert client.session().request(url, method, raise_exc=False).status_code == 403
    theirs = Project.objects.get(system=on.system).external_id
    assert client.given.project_id != theirs
    inside = Client(client.given.__class__(**{**_fields(client), "project_id": theirs}))
    with pytest.raises(Unauthorized):
        inside.session().get_token()


def _fields(client: Client) -> dict[str, str]:
    return {name: getattr(client.given, name) for name in client.given.__slots__}


def test_whoever_may_read_does_not_write(on: Scene, files: Resource) -> None:
    Client(drawn(on, credential(on, files, name="loader"))).put("a")
    reader = Client(drawn(on, credential(on, files, name="viewer", access="read")))
    assert (reader.ask("GET", "a"), reader.ask("PUT", "b", data=b"x"), reader.ask("DELETE", "a")) == (
        200,
        403,
        403,
    )
    assert let_in(on, files) == (2, 1)


def test_a_credential_is_good_for_nothing_until_its_secret_is_drawn(on: Scene, files: Resource) -> None:
    given = credential(on, files)
    assert given.secret_set_at is None
    client = Client(drawn(on, given))
    given.refresh_from_db()
    assert (given.secret_set_at is not None, client.ask("HEAD")) == (True, 204)


def test_drawing_again_ends_the_secret_before(on: Scene, files: Resource) -> None:
    given = credential(on, files)
    old, new = Client(drawn(on, given)), Client(drawn(on, given))
    assert new.ask("HEAD") == 204
    with pytest.raises(Unauthorized):
        old.session().get_token()
    assert len(users(on)) == 1


def test_the_secret_is_kept_nowhere(on: Scene, files: Resource, capfd: pytest.CaptureFixture[str]) -> None:
    given = credential(on, files)
    secret = drawn(on, given).secret
    assert secret not in repr(drawn(on, given))
    texts = (CharField, TextField, JSONField)
    for model in apps.get_models():
        columns = [field.attname for field in model._meta.concrete_fields if isinstance(field, texts)]
        for row in model._default_manager.values(*columns) if columns else ():
            assert secret not in json.dumps(row, default=str, ensure_ascii=False), model
    assert secret not in "".join(capfd.readouterr())


def test_that_somebody_drew_a_secret_is_told(on: Scene, files: Resource) -> None:
    drawn(on, credential(on, files))
    verbs = list(
        Event.objects.filter(verb__startswith="credential.").order_by("pk").values_list("verb", flat=True)
    )
    assert verbs == ["credential.issued", "credential.secret_asked", "credential.secret_drawn"]
    assert Event.objects.get(verb="credential.secret_drawn").actor == f"user:{on.applicant.uuid}"


@pytest.mark.parametrize("role", [Role.CLOUD_ADMIN, Role.SERVICE_DESK, Role.AUTHORITY_APPROVER])
def test_nobody_but_the_departments_applicants_draws_a_secret(on: Scene, files: Resource, role: Role) -> None:
    given = credential(on, files)
    with pytest.raises(RoleMissing):
        container_secrets.draw(credential=given, actor=member(role), at=now())


def test_a_cloud_that_does_not_answer_is_told_of_and_the_try_is_kept(
    on: Scene, files: Resource, building: Sandbox
) -> None:
    given = credential(on, files)
    building.ask(
        "POST", "/faults", {"service": "identity", "method": "PATCH", "action": "status", "status": 503}
    )
    with pytest.raises(CloudDoesNotAnswer):
        drawn(on, given)
    assert Event.objects.get(verb="credential.secret_asked").outcome == "done"
    assert Event.objects.get(verb="credential.secret_drawn").outcome == "refused"
    given.refresh_from_db()
    assert given.secret_set_at is None


@pytest.mark.usefixtures("soon_landed")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("lost", ["identity POST /users$", "identity POST /projects$", "identity PUT /roles/", "object-store POST ."])  # fmt: skip
def test_a_credential_whose_answer_was_lost_is_issued_once(
    on: Scene, files: Resource, building: Sandbox, when: str, lost: str
) -> None:
    service, method, path = lost.split()
    fault = {"service": service, "method": method, "path": path, "action": "reset", "when": when, "times": 1}
    building.ask("POST", "/faults", fault)
    client = Client(drawn(on, credential(on, files)))
    assert (len(users(on)), let_in(on, files), client.ask("HEAD")) == (1, (1, 1), 204), states()


def test_a_revoked_credential_is_shut_out_at_once_and_its_user_is_gone(on: Scene, files: Resource) -> None:
    kept, given = credential(on, files, name="kept"), credential(on, files, name="given")
    client = Client(drawn(on, given))
    token = client.session().get_token()
    ask(on, named("files"), "revoke-credential", OfCredential(credential=given.uuid))
    work()
    given.refresh_from_db()
    assert given.revoked_at is not None
    assert let_in(on, files) == (1, 1)
    answer = requests.get(client.given.storage_url, headers={"X-Auth-Token": token}, timeout=5)
    assert answer.status_code in {401, 403}
    assert users(on) == [kept.user_id]
    with pytest.raises(CredentialGone):
        drawn(on, given)
    assert credential(on, named("files"), name="given 2").name == "given 2"


def test_an_abandoned_issue_leaves_no_user_and_nobody_let_in(
    on: Scene, files: Resource, building: Sandbox, settings: Settings
) -> None:
    settings.STEP_SETTLE = timedelta(0)
    lost = {"service": "object-store", "method": "POST", "action": "reset", "when": "after", "times": 1}
    building.ask("POST", "/faults", lost)
    operation = ask(on, files, "issue-credential", NewCredential(name="app", access="write"))
    while let_in(on, files) == (0, 0):
        assert engine.run_due(clock=now, most=1)
    provisioning.abandon(operation=operation, reason="not wanted", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    assert (users(on), let_in(on, files), named("files").status) == ([], (0, 0), "active")
    assert named("files").container.credentials.in_force().count() == 0


def test_what_was_let_in_by_hand_is_shut_out_with_the_next_credential(on: Scene, files: Resource) -> None:
    project(on).objects.set_access(files.external_id, read=["any:body"], write=["any:body"])
    credential(on, files)
    assert let_in(on, files) == (1, 1)
    assert "any:body" not in project(on).objects.get_container(files.external_id).read


def test_bad_credentials_are_refused(on: Scene, files: Resource) -> None:
    def refused(action: str, parameters: Any) -> type[Exception]:
        with pytest.raises((BadCredentialName, NoSuchCredential, ActionNotAllowed)) as refusal:
            ask(on, named("files"), action, parameters)
        return refusal.type

    assert refused("revoke-credential", OfCredential(credential=uuid4())) is ActionNotAllowed
    credential(on, files)
    for name in ("", " ", "app", " app ", "x" * 41):
        assert refused("issue-credential", NewCredential(name=name, access="read")) is BadCredentialName
    assert refused("revoke-credential", OfCredential(credential=uuid4())) is NoSuchCredential


def test_a_container_takes_so_many_credentials(
    on: Scene, files: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("govcloud.provisioning.actions.objects.MOST_CREDENTIALS", 1)
    credential(on, files)
    with pytest.raises(ActionNotAllowed):
        ask(on, named("files"), "issue-credential", NewCredential(name="second", access="read"))


def test_a_container_in_hand_takes_no_second_action(on: Scene, files: Resource) -> None:
    ask(on, files, "issue-credential", NewCredential(name="app", access="read"))
    with pytest.raises(ActionNotAllowed):
        ask(on, named("files"), "issue-credential", NewCredential(name="second", access="read"))
    work()
    assert Operation.objects.filter(action="issue-credential").get().status == "done"


def test_the_answer_with_the_secret_is_kept_for_nobody_to_be_given_again(on: Scene, files: Resource) -> None:
    given = credential(on, files)
    _label, text = token_of(on.applicant)
    client = APIClient(headers={"Authorization": f"Bearer {text}"})
    url, again = f"/api/v1/container-credentials/{given.uuid}/secret", {"Idempotency-Key": "the-same"}
    first, second = client.post(url, headers=again), client.post(url, headers=again)
    assert (first.status_code, second.status_code, first["Cache-Control"]) == (201, 201, "no-store")
    assert first.json()["secret"] != second.json()["secret"]
    assert first.json()["storage_url"].endswith(files.external_id)
