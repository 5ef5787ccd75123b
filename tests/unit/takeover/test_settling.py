"""Usage of what was taken over before its billing start."""

from datetime import timedelta
from decimal import Decimal

import pytest

from govcloud.catalog.models import MEMORY_GB, VCPU
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import ResourceKind
from govcloud.metering import services as metering
from govcloud.metering.models import UsageSegment
from govcloud.provisioning.models import Operation, OperationKind
from govcloud.quotas import services as quotas
from govcloud.quotas.services import Hold
from govcloud.takeover import settling
from govcloud.takeover.lifecycle import CandidateStatus
from govcloud.takeover.models import Candidate
from tests.factories.catalog import MeterFactory
from tests.factories.inventory import ServerFactory
from tests.factories.orders import scene
from tests.factories.takeovers import CandidateFactory
from tests.factories.tenants import BEGINNING

pytestmark = pytest.mark.django_db

START = BEGINNING + timedelta(days=1)


@pytest.mark.parametrize(
    ("status", "metered"),
    [(Status.ACTIVE, True), (Status.SUSPENDED, False), (Status.RELEASING, False), (Status.RELEASED, False)],
)
def test_only_what_is_in_use_when_its_billing_starts_is_metered(status: Status, *, metered: bool) -> None:
    released = START if status == Status.RELEASED else None
    server = ServerFactory(
        resource__status=status,
        resource__billing_start=START,
        resource__released_at=released,
        suspended_at=START if status == Status.SUSPENDED else None,
    )
    for meter in (VCPU, MEMORY_GB):
        MeterFactory(code=meter)
    CandidateFactory(
        takeover__cloud=server.resource.cloud, kind=ResourceKind.SERVER, status=CandidateStatus.TAKEN,
        resource=server.resource, unit=server.resource.unit,
    )  # fmt: skip
    settling.begin_metering(at=START + timedelta(minutes=3))
    assert UsageSegment.objects.filter(resource=server.resource).exists() == metered


def taken_over() -> Candidate:
    server = ServerFactory(resource__billing_start=START)
    return CandidateFactory(
        takeover__cloud=server.resource.cloud, kind=ResourceKind.SERVER, status=CandidateStatus.TAKEN,
        resource=server.resource, unit=server.resource.unit,
    )  # fmt: skip


def test_what_cannot_be_metered_holds_up_nothing_else() -> None:
    for meter in (VCPU, MEMORY_GB):
        MeterFactory(code=meter)
    broken, sound = taken_over(), taken_over()
    assert broken.resource is not None
    metering.open_usage(
        resource=broken.resource, quantities={VCPU: Decimal(99)}, at=START + timedelta(days=3)
    )
    assert settling.begin_metering(at=START + timedelta(days=4)) == 1
    broken.refresh_from_db()
    sound.refresh_from_db()
    assert (broken.metered_at, sound.metered_at) == (None, START + timedelta(days=4))
    UsageSegment.objects.filter(resource=broken.resource).delete()
    assert settling.begin_metering(at=START + timedelta(days=5)) == 1


def test_a_candidate_that_cannot_be_opened_again_holds_up_no_other() -> None:
    on = scene()
    operation = Operation.objects.create(
        kind=OperationKind.TAKEOVER, reason="", system=on.system, cloud=on.catalogue.cloud, created_at=START,
        status="done", finished_at=START,
    )  # fmt: skip
    broken, sound = (
        CandidateFactory(
            takeover__cloud=on.catalogue.cloud, status=CandidateStatus.TAKING, operation=operation
        )
        for _ in range(2)
    )
    quotas.hold(department=on.department, holds=[Hold(broken.unit, {"networks": 1})], at=START)
    quotas.commit(source=broken.unit, at=START)
    assert settling.settle(at=START) == 1
    broken.refresh_from_db()
    sound.refresh_from_db()
    assert (broken.status, sound.status) == (CandidateStatus.TAKING, CandidateStatus.OPEN)
