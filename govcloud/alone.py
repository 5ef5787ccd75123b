"""One at a time, whichever process it is in: PostgreSQL's advisory locks."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


def alone(key: int) -> bool:
    """Whether nobody else holds the lock of that key; if so it is ours until the transaction ends."""
    return _taken("pg_try_advisory_xact_lock", key)


@contextmanager
def alone_meanwhile(key: int) -> Iterator[bool]:
    """As ``alone``, for a block that commits on its way: until it ends, or the connection does."""
    held = _taken("pg_try_advisory_lock", key)
    try:
        yield held
    finally:
        if held:
            _taken("pg_advisory_unlock", key)


def one_after_another(key: int) -> None:
    """Wait until nobody else holds the lock of that key; then it is ours until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def _taken(function: str, key: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [key])
        (done,) = cursor.fetchone()
    return bool(done)
