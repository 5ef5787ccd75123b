"""Transactions that lock the same rows lock them in one order: none is broken off by PostgreSQL as a deadlock.

Each test holds what comes first in that order. The work has to wait for it with nothing in hand, so that the rest can be locked.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError, transaction
from django.db.models import Model, QuerySet

from govcloud.inventory.models import Resource
from govcloud.orders.drafts import ReleaseDraft
from govcloud.orders.models import Order
from govcloud.provisioning import completion, settlement
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import actions
from govcloud.provisioning.actions.storage import ToServer
from govcloud.provisioning.context import Context
from govcloud.provisioning.models import Operation, OperationKind, Step
from govcloud.provisioning.services import StepSpec
from govcloud.quotas import services as quotas
from govcloud.quotas.models import QuotaAccount
from govcloud.quotas.services import Hold
from govcloud.reconciliation import remedies
from govcloud.reconciliation.vocabulary import Remedy
from govcloud.takeover import settling
from govcloud.takeover.models import Candidate
from tests.api.house import recovery_point
from tests.at_once import held_up
from tests.factories.catalog import FlavorFactory
from tests.factories.inventory import AddressFactory, FloatingAddressFactory, VolumeFactory, whole_server
from tests.factories.orders import Scene, decided, scene, submitted
from tests.factories.reconciliation import DifferenceFactory, FindingFactory
from tests.factories.takeovers import CandidateFactory

pytestmark = pytest.mark.django_db(transaction=True)


def waits_with_nothing_in_hand(
    work: Callable[[], object], *, first: QuerySet[Model], then: QuerySet[Model]
) -> BaseException | None:
    """What the work raised, which waited for ``first`` while ``then`` was locked."""
    with transaction.atomic():
        assert list(first.select_for_update(no_key=True, of=("self",)))
        waiting = held_up(work)
        assert list(then.select_for_update(no_key=True, of=("self",)))
    return waiting.exception(timeout=60)


def row(one: Model) -> QuerySet[Model]:
    return type(one)._default_manager.filter(pk=one.pk)


def nearly_approved(on: Scene, order: Order, *, at: datetime) -> Order:
    """Only the last approval is missing."""
    while order.case is not None and order.case.stages.filter(status="waiting").exists():
        order = decided(on, order, at=at)
    return order


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def volume(on: Scene) -> Resource:
    """Of a server that was recorded after it, as servers are."""
    made = VolumeFactory(resource__system=on.system, resource__cloud=on.catalogue.cloud)
    made.server = whole_server(system=on.system, cloud=on.catalogue.cloud)
    made.save(update_fields=["server"])
    return made.resource


def test_a_release_locks_a_server_before_its_volumes(on: Scene, volume: Resource, at: datetime) -> None:
    server = volume.volume.server.resource
    AddressFactory(unit=server.unit)
    order = submitted(on, at=at, items=(ReleaseDraft(target=server.uuid, kind="server"),))
    order = nearly_approved(on, order, at=at)
    raised = waits_with_nothing_in_hand(
        lambda: decided(on, order, at=at), first=row(server), then=row(volume)
    )
    assert raised is None
    assert Resource.objects.get(pk=volume.pk).status == "releasing"


def test_an_order_locks_the_servers_of_its_volumes_before_any_volume(
    on: Scene, volume: Resource, at: datetime
) -> None:
    """Two volumes of two servers, the later one first."""
    server = volume.volume.server.resource
    other = whole_server(system=on.system, cloud=on.catalogue.cloud)
    its = Resource.objects.filter(volume__server=other, volume__role="data").get()
    targets = (
        ReleaseDraft(target=its.uuid, kind="volume"),
        ReleaseDraft(target=volume.uuid, kind="volume"),
    )
    order = nearly_approved(on, submitted(on, at=at, items=targets), at=at)
    raised = waits_with_nothing_in_hand(
        lambda: decided(on, order, at=at), first=row(server), then=Resource.objects.filter(pk__in=[volume.pk, its.pk])
    )  # fmt: skip
    assert raised is None


def test_a_release_locks_a_volume_before_its_recovery_points(on: Scene, at: datetime) -> None:
    """As whoever writes one back."""
    alone = VolumeFactory(resource__system=on.system, resource__cloud=on.catalogue.cloud)
    point = recovery_point(alone)
    order = submitted(on, at=at, items=(ReleaseDraft(target=alone.resource.uuid, kind="volume"),))
    order = nearly_approved(on, order, at=at)
    raised = waits_with_nothing_in_hand(
        lambda: decided(on, order, at=at), first=row(alone.resource), then=row(point)
    )
    assert raised is None


def test_of_two_servers_a_direct_action_locks_the_earlier_one_first(
    on: Scene, volume: Resource, at: datetime
) -> None:
    """Whichever of them it is about: two addresses can be moved against each other."""
    first = volume.volume.server
    second = whole_server(system=on.system, cloud=on.catalogue.cloud)
    FloatingAddressFactory(server=first)
    raised = waits_with_nothing_in_hand(
        lambda: requests.request(
            resource=first.resource, action=actions()["move-address"],
            parameters=ToServer(server=second.resource.uuid), actor=on.applicant, at=at,
        ),
        first=row(first.resource), then=row(second.resource),
    )  # fmt: skip
    assert not isinstance(raised, OperationalError)


def test_what_an_operation_had_in_hand_is_given_back_in_the_order_in_which_it_was_taken(
    on: Scene, volume: Resource, at: datetime
) -> None:
    first = volume.volume.server.resource
    second = whole_server(system=on.system, cloud=on.catalogue.cloud).resource
    Resource.objects.filter(pk__in=[first.pk, second.pk]).update(status="changing")
    operation = provisioning.start(
        kind=OperationKind.ACTION, reason="", thread=None, system=on.system, cloud=on.catalogue.cloud,
        steps=[StepSpec(key="only", kind="power", label="", unit=first.unit)], actor=on.applicant, at=at,
        resource=first, action="move-address", with_it=[second],
    )  # fmt: skip
    Step.objects.update(state="done", next_run_at=None)

    def end() -> None:
        with transaction.atomic():
            completion.finished(Step.objects.get(), at=at)

    assert waits_with_nothing_in_hand(end, first=row(first), then=row(second)) is None
    assert Operation.objects.get(pk=operation.pk).status == "done"
    assert set(Resource.objects.filter(pk__in=[first.pk, second.pk]).values_list("status", flat=True)) == {
        "active"
    }


def test_a_finding_is_taken_in_with_both_servers_between_which_an_address_was_moved(
    on: Scene, volume: Resource
) -> None:
    """The later one's address leads to the earlier one by now."""
    first = volume.volume.server.resource
    second = whole_server(system=on.system, cloud=on.catalogue.cloud).resource
    finding = FindingFactory(
        kind="drifted", subject="floating_address", remedy="set_back", system=on.system, cloud=on.catalogue.cloud,
        resource=second,
    )  # fmt: skip
    DifferenceFactory(finding=finding, field="leads_to", found=AddressFactory(unit=first.unit).port_id)

    def lock() -> None:
        with transaction.atomic():
            assert remedies.lock(finding, Remedy.ADOPT) == second

    assert waits_with_nothing_in_hand(lock, first=row(first), then=row(second)) is None


def test_a_change_that_takes_of_one_account_and_gives_back_to_another_locks_both_at_once(
    on: Scene, volume: Resource, at: datetime
) -> None:
    """More memory and fewer vCPUs, while an order that needs both waits for the memory."""
    server = volume.volume.server.resource
    Resource.objects.filter(pk=server.pk).update(billing_start=at - timedelta(days=1))
    quotas.hold(department=on.department, holds=[Hold(source=uuid4(), amounts={"vcpus": 4})], at=at)
    source = uuid4()
    quotas.hold(department=on.department, holds=[Hold(source=source, amounts={"memory_gb": 16})], at=at)
    QuotaAccount.objects.filter(dimension__in=["vcpus", "memory_gb"]).update(used=16)
    operation = provisioning.start(
        kind=OperationKind.RESIZE, reason="", thread=None, system=on.system, cloud=on.catalogue.cloud,
        steps=[StepSpec(key="only", kind="power", label="", unit=source)], actor=on.applicant, at=at,
    )  # fmt: skip
    flavor = FlavorFactory(code="g.2c32g", vcpus=2, memory_gb=32)

    def settle() -> None:
        with transaction.atomic():
            context = Context(step=operation.steps.get(), at=at, clock=lambda: at)
            settlement.resized(context=context, resource=server, flavor=flavor)

    accounts = QuotaAccount.objects.filter(department=on.department)
    vcpus, memory = (accounts.get(dimension=each) for each in ("vcpus", "memory_gb"))
    first, then = sorted([vcpus, memory], key=lambda each: each.pk)
    assert waits_with_nothing_in_hand(settle, first=row(first), then=row(then)) is None
    assert (accounts.get(pk=vcpus.pk).used, accounts.get(pk=memory.pk).used) == (14, 32)


@pytest.mark.parametrize("taken", [True, False])
def test_a_step_of_a_takeover_locks_its_candidate_before_the_quota(
    on: Scene, volume: Resource, at: datetime, *, taken: bool
) -> None:
    """As whoever takes over more of the project."""
    candidate = CandidateFactory(
        takeover__cloud=volume.cloud, takeover__system=on.system, kind="volume", unit=volume.unit,
        status="taking" if taken else "leaving", resource=None if taken else volume,
    )  # fmt: skip
    holds = [Hold(volume.unit, settlement.quota_of(volume))]
    quotas.hold(department=on.department, holds=holds, at=at)
    if not taken:
        quotas.commit(source=volume.unit, at=at)
    operation = Operation.objects.create(
        kind=OperationKind.TAKEOVER, reason="", system=on.system, cloud=volume.cloud, created_at=at
    )
    step = Step.objects.create(
        operation=operation, position=0, key="k", kind="volume_takeover", label="v", unit=volume.unit
    )
    context = Context(step=step, at=at, clock=lambda: at)

    def work() -> None:
        with transaction.atomic():
            if taken:
                settling.taken(resource=volume, at=at)
            else:
                settling.let_go(context=context)

    accounts = QuotaAccount.objects.filter(department=on.department)
    assert waits_with_nothing_in_hand(work, first=row(candidate), then=accounts) is None
    assert Candidate.objects.get(pk=candidate.pk).status == ("taken" if taken else "open")
