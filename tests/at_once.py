"""Doing things at the same moment, each in a thread with a database connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from time import sleep

from django.db import connection


def at_once(works: Sequence[Callable[[], object]]) -> list[BaseException | None]:
    """What each of them raised, None for those that went well. For tests with ``django_db(transaction=True)``."""
    start = Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        try:
            connection.ensure_connection()
            start.wait(timeout=60)
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as threads:
        return [begun.exception() for begun in [threads.submit(run, work) for work in works]]


def held_up(work: Callable[[], object]) -> "Future[object]":
    """Begin the work in a thread, which by now waits for a lock that the caller's transaction holds; it goes on when that ends."""

    def run() -> object:
        try:
            return work()
        finally:
            connection.close()

    threads = ThreadPoolExecutor(1)
    begun = threads.submit(run)
    threads.shutdown(wait=False)
    while not _somebody_waits():
        assert not begun.done(), "nothing held it up"
        sleep(0.02)
    return begun


def _somebody_waits() -> bool:
    """Whether another connection waits for this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])
