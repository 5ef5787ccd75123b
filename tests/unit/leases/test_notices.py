"""Who is told what, and when: each thing once."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from govcloud.audit.models import Event
from govcloud.inventory.models import Resource
from govcloud.leases import notices, services
from govcloud.leases.models import Expiry, Notice
from tests.factories.inventory import BackupAllowanceFactory, VolumeFactory, whole_server
from tests.factories.leases import ending, found, swept, warned
from tests.factories.tenants import SystemFactory

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def told(resource: Resource) -> list[tuple[str, int | None]]:
    return list(Notice.objects.filter(resource=resource).order_by("pk").values_list("kind", "days"))


def test_the_end_of_a_lease_is_announced_at_each_of_the_set_days_once(at: datetime) -> None:
    server = ending(whole_server().resource, at=at + 40 * DAY)
    for day in range(40):
        notices.announce(at=at + day * DAY)
        notices.announce(at=at + day * DAY)
    assert told(server) == [("ending", 30), ("ending", 7), ("ending", 1)]
    first = Notice.objects.order_by("pk")[0]
    assert (first.lease_end, first.due_at, first.created_at) == (
        server.lease_end,
        server.lease_end,
        at + 10 * DAY,
    )


def test_of_warnings_that_were_missed_only_the_last_is_given(at: datetime) -> None:
    server = ending(whole_server().resource, at=at + 5 * DAY)
    notices.announce(at=at)
    assert told(server) == [("ending", 7)]


def test_a_lease_that_was_extended_is_announced_anew(at: datetime) -> None:
    server = ending(whole_server().resource, at=at + DAY)
    notices.announce(at=at)
    ending(server, at=at + 31 * DAY)
    notices.announce(at=at + 30 * DAY)
    assert told(server) == [("ending", 1), ("ending", 1)]


def test_the_days_are_a_setting(at: datetime, settings: Settings) -> None:
    settings.LEASE_NOTICE_DAYS = [60]
    server = ending(whole_server().resource, at=at + 59 * DAY)
    notices.announce(at=at)
    assert told(server) == [("ending", 60)]


def test_volumes_of_a_server_are_not_told_of_by_themselves(at: datetime) -> None:
    server = ending(whole_server().resource, at=at + DAY)
    alone = ending(VolumeFactory().resource, at=at + DAY)
    assert notices.announce(at=at) == 2
    assert set(Notice.objects.values_list("resource", flat=True)) == {server.pk, alone.pk}


def test_a_notice_is_told_in_the_story_of_the_order_that_built_it(at: datetime) -> None:
    server = ending(whole_server().resource, at=at + DAY)
    notices.announce(at=at)
    event = Event.objects.get(verb="lease.notified")
    assert (event.subject_id, event.thread, event.after["days"]) == (server.uuid, server.thread, 1)


def test_taking_back_is_announced_before_and_told_when_it_happens(at: datetime, settings: Settings) -> None:
    allowance = BackupAllowanceFactory(off_site=False).resource
    found(allowance, at=at)
    for day in range(31):
        swept(at=at + day * DAY)
    assert told(allowance) == [("ended", None), ("reclaim", 7), ("reclaim", 1), ("reclaimed", None)]


def test_what_is_taken_back_later_is_not_announced_for_its_first_date(at: datetime) -> None:
    expiry = found(BackupAllowanceFactory().resource, at=at)
    expiry.reclaim_at = at + 60 * DAY
    expiry.save()
    notices.announce(at=at + 29 * DAY)
    assert not Notice.objects.filter(kind="reclaim").exists()


@pytest.mark.django_db(transaction=True)
def test_warnings_from_before_graces_were_told_apart_count(at: datetime) -> None:
    """By the upgrade: who was told of a date is not told of it again, and it does not move."""
    expiry = found(VolumeFactory().resource, at=at)
    told_at = warned(expiry) - 7 * DAY
    try:
        MigrationExecutor(connection).migrate([("leases", "0001_notices_and_expiries")])
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
    assert notices.announce(at=told_at + DAY) == 0
    assert Expiry.objects.get().reclaim_at == expiry.reclaim_at


@pytest.mark.parametrize("work", [notices.announce, services.find])
def test_looking_takes_as_many_statements_for_many_as_for_few(at: datetime, work: object) -> None:
    system = SystemFactory()

    def statements(many: int) -> int:
        for _volume in range(many):
            ending(
                VolumeFactory(resource__system=system).resource,
                at=at + (DAY if work is notices.announce else -DAY),
            )
        with CaptureQueriesContext(connection) as queries:
            assert work(at=at) == many
        return len(queries)

    assert statements(3) == statements(40)
