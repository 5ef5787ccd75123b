"""Values of the cloud taken into the record, with what follows for quota and billing."""

from datetime import datetime

import pytest

from govcloud.inventory import leases
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, Server
from govcloud.metering import services as metering
from govcloud.metering.models import UsageSegment
from govcloud.provisioning import settlement
from govcloud.quotas.models import QuotaAccount
from govcloud.quotas.services import QuotaExceeded
from govcloud.reconciliation import adoption
from govcloud.reconciliation.models import Difference
from govcloud.reconciliation.vocabulary import Field
from tenants.models import Role
from tests.factories.catalog import catalogue
from tests.factories.inventory import VolumeFactory, whole_server
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory, SystemFactory, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(at: datetime) -> Resource:
    """Of 4 vCPU and 16 GB, billed and counted."""
    on = catalogue()
    department = DepartmentFactory()
    opened(department, vcpus=6, memory_gb=64)
    resource = whole_server(system=SystemFactory(department=department), cloud=on.cloud).resource
    counted = settlement.quota_of(resource)
    for dimension, amount in counted.items():
        QuotaAccount.objects.filter(department=department, dimension=dimension).update(used=amount)
    metering.open_usage(resource=resource, quantities=settlement.meters_of(resource), at=resource.built_at)
    return Resource.objects.with_particulars().get(pk=resource.pk)


def adopted(server: Resource, field: Field, found: str, *, at: datetime) -> None:
    difference = Difference(field=field, expected="as it was", found=found)
    adoption.adopt(resource=server, differences=[difference], actor=member(Role.CLOUD_ADMIN), at=at)


def used(server: Resource) -> dict[str, int]:
    rows = QuotaAccount.objects.filter(department=server.system.department, used__gt=0)
    return dict(rows.values_list("dimension", "used"))


def test_a_smaller_flavor_gives_quota_back_and_lowers_the_bill(server: Resource, at: datetime) -> None:
    adopted(server, Field.FLAVOR, "g.2c8g", at=at)
    assert used(server) == {"servers": 1, "vcpus": 2, "memory_gb": 8}
    going_on = UsageSegment.objects.filter(resource=server, period__endswith=None)
    assert {(each.meter.code, int(each.quantity), each.period.lower) for each in going_on} == {
        ("vcpu", 2, at), ("memory_gb", 8, at),
    }  # fmt: skip


def test_a_suspended_server_of_another_flavor_is_counted_and_not_metered(
    server: Resource, at: datetime
) -> None:
    metering.close_usage(resource=server, at=at)
    Resource.objects.update(status="suspended")
    Server.objects.update(suspended_at=at)
    adopted(server, Field.FLAVOR, "g.2c8g", at=at)
    assert used(server) == {"servers": 1, "vcpus": 2, "memory_gb": 8}
    assert not UsageSegment.objects.filter(resource=server).going_on().exists()


def test_a_larger_flavor_than_the_quota_allows_is_not_adopted(server: Resource, at: datetime) -> None:
    with pytest.raises(QuotaExceeded):
        adopted(server, Field.FLAVOR, "g.8c16g", at=at)


def test_a_power_state_changes_neither_quota_nor_bill(server: Resource, at: datetime) -> None:
    before = used(server)
    adopted(server, Field.POWER, "stopped", at=at)
    assert (Server.objects.get(resource=server).power, used(server)) == ("stopped", before)
    assert UsageSegment.objects.filter(resource=server).count() == 2


@pytest.mark.parametrize(
    ("field", "found"),
    [(Field.FLAVOR, "odd"), (Field.POWER, "paused"), (Field.NAME, "n" * 81), (Field.NAME, "")],
)
def test_what_the_record_has_no_word_for_is_not_adopted(
    field: Field, found: str, server: Resource, at: datetime
) -> None:
    with pytest.raises(adoption.CannotBeAdopted):
        adopted(server, field, found, at=at)


@pytest.mark.parametrize("status", [Status.SUSPENDED, Status.RELEASING, Status.CHANGING])
def test_a_volume_is_not_recorded_at_a_server_that_would_take_it_along(
    server: Resource, at: datetime, status: Status
) -> None:
    """It goes by the server's lease then: taken back on a day of which its department was told before it was there."""
    volume = VolumeFactory(resource__system=server.system, resource__cloud=server.cloud)
    Resource.objects.filter(pk=server.pk).update(status=status)
    with pytest.raises(adoption.HolderNotInUse):
        adopted(volume.resource, Field.ATTACHED_TO, server.external_id, at=at)
    volume.refresh_from_db()
    assert volume.server is None
    assert volume.resource not in leases.with_server(server)
    Resource.objects.filter(pk=server.pk).update(status=Status.ACTIVE)
    adopted(volume.resource, Field.ATTACHED_TO, server.external_id, at=at)
    volume.refresh_from_db()
    assert volume.server == server.server
