"""Accounts near their limits: each share of a limit is told once, until the account is below it again."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.notifications import dispatch
from govcloud.notifications.kinds import Kind
from govcloud.notifications.models import Message, Notice
from govcloud.notifications.texts import told as told_in_words
from govcloud.quotas import services as quotas
from govcloud.quotas import thresholds
from govcloud.quotas.ledger import Hold
from govcloud.quotas.models import Crossing, QuotaAccount
from tenants.models import Department, Role
from tests.at_once import at_once
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory, member

pytestmark = pytest.mark.django_db


def unit(*, vcpus: int | None) -> Department:
    department = DepartmentFactory()
    opened(department, vcpus=vcpus)
    return department


def hold(department: Department, amount: int, *, at: datetime) -> UUID:
    source = uuid4()
    quotas.hold(department=department, holds=[Hold(source, {"vcpus": amount})], at=at)
    return source


def told() -> list[tuple[int, int, int]]:
    """Share, limit and what was taken of those that are in force, in the order in which they were crossed."""
    rows = Crossing.objects.in_force().order_by("pk")
    return list(rows.values_list("percent", "limit", "taken"))


def test_each_share_is_told_once_when_it_is_reached(at: datetime) -> None:
    department = unit(vcpus=100)
    hold(department, 79, at=at)
    assert thresholds.watch(at=at) == 0
    hold(department, 1, at=at)
    assert [thresholds.watch(at=at) for _look in range(3)] == [1, 0, 0]
    hold(department, 20, at=at)
    thresholds.watch(at=at)
    assert told() == [(80, 100, 80), (95, 100, 100)]


def test_it_is_told_again_once_it_has_been_below(at: datetime) -> None:
    department = unit(vcpus=100)
    source = hold(department, 85, at=at)
    thresholds.watch(at=at)
    quotas.unhold(source=source, at=at)
    later = at + timedelta(hours=1)
    thresholds.watch(at=later)
    (crossing,) = Crossing.objects.all()
    assert (told(), crossing.cleared_at) == ([], later)
    hold(department, 90, at=at)
    thresholds.watch(at=later)
    assert (told(), Crossing.objects.count()) == ([(80, 100, 90)], 2)


def test_a_raised_limit_clears_and_a_lowered_one_crosses(at: datetime) -> None:
    department, actor = unit(vcpus=100), SystemActor("tests")
    hold(department, 85, at=at)
    thresholds.watch(at=at)
    account = QuotaAccount.objects.get(department=department, dimension="vcpus")
    quotas.set_limit(account=account, limit=200, expected_version=1, actor=actor, at=at)
    thresholds.watch(at=at)
    assert told() == []
    quotas.set_limit(account=account, limit=85, expected_version=2, actor=actor, at=at)
    thresholds.watch(at=at)
    assert told() == [(80, 85, 85), (95, 85, 85)]


def test_a_limit_of_0_is_not_full_while_nothing_is_taken_and_no_limit_never_is(at: datetime) -> None:
    unit(vcpus=0)
    hold(unit(vcpus=None), 10**6, at=at)
    thresholds.watch(at=at)
    assert told() == []


def test_a_limit_lowered_to_0_under_what_is_in_use_is_told(at: datetime) -> None:
    department = unit(vcpus=10)
    hold(department, 1, at=at)
    account = QuotaAccount.objects.get(department=department, dimension="vcpus")
    quotas.set_limit(account=account, limit=0, expected_version=1, actor=SystemActor("tests"), at=at)
    thresholds.watch(at=at)
    assert told() == [(80, 0, 1), (95, 0, 1)]


def test_crossing_and_clearing_are_audited_with_their_figures(at: datetime) -> None:
    department = unit(vcpus=100)
    source = hold(department, 80, at=at)
    thresholds.watch(at=at)
    quotas.unhold(source=source, at=at)
    thresholds.watch(at=at)
    reached, cleared = Event.objects.filter(verb__startswith="quota.threshold_").order_by("pk")
    assert (reached.verb, reached.after) == (
        "quota.threshold_reached",
        {"percent": 80, "limit": 100, "taken": 80},
    )
    assert (cleared.verb, cleared.after) == (
        "quota.threshold_cleared",
        {"percent": 80, "limit": 100, "taken": 0},
    )
    assert reached.subject_id == department.quota_accounts.get(dimension="vcpus").uuid


def test_a_share_that_nobody_asks_for_any_more_is_cleared(at: datetime, settings: object) -> None:
    hold(unit(vcpus=100), 85, at=at)
    thresholds.watch(at=at)
    settings.QUOTA_THRESHOLDS = [50]
    thresholds.watch(at=at)
    assert told() == [(50, 100, 85)]


def test_looking_takes_as_many_statements_for_many_accounts_as_for_one(at: datetime) -> None:
    hold(unit(vcpus=100), 90, at=at)
    with CaptureQueriesContext(connection) as one:
        thresholds.watch(at=at)
    for _more in range(8):
        hold(unit(vcpus=100), 90, at=at)
    with CaptureQueriesContext(connection) as many:
        thresholds.watch(at=at)
    assert (len(many), Crossing.objects.count()) == (len(one), 9)


def test_the_department_hears_once_of_all_that_crossed_and_again_after_it_was_below(at: datetime) -> None:
    department = DepartmentFactory()
    opened(department, vcpus=100, servers=10)
    approver, applicant = (member(role, department) for role in (Role.UNIT_APPROVER, Role.APPLICANT))
    outsider = member(Role.UNIT_APPROVER, DepartmentFactory())
    source = uuid4()
    quotas.hold(department=department, holds=[Hold(source, {"vcpus": 96, "servers": 8})], at=at)
    for _look in range(3):
        thresholds.watch(at=at)
    quotas.unhold(source=source, at=at)
    thresholds.watch(at=at)
    hold(department, 85, at=at)
    thresholds.watch(at=at)
    dispatch.dispatch(at=at)
    for person in (approver, applicant):
        said = [
            told_in_words(message.notice, language="en").text
            for message in Message.objects.visible_to(person).order_by("pk")
        ]
        assert ["vCPU: 96 of 100 (95 % reached)" in text for text in said] == [True, False]
        assert ["servers: 8 of 10 (80 % reached)" in text for text in said] == [True, False]
        assert "vCPU: 85 of 100 (80 % reached)" in said[1]
    assert not Message.objects.visible_to(outsider).exists()


def test_a_look_that_is_cut_off_tells_nobody_and_the_next_one_does(at: datetime) -> None:
    hold(unit(vcpus=100), 85, at=at)
    with transaction.atomic():
        thresholds.watch(at=at)
        transaction.set_rollback(True)
    assert not Notice.objects.exists()
    thresholds.watch(at=at)
    assert Notice.objects.filter(kind=Kind.QUOTA_NEAR_LIMIT).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_who_look_at_once_each_crossing_is_noted_once(at: datetime) -> None:
    for _unit in range(5):
        hold(unit(vcpus=100), 99, at=at)
    assert at_once([lambda: thresholds.watch(at=at)] * 6) == [None] * 6
    assert Crossing.objects.count() == 10
    assert Notice.objects.filter(kind=Kind.QUOTA_NEAR_LIMIT).count() == 5
