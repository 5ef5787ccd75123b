"""Legal holds on the pages of volumes, backup allowances and containers."""

from datetime import datetime

import pytest
from django.test import Client

from govcloud.inventory.models import Container, Server
from govcloud.protection.models import LegalHold, RecoveryPoint
from tenants.models import Role
from tests.api.house import recovery_point
from tests.factories.inventory import CredentialFactory, whole_server
from tests.factories.orders import Scene, scene
from tests.factories.tenants import member
from tests.portal.conftest import Signed
from tests.portal.reading import text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def server(on: Scene) -> Server:
    return whole_server(system=on.system, name="web-1")


@pytest.fixture
def point(server: Server) -> RecoveryPoint:
    return recovery_point(server.volumes.get(role="data"))


@pytest.fixture
def keeper(signed_in: Signed) -> Client:
    return signed_in(member(Role.AUTHORITY_APPROVER))


def page_of(point: RecoveryPoint) -> str:
    return f"/resources/{point.volume.resource.uuid}/"


def test_one_is_placed_on_a_recovery_point_and_lifted_for_a_reason(
    keeper: Client, point: RecoveryPoint
) -> None:
    there = page_of(point)
    assert "Place a legal hold" in text(keeper.get(there))
    placed = keeper.post(f"{there}points/{point.uuid}/hold/", {"reason": "evidence in 2026-17"})
    assert (placed.status_code, placed.headers["Location"]) == (302, there)
    shown = text(keeper.get(there))
    assert "evidence in 2026-17" in shown
    assert "Place a legal hold" not in shown
    again = keeper.post(f"{there}points/{point.uuid}/hold/", {"reason": "once more"})
    assert (again.status_code, "once more" in text(again)) == (409, True)
    assert keeper.post(f"{there}points/{point.uuid}/hold-lifting/", {"reason": "closed"}).status_code == 302
    hold = LegalHold.objects.get()
    assert (hold.lifted_because, hold.lifted_at is not None) == ("closed", True)
    assert "evidence in 2026-17" not in text(keeper.get(there))


def test_it_is_on_the_page_of_the_allowance_as_well(keeper: Client, point: RecoveryPoint) -> None:
    allowance = point.run.plan.allowance.resource
    assert (
        keeper.post(f"/resources/{allowance.uuid}/points/{point.uuid}/hold/", {"reason": "x"}).status_code
        == 302
    )
    assert "under a legal hold" in text(keeper.get(f"/resources/{allowance.uuid}/"))


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_without_a_reason_nothing_is_done(keeper: Client, point: RecoveryPoint, reason: str) -> None:
    answer = keeper.post(f"{page_of(point)}points/{point.uuid}/hold/", {"reason": reason})
    assert (answer.status_code, LegalHold.objects.count()) == (422, 0)


def test_one_is_placed_on_a_container_and_lifted(on: Scene, keeper: Client) -> None:
    container: Container = CredentialFactory(container__resource__system=on.system).container
    there = f"/resources/{container.resource.uuid}/"
    assert keeper.post(f"{there}hold/", {"reason": "evidence"}).status_code == 302
    assert "under a legal hold" in text(keeper.get(there))
    assert keeper.post(f"{there}hold-lifting/", {"reason": "closed"}).status_code == 302
    assert "under a legal hold" not in text(keeper.get(there))


def test_others_see_it_and_cannot_touch_it(
    on: Scene, point: RecoveryPoint, keeper: Client, signed_in: Signed
) -> None:
    keeper.post(f"{page_of(point)}points/{point.uuid}/hold/", {"reason": "evidence"})
    for person in (on.applicant, member(Role.CLOUD_ADMIN)):
        reader = signed_in(person)
        shown = text(reader.get(page_of(point)))
        assert "under a legal hold" in shown
        assert "Lift the legal hold" not in shown
        for deed in ("hold", "hold-lifting"):
            refused = reader.post(f"{page_of(point)}points/{point.uuid}/{deed}/", {"reason": "x"})
            assert refused.status_code == 403
    assert LegalHold.objects.get().lifted_at is None


def test_a_point_of_something_else_is_not_there(
    on: Scene, point: RecoveryPoint, server: Server, keeper: Client
) -> None:
    other = whole_server(system=on.system, name="web-2").resource
    system_volume = server.volumes.get(role="system").resource
    for elsewhere in (other, system_volume):
        answer = keeper.post(f"/resources/{elsewhere.uuid}/points/{point.uuid}/hold/", {"reason": "x"})
        assert answer.status_code == 404
    container = keeper.post(f"/resources/{server.resource.uuid}/hold/", {"reason": "x"})
    assert (container.status_code, LegalHold.objects.count()) == (409, 0)


def test_in_chinese(keeper: Client, point: RecoveryPoint, signed_in: Signed) -> None:
    keeper.post(f"{page_of(point)}points/{point.uuid}/hold/", {"reason": "涉诉证据"})
    page = text(signed_in(member(Role.AUTHORITY_APPROVER), language="zh-hans").get(page_of(point)))
    for word in ("法律保全中", "涉诉证据", "解除法律保全"):
        assert word in page
