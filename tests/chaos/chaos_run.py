"""Orders by the hundred on the real parts (PostgreSQL, Celery workers, a cloud over HTTP) while everything breaks.

    make chaos ORDERS=1000                 the sandbox, told to fault a share of its calls
    make chaos-openstack ORDERS=40         the real OpenStack of tests/devcloud, through a faulting proxy

Ends when the faults have stopped and everything has come to rest, or ``--quiet`` seconds later. Then it counts in the cloud
itself. Exit status 1 unless nothing was lost, made twice, leaked or orphaned, and all of it came to rest.
"""

import logging
import os
import shutil
import signal
import sys
import time
from datetime import timedelta
from random import Random
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.chaos import chaos_brokers
from tests.chaos.chaos_plan import Plan, read

if TYPE_CHECKING:
    from tests.chaos.chaos_acting import Acting
    from tests.chaos.chaos_brokers import Broker
    from tests.chaos.chaos_clouds import Ground
    from tests.chaos.chaos_counts import Result
    from tests.chaos.chaos_orders import Administrator, Orders
    from tests.chaos.chaos_storm import Storm

LOOK_EVERY = 0.5  # seconds between two looks at what is going on
ADMINISTRATOR_EVERY = 4.0
SWEEPS = 2  # of the engine, before orphans are counted
console = Console(highlight=False)


class Interrupted(Exception):
    """Somebody pressed Ctrl-C, or told the run to end."""


def main(arguments: list[str] | None = None) -> int:
    plan = read(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    broker = chaos_brokers.broker(plan.broker, plan.var)
    _prepare(plan, broker)
    import django  # noqa: PLC0415  the settings read the environment that was just prepared

    from govcloud.embedded.supervisor import NotReadyError  # noqa: PLC0415

    django.setup()
    # of bells that nobody takes while the broker starts
    logging.getLogger("django.db.backends.base").setLevel(logging.CRITICAL)
    try:
        result = Run(plan, broker).play()
    except Interrupted:
        console.print("Interrupted; everything is stopped.")
        return 130
    except NotReadyError as trouble:
        console.print(f"[red]{trouble}[/red]")
        return 2
    show(result)
    result.write(plan.report)
    console.print(f"Written to {plan.report}")
    return 0 if result.passed else 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted


def _prepare(plan: Plan, broker: "Broker") -> None:
    """An installation of its own, below ``var``, from nothing."""
    from govcloud.embedded import postgres  # noqa: PLC0415

    if plan.var.exists() and postgres.is_running(plan.var):
        sys.exit(f"Another run is at work in {plan.var}.")
    shutil.rmtree(plan.var, ignore_errors=True)
    plan.var.mkdir(parents=True)
    for name in ("DATABASE_URL", "BROKER_URL", "OS_CLOUD"):
        os.environ.pop(name, None)
    os.environ |= {**plan.pace.environment(), **broker.environment()}
    os.environ |= {
        "GOVCLOUD_VAR": str(plan.var),
        "DJANGO_SETTINGS_MODULE": "govcloud.settings",
        "PGAPPNAME": "chaos",
    }


class Run:
    """One run, from an empty folder to its result."""

    def __init__(self, plan: Plan, broker: "Broker") -> None:
        from govcloud.embedded.supervisor import Supervisor  # noqa: PLC0415
        from tests.chaos.chaos_clouds import ground  # noqa: PLC0415
        from tests.chaos.chaos_installation import Installation  # noqa: PLC0415

        self.plan = plan
        self.random = Random(plan.seed)
        self.supervisor = Supervisor(say=console.print)
        self.storm: Storm | None = None
        self.acting: Acting  # from when the centre is open
        self.ground: Ground = ground(plan)
        self.installation: Installation = Installation(
            var=plan.var, workers=plan.workers, broker=broker, supervisor=self.supervisor
        )

    def play(self) -> "Result":
        from tests.chaos.chaos_installation import supervised  # noqa: PLC0415

        with supervised(self.supervisor, self.installation.broker):
            try:
                orders, administrator = self._open()
                storm, stormed = self._storm(orders, administrator)
                quiet_after = self._come_to_rest(administrator)
                return self._count(orders, administrator, storm, stormed, quiet_after)
            finally:
                if self.storm is not None:
                    self.storm.halt()
                self.installation.end_workers()
                if self.installation.database_answers():
                    self.ground.leave()

    def _open(self) -> "tuple[Orders, Administrator]":
        from django.core.management import call_command  # noqa: PLC0415

        from govcloud import clock  # noqa: PLC0415
        from tests.chaos.chaos_acting import Acting  # noqa: PLC0415
        from tests.chaos.chaos_orders import Administrator, Orders, open_centre  # noqa: PLC0415

        with console.status("Starting the database"):
            self.installation.start_database()
            call_command("migrate", verbosity=0)
        with console.status("Starting the cloud, the workers and the scheduler"):
            self.installation.start_broker()
            self.ground.start(self.supervisor)
            centre = open_centre(cloud=self.plan.cloud, orders=self.plan.orders, at=clock.now())
            self.ground.enter(centre.catalogue.cloud)
            self.installation.start_workers()
        hands = Random(f"{self.plan.seed}-actions")
        self.acting = Acting(
            centre.applicants, hands, clock.now, pace=self.plan.pace, shares=self.ground.actions
        )
        orders = Orders(centre, self.random, clock.now, self.ground.flavors, self.ground.large_gb)
        return orders, Administrator(self.random, clock.now)

    def _storm(self, orders: "Orders", administrator: "Administrator") -> "tuple[Storm, float]":
        """From the first order until the last one is placed and most have come to their end."""
        from tests.chaos.chaos_counts import busy  # noqa: PLC0415
        from tests.chaos.chaos_storm import Storm  # noqa: PLC0415

        storm = self.storm = Storm(self.plan, self.installation, Random(self.plan.seed))
        began = looked = progressed = time.monotonic()
        seen = (0, 0)
        self.ground.begin_faults()
        storm.begin()
        with _progress() as progress:
            placing = progress.add_task("orders placed", total=self.plan.orders, told="")
            ending = progress.add_task("come to an end", total=self.plan.orders, told="")
            while True:
                placed = orders.placed.total()
                waiting, _ = busy()
                progress.update(placing, completed=placed)
                progress.update(ending, completed=placed - waiting, told=_told(storm, administrator))
                if placed >= self.plan.orders and waiting <= self.plan.at_once // 3:
                    break
                now = time.monotonic()
                if seen != (placed, waiting):
                    seen, progressed = (placed, waiting), now
                if storm.failure is not None or now - progressed > self.plan.quiet:
                    break  # none could be placed, and none came to its end: the run does not pass
                administrator.call_off(now=now)
                if (taken := self.acting.act(now=now)) is not None:
                    administrator.may_abandon([taken], now=now)
                if now - looked >= ADMINISTRATOR_EVERY:
                    administrator.look(patient=True)
                    looked = now
                if placed >= self.plan.orders or waiting >= self.plan.at_once:
                    time.sleep(LOOK_EVERY)
                else:
                    self._place(orders, administrator)
        self.ground.end_faults()
        storm.end()
        return storm, time.monotonic() - began

    def _place(self, orders: "Orders", administrator: "Administrator") -> None:
        from govcloud.provisioning.models import Operation, OperationKind  # noqa: PLC0415

        order = orders.place()
        if order is None:
            time.sleep(LOOK_EVERY / 10)  # nothing to change or release yet
        else:
            built = Operation.objects.filter(thread=order.uuid).exclude(kind=OperationKind.RELEASE)
            administrator.may_abandon(built, now=time.monotonic())

    def _come_to_rest(self, administrator: "Administrator") -> float | None:
        """Seconds from the last fault until no order and no operation was open; None if that did not come in time."""
        from tests.chaos.chaos_counts import busy  # noqa: PLC0415

        began = looked = time.monotonic()
        administrator.after_the_storm()
        administrator.look(patient=True)
        with console.status("The faults have stopped") as status:
            while (passed := time.monotonic() - began) < self.plan.quiet:
                orders, operations = busy()
                status.update(
                    f"The faults have stopped: {orders} orders and {operations} operations are not at their end"
                )
                if not orders + operations:
                    return passed
                self.supervisor.tend()
                if time.monotonic() - looked >= ADMINISTRATOR_EVERY:
                    administrator.look(patient=False)
                    looked = time.monotonic()
                time.sleep(LOOK_EVERY)
        return None

    def _count(
        self,
        orders: "Orders",
        administrator: "Administrator",
        storm: "Storm",
        stormed: float,
        quiet_after: float | None,
    ) -> "Result":
        from tests.chaos import chaos_counts  # noqa: PLC0415

        with console.status("Counting in the cloud"):
            time.sleep(self.plan.pace.settle + SWEEPS * 2)  # two sweeps, and whatever could still land
            self.ground.look_straight()
            verdict = chaos_counts.examine()
        steps, changing = chaos_counts.steps_and_calls()
        done, called_off = chaos_counts.actions()
        injected = self.ground.injected()
        return chaos_counts.Result(
            cloud=self.plan.cloud, seed=self.plan.seed, orders=orders.placed.total(), wanted=self.plan.orders, by_verb=dict(orders.placed),
            by_status=chaos_counts.statuses(), refused=dict(orders.refused),
            actions=dict(done.most_common()), actions_called_off=called_off.total(),
            actions_refused=dict(self.acting.refused().most_common()), lost=len(verdict.lost),
            duplicates=len(verdict.duplicates), leaked_quota=len(verdict.leaked), orphans=len(verdict.orphans),
            quiet=quiet_after is not None, seconds_to_quiet=round(quiet_after or self.plan.quiet, 1),
            seconds_of_storm=round(stormed, 1), calls=self.ground.calls(),
            faulted=round(injected.total() / max(1, self.ground.calls()), 4),
            faults=dict(injected.most_common()), storm=dict(storm.done), administrator=dict(administrator.done),
            steps=steps, changing_calls=changing, wrong=verdict.lines(),
        )  # fmt: skip


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[told]}"), console=console,
    )  # fmt: skip


def _told(storm: "Storm", administrator: "Administrator") -> str:
    killed = storm.done["workers killed"] + storm.done["processes killed"]
    return f"{killed} killed, {administrator.done['retried']} retried"


def _told_of_actions(result: "Result") -> str:
    done, refused = sum(result.actions.values()), sum(result.actions_refused.values())
    return f"{done} done, {result.actions_called_off} called off, {refused} refused"


def show(result: "Result") -> None:
    """The figures, and what is wrong in full."""
    table = Table(title=f"Chaos on {result.cloud}, seed {result.seed}", show_header=False)
    rows: list[tuple[str, object]] = [
        ("orders", result.orders if result.orders >= result.wanted else f"{result.orders} of {result.wanted}"),
        ("direct actions", _told_of_actions(result)), ("lost", result.lost), ("duplicates, counted in the cloud", result.duplicates),
        ("leaked quota", result.leaked_quota), ("orphans after two sweeps", result.orphans),
        ("quiet after the last fault", f"{result.seconds_to_quiet:.0f} s" if result.quiet else "no"),
        ("storm", f"{timedelta(seconds=round(result.seconds_of_storm))}"),
        ("calls to the cloud", f"{result.calls}, {result.faulted:.1%} of them faulted"),
        *((name, number) for name, number in result.storm.items()),
        *((f"operations {name}", number) for name, number in result.administrator.items()),
        ("ended as", ", ".join(f"{number} {status}" for status, number in result.by_status.items())),
    ]  # fmt: skip
    for name, value in rows:
        table.add_row(name, str(value))
    console.print(table)
    for line in result.wrong:
        console.print(f"[red]{line}[/red]", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
