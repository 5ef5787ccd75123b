"""``POST /operations/{uuid}/cancellation``: for whoever may ask for the action, while it is not over."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import LazySettings
from rest_framework.test import APIClient

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.clouds import guest_keys
from govcloud.inventory.models import Resource
from govcloud.provisioning import services
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.actions.login_keys import LoginKeys
from govcloud.provisioning.actions.requests import request
from govcloud.provisioning.models import Operation, OperationKind
from govcloud.provisioning.services import StepSpec
from tenants.models import UNIT_ROLES, Role, User
from tests.api.house import recovery_point
from tests.factories.inventory import whole_server
from tests.factories.tenants import DepartmentFactory, UserFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMT3AdMHZHnj5w51YmlryrPm0g3q0FimJcDEIAA1aiJL ops"


@pytest.fixture
def server() -> Resource:
    return whole_server(system__department__parent=DepartmentFactory()).resource


@pytest.fixture
def operation(server: Resource, at: datetime) -> Operation:
    return begun(server, "stop", Nothing(), at=at)


def begun(server: Resource, name: str, parameters: object, *, at: datetime) -> Operation:
    actor = member(Role.CLOUD_ADMIN)
    return request(resource=server, action=actions()[name], parameters=parameters, actor=actor, at=at)


def call_off(client: APIClient, operation: Operation, reason: str = "by mistake") -> tuple[int, str]:
    answer = client.post(f"/api/v1/operations/{operation.uuid}/cancellation", {"reason": reason})
    return answer.status_code, answer.json().get("code") or answer.json()["status"]


def test_whoever_may_ask_for_it_calls_it_off_whoever_asked(
    signed_in: SignedIn, operation: Operation, at: datetime
) -> None:
    colleague = member(Role.APPLICANT, operation.system.department)
    assert call_off(signed_in(colleague), operation) == (200, "undoing")
    told = Event.objects.get(verb="resource.action_called_off")
    assert (told.actor, told.reason, told.after["action"]) == (colleague.audit_ref, "by mistake", "stop")
    assert call_off(signed_in(colleague), operation) == (409, "called-off-already")


@pytest.mark.parametrize("role", list(Role))
def test_by_role(signed_in: SignedIn, operation: Operation, role: Role) -> None:
    person = member(role, operation.system.department if role in UNIT_ROLES else None)
    may = role in {Role.APPLICANT, Role.CLOUD_ADMIN}
    assert call_off(signed_in(person), operation)[0] == (200 if may else 403)
    operation.refresh_from_db()
    assert operation.status == ("undoing" if may else "running")


def test_from_above_and_not_from_elsewhere(signed_in: SignedIn, operation: Operation) -> None:
    elsewhere = member(Role.APPLICANT, DepartmentFactory())
    assert call_off(signed_in(elsewhere), operation) == (404, "not-found")
    assert Event.objects.get(verb="access.refused").subject_id == operation.uuid
    assert call_off(signed_in(UserFactory()), operation) == (403, "role-missing")
    above = member(Role.APPLICANT, operation.system.department.parent)
    assert call_off(signed_in(above), operation) == (200, "undoing")


def test_it_wants_a_reason(signed_in: SignedIn, operation: Operation) -> None:
    client = signed_in(member(Role.APPLICANT, operation.system.department))
    assert call_off(client, operation, "")[0] == 422
    assert call_off(client, operation, "x" * 501)[0] == 422


def test_what_is_over_says_so(signed_in: SignedIn, operation: Operation, at: datetime) -> None:
    Operation.objects.filter(pk=operation.pk).update(status="done", finished_at=at)
    client = signed_in(member(Role.APPLICANT, operation.system.department))
    answer = client.post(f"/api/v1/operations/{operation.uuid}/cancellation", {"reason": "late"})
    assert (answer.status_code, answer.json()["code"]) == (409, "action-over")
    assert "“stop the server” is over (done)" in answer.json()["detail"]


def test_a_sensitive_action_wants_the_second_factor_again(
    signed_in: SignedIn, server: Resource, at: datetime, settings: LazySettings
) -> None:
    keys = begun(server, "set-login-keys", LoginKeys((KEY,)), at=at)
    settings.SECOND_FACTOR = "required"
    client = signed_in(member(Role.APPLICANT, server.system.department))
    assert call_off(client, keys) == (403, "second-factor-needed")
    settings.SECOND_FACTOR = "offered"
    assert call_off(client, keys) == (200, "undoing")


def test_a_password_is_enough_for_what_was_asked_for_with_one(
    signed_in: SignedIn, operation: Operation, settings: LazySettings
) -> None:
    settings.SECOND_FACTOR = "required"
    client = signed_in(member(Role.APPLICANT, operation.system.department))
    assert call_off(client, operation) == (200, "undoing")


def test_the_centres_own_stays_the_centres(
    signed_in: SignedIn, server: Resource, at: datetime, settings: LazySettings, tmp_path: Path
) -> None:
    settings.GUEST_KEY_FILE = tmp_path / "key"
    guest_keys.make(settings.GUEST_KEY_FILE)
    guest_keys.replace(actor=SystemActor("test"), at=at)
    upkeep = begun(server, "replace-centre-key", Nothing(), at=at)
    applicant = member(Role.APPLICANT, server.system.department)
    assert call_off(signed_in(applicant), upkeep) == (403, "role-missing")
    assert call_off(signed_in(member(Role.CLOUD_ADMIN)), upkeep) == (200, "undoing")


@pytest.mark.parametrize(
    ("kind", "instead"),
    [
        (OperationKind.EXTEND, "call off the order"),
        (OperationKind.SUSPEND, "a cloud administrator can abandon it"),
    ],
)
def test_what_is_no_direct_action_says_what_to_do(
    signed_in: SignedIn, server: Resource, at: datetime, kind: OperationKind, instead: str
) -> None:
    operation = services.start(
        kind=kind, reason="x", thread=None, system=server.system, cloud=server.cloud, actor=member(Role.CLOUD_ADMIN),
        at=at, steps=[StepSpec(key="x", kind="power", label="x", unit=server.unit)],
    )  # fmt: skip
    client = signed_in(member(Role.APPLICANT, server.system.department))
    answer = client.post(f"/api/v1/operations/{operation.uuid}/cancellation", {"reason": "no"})
    assert (answer.status_code, answer.json()["code"]) == (409, "no-direct-action")
    assert instead in answer.json()["detail"]


def test_how_a_finding_is_put_right_is_no_direct_action(signed_in: SignedIn, operation: Operation) -> None:
    Operation.objects.filter(pk=operation.pk).update(action="set_back")
    client = signed_in(member(Role.APPLICANT, operation.system.department))
    assert call_off(client, operation) == (409, "no-direct-action")


def test_a_backup_is_the_centres(signed_in: SignedIn) -> None:
    run = recovery_point(whole_server().volumes.first()).run.operation
    client = signed_in(member(Role.APPLICANT, run.system.department))
    assert call_off(client, run) == (409, "no-direct-action")
