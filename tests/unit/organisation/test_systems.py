"""Systems as they change while things of theirs stand, and their end."""

from datetime import date, datetime

import pytest

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.errors import DomainError, Invalids
from govcloud.inventory.models import Resource
from govcloud.orders import services as orders
from govcloud.organisation import systems
from govcloud.takeover import services as takeovers
from tenants.models import NetworkZone, System, SystemOwner
from tenants.owners import Owner, sealed_row
from tenants.services import SystemRetired
from tests.factories.inventory import BackupAllowanceFactory, whole_server
from tests.factories.orders import drafted, scene
from tests.factories.takeovers import TakeoverFactory
from tests.factories.tenants import DepartmentFactory, SystemFactory

pytestmark = pytest.mark.django_db

BY = SystemActor("test")
ASSESSED = date(2026, 3, 16)


def changed(system: System, *, at: datetime, **changes: object) -> System:
    return systems.change(system=system, changes=changes, expected_version=system.version, actor=BY, at=at)


def refused(system: System, *, at: datetime, **changes: object) -> set[str]:
    with pytest.raises(DomainError) as refusal:
        changed(system, at=at, **changes)
    error = refusal.value
    return {each.code for each in error.errors} if isinstance(error, Invalids) else {error.code}


@pytest.fixture
def running() -> System:
    """A system of level 2 with a server."""
    system = SystemFactory()
    whole_server(system=system)
    return system


def test_a_change_is_told_with_what_was_before(at: datetime) -> None:
    authority = DepartmentFactory()
    changed(SystemFactory(name="旧"), name="新", data_class="important", authority=authority, at=at)
    event = Event.objects.get(verb="system.changed")
    assert event.before == {"name": "旧", "data_class": "", "authority": None}
    assert event.after == {"name": "新", "data_class": "important", "authority": str(authority.uuid)}


def test_what_could_not_be_registered_cannot_be_changed_to(at: datetime) -> None:
    wrong = {
        "mlps_level": 4,
        "filing_number": "42",
        "dr_level": 7,
        "data_class": "secret",
        "service_scope": "x",
    }
    assert refused(SystemFactory(), at=at, **wrong) == {
        "mlps-level-not-taken",
        "bad-filing-number",
        "dr-level-unknown",
        "unknown-data-class",
        "unknown-service-scope",
    }


def test_a_system_that_is_on_paper_alone_changes_its_level_freely(at: datetime) -> None:
    assert changed(SystemFactory(), mlps_level=3, filing_number="", at=at).mlps_level == 3


def test_a_running_system_needs_what_orders_ask_of_its_new_level(running: System, at: datetime) -> None:
    assert refused(running, mlps_level=3, filing_number="", at=at) == {
        "filing-number-missing",
        "cryptography-not-assessed",
    }


def test_a_running_system_is_backed_up_off_site_before_it_is_of_level_3(
    running: System, at: datetime
) -> None:
    changes = {"mlps_level": 3, "cryptography_assessed_on": ASSESSED}
    assert refused(running, at=at, **changes) == {"off-site-backup-first"}
    BackupAllowanceFactory(resource__system=running, off_site=True)
    assert changed(running, at=at, **changes).mlps_level == 3


def test_a_running_system_does_not_outgrow_the_cloud_it_is_on(running: System, at: datetime) -> None:
    cloud = Resource.objects.filter(system=running).first().cloud
    cloud.mlps_level = 2
    cloud.save()
    BackupAllowanceFactory(resource__system=running, off_site=True)
    changes = {"mlps_level": 3, "cryptography_assessed_on": ASSESSED}
    assert refused(running, at=at, **changes) == {"clouds-below-mlps-level"}


def test_a_running_system_keeps_its_filing_number(running: System, at: datetime) -> None:
    assert refused(running, filing_number="", at=at) == {"filing-number-missing"}


def test_a_running_system_that_lacks_something_can_still_be_renamed(running: System, at: datetime) -> None:
    System.objects.filter(pk=running.pk).update(filing_number="")
    assert changed(running, name="新名", at=at).name == "新名"


def test_the_zone_stays_while_something_stands_in_it(running: System, at: datetime) -> None:
    assert refused(running, zone=NetworkZone.PRIVATE, at=at) == {"zone-fixed"}


def test_the_zone_stays_while_an_order_is_open(at: datetime) -> None:
    on = scene()
    drafted(on, at=at)
    assert refused(on.system, zone=NetworkZone.INTERNET, at=at) == {"zone-fixed"}


def test_the_zone_changes_when_nothing_is_there(at: datetime) -> None:
    assert changed(SystemFactory(), zone=NetworkZone.PRIVATE, at=at).zone == NetworkZone.PRIVATE


def test_a_system_is_retired_and_its_owner_forgotten(at: datetime) -> None:
    system = SystemFactory()
    sealed_row(system, Owner(name="张三")).save()
    systems.retire(system=system, reason="replaced", actor=BY, at=at)
    assert Event.objects.get(verb="system.retired").reason == "replaced"
    assert not SystemOwner.objects.exists()
    assert refused(System.objects.get(pk=system.pk), name="x", at=at) == {"system-retired"}


def test_a_system_with_something_standing_is_not_retired(running: System, at: datetime) -> None:
    with pytest.raises(systems.SystemNotEmpty):
        systems.retire(system=running, reason="replaced", actor=BY, at=at)


def test_no_project_is_taken_over_for_a_retired_system(at: datetime) -> None:
    system = SystemFactory(retired_at=at)
    to = takeovers.Assignment(system=system, zone="private")
    with pytest.raises(SystemRetired):
        takeovers.assign(takeover=TakeoverFactory(), to=to, actor=BY, at=at)


def test_nothing_is_ordered_for_a_retired_system(at: datetime) -> None:
    on = scene()
    System.objects.filter(pk=on.system.pk).update(retired_at=at)
    on.system.refresh_from_db()
    with pytest.raises(Invalids) as refusal:
        drafted(on, at=at)
    assert "system-not-in-service" in {each.code for each in refusal.value.errors}
    assert not orders.Order.objects.exists()
