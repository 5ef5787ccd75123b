"""What a web process tells its database that no other process does."""

import os
import subprocess
import sys

import pytest
from django.db import connection

ASKED = """
import govcloud.wsgi
from django.db import OperationalError, connection
with connection.cursor() as cursor:
    cursor.execute("SHOW statement_timeout")
    print(cursor.fetchone()[0])
    try:
        cursor.execute("SELECT pg_sleep(%s)", [{sleep}])
        print("slept")
    except OperationalError as error:
        print(type(error.__cause__).__name__)
"""


def told(sleep: float = 0, **environment: str) -> list[str]:
    """What a process that has become a web server sees of its database: the bound, and how so many seconds of sleep ended."""
    script = ASKED.format(sleep=sleep)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.split()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("environment", "bound"),
    [
        ({}, "1min"),
        ({"DATABASE_CONN_MAX_AGE": "0"}, "0"),
    ],
)
def test_how_long_a_statement_of_a_request_may_take(environment: dict[str, str], bound: str) -> None:
    assert told(**environment) == [bound, "slept"]


@pytest.mark.django_db
def test_a_statement_that_takes_longer_is_cancelled_as_an_error_of_the_database_that_is_answered_with_503() -> (
    None
):
    assert told(sleep=30, WEB_STATEMENT_SECONDS="1") == ["1s", "QueryCanceled"]


@pytest.mark.django_db
def test_other_processes_are_not_bound() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
