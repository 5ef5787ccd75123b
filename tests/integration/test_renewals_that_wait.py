"""What becomes of a renewal that waits for its approval when the lease, or the thing, is not what it was any more."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from govcloud.audit.services import SystemActor
from govcloud.errors import Invalids
from govcloud.inventory import leases
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, Server, Volume
from govcloud.orders import fulfilment
from govcloud.orders.drafts import ItemDraft, ReleaseDraft, RenewDraft
from govcloud.orders.models import Order
from govcloud.orders.renewing import RenewalPlan, renew
from govcloud.orders.rules.of_leases import LeaseOver
from govcloud.provisioning import engine, services
from govcloud.provisioning.models import OperationKind
from tests.factories.inventory import VolumeFactory, whole_server
from tests.factories.orders import Scene, approve_all, scene, submitted

pytestmark = pytest.mark.django_db

SOON = datetime(2026, 12, 1, 8, tzinfo=UTC)
"""When the leases end that are renewed; they are ordered a few days before."""


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def server(on: Scene) -> Server:
    return whole_server(system=on.system, cloud=on.catalogue.cloud, lease_end=SOON, name="app")


@pytest.fixture
def volume(on: Scene) -> Resource:
    """One by itself."""
    made = VolumeFactory(resource__system=on.system, resource__cloud=on.catalogue.cloud, label="archive")
    Resource.objects.filter(pk=made.pk).update(lease_end=SOON, name="archive")
    return Resource.objects.get(pk=made.pk)


def ordered(resource: Resource, months: int) -> tuple[ItemDraft, ...]:
    return (RenewDraft(target=resource.uuid, kind=resource.kind, lease_months=months),)


def end_of(resource: Resource) -> datetime:
    end = Resource.objects.get(pk=resource.pk).lease_end
    assert end is not None
    return end


def later(months: int) -> datetime:
    return leases.extended(SOON, months=months, at=SOON)


def worked(*, at: datetime) -> None:
    engine.run_due(clock=lambda: at)
    for operation in fulfilment.ended():
        fulfilment.take_up(operation, at=at)


def carried_out(on: Scene, order: Order, *, at: datetime) -> str:
    approve_all(on, order, at=at)
    worked(at=at)
    return Order.objects.get(pk=order.pk).status


def attach(volume: Resource, server: Server) -> None:
    """As the record says it once the action has ended."""
    Volume.objects.filter(resource=volume).update(server=server)


def refused(on: Scene, items: tuple[ItemDraft, ...], *, at: datetime) -> list[str]:
    with pytest.raises(Invalids) as refusal:
        submitted(on, at=at, items=items)
    return [each.code for each in refusal.value.errors]


def test_it_keeps_other_orders_off_until_it_is_decided(on: Scene, server: Server, at: datetime) -> None:
    resource = server.resource
    release = (ReleaseDraft(target=resource.uuid, kind="server"),)
    order = submitted(on, at=at, items=ordered(resource, 6))
    for other in (ordered(resource, 1), release):
        assert refused(on, other, at=at) == ["resource-in-another-order"]
    assert carried_out(on, order, at=at) == "fulfilled"
    assert end_of(resource) == later(6)
    assert submitted(on, at=at, items=release).status == "in_approval"


def test_months_count_from_the_hand_over_when_the_lease_has_ended_by_then(
    on: Scene, volume: Resource, at: datetime
) -> None:
    order = submitted(on, at=at, items=ordered(volume, 6))
    late = SOON + timedelta(days=3)
    carried_out(on, order, at=late)
    assert end_of(volume) == leases.extended(late, months=6, at=late)


def test_what_a_volume_was_given_with_a_server_meanwhile_is_not_added_to(
    on: Scene, server: Server, volume: Resource, at: datetime
) -> None:
    waiting = submitted(on, at=at, items=ordered(volume, 6))
    attach(volume, server)
    carried_out(on, submitted(on, at=at, items=ordered(server.resource, 11)), at=at)
    assert end_of(volume) == later(11)
    carried_out(on, waiting, at=at)
    assert end_of(volume) == later(11)


def test_a_volume_that_is_let_for_longer_by_itself_stays_so_when_its_server_is_renewed(
    on: Scene, server: Server, volume: Resource, at: datetime
) -> None:
    waiting = submitted(on, at=at, items=ordered(volume, 6))
    attach(volume, server)
    carried_out(on, waiting, at=at)
    assert end_of(volume) == later(6)
    carried_out(on, submitted(on, at=at, items=ordered(server.resource, 1)), at=at)
    assert (end_of(server.resource), end_of(volume)) == (later(1), later(6))


def test_a_lease_that_was_extended_meanwhile_is_made_no_shorter(
    on: Scene, server: Server, at: datetime
) -> None:
    stale = Resource.objects.get(pk=server.resource.pk)
    for resource, months in ((server.resource, 6), (stale, 1)):
        leases.extend(resource=resource, to=later(months), actor=SystemActor("tests"), thread=None, at=at)
    assert end_of(server.resource) == later(6)
    assert {end_of(each.resource) for each in server.volumes.all()} == {later(6)}


def test_a_renewal_taken_back_gives_each_lease_the_end_that_it_had(
    on: Scene, server: Server, volume: Resource, at: datetime
) -> None:
    attach(volume, server)
    Resource.objects.filter(pk=volume.pk).update(lease_end=later(1))
    short, never = server.volumes.exclude(resource=volume).order_by("pk")
    Resource.objects.filter(pk=short.pk).update(lease_end=SOON)
    Resource.objects.filter(pk=never.pk).update(lease_end=None)
    plan = RenewalPlan(
        unit=uuid4(), resource=server.resource.unit, name="app", months=6, runs_until=SOON, resumes=True
    )
    started = services.start(
        kind=OperationKind.RENEW, reason="GC-2026-000001", thread=None, system=on.system,
        cloud=on.catalogue.cloud, steps=renew([plan]), actor=SystemActor("tests"), at=at,
    )  # fmt: skip
    engine.run_due(clock=lambda: at, most=1)
    everything = [server.resource, volume, short.resource, never.resource]
    assert {end_of(each) for each in everything} == {later(6)}
    services.abandon(operation=started, reason="withdrawn", actor=SystemActor("tests"), at=at)
    worked(at=at)
    ends = [Resource.objects.get(pk=each.pk).lease_end for each in everything]
    assert ends == [SOON, later(1), SOON, None]


def test_it_is_not_approved_for_what_has_been_lost_meanwhile(on: Scene, server: Server, at: datetime) -> None:
    order = submitted(on, at=at, items=ordered(server.resource, 6))
    Resource.objects.filter(pk=server.pk).update(status=Status.RELEASED, released_at=at)
    with pytest.raises(LeaseOver, match="“app” is released"):
        approve_all(on, order, at=at)
    order.refresh_from_db()
    assert order.status == "in_approval"
