"""Usage of what was taken over before its billing start."""

from datetime import timedelta

import pytest

from govcloud.catalog.models import MEMORY_GB, VCPU
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import ResourceKind
from govcloud.metering.models import UsageSegment
from govcloud.takeover import settling
from govcloud.takeover.lifecycle import CandidateStatus
from tests.factories.catalog import MeterFactory
from tests.factories.inventory import ServerFactory
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
