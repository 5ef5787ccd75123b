"""Operations: progress for departments, the technical side and the levers for cloud administrators."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from govcloud.audit.models import Event
from govcloud.provisioning.lifecycle import OperationStatus
from govcloud.provisioning.models import CloudCall, Operation
from tenants.models import Role, User
from tests.api.house import AT, RECAP, recovery_point
from tests.factories.inventory import whole_server
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture
def operation() -> Operation:
    """A backup that has done one of its two steps and waits for an administrator with the other."""
    volume = whole_server().volumes.first()
    operation = recovery_point(volume).run.operation
    Operation.objects.filter(pk=operation.pk).update(status=OperationStatus.PARKED)
    return operation


def test_a_department_sees_progress_in_plain_words_and_nothing_technical(
    signed_in: SignedIn, operation: Operation
) -> None:
    operation.steps.update(last_error="compute 400: No valid host was found")
    reader = signed_in(member(Role.APPLICANT, operation.system.department))
    seen = reader.get(f"/api/v1/operations/{operation.uuid}").json()
    assert seen["progress"] == {"steps": 2, "finished": 1, "percent": 50}
    assert all(step["title"] for step in seen["steps"])
    assert [step["recaps"]["app-1"] for step in seen["steps"]] == [RECAP, RECAP]
    assert [step["technical"] for step in seen["steps"]] == [None, None]
    assert [step["last_error"] for step in seen["steps"]] == ["", ""]


def test_cloud_administrators_see_the_technical_side_as_well(
    signed_in: SignedIn, operation: Operation
) -> None:
    client = signed_in(member(Role.CLOUD_ADMIN))
    CloudCall.objects.create(
        step=operation.steps.first(), at=AT, service="volume", method="POST", path="/backups", status=202,
        request_id="req-1", milliseconds=80,
    )  # fmt: skip
    steps = client.get(f"/api/v1/operations/{operation.uuid}").json()["steps"]
    assert steps[0]["technical"]["outputs"]["request"] == "req-1"
    calls = client.get(f"/api/v1/operations/{operation.uuid}/calls").json()
    assert [(call["path"], call["request_id"]) for call in calls] == [("/backups", "req-1")]


def test_a_waiting_operation_is_tried_again(signed_in: SignedIn, operation: Operation) -> None:
    admin = member(Role.CLOUD_ADMIN)
    answer = signed_in(admin).post(f"/api/v1/operations/{operation.uuid}/retry")
    assert (answer.status_code, answer.json()["status"]) == (200, "running")
    assert Event.objects.get(verb="operation.running").actor == admin.audit_ref


def test_a_waiting_operation_is_abandoned_with_a_reason(signed_in: SignedIn, operation: Operation) -> None:
    client = signed_in(member(Role.CLOUD_ADMIN))
    url = f"/api/v1/operations/{operation.uuid}/abandonment"
    assert client.post(url, {}).status_code == 422
    answer = client.post(url, {"reason": "ordered by mistake"})
    assert (answer.status_code, answer.json()["status"]) == (200, "running"), (
        "what a backup run has taken is kept"
    )
    assert Event.objects.get(verb="operation.units_abandoned").reason == "ordered by mistake"
    assert [step["state"] for step in answer.json()["steps"]] == ["done", "due"]


def test_what_nobody_waits_for_cannot_be_tried_again(signed_in: SignedIn, operation: Operation) -> None:
    operation.steps.filter(state="parked").update(state="done")
    answer = signed_in(member(Role.CLOUD_ADMIN)).post(f"/api/v1/operations/{operation.uuid}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing-waits")
