"""Doing several things at the same moment, each in a thread with a database connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

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
