"""Orders of many servers on the sandbox cloud: so many at a time, one bad one does not hold the rest."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from govcloud.catalog.models import Cloud
from govcloud.errors import Conflict
from govcloud.inventory.models import Resource
from govcloud.orders import services
from govcloud.orders.cancellation import NotBeingBuilt, NotOfThisOrder, WithdrawInstead, abandon, cancel
from govcloud.orders.drafts import NetworkDraft, ReleaseDraft, RenewDraft, ServerDraft, VolumeDraft
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order, Unit
from govcloud.orders.results import results
from govcloud.provisioning import engine
from govcloud.provisioning.models import Operation, Step
from govcloud.provisioning.services import CalledOffAlready, CannotBeUndone, FinishedAlready
from govcloud.quotas.models import QuotaAccount
from tenants.models import Role
from tests.factories.leases import ending
from tests.factories.orders import Scene, approve_all, approved, decided, drafted, returned, scene, submitted
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db

NETWORK = NetworkDraft(name="app-net", zone="public")


def servers(many: int) -> ServerDraft:
    return ServerDraft(
        name="web",
        quantity=many,
        zone="public",
        flavor="g.4c16g",
        image="debian-12",
        network="app-net",
        system_volume=VolumeDraft(storage_class="ssd", size_gb=100),
    )


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def bad_second(building: Sandbox) -> Iterator[None]:
    """The cloud refuses the second server, however often it is asked."""
    refusal = {"service": "compute", "method": "POST", "path": "/servers$", "action": "status", "status": 400}
    building.ask("POST", "/faults", {**refusal, "when": "before", "message": "no", "times": 1})
    yield
    building.ask("DELETE", "/faults")


def unit(order: Order, name: str) -> UUID:
    return Unit.objects.get(item__order=order, name=name).uuid


def outcomes(order: Order) -> dict[str, str]:
    found = results(order)
    units = Unit.objects.filter(item__order=order, server=None)
    return {each.name: found[each.uuid].outcome.value for each in units if each.uuid in found}


def held(on: Scene) -> int:
    return sum(QuotaAccount.objects.filter(department=on.department).values_list("held", flat=True))


def bad(order: Order) -> str:
    """The name of the server that the cloud refused."""
    (name,) = (name for name, outcome in outcomes(order).items() if outcome == "held_up")
    return name


def test_no_more_servers_are_built_at_a_time_than_the_cloud_is_to_have(on: Scene, building: Sandbox) -> None:
    Cloud.objects.update(build_width=2)
    building.ask("PUT", "/timing", {"build_seconds": 0.3})
    order = approved(on, at=now(), items=(NETWORK, servers(5)))
    most = 0
    while Step.objects.filter(kind="server").exclude(state="done").exists():
        engine.run_due(clock=now, most=1)
        at_work = Step.objects.filter(kind="server", intent_at__isnull=False).exclude(state="done").count()
        most = max(most, at_work)
    work()
    building.ask("PUT", "/timing", {"build_seconds": 0.05})
    order.refresh_from_db()
    assert (most, order.status, len(project(on).compute.find_servers())) == (2, "fulfilled", 5)


def test_a_server_that_waits_for_a_person_keeps_no_place(on: Scene, bad_second: None) -> None:
    Cloud.objects.update(build_width=1)
    order = built(on, items=(NETWORK, servers(3)))
    assert sorted(outcomes(order).values()) == ["done", "done", "done", "held_up"], states()


def test_one_bad_server_does_not_hold_the_others(on: Scene, bad_second: None) -> None:
    order = built(on, items=(NETWORK, servers(4)))
    assert sorted(outcomes(order).values()) == ["done", "done", "done", "done", "held_up"]
    assert Resource.objects.filter(kind="server").count() == 3


def test_calling_off_the_bad_one_fulfils_the_order_with_the_others(on: Scene, bad_second: None) -> None:
    order = built(on, items=(NETWORK, servers(3)))
    name = bad(order)
    cancel(order=order, reason="two are enough", units=[unit(order, name)], actor=on.applicant, at=now())
    work()
    order.refresh_from_db()
    assert (order.status, outcomes(order)[name], held(on)) == ("fulfilled", "removed", 0), states()
    assert {server.name for server in project(on).compute.find_servers()} == {"web-1", "web-2", "web-3"} - {
        name
    }
    assert len(project(on).volumes.find_volumes()) == 2
    assert Operation.objects.get(thread=order.uuid).status == "done"


def test_calling_off_the_rest_leaves_what_has_been_handed_over(on: Scene, bad_second: None) -> None:
    order = built(on, items=(NETWORK, servers(3)))
    cancel(order=order, reason="enough", units=None, actor=on.applicant, at=now())
    work()
    order.refresh_from_db()
    assert (order.status, Resource.objects.filter(kind="server", status="active").count()) == ("fulfilled", 2)


def test_abandoning_what_is_held_up_leaves_what_has_been_handed_over(on: Scene, bad_second: None) -> None:
    order = built(on, items=(NETWORK, servers(3)))
    operation = Operation.objects.get(thread=order.uuid)
    abandon(operation=operation, reason="enough", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    order.refresh_from_db()
    assert (order.status, held(on)) == ("fulfilled", 0), states()
    assert Resource.objects.filter(kind="server", status="active").count() == 2
    with pytest.raises(FinishedAlready):
        abandon(operation=operation, reason="more", actor=member(Role.CLOUD_ADMIN), at=now())


def test_calling_off_before_anything_stands_leaves_nothing(on: Scene, building: Sandbox) -> None:
    order = approved(on, at=now(), items=(NETWORK, servers(2)))
    for _visit in range(14):
        engine.run_due(clock=now, most=1)
    cancel(order=order, reason="not needed", units=None, actor=on.applicant, at=now())
    work()
    order.refresh_from_db()
    assert (order.status, held(on)) == ("cancelled", 0)
    assert project(on).volumes.find_volumes() == []
    assert set(outcomes(order).values()) == {"removed"}


def test_a_network_goes_with_the_servers_that_were_to_be_on_it(on: Scene, building: Sandbox) -> None:
    order = approved(on, at=now(), items=(NETWORK, servers(2)))
    cancel(order=order, reason="wrong zone", units=[unit(order, "app-net")], actor=on.applicant, at=now())
    work()
    order.refresh_from_db()
    assert (order.status, held(on), set(outcomes(order).values())) == ("cancelled", 0, {"removed"})


@pytest.mark.parametrize("theirs_is", ["built", "submitted"])
def test_a_network_on_which_others_have_put_a_server_stays_when_its_order_is_called_off(
    on: Scene, bad_second: None, theirs_is: str
) -> None:
    order = built(on, items=(NETWORK, servers(1)))
    network = Resource.objects.get(kind="network")
    assert (outcomes(order)["web-1"], network.status) == ("held_up", "active"), states()
    theirs = (replace(servers(1), name="db", network=str(network.uuid)),)
    other = built(on, items=theirs) if theirs_is == "built" else submitted(on, at=now(), items=theirs)
    cancel(order=order, reason="not needed", units=None, actor=on.applicant, at=now())
    work()
    order.refresh_from_db()
    assert (order.status, outcomes(order)) == ("fulfilled", {"app-net": "done", "web-1": "removed"}), states()
    approve_all(on, other, at=now())
    work()
    assert Order.objects.get(pk=other.pk).status == "fulfilled", states()
    assert Resource.objects.get(kind="server", released_at=None).name == "db-1"


def test_a_network_is_called_off_from_an_order_that_renews_a_server_too(on: Scene, building: Sandbox) -> None:
    built(on, items=(NETWORK, servers(1)))
    server = Resource.objects.get(kind="server")
    end = now() + timedelta(days=20)
    ending(server, at=end)
    items = (
        NetworkDraft(name="more-net", zone="public"),
        RenewDraft(target=server.uuid, kind="server", lease_months=6),
    )
    order = approved(on, at=now(), items=items)
    cancel(order=order, reason="no", units=[unit(order, "more-net")], actor=on.applicant, at=now())
    work()
    server.refresh_from_db()
    assert server.lease_end is not None
    assert (outcomes(order), server.lease_end > end) == ({"more-net": "removed", "web-1": "done"}, True)


def test_calling_off_twice_changes_nothing_more(on: Scene, bad_second: None) -> None:
    order = built(on, items=(NETWORK, servers(2)))
    uuid = unit(order, bad(order))
    cancel(order=order, reason="once", units=[uuid], actor=on.applicant, at=now())
    with pytest.raises(CalledOffAlready):
        cancel(order=order, reason="twice", units=[uuid], actor=on.applicant, at=now())
    work()
    order.refresh_from_db()
    assert order.status == "fulfilled"


def test_what_stands_is_not_called_off_but_released(on: Scene, bad_second: None) -> None:
    order = built(on, items=(NETWORK, servers(2)))
    (good,) = {"web-1", "web-2"} - {bad(order)}
    with pytest.raises(FinishedAlready):
        cancel(order=order, reason="no", units=[unit(order, good)], actor=on.applicant, at=now())


def called_off(on: Scene) -> Order:
    """Whole, and gone by now."""
    order = approved(on, at=now(), items=(NETWORK,))
    cancel(order=order, reason="not needed", units=None, actor=on.applicant, at=now())
    work()
    order.refresh_from_db()
    return order


def rejected(on: Scene) -> Order:
    return decided(on, submitted(on, at=now(), items=(NETWORK,)), at=now(), verb="reject", opinion="no need")


def withdrawn(on: Scene) -> Order:
    order = submitted(on, at=now(), items=(NETWORK,))
    return services.withdraw(order=order, reason="not needed", actor=on.applicant, at=now())


MADE: Mapping[Status, Callable[[Scene], Order]] = {
    Status.DRAFT: lambda on: drafted(on, at=now(), items=(NETWORK,)),
    Status.RETURNED: lambda on: returned(on, at=now(), items=(NETWORK,)),
    Status.IN_APPROVAL: lambda on: submitted(on, at=now(), items=(NETWORK,)),
    Status.FULFILLED: lambda on: built(on, items=(NETWORK,)),
    Status.REJECTED: rejected,
    Status.WITHDRAWN: withdrawn,
    Status.CANCELLED: called_off,
}
ANSWERS: Mapping[Status, type[Conflict]] = {
    Status.DRAFT: WithdrawInstead,
    Status.RETURNED: WithdrawInstead,
    Status.IN_APPROVAL: WithdrawInstead,
    Status.FULFILLED: NotBeingBuilt,
    Status.REJECTED: NotBeingBuilt,
    Status.WITHDRAWN: NotBeingBuilt,
    Status.CANCELLED: NotBeingBuilt,
}


@pytest.mark.parametrize(
    ("state", "refusal"),
    list(ANSWERS.items()),
)
def test_in_every_other_state_the_refusal_says_what_to_do(
    on: Scene, building: Sandbox, state: Status, refusal: type[Conflict]
) -> None:
    order = MADE[state](on)
    assert order.status == state
    with pytest.raises(refusal) as told:
        cancel(order=order, reason="no", units=None, actor=on.applicant, at=now())
    assert f"The order is {state.label}" in told.value.detail
    order.refresh_from_db()
    assert order.status == state


def test_the_table_of_refusals_has_every_state_but_the_one_in_which_it_is_built() -> None:
    assert ANSWERS.keys() == MADE.keys() == set(Status) - {Status.FULFILLING}


def test_a_release_under_way_cannot_be_taken_back(on: Scene, building: Sandbox) -> None:
    built(on, items=(NETWORK,))
    network = Resource.objects.get(kind="network")
    order = approved(on, at=now(), items=(ReleaseDraft(target=network.uuid, kind="network"),))
    with pytest.raises(CannotBeUndone):
        cancel(order=order, reason="no", units=None, actor=on.applicant, at=now())


def test_a_unit_of_another_order_is_not_known(on: Scene, building: Sandbox) -> None:
    order = approved(on, at=now(), items=(NETWORK,))
    with pytest.raises(NotOfThisOrder):
        cancel(order=order, reason="no", units=[order.uuid], actor=on.applicant, at=now())


def test_calling_off_the_rest_goes_on_while_a_part_is_being_taken_down(
    on: Scene, bad_second: None, building: Sandbox
) -> None:
    order = approved(on, at=now(), items=(NETWORK, servers(3)))
    for _visit in range(25):
        engine.run_due(clock=now, most=1)
    cancel(order=order, reason="one less", units=[unit(order, "web-3")], actor=on.applicant, at=now())
    cancel(order=order, reason="none at all", units=None, actor=on.applicant, at=now())
    work()
    order.refresh_from_db()
    assert (order.status, held(on)) == ("cancelled", 0), states()
