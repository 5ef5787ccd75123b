"""Object containers ordered, changed and given back, on the sandbox cloud over HTTP."""

from decimal import Decimal

import pytest

from govcloud.gateways.openstack import errors
from govcloud.inventory.containers import GIB
from govcloud.inventory.models import Resource
from govcloud.metering.models import UsageSegment
from govcloud.orders import services
from govcloud.orders.drafts import ContainerDraft
from govcloud.quotas.models import QuotaAccount
from tests.factories.orders import Scene, approve_all, drafted, scene
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db

FILES = ContainerDraft(name="files", zone="public", storage_class="object", quota_gb=100)


@pytest.fixture
def on(building: Sandbox) -> Scene:  # noqa: ARG001
    return scene(level_3=False, limits={"object_gb": 300})


def named(name: str) -> Resource:
    return Resource.objects.with_particulars().get(name=name)


def account(on: Scene) -> tuple[int, int]:
    """Held and used of the department's object storage."""
    row = QuotaAccount.objects.get(department=on.department, dimension="object_gb")
    return row.held, row.used


def meters(resource: Resource) -> dict[str, Decimal]:
    going_on = UsageSegment.objects.filter(resource=resource, period__endswith=None)
    return {segment.meter.code: segment.quantity for segment in going_on}


def test_a_container_is_built_with_its_quota_and_billed_by_it(on: Scene) -> None:
    order = drafted(on, at=now(), items=(FILES,))
    assert services.quote(order=order, at=now()).monthly_total == Decimal("9.00")  # 100 x 0.09
    order = services.submit(order=order, actor=on.applicant, at=now())
    assert account(on) == (100, 0)
    order = approve_all(on, order, at=now())
    work()
    order.refresh_from_db()
    assert order.status == "fulfilled", states()
    files = named("files")
    seen = project(on).objects.get_container(files.external_id)
    assert (seen.quota_bytes, seen.read, seen.write) == (100 * GIB, frozenset(), frozenset())
    assert (account(on), meters(files)) == ((0, 100), {"object_gb": Decimal(100)})
