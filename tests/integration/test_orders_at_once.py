"""Several people at the same moment, on a real PostgreSQL."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import pytest
from django.db import transaction

from govcloud.approvals.models import Decision
from govcloud.approvals.policies import StageDecided
from govcloud.catalog.models import Cloud
from govcloud.clouds import services as clouds
from govcloud.errors import Conflict, Invalids
from govcloud.orders import cancellation, services
from govcloud.orders.drafts import ExtendDraft, ReleaseDraft
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order, Revision, Unit
from govcloud.provisioning import completion
from govcloud.provisioning.lifecycle import OperationStatus, StepState
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.models import QuotaAccount
from tenants.models import Role
from tests.at_once import at_once, held_up
from tests.factories.inventory import VolumeFactory
from tests.factories.orders import NETWORK, SERVERS, approved, decided, drafted, paper_of, scene, submitted
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_two_submissions_at_once_one_wins_and_the_other_is_told(at: datetime) -> None:
    on = scene()
    order = drafted(on, at=at)

    def submit() -> None:
        services.submit(order=Order.objects.get(pk=order.pk), actor=on.applicant, at=at)

    outcomes = at_once([submit] * 4)
    assert outcomes.count(None) == 1
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if outcome is not None)
    assert Revision.objects.count() == 1
    servers = QuotaAccount.objects.get(department=on.department, dimension="servers")
    assert servers.held == 2


def test_a_file_that_comes_while_the_submission_waits_is_frozen_with_it(at: datetime) -> None:
    on = scene()
    order = drafted(on, at=at)
    with transaction.atomic():
        Order.objects.select_for_update().get(pk=order.pk)
        file = paper_of(order, at=at)
        submitting = held_up(lambda: services.submit(order=order, actor=on.applicant, at=at))
    submitting.result()
    (frozen,) = Revision.objects.get().content["attachments"]
    assert frozen["sha256"] == file.sha256


def test_of_two_orders_that_claim_one_volume_at_once_one_gets_it(at: datetime) -> None:
    on = scene()
    volume = VolumeFactory(resource__system=on.system).resource
    orders = [
        drafted(on, at=at, items=(ExtendDraft(target=volume.uuid, size_gb=800),)),
        drafted(on, at=at, items=(ReleaseDraft(target=volume.uuid, kind="volume"),)),
    ]
    outcomes = at_once([lambda o=o: services.submit(order=o, actor=on.applicant, at=at) for o in orders])
    assert outcomes.count(None) == 1
    refusal = next(outcome for outcome in outcomes if outcome is not None)
    assert isinstance(refusal, Invalids)
    assert [error.code for error in refusal.errors] == ["resource-in-another-order"]


def test_nothing_is_begun_on_a_cloud_that_is_being_retired(at: datetime) -> None:
    """The order has found its place by the time, and waits for whoever retires the cloud."""
    on = scene(level_3=False, zone="private")
    order = submitted(on, at=at, items=(NETWORK,))
    while order.case is not None and order.case.stages.filter(status="waiting").exists():
        order = decided(on, order, at=at)
    with transaction.atomic():
        cloud = Cloud.objects.select_for_update().get(pk=on.catalogue.cloud.pk)
        approving = held_up(lambda: decided(on, order, at=at))
        clouds.retire(cloud=cloud, reason="replaced", actor=on.applicant, at=at)
    assert isinstance(approving.exception(timeout=60), clouds.CloudRetired)
    assert not Operation.objects.exists()
    assert Order.objects.get(pk=order.pk).status == Status.IN_APPROVAL


def test_drafts_at_once_get_numbers_of_their_own_without_a_gap(at: datetime) -> None:
    on = scene()
    drafts = [lambda: drafted(on, at=at, items=(NETWORK,))] * 8
    assert at_once(drafts) == [None] * 8
    assert sorted(Order.objects.values_list("number", flat=True)) == [f"GC-2026-{n:06d}" for n in range(1, 9)]


def test_of_two_who_decide_one_stage_at_once_the_second_is_told(at: datetime) -> None:
    on = scene()
    order = submitted(on, at=at)
    approvers = [on.chain[Role.UNIT_APPROVER], member(Role.UNIT_APPROVER, on.department)]

    def approve(person: object) -> None:
        services.decide(
            order=Order.objects.get(pk=order.pk),
            verb="approve",
            opinion="",
            revision_hash=order.case.revision_hash,
            actor=person,
            at=at,
        )

    outcomes = at_once([lambda p=p: approve(p) for p in approvers])
    assert outcomes.count(None) == 1
    assert any(isinstance(outcome, StageDecided) for outcome in outcomes)
    assert Decision.objects.count() == 1


def finished(*units: UUID) -> None:
    Step.objects.filter(unit__in=units).update(state=StepState.DONE, next_run_at=None)


def handing_over(order: Order, asked: Callable[[], object]) -> None:
    """The first of two servers, on a network that stands, is handed over in a transaction that has not ended when that is asked."""
    (operation,) = Operation.objects.filter(units__item__order=order).distinct()
    server = Unit.objects.get(item__order=order, name="app-1")
    finished(Unit.objects.get(item__order=order, name="app-net").uuid)
    with transaction.atomic():
        completion.lock(operation)
        finished(server.uuid, *server.volumes.values_list("uuid", flat=True))
        answer = held_up(asked)
    answer.result(timeout=60)


def called_off(order: Order, name: str) -> set[bool]:
    steps = Step.objects.filter(unit=Unit.objects.get(item__order=order, name=name).uuid)
    return {step.called_off_at is not None for step in steps}


def test_what_is_handed_over_while_the_order_is_called_off_stays(at: datetime) -> None:
    on = scene(level_3=False, zone="private")
    order = approved(on, at=at, items=(NETWORK, SERVERS))
    handing_over(
        order,
        lambda: cancellation.cancel(
            order=Order.objects.get(pk=order.pk), reason="不再需要", units=None, actor=on.applicant, at=at
        ),
    )
    assert (called_off(order, "app-1"), called_off(order, "app-2")) == ({False}, {True})


def test_what_is_handed_over_while_its_operation_is_abandoned_stays(at: datetime) -> None:
    on = scene(level_3=False, zone="private")
    order = approved(on, at=at, items=(NETWORK, SERVERS))
    admin = member(Role.CLOUD_ADMIN)
    operation = Operation.objects.get(thread=order.uuid)
    handing_over(
        order,
        lambda: cancellation.abandon(operation=operation, reason="太慢", actor=admin, at=at),
    )
    assert (called_off(order, "app-1"), called_off(order, "app-2")) == ({False}, {True})


def test_what_was_finished_while_the_order_is_called_off_is_left(at: datetime) -> None:
    """A network goes with everything else; by itself and finished this very moment there is nothing to take down."""
    on = scene(level_3=False, zone="private")
    order = approved(on, at=at, items=(NETWORK,))
    operation = Operation.objects.get(thread=order.uuid)
    with transaction.atomic():
        completion.lock(operation)
        finished(*Step.objects.filter(operation=operation).values_list("unit", flat=True))
        Operation.objects.filter(pk=operation.pk).update(status=OperationStatus.DONE, finished_at=at)
        answer = held_up(
            lambda: cancellation.cancel(
                order=Order.objects.get(pk=order.pk), reason="不再需要", units=None, actor=on.applicant, at=at
            )
        )
    answer.result(timeout=60)
    assert called_off(order, "app-net") == {False}


def test_a_withdrawal_and_an_approval_at_once_end_in_one_of_the_two(at: datetime) -> None:
    on = scene()
    order = submitted(on, at=at)

    def approve() -> None:
        services.decide(
            order=Order.objects.get(pk=order.pk),
            verb="reject",
            opinion="不需要",
            revision_hash=order.case.revision_hash,
            actor=on.chain[Role.UNIT_APPROVER],
            at=at,
        )

    def withdraw() -> None:
        services.withdraw(order=Order.objects.get(pk=order.pk), reason="不再需要", actor=on.applicant, at=at)

    outcomes = at_once([approve, withdraw])
    assert outcomes.count(None) == 1
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if outcome is not None)
    assert Order.objects.get().status in {Status.REJECTED, Status.WITHDRAWN}
    assert QuotaAccount.objects.get(department=on.department, dimension="servers").held == 0
