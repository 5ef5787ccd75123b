"""Quota handed on to the units below, and taken back: the tree stays whole, whoever does what at the same moment."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django import conf
from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.quotas import limits, tasks, temporary
from govcloud.quotas import services as quotas
from govcloud.quotas.ledger import Hold, QuotaExceeded
from govcloud.quotas.lifecycle import RaiseStatus
from govcloud.quotas.limits import LimitBelowHandedOn, LimitBelowUse, LimitBeyondUnitAbove, LimitMoved
from govcloud.quotas.models import Dimension, LimitChange, Origin, QuotaAccount, TemporaryRaise
from govcloud.quotas.policies import NothingAbove, require_allotter
from govcloud.quotas.services import AccountChanged, LimitOutOfRange, Wanted
from tenants.models import Department, Role, User
from tenants.policies import RoleMissing
from tests.at_once import at_once
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory, member

AT = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
UNTIL = date(2026, 12, 31)
OVER = temporary.over_at(UNTIL)
VCPUS = Dimension.VCPUS
BY_TESTS = SystemActor("tests")


def unit(above: Department | None = None, *, vcpus: int | None) -> Department:
    department: Department = DepartmentFactory(parent=above)
    opened(department, vcpus=vcpus)
    return department


def account(department: Department) -> QuotaAccount:
    return QuotaAccount.objects.get(department=department, dimension=VCPUS)


def hand_on(department: Department, limit: int, *, by: User | None = None, at: datetime = AT) -> None:
    now = account(department)
    quotas.allot(
        account=now, limit=limit, reason="分配", expected_version=now.version,
        actor=by or member(Role.UNIT_APPROVER, department.parent), at=at,
    )  # fmt: skip


def granted(department: Department, limit: int, *, until: date | None = None) -> None:
    seen = limits.foresee(department=department, dimensions=[VCPUS])[VCPUS]
    wanted = Wanted(VCPUS, limit, seen.limit, seen.lasting, until)
    quotas.grant(
        department=department, wanted=[wanted], order=uuid4(), number="GC-2026-000001", actor=BY_TESTS, at=AT
    )


def hold(department: Department, amount: int) -> None:
    quotas.hold(department=department, holds=[Hold(uuid4(), {"vcpus": amount})], at=AT)


# one after the other


@pytest.mark.django_db
def test_a_unit_hands_on_what_it_has_and_no_more() -> None:
    above = unit(vcpus=100)
    first, second = (unit(above, vcpus=0) for _unit in range(2))
    hand_on(first, 60)
    with pytest.raises(LimitBeyondUnitAbove) as refusal:
        hand_on(second, 41)
    assert (refusal.value.params["others"], refusal.value.params["most"]) == (60, 40)
    hand_on(second, 40)
    assert (account(first).limit, account(second).limit, account(above).limit) == (60, 40, 100)


@pytest.mark.django_db
def test_what_a_unit_uses_itself_it_cannot_hand_on() -> None:
    above = unit(vcpus=100)
    below = unit(above, vcpus=20)
    hold(above, 30)
    hold(below, 10)  # counts above as well, but is of what was handed on
    with pytest.raises(LimitBeyondUnitAbove):
        hand_on(below, 71)
    hand_on(below, 70)


@pytest.mark.django_db
def test_it_is_taken_back_down_to_what_is_in_use() -> None:
    below = unit(unit(vcpus=100), vcpus=50)
    hold(below, 20)
    with pytest.raises(LimitBelowUse):
        hand_on(below, 19)
    hand_on(below, 20)
    assert account(below).free == 0


@pytest.mark.django_db
def test_it_is_not_taken_back_from_a_unit_that_has_handed_it_on_in_turn() -> None:
    middle = unit(unit(vcpus=100), vcpus=50)
    unit(middle, vcpus=30)
    with pytest.raises(LimitBelowHandedOn):
        hand_on(middle, 29)


@pytest.mark.django_db
def test_handing_on_is_told_with_who_and_why() -> None:
    below = unit(unit(vcpus=100), vcpus=0)
    approver = member(Role.UNIT_APPROVER, below.parent)
    hand_on(below, 10, by=approver)
    change = LimitChange.objects.get(account=account(below), origin=Origin.ALLOTTED)
    assert (change.before, change.after, change.actor, change.reason) == (0, 10, approver, "分配")
    event = Event.objects.get(verb="quota.allotted")
    assert (event.before, event.after, event.reason) == ({"limit": 0}, {"limit": 10}, "分配")


@pytest.mark.django_db
def test_handing_on_what_is_there_already_changes_nothing() -> None:
    below = unit(unit(vcpus=100), vcpus=10)
    hand_on(below, 10)
    assert account(below).version == 1
    assert not Event.objects.filter(verb="quota.allotted").exists()


@pytest.mark.django_db
def test_it_is_handed_on_by_who_saw_the_last_limit() -> None:
    below = unit(unit(vcpus=100), vcpus=10)
    with pytest.raises(AccountChanged):
        quotas.allot(account=account(below), limit=20, reason="", expected_version=2, actor=BY_TESTS, at=AT)


@pytest.mark.django_db
@pytest.mark.parametrize("limit", [-1, quotas.LARGEST_LIMIT + 1])
def test_an_impossible_limit_is_not_handed_on(limit: int) -> None:
    with pytest.raises(LimitOutOfRange):
        hand_on(unit(unit(vcpus=100), vcpus=10), limit)


@pytest.mark.django_db
def test_the_approvers_of_the_unit_above_and_of_those_above_it_hand_on_and_nobody_else() -> None:
    top = unit(vcpus=100)
    middle = unit(top, vcpus=50)
    below = unit(middle, vcpus=10)
    for department in (top, middle):
        require_allotter(member(Role.UNIT_APPROVER, department), department=below, at=AT)
    others = [
        member(Role.UNIT_APPROVER, below),
        member(Role.UNIT_APPROVER, DepartmentFactory()),
        member(Role.APPLICANT, middle),
        member(Role.AUTHORITY_APPROVER),
    ]
    for other in others:
        with pytest.raises(RoleMissing):
            require_allotter(other, department=below, at=AT)
    with pytest.raises(NothingAbove):
        require_allotter(member(Role.UNIT_APPROVER, top), department=top, at=AT)


# at the same moment


@pytest.mark.django_db(transaction=True)
def test_twenty_units_that_are_handed_on_to_at_once_never_get_more_than_there_is() -> None:
    above = unit(vcpus=100)
    below = [unit(above, vcpus=0) for _unit in range(20)]
    approver = member(Role.UNIT_APPROVER, above)
    outcomes = at_once([lambda each=each: hand_on(each, 20, by=approver) for each in below])
    assert (
        sorted(type(each).__name__ for each in outcomes) == ["LimitBeyondUnitAbove"] * 15 + ["NoneType"] * 5
    )
    assert handed_on_by(above) == 100


@pytest.mark.django_db(transaction=True)
def test_lowering_above_while_it_is_handed_on_below_leaves_no_more_below_than_above() -> None:
    for _round in range(5):
        above = unit(vcpus=100)
        below = [unit(above, vcpus=10) for _unit in range(4)]
        approver = member(Role.UNIT_APPROVER, above)
        works: list[Callable[[], object]] = [lambda above=above: granted(above, 60)]
        works += [lambda each=each, by=approver: hand_on(each, 25, by=by) for each in below]
        at_once(works)
        assert handed_on_by(above) <= (account(above).limit or 0)


@pytest.mark.django_db(transaction=True)
def test_changes_and_holds_all_over_the_tree_at_once_end_without_waiting_for_each_other_in_a_ring() -> None:
    top = unit(vcpus=400)
    middles = [unit(top, vcpus=100) for _unit in range(2)]
    leaves = [unit(middle, vcpus=40) for middle in middles for _unit in range(2)]
    approver = member(Role.UNIT_APPROVER, top)
    works: list[Callable[[], object]] = []
    for n in range(4):
        works += [
            lambda n=n: hold(leaves[n], 5),
            lambda n=n: hand_on(leaves[n], 45, by=approver),
            lambda n=n: hand_on(middles[n % 2], 110 + n, by=approver),
            lambda n=n: granted(leaves[3 - n], 48, until=UNTIL),
            lambda n=n: granted(top, 390 - n),
        ]
    allowed = (AccountChanged, LimitMoved, LimitBeyondUnitAbove, QuotaExceeded)
    assert [each for each in at_once(works) if each is not None and not isinstance(each, allowed)] == []
    for parent in (top, *middles):
        assert handed_on_by(parent) <= (account(parent).limit or 0)


def handed_on_by(department: Department) -> int:
    limits = QuotaAccount.objects.filter(department__parent=department, dimension=VCPUS)
    return int(limits.aggregate(total=Sum("limit"))["total"])


# falling back


@pytest.mark.django_db(transaction=True)
def test_of_many_that_let_a_limit_fall_back_one_does() -> None:
    department = unit(vcpus=100)
    granted(department, 200, until=UNTIL)
    (running,) = TemporaryRaise.objects.all()
    done: list[bool] = []
    assert at_once([lambda: done.append(temporary.fall_back(running.pk, at=OVER))] * 8) == [None] * 8
    assert sorted(done) == [False] * 7 + [True]
    assert LimitChange.objects.filter(origin=Origin.FELL_BACK).count() == 1


@pytest.mark.django_db(transaction=True)
def test_falling_back_and_being_renewed_at_once_one_of_them_wins() -> None:
    renewed = UNTIL + timedelta(days=60)
    for _round in range(5):
        department = unit(vcpus=100)
        granted(department, 200, until=UNTIL)
        running = TemporaryRaise.objects.get(account=account(department))
        works: list[Callable[[], object]] = [
            lambda pk=running.pk: temporary.fall_back(pk, at=OVER),
            lambda department=department: granted(department, 200, until=renewed),
        ]
        _fallen, refusal = at_once(works)
        running.refresh_from_db()
        if running.status == RaiseStatus.ENDED:
            assert account(department).limit in {100, 200}
            assert refusal is None or isinstance(refusal, LimitMoved)
        else:
            assert (running.status, account(department).limit, refusal) == (RaiseStatus.REPLACED, 200, None)


KILLED = """
import os, signal, sys
from datetime import datetime
import django
django.setup()
from django.db import transaction
from govcloud.quotas import temporary
with transaction.atomic():
    assert temporary.fall_back(int(sys.argv[1]), at=datetime.fromisoformat(sys.argv[2]))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_before_it_has_let_a_limit_fall_back_leaves_it_to_the_next(tmp_path: Path) -> None:
    department = unit(vcpus=100)
    granted(department, 200, until=UNTIL)
    (running,) = TemporaryRaise.objects.all()
    database = connection.settings_dict
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "govcloud.settings",
        "DATABASE_URL": f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}",
        "SECRET_KEY": "for this test",
        "CREDENTIAL_KEYS": "one key for this test that is long enough to be one",
        "GOVCLOUD_VAR": str(tmp_path),
    }
    if database["PASSWORD"] or database["PORT"]:
        environment["DATABASE_URL"] = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{database['NAME']}"
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(running.pk), OVER.isoformat()],
        env=environment, check=False, timeout=120, capture_output=True,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert account(department).limit == 200
    assert list(temporary.due(at=OVER)) == [running.pk]
    assert temporary.fall_back(running.pk, at=OVER)
    assert account(department).limit == 100


@pytest.mark.django_db
def test_the_sweep_lets_everything_fall_back_whose_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    departments = [unit(vcpus=100) for _unit in range(3)]
    for n, department in enumerate(departments):
        granted(department, 200 + n, until=UNTIL)
    later = UNTIL + timedelta(days=365)
    granted(departments[0], 200, until=later)  # renewed
    clock = tmp_path / "clock"
    clock.write_text(str((OVER - datetime.now(UTC)).total_seconds() + 60))
    monkeypatch.setattr(conf.settings, "DEMO_CLOCK_FILE", clock)
    for _again in range(2):
        tasks.sweep()
    assert [account(each).limit for each in departments] == [200, 100, 100]


# whatever happens in whatever order


class Tree(RuleBasedStateMachine):
    """A top, two units below it and two below each: limits change, quota is held, time ends."""

    def __init__(self) -> None:
        super().__init__()
        self.work = transaction.atomic()
        self.work.__enter__()
        self.top = unit(vcpus=60)
        self.middles = [unit(self.top, vcpus=20) for _unit in range(2)]
        self.leaves = [unit(middle, vcpus=5) for middle in self.middles for _unit in range(2)]
        self.all = [self.top, *self.middles, *self.leaves]
        self.approver = member(Role.UNIT_APPROVER, self.top)
        self.fallen: set[int] = set()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.work.__exit__(None, None, None)

    def tried(self, work: Callable[[], None]) -> bool:
        before = self.limits()
        try:
            with transaction.atomic():
                work()
        except (LimitBelowUse, LimitBelowHandedOn, LimitBeyondUnitAbove, QuotaExceeded):
            assert self.limits() == before
            return False
        return True

    def limits(self) -> dict[int, int | None]:
        return dict(
            QuotaAccount.objects.filter(department__in=self.all, dimension=VCPUS).values_list(
                "department", "limit"
            )
        )

    def settle(self, department: Department, limit: int) -> None:
        now = account(department)
        assert now.limit == limit
        if now.taken <= limit:
            self.fallen.discard(department.pk)

    @rule(which=st.integers(1, 6), limit=st.integers(0, 70))
    def hand_on(self, which: int, limit: int) -> None:
        below = self.all[which]
        if self.tried(lambda: hand_on(below, limit, by=self.approver)):
            self.settle(below, limit)

    @rule(which=st.integers(0, 6), limit=st.integers(0, 90))
    def order(self, which: int, limit: int) -> None:
        asking = self.all[which]
        if self.tried(lambda: granted(asking, limit)):
            self.settle(asking, limit)

    @rule(which=st.integers(0, 3), more=st.integers(1, 20))
    def raise_for_a_time(self, which: int, more: int) -> None:
        leaf = self.leaves[which]
        self.tried(lambda: granted(leaf, (account(leaf).limit or 0) + more, until=UNTIL))

    @rule()
    def end_of_the_year(self) -> None:
        for running in TemporaryRaise.objects.running():
            assert temporary.fall_back(running.pk, at=OVER)
            now = QuotaAccount.objects.get(pk=running.account_id)
            assert now.limit == running.falls_back_to
            if now.taken > running.falls_back_to:
                self.fallen.add(now.department_id)

    @rule(which=st.integers(0, 6), amount=st.integers(1, 9))
    def hold(self, which: int, amount: int) -> None:
        self.tried(lambda: hold(self.all[which], amount))

    @invariant()
    def no_unit_has_handed_on_more_than_it_has(self) -> None:
        limits = self.limits()
        for department in (self.top, *self.middles):
            below = [limits[each.pk] or 0 for each in self.all if each.parent_id == department.pk]
            assert sum(below) <= (limits[department.pk] or 0)

    @invariant()
    def nobody_holds_more_than_the_limit_but_where_it_has_fallen_back(self) -> None:
        for each in self.all:
            now = account(each)
            assert now.taken <= (now.limit or 0) or each.pk in self.fallen

    @invariant()
    def the_history_of_each_account_leads_to_its_limit_without_a_gap(self) -> None:
        for each in self.all:
            now = account(each)
            changes = list(now.changes.order_by("pk"))
            befores = [change.before for change in changes] + [now.limit]
            assert befores == [0, *(change.after for change in changes)]
            assert now.version == len(changes)


@pytest.mark.django_db
def test_no_sequence_of_changes_breaks_the_tree() -> None:
    run_state_machine_as_test(
        Tree,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
