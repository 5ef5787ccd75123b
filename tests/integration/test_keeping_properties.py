"""Recovery points and legal holds, whatever plans, people and clouds do in whatever order: against ``reference_of_keeping``."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import ClassVar, TypeVar

import pytest
from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from govcloud.audit.models import Event
from govcloud.gateways import openstack
from govcloud.inventory.models import Project, Resource
from govcloud.orders.drafts import BackupDraft, ReleaseDraft, StorageDraft
from govcloud.orders.models import Order
from govcloud.protection import clearing, holds
from govcloud.protection import services as protection
from govcloud.protection.models import BackupPlan, LegalHold, PlannedVolume, RecoveryPoint
from govcloud.provisioning import engine
from govcloud.provisioning.lifecycle import FINISHED
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.models import QuotaAccount
from govcloud.sandbox.cloud import Cloud
from tenants.models import Role, User
from tests import machines
from tests.chaos.agenda import Agenda
from tests.chaos.wire import Sent
from tests.factories.orders import Scene, approve_all, approved, scene, submitted
from tests.factories.tenants import member
from tests.integration import virtual
from tests.integration.reference_of_keeping import Keeping, Plan, Point, Volume
from tests.machines import Pick

T = TypeVar("T")
AT = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
STORED = {"first": {"a", "b"}, "second": {"b", "c"}}
"""The volumes that each plan covers; both count their own points of what is in both."""
KEEPS = {"first": 1, "second": 2}
DUE = {"first": AT + timedelta(days=1), "second": AT + timedelta(days=1, hours=12)}
SIZES = {"a": 10, "b": 20, "c": 30}
VERBS = (
    "recovery_point.recorded",
    "recovery_point.expired",
    "recovery_point.lost",
    "recovery_point.found",
    "legal_hold.placed",
    "legal_hold.lifted",
)

visits = st.sampled_from([0, 1, 2, 3, 5, 8])
"""How many visits workers make before something else happens."""


class Retention(RuleBasedStateMachine):
    """Three volumes and two plans of one system. What has been begun is under way until a rule lets workers finish it."""

    agenda: ClassVar[Agenda]
    cloud: ClassVar[Cloud]
    scene: ClassVar[Scene]
    deleted: ClassVar[Counter[str]] = Counter()  # what the cloud was asked to delete, by id

    @classmethod
    @contextmanager
    def built(cls) -> Iterator[None]:
        """What every sequence begins with, built once: each puts back what it changes."""
        cls.agenda = Agenda(AT)
        with virtual.cloud(cls.agenda, watch=_note_deletions(cls.deleted)) as cls.cloud:
            cls.scene = scene(mlps_level=1)
            volumes = (
                StorageDraft(name=code, zone="private", storage_class="sas", size_gb=gb)
                for code, gb in SIZES.items()
            )
            approved(cls.scene, at=AT, items=tuple(volumes))
            for name in STORED:
                backup = BackupDraft(name=name, dr_level=2, capacity_gb=100, frequency="daily", off_site=True)
                approved(cls.scene, at=AT, items=(backup,))
            virtual.work(cls.agenda)
            for name, codes in STORED.items():
                plan = BackupPlan.objects.get(name=name)
                for code in sorted(codes):
                    volume = Resource.objects.get(name=code).volume
                    PlannedVolume.objects.create(plan=plan, volume=volume, since=AT)
                BackupPlan.objects.filter(pk=plan.pk).update(keep=KEEPS[name], next_run_at=DUE[name])
            yield

    def __init__(self) -> None:
        super().__init__()
        self.agenda.now = AT + timedelta(hours=1)
        self.deleted.clear()
        self.taken_away: dict[str, dict[str, object]] = {}  # what the cloud has lost, by id
        self.releases: list[tuple[int, str]] = []  # that wait for their last approvals, and of what
        self.keeping = Keeping(
            {
                code: Volume(size, {p for p, codes in STORED.items() if code in codes})
                for code, size in SIZES.items()
            },
            {name: Plan(keeps, 100, DUE[name]) for name, keeps in KEEPS.items()},
        )
        with ExitStack() as stack:
            stack.enter_context(transaction.atomic())
            stack.enter_context(virtual.restored(self.cloud))
            self.keeper, self.operator = member(Role.AUTHORITY_APPROVER), member(Role.CLOUD_ADMIN)
            self.stack = stack.pop_all()

    def teardown(self) -> None:
        try:
            for _twice in range(2):
                self.workers_finish()
                self.the_sweep_clears_up(visits=0)
            self.workers_finish()
            self.nothing_is_left_that_nothing_keeps()
        finally:
            transaction.set_rollback(True)
            self.stack.close()

    # -- what the rules are made of

    @property
    def now(self) -> datetime:
        return self.agenda.now

    def resource(self, name: str) -> Resource:
        return Resource.objects.with_particulars().get(name=name)

    def fresh(self, person: User) -> User:
        """Read anew, as with each request."""
        return User.objects.get(pk=person.pk)

    def work(self, visits: int) -> None:
        engine.run_due(clock=self.agenda, most=visits)
        self.notice()

    def notice(self) -> None:
        """What workers have done since: the model hears of points that were taken and of points that are gone, and says whether that
        may be.
        """
        for row in RecoveryPoint.objects.select_related("run__plan", "volume__resource").order_by(
            "taken_at", "pk"
        ):
            if row.pk not in self.keeping.points:
                self.keeping.taken(
                    row.pk, row.run.plan.name, row.volume.resource.name, len(self.keeping.points)
                )
            if row.expired_at is not None and self.keeping.points[row.pk].stands:
                self.keeping.expired(row.pk)

    def attempt(self, act: Callable[[], T], *, allowed: bool, unless: Collection[str] = ()) -> T | None:
        done, refusal = machines.attempted(act, everything=self.everything)
        if refusal is None:
            assert allowed, "it was not refused"
        else:
            assert not allowed or refusal.code in unless, f"refused: {refusal}"
        return done

    def everything(self) -> list[list[tuple[object, ...]]]:
        rows = (
            RecoveryPoint.objects.values_list("pk", "expired_at", "lost"),
            LegalHold.objects.values_list("pk", "lifted_at"),
            Resource.objects.values_list("pk", "status"),
            PlannedVolume.objects.values_list("pk", "until"),
            Order.objects.values_list("pk", "status"),
            Operation.objects.values_list("pk"),
            Event.objects.exclude(outcome="refused").values_list("pk"),
        )
        return [list(each.order_by("pk")) for each in rows]

    def point(self, which: Pick, fits: Callable[[Point], bool]) -> tuple[int, Point] | None:
        points = list(self.keeping.points.items())
        return which.of([each for each in points if fits(each[1])], points)

    # -- plans and the sweep

    @initialize(visits=visits, which=st.integers(0, 7))
    def each_plan_has_run(self, visits: int, which: int) -> None:
        """And one of the points is held, mostly."""
        self.plans_run(8, 36)
        if which < len(self.keeping.points):
            self.a_hold_is_placed(Pick(which), Pick(0), "matter 12")
        self.plans_run(visits, 24)

    @rule(visits=visits, hours=st.sampled_from([12, 24, 36, 60]))
    def plans_run(self, visits: int, hours: int) -> None:
        """Those that are due after so many hours; all that was begun before has been done by then."""
        self.workers_finish()
        self.agenda.pass_by(hours * 3600)
        begun = protection.run_due(at=self.now)
        plans = BackupPlan.objects.filter(runs__operation__in=begun).values_list("name", flat=True)
        assert set(plans) == self.keeping.run_due(at=self.now)
        assert protection.run_due(at=self.now) == []
        self.work(visits)

    @rule()
    def workers_finish(self) -> None:
        virtual.work(self.agenda)
        protection.take_up_runs(at=self.now)
        self.notice()
        self.keeping.at_rest()
        self.what_is_at_rest_agrees()

    @rule(visits=visits)
    def the_sweep_clears_up(self, visits: int) -> None:
        self.notice()
        clearing.give_up(at=self.now)
        clearing.expire(at=self.now)
        self.keeping.sweep()
        assert clearing.expire(at=self.now) == [], "all of it is under way"
        self.work(visits)

    # -- legal holds

    @rule(
        which=machines.picks,
        who=machines.picks,
        reason=st.sampled_from([*["matter 12"] * 5, " "]),
    )
    def a_hold_is_placed(self, which: Pick, who: Pick, reason: str) -> None:
        if (found := self.point(which, self.keeping.may_be_held)) is None:
            return
        self.place(*found, reason=reason, actor=self.keeper if who.rightly else self.operator)

    def place(self, key: int, point: Point, *, reason: str, actor: User) -> None:
        may = actor == self.keeper and self.keeping.may_be_held(point)
        done = self.attempt(
            lambda: holds.place(
                point=RecoveryPoint.objects.get(pk=key), reason=reason, actor=self.fresh(actor), at=self.now
            ),
            allowed=may and bool(reason.strip()),
            unless={"recovery-point-gone"} if point.may_go else (),
        )
        if done is not None:
            self.keeping.hold(key)

    @rule(which=machines.picks, who=machines.picks, reason=st.sampled_from([*["closed"] * 5, ""]))
    def a_hold_is_lifted(self, which: Pick, who: Pick, reason: str) -> None:
        if (found := self.point(which, lambda each: each.held)) is None:
            return
        key, point = found
        done = self.attempt(
            lambda: holds.lift(
                point=RecoveryPoint.objects.get(pk=key), reason=reason,
                actor=self.fresh(self.keeper if who.rightly else self.operator), at=self.now,
            ),
            allowed=who.rightly and bool(reason) and point.held,
        )  # fmt: skip
        if done is not None:
            point.held = False
            self.keeping.told["legal_hold.lifted"] += 1

    # -- releases

    @rule(name=st.sampled_from([*SIZES, *STORED]))
    def a_release_is_ordered(self, name: str) -> None:
        """Refused while a point of it is held; of an allowance never, as what is held of it stays."""
        if not self.stands(name) or any(of == name for _order, of in self.releases):
            return
        resource = self.resource(name)
        items = (ReleaseDraft(target=resource.uuid, kind=resource.kind),)
        held = name in SIZES and self.keeping.is_held(name)
        order = self.attempt(lambda: submitted(self.scene, at=self.now, items=items), allowed=not held)
        if order is not None:
            self.releases.append((order.pk, name))

    @rule(which=machines.picks, visits=visits)
    def a_release_is_approved(self, which: Pick, visits: int) -> None:
        if not self.releases:
            self.a_release_is_ordered(sorted(SIZES)[which.number % len(SIZES)])
        if self.releases:
            self.approve(*self.releases[which.number % len(self.releases)], visits=visits)

    @rule(which=machines.picks, visits=visits)
    def a_hold_is_placed_while_a_release_waits_for_its_approval(self, which: Pick, visits: int) -> None:
        """Nothing was held when it was ordered: who approves has to look once more."""
        free = [
            (name, key, point)
            for name in sorted(SIZES)
            if self.stands(name) and not self.keeping.is_held(name)
            for key, point in self.keeping.standing(volume=name)
            if not point.doomed
        ]
        if (found := Pick(which.number).of(free)) is None:
            return
        name, key, point = found
        self.a_release_is_ordered(name)
        self.place(key, point, reason="matter 12", actor=self.keeper)
        (order,) = (order for order, of in self.releases if of == name)
        self.approve(order, name, visits=visits)

    def approve(self, order: int, name: str, *, visits: int) -> None:
        held = name in SIZES and self.keeping.is_held(name)
        done = self.attempt(
            lambda: approve_all(self.scene, Order.objects.get(pk=order), at=self.now),
            allowed=not held and self.stands(name),
        )
        if done is not None:
            self.releases.remove((order, name))
            (self.keeping.release_volume if name in SIZES else self.keeping.release_allowance)(name)
            self.work(visits)

    def stands(self, name: str) -> bool:
        if name in SIZES:
            return self.keeping.volumes[name].stands
        return not (self.keeping.plans[name].going or self.keeping.plans[name].ended)

    # -- what is lost, and found

    @rule(which=machines.picks)
    def the_cloud_loses_a_point(self, which: Pick) -> None:
        found = self.point(which, lambda each: each.stands)
        if found is None or not found[1].stands:
            return
        key, point = found
        row = RecoveryPoint.objects.get(pk=key)
        there = self.cloud.store.get("backup", row.external_id)
        if there is None or there["status"] != "available":
            return
        self.taken_away[row.external_id] = dict(there)
        self.cloud.store.delete("backup", row.external_id)
        for _twice in range(2):
            protection.lose_point(external_id=row.external_id, actor=self.operator, at=self.now)
        point.lost = True
        self.keeping.told["recovery_point.lost"] += 1

    @rule(which=machines.picks)
    def a_lost_point_is_found(self, which: Pick) -> None:
        found = self.point(which, lambda each: each.lost)
        if found is None or not found[1].lost:
            return
        self.workers_finish()
        key, point = found
        row = RecoveryPoint.objects.get(pk=key)
        self.cloud.store.save("backup", self.taken_away.pop(row.external_id))
        for _twice in range(2):
            protection.find_point(external_id=row.external_id, actor=self.operator, at=self.now)
        point.lost = False
        self.keeping.told["recovery_point.found"] += 1

    @rule(code=st.sampled_from(sorted(SIZES)))
    def a_volume_is_lost(self, code: str) -> None:
        """As a comparison with the cloud records it: nobody has wiped it, and its points may be all there is of it."""
        if not self.keeping.volumes[code].stands:
            return
        self.workers_finish()
        resource = self.resource(code)
        protection.uncover(volumes=[resource.volume], actor=self.operator, thread=None, at=self.now)
        Resource.objects.filter(pk=resource.pk).update(status="released", released_at=self.now)
        self.keeping.lose_volume(code)

    # -- what has to hold

    @invariant()
    def points_are_where_they_should_be(self) -> None:
        self.notice()
        rows = RecoveryPoint.objects.values_list("pk", "expired_at", "lost", "external_id")
        standing = {pk for pk, expired_at, _lost, _id in rows if expired_at is None}
        assert standing == {key for key, point in self.keeping.points.items() if point.stands}
        assert {pk for pk, _at, lost, _id in rows if lost} == {
            k for k, point in self.keeping.points.items() if point.lost
        }
        in_cloud = {row["id"]: row["status"] for row in self.cloud.store.find("backup")}
        for pk, _at, _lost, external_id in rows:
            point = self.keeping.points[pk]
            if point.stands and not (point.doomed or point.may_go):
                assert in_cloud.get(external_id) == "available"

    @invariant()
    def nothing_deletes_what_is_held(self) -> None:
        in_force = LegalHold.objects.filter(lifted_at=None)
        assert set(in_force.values_list("point", flat=True)) == {
            k for k, p in self.keeping.points.items() if p.held
        }
        going = Step.objects.filter(kind="backup", desired="absent").exclude(state__in=FINISHED)
        held = in_force.values("point__external_id")
        assert not going.filter(external_id__in=held).exists()
        assert not Step.objects.filter(state="parked").exists()

    @invariant()
    def nothing_is_deleted_twice(self) -> None:
        assert all(times == 1 for times in self.deleted.values())
        expired = Event.objects.filter(verb="recovery_point.expired").values_list("subject_id", flat=True)
        assert max(Counter(expired).values(), default=1) == 1

    @invariant()
    def the_trail_has_one_record_of_each_event(self) -> None:
        told = Event.objects.filter(outcome="done", verb__in=VERBS).values_list("verb", flat=True)
        assert Counter(told) == +self.keeping.told

    def what_is_at_rest_agrees(self) -> None:
        """The quota that is used is what stands, the cloud has nothing else than what is recorded, and allows for all of it."""
        granted = sum(plan.capacity for plan in self.keeping.plans.values() if not plan.ended)
        account = QuotaAccount.objects.get(dimension="backup_gb", department=self.scene.department)
        assert (account.held, account.used) == (0, granted)
        recorded = set(RecoveryPoint.objects.filter(expired_at=None).values_list("external_id", flat=True))
        assert {row["id"] for row in self.cloud.store.find("backup")} == recorded
        if not self.keeping.told[
            "recovery_point.lost"
        ]:  # the limit follows that with the next operation that sets it
            project = Project.objects.get(system=self.scene.system).external_id
            limit = openstack.connect(cloud="sandbox").quotas.volume(project)["backup_gigabytes"].limit
            assert limit is not None
            assert limit >= self.keeping.room

    def nothing_is_left_that_nothing_keeps(self) -> None:
        for _key, point in self.keeping.standing():
            plan, volume = self.keeping.plans[point.plan], self.keeping.volumes[point.volume]
            assert point.held or not (plan.ended or volume.gone)
        if not self.keeping.told["recovery_point.lost"]:
            project = Project.objects.get(system=self.scene.system).external_id
            limit = openstack.connect(cloud="sandbox").quotas.volume(project)["backup_gigabytes"].limit
            assert limit == self.keeping.room


def _note_deletions(deleted: Counter[str]) -> Callable[[str, Sent], None]:
    def note(when: str, sent: Sent) -> None:
        if when == "after" and sent.method == "DELETE" and "/backups/" in sent.path:
            deleted[sent.path.rpartition("/")[2]] += 1

    return note


@pytest.mark.django_db
def test_no_sequence_of_runs_holds_and_releases_breaks_what_is_kept() -> None:
    with Retention.built():
        machines.run(Retention, examples=10, steps=20)
