"""How many servers a pass went over: counted as it is taken, and for those that were carried out before it was counted."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection

from govcloud.catalog.models import Cloud
from govcloud.inventory.models import Resource
from govcloud.reconciliation import sweeps
from govcloud.reconciliation.findings import RECONCILER
from govcloud.reconciliation.models import Sweep
from tests.factories.catalog import CloudFactory
from tests.factories.inventory import ServerFactory, VolumeFactory
from tests.factories.reconciliation import SweepFactory
from tests.factories.tenants import BEGINNING

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def standing(cloud: Cloud, *, built: int, released: int | None = None) -> None:
    server = ServerFactory(resource__cloud=cloud, resource__built_at=BEGINNING + built * DAY)
    if released is not None:
        at = BEGINNING + released * DAY
        Resource.objects.filter(pk=server.resource.pk).update(status="released", released_at=at)


@pytest.fixture
def cloud() -> Cloud:
    """Its servers: one on the first day, three from the second, two from the fourth."""
    cloud = CloudFactory()
    standing(cloud, built=1)
    standing(cloud, built=2, released=4)
    standing(cloud, built=2)
    VolumeFactory(resource__cloud=cloud, resource__built_at=BEGINNING)
    standing(CloudFactory(code="east"), built=0)
    standing(CloudFactory(code="west"), built=1, released=0)  # by a clock that was set back
    return cloud


@pytest.mark.parametrize(("day", "servers"), [(0, 0), (1, 1), (2, 3), (5, 2)])
def test_they_are_counted_as_it_is_taken(cloud: Cloud, day: int, servers: int) -> None:
    Resource.objects.filter(released_at__gt=BEGINNING + day * DAY).update(status="active", released_at=None)
    asked = sweeps.request(cloud=cloud, actor=RECONCILER, at=BEGINNING)
    taken = sweeps.take(asked.pk, at=BEGINNING + day * DAY)
    assert taken is not None
    assert taken.servers == servers


def test_of_earlier_ones_they_are_counted_afterwards(cloud: Cloud) -> None:
    for day in range(6):
        SweepFactory(cloud=cloud, requested_at=BEGINNING + day * DAY)
    SweepFactory(cloud=Cloud.objects.get(code="east"), requested_at=BEGINNING)
    SweepFactory(cloud=Cloud.objects.get(code="west"), requested_at=BEGINNING)
    SweepFactory(cloud=cloud, status="due", started_at=None, finished_at=None)
    migration = import_module("govcloud.reconciliation.migrations.0008_servers_of_a_pass")
    with connection.cursor() as cursor:
        cursor.execute(migration.SERVERS)
    counted = Sweep.objects.order_by("pk").values_list("servers", flat=True)
    assert list(counted) == [0, 1, 3, 3, 2, 2, 1, 0, None]


def test_what_a_thousand_servers_took() -> None:
    assert SweepFactory.build(cloud=None, servers=16).seconds_per_thousand == 500.0
    assert SweepFactory.build(cloud=None, servers=0).seconds_per_thousand is None
    assert SweepFactory.build(cloud=None, servers=16, finished_at=None).seconds_per_thousand is None
