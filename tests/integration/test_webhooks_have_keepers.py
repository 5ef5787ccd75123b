"""A webhook is somebody's to answer for: when they have left or lost the role for it, it gets nothing."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from pytest_django import Settings

from govcloud.approvals.handover import revoke
from govcloud.audit.models import Event
from govcloud.notifications import dispatch, keeping, payloads, webhooks
from govcloud.notifications.models import Delivery, Message, Webhook
from govcloud.organisation import handover
from govcloud.organisation.tasks import sweep
from tenants.models import Department, Membership, Role, User
from tests.factories.notifications import Listener, delivered, listening, posted
from tests.factories.tenants import DepartmentFactory, MembershipFactory, member

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def heard(settings: Settings) -> Iterator[Listener]:
    settings.WEBHOOK_PLAIN_HTTP = True
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8")]
    with listening() as listener:
        yield listener


@pytest.fixture
def unit(db: None) -> Department:
    return DepartmentFactory(parent=DepartmentFactory())


@pytest.fixture
def keeper(unit: Department) -> User:
    return member(Role.UNIT_APPROVER, unit)


@pytest.fixture
def other(unit: Department) -> User:
    return member(Role.UNIT_APPROVER, unit)


@pytest.fixture
def hook(heard: Listener, unit: Department, keeper: User, other: User, at: datetime) -> Webhook:
    draft = webhooks.WebhookDraft(name="总线", url=heard.url())
    row, _secret = webhooks.register(draft=draft, department=unit, actor=keeper, at=at)
    return row


def revoked(person: User, at: datetime) -> None:
    revoke(
        membership=person.memberships.get(), actor=member(Role.SECURITY_ADMIN), at=at, reason="other duties"
    )


def run_out(person: User, at: datetime) -> None:
    Membership.objects.filter(user=person).update(valid_until=at)


def deactivated(person: User, _at: datetime) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)


def moved_away(person: User, _at: datetime) -> None:
    Membership.objects.filter(user=person).update(department=DepartmentFactory())


@pytest.mark.parametrize("lost", [revoked, run_out, deactivated, moved_away])
def test_it_gets_nothing_from_when_its_keeper_keeps_it_no_more(
    lost: Callable[[User, datetime], None], hook: Webhook, heard: Listener, other: User, at: datetime
) -> None:
    posted(at=at, department=hook.department)
    delivered(at=at)
    assert len(heard.calls) == 1
    lost(hook.keeper, at + HOUR)
    posted(at=at + HOUR, department=hook.department)
    delivered(at=at + HOUR)
    hook.refresh_from_db()
    assert (hook.status, len(heard.calls)) == ("disabled", 1)
    assert hook.deliveries.count() == 1
    event = Event.objects.get(verb="webhook.disabled")
    assert (event.actor, event.reason) == ("system:notifications", keeping.REASON)
    dispatch.dispatch(at=at + HOUR)
    told = Message.objects.filter(notice__kind="webhook.disabled")
    assert [message.person for message in told] == [other]


def test_what_waits_to_be_tried_again_is_given_up(
    hook: Webhook, heard: Listener, keeper: User, at: datetime
) -> None:
    heard.answers = [500]
    posted(at=at, department=hook.department)
    delivered(at=at)
    run_out(keeper, at + HOUR)
    delivered(at=at + HOUR)
    hook.refresh_from_db()
    assert (hook.status, len(heard.calls), Delivery.objects.get().state) == ("disabled", 1, "given_up")


def test_a_role_that_runs_out_is_noticed_without_any_event(
    hook: Webhook, keeper: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_out(keeper, at)
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    sweep()
    sweep()
    hook.refresh_from_db()
    assert hook.status == "disabled"
    assert Event.objects.filter(verb="webhook.disabled").count() == 1


def test_one_of_the_centre_is_kept_by_a_system_administrator(heard: Listener, at: datetime) -> None:
    administrator, another = member(Role.SYSTEM_ADMIN), member(Role.SYSTEM_ADMIN)
    draft = webhooks.WebhookDraft(name="总线", url=heard.url())
    row, _secret = webhooks.register(draft=draft, department=None, actor=administrator, at=at)
    Membership.objects.filter(user=administrator).update(
        role=Role.UNIT_APPROVER, department=DepartmentFactory()
    )
    posted(at=at)
    delivered(at=at)
    delivered(at=at)
    row.refresh_from_db()
    assert (row.status, heard.calls) == ("disabled", [])
    assert [each.person for each in Message.objects.filter(notice__kind="webhook.disabled")] == [another]


def test_an_approver_of_the_unit_above_keeps_it(hook: Webhook, heard: Listener, at: datetime) -> None:
    assert hook.department is not None
    above = member(Role.UNIT_APPROVER, hook.department.parent)
    webhooks.renew_secret(webhook=hook, actor=above, at=at)
    posted(at=at, department=hook.department)
    delivered(at=at)
    assert len(heard.calls) == 1


# -- a departure


def leave(person: User, *, at: datetime, **how: Any) -> handover.Foreseen:
    return handover.hand_over(
        person=person, successors=[], reason="transferred", force=False, actor=member(Role.SECURITY_ADMIN), at=at, **how
    )  # fmt: skip


def test_a_departure_names_those_that_get_nothing_any_more_and_disables_them(
    hook: Webhook, keeper: User, other: User, at: datetime
) -> None:
    foreseen = handover.foresee(person=keeper, successors=[], at=at)
    assert foreseen.webhooks == [hook]
    leave(keeper, at=at + HOUR)
    hook.refresh_from_db()
    assert hook.status == "disabled"
    assert Event.objects.get(verb="webhook.disabled").actor.startswith("user:")
    assert Event.objects.get(verb="person.left").after["webhooks"] == ["总线"]
    dispatch.dispatch(at=at + HOUR)
    assert [each.person for each in Message.objects.filter(notice__kind="webhook.disabled")] == [other]


def test_a_departure_that_was_looked_at_before_there_was_the_webhook_is_looked_at_again(
    hook: Webhook, keeper: User, at: datetime
) -> None:
    webhooks.switch_off(webhook=hook, reason="tests", actor=keeper, at=at)
    seen = handover.foresee(person=keeper, successors=[], at=at).seal
    webhooks.switch_on(webhook=hook, actor=keeper, at=at)
    with pytest.raises(handover.NotAsSeen):
        leave(keeper, at=at, seen=seen)


# -- taken over


def test_who_switches_it_on_again_keeps_it_and_it_signs_with_another_secret(
    hook: Webhook, heard: Listener, keeper: User, other: User, at: datetime
) -> None:
    former = payloads.secret_of(hook)
    leave(keeper, at=at)
    dispatch.dispatch(at=at)
    on, secret = webhooks.switch_on(webhook=hook, actor=other, at=at + HOUR)
    assert (on.status, on.keeper, on.registered_by) == ("active", other, keeper)
    assert payloads.secret_of(Webhook.objects.get()) == secret != former
    event = Event.objects.get(verb="webhook.taken_over")
    assert (event.before["keeper"], event.after["keeper"]) == (keeper.audit_ref, other.audit_ref)
    posted(at=at + HOUR, department=hook.department)
    delivered(at=at + HOUR)
    assert len(heard.calls) == 1


def test_who_switches_on_one_that_is_kept_does_not_take_it_over(
    hook: Webhook, keeper: User, other: User, at: datetime
) -> None:
    former = payloads.secret_of(hook)
    webhooks.switch_off(webhook=hook, reason="maintenance", actor=keeper, at=at)
    on, secret = webhooks.switch_on(webhook=hook, actor=other, at=at)
    assert (on.keeper, secret, payloads.secret_of(Webhook.objects.get())) == (keeper, None, former)


def test_who_draws_its_secret_before_somebody_leaves_keeps_it_without_a_pause(
    hook: Webhook, keeper: User, other: User, at: datetime
) -> None:
    webhooks.renew_secret(webhook=hook, actor=other, at=at)
    assert Event.objects.get(verb="webhook.taken_over").after["keeper"] == other.audit_ref
    assert leave(keeper, at=at + HOUR).webhooks == []
    hook.refresh_from_db()
    assert (hook.status, hook.keeper) == ("active", other)


def test_a_role_anew_is_no_reason_to_take_ones_own_over(hook: Webhook, keeper: User, at: datetime) -> None:
    run_out(keeper, at)
    posted(at=at, department=hook.department)
    delivered(at=at)
    MembershipFactory(user=keeper, role=Role.UNIT_APPROVER, department=hook.department, valid_from=at + HOUR)
    keeper = User.objects.get(pk=keeper.pk)
    on, secret = webhooks.switch_on(webhook=hook, actor=keeper, at=at + HOUR)
    assert (on.status, secret) == ("active", None)


# -- those from before there were keepers


def _migrated(*targets: tuple[str, str]) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate(list(targets))
    return executor.loader.project_state(list(targets)).apps


@pytest.mark.django_db(transaction=True)
def test_whoever_had_registered_one_keeps_it(at: datetime) -> None:
    before = _migrated(("notifications", "0003_notice_standing_in"))
    try:
        person = User.objects.create(username="approver")
        row = before.get_model("notifications", "Webhook").objects.create(
            name="总线", url="https://bus.example/", algorithm="sm4-gcm", key="k", sealed=b"", registered_at=at,
            registered_by_id=person.pk,
        )  # fmt: skip
    finally:
        _migrated(*MigrationExecutor(connection).loader.graph.leaf_nodes())
    assert Webhook.objects.get(pk=row.pk).keeper == person
