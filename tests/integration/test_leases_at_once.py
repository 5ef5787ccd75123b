"""Leases and the people and schedulers that deal with them at the same moment, on a real PostgreSQL."""

from datetime import datetime, timedelta

import pytest

from govcloud.approvals.lifecycle import StageStatus
from govcloud.errors import Conflict, Invalids
from govcloud.inventory.models import Resource
from govcloud.leases import notices, services
from govcloud.leases.models import Expiry, Notice
from govcloud.orders import services as orders
from govcloud.orders.drafts import RenewDraft
from govcloud.orders.models import Order
from govcloud.provisioning.models import Operation
from tenants.models import Role
from tests.at_once import at_once
from tests.factories.inventory import VolumeFactory, whole_server
from tests.factories.leases import ending, found, its_grace_is_over, swept
from tests.factories.orders import Scene, decided, drafted, scene, submitted
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)
ROUNDS = range(4)


def renewal(resource: Resource) -> tuple[RenewDraft, ...]:
    return (RenewDraft(target=resource.uuid, kind=resource.kind, lease_months=6),)


def nearly_approved(on: Scene, resource: Resource, *, at: datetime) -> Order:
    """A renewal of which only the last approval is missing."""
    order = submitted(on, at=at, items=renewal(resource))
    while order.case is not None and order.case.stages.filter(status=StageStatus.WAITING).exists():
        order = decided(on, order, at=at)
    return order


def test_of_sweeps_at_once_one_stops_the_server_and_tells_of_it(at: datetime) -> None:
    server = ending(whole_server().resource, at=at - DAY)
    outcomes = at_once([lambda: swept(at=at)] * 4)
    assert outcomes == [None] * 4
    swept(at=at)
    assert Expiry.objects.count() == 1
    assert Operation.objects.filter(kind="suspend").count() == 1
    assert list(Notice.objects.filter(resource=server).values_list("kind", flat=True)) == ["suspended"]


def test_of_warnings_at_once_one_is_given(at: datetime) -> None:
    ending(whole_server().resource, at=at + DAY)
    assert at_once([lambda: notices.announce(at=at)] * 4) == [None] * 4
    assert Notice.objects.count() == 1


def test_of_sweeps_at_once_one_takes_back(at: datetime) -> None:
    volume = VolumeFactory().resource
    expiry = found(volume, at=at)
    its_grace_is_over(volume, at=at)
    assert at_once([lambda: services.advance(expiry.pk, at=at)] * 4) == [None] * 4
    assert Operation.objects.filter(kind="reclaim").count() == 1
    assert Notice.objects.filter(kind="reclaimed").count() == 1


@pytest.mark.parametrize("_round", ROUNDS)
def test_a_renewal_approved_in_the_second_of_the_suspension_leaves_one_way_on(
    at: datetime, _round: int
) -> None:
    on = scene()
    server = ending(whole_server(system=on.system).resource, at=at + DAY)
    order = nearly_approved(on, server, at=at)
    expiry = found(server, at=at)
    outcomes = at_once(
        [lambda: decided(on, order, at=at), lambda: services.advance(expiry.pk, at=at)],
    )
    assert outcomes == [None, None]
    server.refresh_from_db()
    expiry.refresh_from_db()
    steps = Operation.objects.get(kind="renew").steps.values_list("kind", flat=True)
    stopped_first = ("changing", "", True, ["lease", "resumption"])
    renewed_first = ("active", "order", False, ["lease"])
    found_so = (server.status, expiry.obstacle, expiry.suspension is not None, list(steps))
    assert found_so in (stopped_first, renewed_first)


@pytest.mark.parametrize("_round", ROUNDS)
def test_a_renewal_submitted_in_the_second_of_taking_back_is_refused_or_keeps_the_thing(
    at: datetime, _round: int
) -> None:
    on = scene()
    volume = VolumeFactory(resource__system=on.system).resource
    expiry = found(volume, at=at)
    order = drafted(on, at=at, items=renewal(volume))
    its_grace_is_over(volume, at=at)
    submission, _taking_back = outcomes = at_once(
        [
            lambda: orders.submit(order=order, actor=on.applicant, at=at),
            lambda: services.advance(expiry.pk, at=at),
        ]
    )
    assert outcomes[1] is None
    volume.refresh_from_db()
    expiry.refresh_from_db()
    if submission is None:
        assert (volume.status, expiry.obstacle, expiry.reclaim) == ("active", "order", None)
    else:
        assert isinstance(submission, Invalids)
        assert [error.code for error in submission.errors] == ["lease-over"]
        assert volume.status == "releasing"


def test_what_is_in_an_approved_renewal_is_not_taken_back_in_that_second(at: datetime) -> None:
    on = scene()
    volume = VolumeFactory(resource__system=on.system).resource
    expiry = found(volume, at=at)
    order = nearly_approved(on, volume, at=at)
    its_grace_is_over(volume, at=at)
    assert at_once([lambda: decided(on, order, at=at), lambda: services.advance(expiry.pk, at=at)]) == [
        None,
        None,
    ]
    volume.refresh_from_db()
    assert volume.status == "active"
    assert Operation.objects.get().kind == "renew"


def test_of_two_renewals_of_one_thing_at_once_one_is_submitted(at: datetime) -> None:
    on = scene()
    volume = ending(VolumeFactory(resource__system=on.system).resource, at=at + DAY)
    drafts = [drafted(on, at=at, items=renewal(volume)) for _ in range(2)]
    outcomes = at_once([lambda o=o: orders.submit(order=o, actor=on.applicant, at=at) for o in drafts])
    assert outcomes.count(None) == 1
    refusal = next(outcome for outcome in outcomes if outcome is not None)
    assert isinstance(refusal, Invalids)
    assert [error.code for error in refusal.errors] == ["resource-in-another-order"]


@pytest.mark.parametrize("_round", ROUNDS)
def test_putting_off_in_the_second_of_taking_back_is_refused_or_keeps_the_thing(
    at: datetime, _round: int
) -> None:
    admin, volume = member(Role.CLOUD_ADMIN), VolumeFactory().resource
    expiry = found(volume, at=at)
    its_grace_is_over(volume, at=at)
    postponed, _taking_back = outcomes = at_once(
        [
            lambda: services.postpone(expiry=expiry, until=at + DAY, reason="x", actor=admin, at=at),
            lambda: services.advance(expiry.pk, at=at),
        ]
    )
    assert outcomes[1] is None
    volume.refresh_from_db()
    if postponed is None:
        assert volume.status == "active"
    else:
        assert isinstance(postponed, Conflict)
        assert volume.status == "releasing"
