"""The product's own processes as ``manage.py up`` starts them, with several workers: killed, stopped and started again."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from govcloud.embedded import installation, postgres
from govcloud.embedded.supervisor import Child, Supervisor
from tests.chaos.chaos_brokers import Broker

PROCESSES_PER_WORKER = 3
OURS = "chaos"  # the application name of our own connections, which are not dropped


class Installation:
    """A database, ``workers`` Celery workers, their broker and a scheduler below ``var``."""

    def __init__(self, *, var: Path, workers: int, broker: Broker, supervisor: Supervisor) -> None:
        self.var, self.broker = var, broker
        self.workers = [self._worker(number) for number in range(1, workers + 1)]
        self.scheduler = installation.beat()
        self.scheduler.environment = {"PGAPPNAME": "scheduler"}
        self._supervisor = supervisor

    def start_database(self) -> None:
        installation.prepare()
        self._supervisor.start(installation.database())
        postgres.ensure_database(self.var)

    def start_broker(self) -> None:
        self._supervisor.start(*self.broker.children(), seconds=120)

    def database_answers(self) -> bool:
        return postgres.is_running(self.var)

    def start_workers(self) -> None:
        self._supervisor.start(*self.workers, self.scheduler, seconds=120)

    def _worker(self, number: int) -> Child:
        name = f"worker{number}"
        log = self.var / "log" / f"{name}.log"
        options = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]
        return Child(
            name=name,
            command=[
                sys.executable, "-m", "celery", "--app", "govcloud", "--quiet", "worker", "--hostname", f"{name}@chaos",
                "--concurrency", str(PROCESSES_PER_WORKER), *options,
            ],
            log=log,
            environment={"PGAPPNAME": name, "LOG_LEVEL": "WARNING"},
            ready=lambda: log.exists() and "ready." in log.read_text(errors="replace"),
        )  # fmt: skip

    # -- what the storm does to it

    def kill(self, worker: Child) -> None:
        """The whole worker at once, as when its machine dies; another one takes its place."""
        _signal_group(worker, signal.SIGKILL)
        if worker.process is not None:
            worker.process.wait()
        worker.start()

    def kill_a_process(self, worker: Child, choose: int) -> bool:
        """One of the worker's processes, as when memory runs out; False if it has none just now."""
        children = _children(worker.process.pid) if worker.process is not None else []
        if not children:
            return False
        with suppress(ProcessLookupError):
            os.kill(children[choose % len(children)], signal.SIGKILL)
        return True

    def stop(self, worker: Child) -> None:
        _signal_group(worker, signal.SIGSTOP)

    def wake(self, worker: Child) -> None:
        _signal_group(worker, signal.SIGCONT)

    def drop_connections(self) -> int:
        """What the others see of a restart of the database."""
        with self._connection() as connection:
            dropped = connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name <> %s",
                [OURS],
            ).fetchone()
        return int(dropped[0]) if dropped else 0

    def _connection(self) -> "psycopg.Connection[tuple[int, ...]]":
        return psycopg.connect(
            host=str(postgres.socket_directory(self.var)), user=postgres.SUPERUSER, dbname=postgres.DATABASE,
            application_name=OURS, autocommit=True,
        )  # fmt: skip

    def end_workers(self) -> None:
        """At once: what they were doing is in the rows."""
        for child in (*self.workers, self.scheduler):
            _signal_group(child, signal.SIGKILL)


@contextmanager
def supervised(supervisor: Supervisor, broker: Broker) -> Iterator[None]:
    """Nothing that was started is left behind, whatever happens; a second Ctrl-C does not stop the stopping."""
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for child in supervisor.children:
            _signal_group(child, signal.SIGCONT)
        supervisor.stop()
        broker.end()


def _signal_group(child: Child, number: signal.Signals) -> None:
    if child.process is not None and child.process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.process.pid, number)


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
