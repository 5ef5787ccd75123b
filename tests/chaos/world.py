"""One simulated world: a cloud, a database, workers, people, orders, and one seed that decides everything."""

import hashlib
import logging
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Greatest

from govcloud import clock
from govcloud.catalog.models import Cloud
from govcloud.gateways import openstack
from govcloud.inventory.models import Project, Resource, ResourceKind
from govcloud.notifications.tasks import deliver
from govcloud.provisioning import queue, tasks
from govcloud.provisioning.lifecycle import OperationStatus
from govcloud.provisioning.models import Operation, Step
from tests.chaos import oracle
from tests.chaos.actions import OTHER_IMAGE, outside_guests
from tests.chaos.adoption import Adoption, at_hand
from tests.chaos.agenda import Agenda
from tests.chaos.backups import Authority, without_limits
from tests.chaos.faults import Faults
from tests.chaos.in_memory import in_memory
from tests.chaos.orders import BUILDING, SHARES, ZONE, Orders
from tests.chaos.people import People, soon
from tests.chaos.recoveries import Disks, Recoveries, written_otherwise
from tests.chaos.runner import Outcome
from tests.chaos.switching import Switching
from tests.chaos.weather import Weather, drawn
from tests.chaos.wire import Wire, plugged
from tests.chaos.workers import ConnectionDropped, Shift
from tests.factories.catalog import CloudImageFactory, catalogue
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory, SystemFactory

START = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
SYSTEMS = 3
SWEEP = timedelta(seconds=2)
FAULTS_GO_ON = timedelta(minutes=30)  # after the last order
QUIET_LIMIT = timedelta(hours=4)
WITH_HOLDS = 0.5  # of the worlds: recovery points come under legal holds
WITH_RECOVERIES = 0.5  # of the worlds: recovery points are written over volumes
WITH_SWITCHING = 0.5  # of the worlds: servers are started and stopped more often
WITH_TAKEOVERS = 0.4  # of the worlds: one more system's things were built by hand, and are taken over
WITHDRAWN = 0.2  # of what is asked for besides
ROUNDS = 6  # of surveys at the end, until all is taken over that can be
SWEEPS = 3  # that recovery points get at the end, which nothing keeps any more
TRIES = 4  # that an administrator gives what somebody broke by hand


class World:
    """Build it, ``run`` it once, read the outcome. Needs the database for itself.

    In some worlds there is more than in a ``plain`` one. What there is more of draws from generators of its own: but for what
    comes of it, the others go on as they would without.
    """

    def __init__(
        self,
        *,
        seed: int,
        orders: int,
        plain: bool = False,
        weather: Weather | None = None,
        trace: list[str] | None = None,
    ) -> None:
        self.seed, self.size, self.trace = seed, orders, trace
        self.random = Random(seed)
        self.agenda = Agenda(START)
        self.digest = hashlib.blake2b(digest_size=8)
        self.crashes: list[str] = []
        self.weather = weather or drawn(self.random)
        self.faults = Faults(self.random, self.weather)
        self.shift = Shift(self.agenda, self.random, self.note, late_answers=self.weather.late_answers)
        self.placing = True
        self.held = Random(f"{seed}-holds")
        self.has_holds = not plain and self.held.random() < WITH_HOLDS
        self.authority: Authority | None = None
        self.recovered = Random(f"{seed}-recoveries")
        self.has_recoveries = not plain and self.recovered.random() < WITH_RECOVERIES
        self.recoveries: Recoveries | None = None
        self.switched = Random(f"{seed}-switching")
        self.has_switching = not plain and self.switched.random() < WITH_SWITCHING
        self.adopted = Random(f"{seed}-takeovers")
        self.has_takeovers = not plain and self.adopted.random() < WITH_TAKEOVERS
        self.adoption: Adoption | None = None

    def note(self, line: str) -> None:
        text = f"{(self.agenda.now - START).total_seconds():10.2f} {line}"
        self.digest.update(text.encode())
        if self.trace is not None:
            self.trace.append(text)

    def run(self) -> Outcome:
        outcome = Outcome(self.seed)
        with ExitStack() as stack:
            self._open(stack)
            self._prepare()
            self.faults.share = self.shift.share = self.weather.share
            self._let_orders_come()
            self.agenda.run_while(lambda: self.placing, until=self._limit(timedelta(days=2)))
            outcome.orders = self.orders.placed
            self.agenda.run_while(self._busy, until=self._limit(FAULTS_GO_ON))
            last = self.agenda.now
            self._calm()
            self.agenda.run_while(self._busy, until=self._limit(QUIET_LIMIT))
            self._recover_the_rest()
            self._lift_holds()
            self._adopt_the_rest()
            for _sweep in range(SWEEPS):
                if self._clear():
                    self.agenda.run_while(self._busy, until=self._limit(QUIET_LIMIT))
            self.people.repair()
            outcome.quiet_seconds = (self.agenda.now - last).total_seconds()
            self._judge(outcome)
        return outcome

    def _limit(self, after: timedelta) -> datetime:
        return self.agenda.now + after

    # -- before

    def _open(self, stack: ExitStack) -> None:
        empty_tables()
        ids = Random(self.seed)
        stack.enter_context(mock.patch.object(uuid, "os", SimpleNamespace(urandom=ids.randbytes)))
        there = in_memory(lambda directory: Disks(directory, self.agenda), at=self.agenda.now)
        self.cloud = stack.enter_context(there)
        self.disks = self.cloud.guests
        stack.enter_context(mock.patch.object(settings, "SECOND_FACTOR", "offered"))
        stack.enter_context(outside_guests())
        stack.enter_context(without_limits())
        stack.enter_context(at_hand())
        stack.enter_context(mock.patch.object(settings, "DEMO_CLOCK_FILE", None))  # a demo may have moved it
        self.people = People(self.cloud, self.agenda, self.random, self.note)
        wire = Wire(self.cloud, self.agenda, self.faults, self.shift.moment)
        wire.elapse = self.shift.stall
        stack.enter_context(plugged(wire, self.agenda))
        stack.enter_context(self.shift.at_work())
        ticks = SimpleNamespace(monotonic=self.agenda.ticks)
        stack.enter_context(
            mock.patch.multiple(clock, _of_the_database=self.agenda, time=ticks, now=self.shift.own_clock)
        )
        stack.enter_context(mock.patch.object(tasks.ring, "apply_async", self._bell))
        stack.enter_context(mock.patch.object(tasks, "_when_ended", []))
        stack.enter_context(mock.patch.object(deliver, "apply_async"))  # nobody is told anything
        stack.enter_context(crashes_noted(self.crashes))

    def _prepare(self) -> None:
        """Three systems of one department, each with its project and its network."""
        catalogue()
        CloudImageFactory(image__code=OTHER_IMAGE)
        department = DepartmentFactory()
        opened(department)
        systems = [
            SystemFactory(department=department, level_3=True, code=f"space-{number}")
            for number in range(SYSTEMS)
        ]
        shares = BUILDING if self.weather.builds else SHARES
        self.orders = Orders(systems, self.random, self.agenda, self.people.write_into, shares)
        self.agenda.add(timedelta(), self._sweep)
        for system in systems:
            self.orders.network(system)
            self.agenda.run_while(self._busy, until=self._limit(timedelta(hours=1)))
        for project in Project.objects.all():
            unlimited(project.external_id)
        self.orders.placed = 0
        if self.has_takeovers:
            system = SystemFactory(department=department, level_3=True, code="adopted")
            self.adoption = Adoption(self.adopted, self.agenda, Cloud.objects.get(), system, ZONE)
            self.adoption.build(unlimited)

    # -- bells

    def _bell(self, *, countdown: float = 0.0, **_options: Any) -> None:
        """A message that says "look": lost, sent twice or late now and then."""
        for _copy in range(self.random.choice((0, 1, 1, 1, 1, 1, 1, 2)) if self.faults.share else 1):
            delay = self.random.choice((0.0, 0.0, 0.3, 9.0)) if self.faults.share else 0.0
            self.agenda.add(timedelta(seconds=countdown + delay), self.shift.visit)

    def _sweep(self) -> None:
        due = queue.due(at=self.agenda.now, most=tasks.MOST_BELLS)
        for _ in range(due):
            self._bell()
        self.agenda.add(
            SWEEP if due else max(SWEEP, min(self._next_due() - self.agenda.now, SWEEP * 5)), self._sweep
        )

    def _next_due(self) -> datetime:
        waiting = Step.objects.filter(next_run_at__isnull=False).annotate(
            due=Greatest("next_run_at", "lease_until")
        )
        return waiting.order_by("due").values_list("due", flat=True).first() or self.agenda.now + SWEEP * 5

    def _busy(self) -> bool:
        return any(not self._given_up(operation) for operation in unended())

    def _given_up(self, operation: Operation) -> bool:
        """What people broke by hand may wait for them for ever, once they have tried it again."""
        if operation.status != OperationStatus.PARKED or self.people.asked.get(operation.pk, 0) <= TRIES:
            return False
        steps = list(operation.steps.values_list("unit", "desired_state"))
        units = {str(unit) for unit, _ in steps} | {
            str(value) for _, state in steps for value in state.values()
        }
        known = {str(unit): key for unit, key in Resource.objects.values_list("unit", "external_id")}
        things = {known[unit] for unit in units & known.keys()}
        holders = {
            row["server_id"] for row in self.cloud.store.find("attachment") if row["volume_id"] in things
        }  # a server whose label was taken before we knew its id keeps our volume
        return bool((things | holders) & self.people.taken)

    # -- what happens

    def _let_orders_come(self) -> None:
        self.agenda.add(timedelta(), self._order)
        self.agenda.add(timedelta(seconds=90), self._desk)
        if self.has_holds:
            self.authority = Authority(
                self.held, self.agenda, there=self._is_kept, refused=self.orders.refuses_release
            )
            self.agenda.add(timedelta(seconds=60), self._authority_decides)
        if self.has_recoveries:
            self.recoveries = Recoveries(self.recovered, self.agenda)
            self._begin_aside(self.recoveries)
        if self.has_switching:
            self._begin_aside(Switching(self.switched, self.agenda))
        if self.adoption is not None:
            self.agenda.add(soon(self.adopted, 60), self._adopt)

    def _order(self) -> None:
        """One order, and when the next one comes."""
        with transaction.atomic():
            operation = self.orders.place()
        self.note(f"order {operation.reason} {operation.kind}")
        if self.random.random() < 0.2:
            self.agenda.add(soon(self.random, 120), lambda: self.people.withdraw(operation.pk))
        if self.random.random() < 0.05 * bool(self.faults.share):
            self.agenda.add(soon(self.random, 60), self.people.meddle)
        if self.random.random() < 0.1:
            self._change_pace()
        if self.orders.placed < self.size:
            self.agenda.add(soon(self.random, self.weather.pause), self._order)
        else:
            self.placing = False

    def _change_pace(self) -> None:
        """The cloud is at once, quick or slow from now on."""
        factor = self.random.choice((0.0, 0.0, 1.0, 20.0))
        usual = {"build": 0.8, "delete": 0.4, "action": 0.4, "volume": 0.4, "attach": 0.3, "backup": 0.6}
        self.cloud.timing.change({f"{name}_seconds": seconds * factor for name, seconds in usual.items()})

    def _desk(self) -> None:
        """The administrator looks at what waits, now and then."""
        self.people.look_at_parked(patient=bool(self.faults.share))
        self._clear()
        self.agenda.add(timedelta(seconds=self.random.uniform(60, 600)), self._desk)

    def _authority_decides(self) -> None:
        """Whatever is being done to what it decides about."""
        if self.authority is not None and self.faults.share:
            decided = self.authority.decide()
            if decided:
                self.note(f"authority {decided}")
            self.agenda.add(soon(self.held, 30), self._authority_decides)

    def _is_kept(self, backup_id: str) -> bool:
        row = self.cloud.store.get("backup", backup_id)
        return row is not None and row["status"] != "deleting" and not row.get("deleted")

    def _lift_holds(self) -> None:
        """Most of them; then every plan runs once more, and takes what was only kept by them."""
        if self.authority is not None and self.authority.lift_most():
            self.note("holds are lifted")
            with transaction.atomic():
                self.orders.run_all()
            self.agenda.run_while(self._busy, until=self._limit(QUIET_LIMIT))

    def _begin_aside(self, people: Recoveries | Switching) -> None:
        self.agenda.add(soon(people.random, 60), lambda: self._aside(people))

    def _aside(self, people: Recoveries | Switching) -> None:
        """Somebody asks for more of one thing, and now and then calls it off."""
        if not self.faults.share:
            return
        with transaction.atomic():
            operation = people.go_on(self.orders.systems)
        if operation is not None:
            self.note(f"somebody asks for {operation.action}")
            if people.random.random() < WITHDRAWN:
                self.agenda.add(soon(people.random, 60), lambda: self.people.withdraw(operation.pk))
        self.agenda.add(soon(people.random, people.pause), lambda: self._aside(people))

    def _recover_the_rest(self) -> None:
        """With nothing failing any more: what was left half written is written over, too."""
        if self.recoveries is None:
            return
        for _round in range(ROUNDS):
            for system in self.orders.systems:
                with transaction.atomic():
                    self.recoveries.go_on([system])
            self.agenda.run_while(self._busy, until=self._limit(QUIET_LIMIT))

    def _adopt(self) -> None:
        """The administrator asks for what can be taken over, and now and then somebody calls that off."""
        if self.adoption is None:
            return
        if (operation := self.adoption.go_on()) is not None:
            self.note("takeover begins")
            if self.faults.share and self.adopted.random() < 0.5:
                self.agenda.add(soon(self.adopted, 10), lambda: self.people.withdraw(operation.pk))
        if (network := self.adoption.network()) is not None:
            self.orders.welcome(self.adoption.system, network.unit)
        if self.faults.share:
            self.agenda.add(timedelta(seconds=self.adopted.uniform(20, 120)), self._adopt)

    def _adopt_the_rest(self) -> None:
        """Until nothing can be taken over any more. Every other project is then emptied: all of it goes, and its network last."""
        if self.adoption is None:
            return
        for _round in range(ROUNDS):
            self._adopt()
            self.agenda.run_while(self._busy, until=self._limit(QUIET_LIMIT))
        if self.adopted.random() < 0.5:
            kinds = [ResourceKind.SERVER, ResourceKind.VOLUME]
            if self.adoption.is_over():  # else others are on the network still
                kinds.append(ResourceKind.NETWORK)
            for kind in kinds:
                with transaction.atomic():
                    self.orders.empty(self.adoption.system, kind)
                self.agenda.run_while(self._busy, until=self._limit(QUIET_LIMIT))

    def _calm(self) -> None:
        """Nothing fails from now on, and the cloud's operators mend what the faults left half done."""
        self.note("the last fault")
        self.faults.over()
        self.shift.share = 0.0
        self._repairs()

    def _repairs(self) -> None:
        self.people.repair()
        self.agenda.add(timedelta(minutes=10), self._repairs)

    def _clear(self) -> bool:
        with transaction.atomic():
            begun = self.orders.clear()
        if begun:
            self.note("recovery points expire")
        return begun

    # -- after

    def _judge(self, outcome: Outcome) -> None:
        verdict = oracle.examine(taken=self.people.taken)
        outcome.visits, outcome.parked = self.shift.visits, len(self.people.parked)
        outcome.undone = Operation.objects.filter(status=OperationStatus.UNDONE).count()
        outcome.counts = verdict.counts()
        outcome.violations = [
            *verdict.lines(),
            *(
                f"never quiet: {each.reason} {each.kind} is {each.status}"
                for each in unended()
                if not self._given_up(each)
            ),
            *(self.authority.broken if self.authority is not None else ()),
            *written_otherwise(self.disks.written, taken=self.people.taken),
            *(self.adoption.left_out(self.people.taken) if self.adoption is not None else ()),
            *(f"engine: {crash}" for crash in self.crashes + self.shift.escaped),
        ]
        outcome.faults = {**self.faults.drawn, **self.shift.hits}
        outcome.digest = self.digest.hexdigest()


def unlimited(project_id: str) -> None:
    """Limits are not simulated: room is the cloud's own in each project."""
    cloud = openstack.connect(cloud=Cloud.objects.get().profile)
    cloud.quotas.set_compute(project_id, dict.fromkeys(("instances", "cores", "ram")))
    cloud.quotas.set_volume(
        project_id, dict.fromkeys(("volumes", "gigabytes", "backups", "backup_gigabytes"))
    )
    cloud.quotas.set_network(
        project_id, dict.fromkeys(("network", "subnet", "port", "security_group", "security_group_rule"))
    )


def unended() -> QuerySet[Operation]:
    return Operation.objects.exclude(status__in=[OperationStatus.DONE, OperationStatus.UNDONE])


def empty_tables() -> None:
    """All rows of all tables; the append-only triggers refuse a TRUNCATE to everybody else."""
    kept = {"django_migrations", "django_content_type", "auth_permission", "access_rolepermission"}
    tables = sorted(set(connection.introspection.django_table_names(only_existing=True)) - kept)
    names = ", ".join(connection.ops.quote_name(table) for table in tables)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(f"TRUNCATE {names}")


@contextmanager
def crashes_noted(crashes: list[str]) -> Iterator[None]:
    """What the engine and the sweeps log as a fault of ours and go on after, other than the faults put in here."""

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if record.levelno >= logging.ERROR and ConnectionDropped.__name__ not in text:
                crashes.append(text)

    logger = logging.getLogger("govcloud")
    notes = Notes()
    with mock.patch.object(logger, "propagate", False):
        logger.addHandler(notes)
        try:
            yield
        finally:
            logger.removeHandler(notes)
