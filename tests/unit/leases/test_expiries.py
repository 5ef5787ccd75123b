"""What follows the end of a lease, without a cloud: what is begun, what waits, and what an administrator can put off."""

from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from pytest_django import Settings

from govcloud.audit.models import Event
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, Volume
from govcloud.leases import foresight, services
from govcloud.leases.models import Expiry, Notice
from govcloud.orders.drafts import ReleaseDraft, RenewDraft, ServerDraft
from govcloud.orders.services import withdraw
from govcloud.provisioning.models import Operation
from tenants.models import Role
from tenants.policies import RoleMissing
from tests.factories.inventory import (
    AddressBlockFactory,
    AddressFactory,
    BackupAllowanceFactory,
    NetworkFactory,
    VolumeFactory,
    whole_server,
)
from tests.factories.leases import ending, found, swept, warned
from tests.factories.orders import NETWORK, SERVERS, scene, submitted
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def test_the_grace_begins_when_the_end_is_noticed_however_late(at: datetime, settings: Settings) -> None:
    settings.LEASE_GRACE = 10 * DAY
    ending(VolumeFactory().resource, at=at - 100 * DAY)
    services.find(at=at)
    assert Expiry.objects.get().reclaim_at == at + 10 * DAY


def test_the_grace_of_a_server_that_could_not_be_stopped_begins_when_it_is(at: datetime) -> None:
    server = whole_server(changing=True).resource
    found(server, at=at)
    assert swept(at=at) == ["waits"]
    server.status = Status.ACTIVE
    server.save(update_fields=["status"])
    late = at + 40 * DAY
    assert swept(at=late) == ["suspended"]
    assert Expiry.objects.get().reclaim_at == late + 30 * DAY


def test_what_has_no_power_has_nothing_to_stop(at: datetime) -> None:
    volume = VolumeFactory().resource
    found(volume, at=at)
    assert swept(at=at) == []
    volume.refresh_from_db()
    assert volume.status == "active"
    assert Notice.objects.get().kind == "ended"


def test_a_sweep_that_comes_again_finds_nothing_to_do(at: datetime) -> None:
    found(whole_server().resource, at=at)
    assert swept(at=at) == ["suspended"]
    assert swept(at=at) == []
    assert Operation.objects.count() == 1


def test_a_lease_that_was_extended_meanwhile_ends_nothing(at: datetime) -> None:
    server = whole_server().resource
    found(server, at=at)
    ending(server, at=at + 90 * DAY)
    assert swept(at=at) == ["over"]
    server.refresh_from_db()
    assert server.status == "active"


def test_an_extension_that_is_taken_back_lets_the_old_end_count_again(at: datetime) -> None:
    server = whole_server().resource
    expiry = found(server, at=at)
    ending(server, at=at + 90 * DAY)
    swept(at=at)
    ending(server, at=expiry.lease_end)
    assert swept(at=at + MINUTE) == ["suspended"]


def test_an_extension_that_is_taken_back_after_the_grace_gives_a_whole_one_again(at: datetime) -> None:
    volume = VolumeFactory().resource
    expiry = found(volume, at=at)
    ending(volume, at=at + 90 * DAY)
    late = expiry.reclaim_at + DAY
    assert swept(at=late) == ["over"]
    ending(volume, at=expiry.lease_end)
    assert swept(at=late + MINUTE) == ["rests"]
    assert Expiry.objects.get().reclaim_at == late + MINUTE + 30 * DAY


@pytest.fixture
def volume(at: datetime) -> Volume:
    """One that stands by itself, and whose lease has ended."""
    made = VolumeFactory()
    found(made.resource, at=at)
    return made


def attach(volume: Volume) -> None:
    volume.server = whole_server(system=volume.resource.system, lease_end=None)
    volume.save(update_fields=["server"])


def detach(volume: Volume) -> None:
    volume.server = None
    volume.save(update_fields=["server"])


def test_a_volume_that_a_server_was_given_in_its_grace_is_not_taken_back_from_it(
    volume: Volume, at: datetime
) -> None:
    attach(volume)
    assert swept(at=at + 31 * DAY) == []
    assert not Expiry.objects.in_force().exists()


def test_a_volume_that_was_attached_after_the_sweep_looked_is_left_to_its_server(
    volume: Volume, at: datetime
) -> None:
    attach(volume)
    assert services.advance(Expiry.objects.get().pk, at=at + 31 * DAY) == "over"
    assert Expiry.objects.get().next_look_at is None


@pytest.mark.parametrize("days", [29, 60])
def test_a_volume_that_no_server_has_any_more_has_a_whole_grace_again(
    volume: Volume, at: datetime, days: int
) -> None:
    attach(volume)
    swept(at=at + DAY)
    detach(volume)
    late = at + days * DAY
    assert swept(at=late) == ["rests"]
    assert Expiry.objects.get().reclaim_at == late + 30 * DAY
    assert swept(at=warned(Expiry.objects.get())) == ["reclaimed"]


def test_once_the_order_that_kept_it_has_ended_it_is_kept_for_as_long_as_a_notice_tells(at: datetime) -> None:
    on = scene()
    volume = VolumeFactory(resource__system=on.system).resource
    expiry = found(volume, at=at)
    renewal = RenewDraft(target=volume.uuid, kind="volume", lease_months=6)
    order = submitted(on, at=at, items=(renewal,))
    assert swept(at=warned(expiry)) == ["waits"]
    withdrawn = expiry.reclaim_at + 10 * DAY
    withdraw(order=order, reason="不再需要", actor=on.applicant, at=withdrawn)
    assert [one.what for one in foresight.foresee(at=withdrawn)] == ["let it rest"]
    assert swept(at=withdrawn) == ["rests"]
    assert Expiry.objects.get().reclaim_at == withdrawn + 7 * DAY
    assert swept(at=withdrawn) == []
    assert list(Notice.objects.filter(kind="reclaim", days=7).values_list("due_at", flat=True)) == [
        withdrawn + 7 * DAY,
        expiry.reclaim_at,
    ]
    assert swept(at=withdrawn + 7 * DAY) == ["reclaimed"]


@pytest.mark.parametrize("late", [24, 29.5, 60])
def test_nothing_is_taken_back_sooner_after_its_first_warning_than_that_says(
    volume: Volume, at: datetime, late: float
) -> None:
    """However long nobody swept: the grace ends on the 30th day."""
    comes = at + late * DAY
    foreseen = [(one.what, one.reclaim_at) for one in foresight.foresee(at=comes)]
    assert foreseen[0] == ("warn (reclaim), 7 days", None)
    assert {what for what, _when in foreseen} <= {"warn (reclaim), 7 days", "let it rest"}
    assert "reclaimed" not in swept(at=comes)
    told = Notice.objects.get(kind="reclaim")
    assert (told.days, told.created_at, told.due_at) == (7, comes, comes + 7 * DAY)
    assert Expiry.objects.get().reclaim_at == comes + 7 * DAY
    assert "reclaimed" not in swept(at=comes + 7 * DAY - MINUTE)
    assert swept(at=comes + 7 * DAY) == ["reclaimed"]


def test_what_nobody_was_told_of_is_not_taken_back_by_whoever_looks_first(
    volume: Volume, at: datetime
) -> None:
    """Another one gives the warnings, and has not come to it yet."""
    comes = at + 31 * DAY
    assert services.advance(Expiry.objects.get().pk, at=comes) == "rests"
    assert Expiry.objects.get().reclaim_at == comes + 7 * DAY


def test_a_grace_that_begins_anew_is_told_of_anew(volume: Volume, at: datetime) -> None:
    swept(at=at + 24 * DAY)
    attach(volume)
    swept(at=at + 25 * DAY)
    detach(volume)
    late = at + 26 * DAY
    for day in range(31):
        swept(at=late + day * DAY)
    told = Notice.objects.filter(resource=volume.resource, kind__startswith="reclaim").order_by("pk")
    assert list(told.values_list("kind", "days", "created_at")) == [
        ("reclaim", 7, at + 24 * DAY),
        ("reclaim", 7, late + 23 * DAY),
        ("reclaim", 1, late + 29 * DAY),
        ("reclaimed", None, late + 30 * DAY),
    ]


def test_a_server_that_could_not_be_stopped_is_warned_of_in_the_grace_that_it_has_then(at: datetime) -> None:
    server = whole_server(changing=True).resource
    found(server, at=at)
    swept(at=at + 25 * DAY)
    assert not Notice.objects.filter(kind="reclaim").exists()
    server.status = Status.ACTIVE
    server.save(update_fields=["status"])
    swept(at=at + 26 * DAY)
    swept(at=at + 49 * DAY)
    assert Notice.objects.get(kind="reclaim").due_at == at + 56 * DAY


def test_a_server_is_not_stopped_while_a_volume_of_it_is_being_worked_on(at: datetime) -> None:
    server = whole_server()
    found(server.resource, at=at)
    volume = Resource.objects.filter(volume__server=server)
    volume.update(status=Status.CHANGING)
    assert swept(at=at) == ["waits"]
    assert Expiry.objects.get().obstacle == "in_hand"
    volume.update(status=Status.ACTIVE)
    assert swept(at=at + DAY) == ["suspended"]


def test_a_network_is_not_taken_back_while_servers_are_on_it(at: datetime) -> None:
    network = NetworkFactory().resource
    address = AddressFactory(block=AddressBlockFactory(unit=network.unit))
    expiry = found(network, at=at)
    assert swept(at=warned(expiry)) == ["waits"]
    assert Expiry.objects.get().obstacle == "servers"
    address.released_at = at
    address.save()
    assert swept(at=expiry.reclaim_at + DAY) == ["reclaimed"]


def test_a_network_waits_for_servers_that_are_ordered_on_it(at: datetime) -> None:
    on = scene(mlps_level=2, filing_number="450000-00001-26001")
    network = NetworkFactory(resource__system=on.system, resource__cloud=on.catalogue.cloud).resource
    ordered = ServerDraft(**{**_fields(SERVERS), "network": str(network.uuid)})
    order = submitted(on, at=at, items=(ordered,))
    expiry = found(network, at=at)
    assert swept(at=warned(expiry)) == ["waits"]
    expiry.refresh_from_db()
    assert (expiry.obstacle, expiry.obstacle_detail) == ("order", order.number)


def _fields(draft: ServerDraft) -> dict[str, object]:
    return {name: getattr(draft, name) for name in draft.__slots__}


def test_a_backup_goes_once_its_system_has_no_server(at: datetime) -> None:
    on = scene()
    server = whole_server(system=on.system).resource
    expiry = found(BackupAllowanceFactory(resource__system=on.system).resource, at=at)
    assert swept(at=warned(expiry)) == ["waits"]
    assert Expiry.objects.get().obstacle == "needed"
    server.status, server.released_at = Status.RELEASED, at
    server.save()
    no_more = expiry.reclaim_at + 90 * DAY
    assert (swept(at=no_more), swept(at=no_more)) == (["rests"], [])
    assert Notice.objects.get(kind="reclaim", due_at=no_more + 7 * DAY).days == 7
    assert swept(at=no_more + 7 * DAY) == ["reclaimed"]


def test_a_backup_stays_while_servers_that_rely_on_it_are_ordered(at: datetime) -> None:
    on = scene()
    place = {"resource__system": on.system, "resource__cloud": on.catalogue.cloud}
    expiry = found(BackupAllowanceFactory(**place).resource, at=at)
    order = submitted(on, at=at, items=(NETWORK, SERVERS))
    assert swept(at=warned(expiry)) == ["waits"]
    assert Expiry.objects.get().obstacle == "needed"
    withdraw(order=order, reason="不再需要", actor=on.applicant, at=at)
    no_more = expiry.reclaim_at + 90 * DAY
    assert (swept(at=no_more), swept(at=no_more)) == (["rests"], [])
    assert swept(at=no_more + 7 * DAY) == ["reclaimed"]


def test_a_backup_that_an_open_order_gives_back_lets_no_other_one_go(at: datetime) -> None:
    on = scene()
    whole_server(system=on.system)
    place = {"resource__system": on.system, "resource__cloud": on.catalogue.cloud}
    expiry, other = found(BackupAllowanceFactory(**place).resource, at=at), BackupAllowanceFactory(**place)
    submitted(on, at=at, items=(ReleaseDraft(target=other.resource.uuid, kind="backup"),))
    assert swept(at=warned(expiry)) == ["waits"]
    assert Expiry.objects.get().obstacle == "needed"


def test_renewing_many_takes_one_order_and_one_operation(at: datetime) -> None:
    on = scene()
    servers = [ending(whole_server(system=on.system).resource, at=at + DAY) for _ in range(5)]
    items = tuple(RenewDraft(target=s.uuid, kind="server", lease_months=6) for s in servers)
    order = submitted(on, at=at, items=items)
    assert order.items.count() == 5
    assert order.revisions.get().monthly_total == 0


# -- putting off


def test_an_administrator_puts_taking_back_off_for_a_reason(at: datetime) -> None:
    admin, volume = member(Role.CLOUD_ADMIN), VolumeFactory().resource
    expiry = found(volume, at=at)
    until = expiry.reclaim_at + 20 * DAY
    services.postpone(expiry=expiry, until=until, reason=" 审计中 ", actor=admin, at=at)
    assert swept(at=expiry.reclaim_at + DAY) == []
    expiry.refresh_from_db()
    assert swept(at=warned(expiry)) == ["reclaimed"]
    assert Expiry.objects.get().reclaim_at == until
    event = Event.objects.get(verb="lease.reclaim_postponed")
    assert (event.reason, event.subject_id) == ("审计中", volume.uuid)
    assert event.before["reclaim_at"] < event.after["reclaim_at"]


def test_putting_off_does_not_keep_a_server_running(at: datetime) -> None:
    expiry = found(whole_server().resource, at=at)
    services.postpone(expiry=expiry, until=at + 60 * DAY, reason="x", actor=member(Role.CLOUD_ADMIN), at=at)
    assert swept(at=at) == ["suspended"]
    assert Expiry.objects.get().reclaim_at == at + 60 * DAY


@pytest.mark.parametrize("days", [-1, 29, 91])
def test_it_is_put_off_into_the_future_and_not_for_ever(at: datetime, days: int) -> None:
    expiry = found(VolumeFactory().resource, at=at)
    with pytest.raises(services.PostponementOutOfRange):
        services.postpone(
            expiry=expiry, until=at + days * DAY, reason="x", actor=member(Role.CLOUD_ADMIN), at=at
        )


def test_only_cloud_administrators_put_it_off_and_they_say_why(at: datetime) -> None:
    expiry = found(VolumeFactory().resource, at=at)
    with pytest.raises(RoleMissing):
        services.postpone(expiry=expiry, until=at + 40 * DAY, reason="x", actor=member(Role.FINANCE), at=at)
    with pytest.raises(services.PostponementReasonMissing):
        services.postpone(
            expiry=expiry, until=at + 40 * DAY, reason=" ", actor=member(Role.CLOUD_ADMIN), at=at
        )


def test_what_is_being_taken_back_or_let_again_cannot_be_put_off(at: datetime) -> None:
    admin = member(Role.CLOUD_ADMIN)
    going, kept = VolumeFactory().resource, VolumeFactory().resource
    first, second = found(going, at=at), found(kept, at=at)
    ending(kept, at=at + 90 * DAY)
    swept(at=warned(first))
    for expiry in (first, second):
        with pytest.raises(services.NothingToPostpone):
            services.postpone(
                expiry=expiry, until=at + 60 * DAY, reason="x", actor=admin, at=first.reclaim_at
            )


# -- the command


def test_the_command_shows_what_is_due_and_does_nothing(
    at: datetime, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    monkeypatch.setenv("COLUMNS", "200")
    ending(whole_server(name="old-1").resource, at=at - MINUTE)
    ending(VolumeFactory(resource__name="spare").resource, at=at + 5 * DAY)
    gone = found(VolumeFactory(resource__name="due-1").resource, at=at - 31 * DAY)
    warned(gone)
    call_command("leases")
    shown = capsys.readouterr().out
    for words in (
        "suspend",
        "old-1",
        "warn (ending), 7 days",
        "spare",
        "take back",
        "due-1",
        "Nothing has been done",
    ):
        assert words in shown
    assert list(Expiry.objects.all()) == [gone]
    assert not Operation.objects.exists()


def test_the_command_does_it_when_told(
    at: datetime, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    monkeypatch.setenv("COLUMNS", "200")
    ending(whole_server().resource, at=at - MINUTE)
    warned(found(VolumeFactory().resource, at=at - 31 * DAY))
    call_command("leases", "--apply")
    assert "suspended" in capsys.readouterr().out
    assert set(Operation.objects.values_list("kind", flat=True)) == {"suspend", "reclaim"}
