"""The tests run on a real PostgreSQL: the one of ``DATABASE_URL``, else the embedded one."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

KEPT = pytest.StashKey[contextlib.ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the embedded server once, in the process that hands out the tests.

    Bells that are rung while testing stay in this process: no worker of an installation hears of a test's rows.
    """
    from django.conf import settings  # noqa: PLC0415

    from govcloud.celery import app  # noqa: PLC0415

    app.conf.broker_url = "memory://"
    settings.ATTACHMENT_DIR = settings.VAR_DIR / "attachments-of-tests"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # slow on purpose elsewhere
    # As in the embedded profile, whatever the database is; what production demands has tests of its own.
    settings.SECOND_FACTOR, settings.PASSWORD_MAX_AGE_DAYS = "offered", 0
    if os.environ.get("DATABASE_URL") or hasattr(config, "workerinput"):
        return
    from govcloud.embedded.postgres import serving  # noqa: PLC0415

    stack = contextlib.ExitStack()
    stack.enter_context(serving(settings.VAR_DIR))
    config.stash[KEPT] = stack


def pytest_unconfigure(config: pytest.Config) -> None:
    if KEPT in config.stash:
        config.stash[KEPT].close()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, django_db_blocker: Any
) -> Iterator[contextlib.ExitStack]:
    """The test database is a copy of a migrated one, until this is closed."""
    from tests.template import copied  # noqa: PLC0415

    with contextlib.ExitStack() as stack:
        with django_db_blocker.unblock():
            stack.enter_context(copied())
        yield stack


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_modify_db_settings: contextlib.ExitStack, django_db_setup: None, django_db_blocker: Any
) -> Iterator[None]:
    """Before the database goes: end the sessions of workers that tests killed, which the server may not have noticed yet."""
    with django_db_blocker.unblock():
        django_db_modify_db_settings.close()
    yield
    from django.db import connection  # noqa: PLC0415

    with django_db_blocker.unblock():
        connection.close()  # it may be one of those that a test has ended
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture
def at() -> datetime:
    """A Wednesday morning in Beijing on which nothing special happens."""
    return datetime(2026, 11, 18, 2, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Tests read messages in English; what is served in which language has tests of its own."""
    from django.utils import translation  # noqa: PLC0415

    with translation.override("en"):
        yield


KEPT_ROWS = frozenset({"access_rolepermission", "django_content_type", "auth_permission"})
"""Tables whose rows came with the migrations, and stay."""

EMPTYING = """
DO $$ DECLARE
    name text;
    found boolean;
BEGIN
    FOREACH name IN ARRAY ARRAY[NAMES] LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO found;
        IF found THEN EXECUTE format('DELETE FROM %I', name); END IF;
    END LOOP;
END $$
"""


@pytest.fixture(scope="session", autouse=True)
def _emptying_what_tests_committed() -> Iterator[None]:
    """Tests that commit are cleaned up by a DELETE from each table that has rows, past foreign keys and append-only triggers.

    Django's own TRUNCATE of all tables makes every file of every table and index anew: a third of a second for a handful of rows.
    """
    from django.db.backends.postgresql.operations import DatabaseOperations  # noqa: PLC0415

    def sql_flush(self: DatabaseOperations, _style: Any, tables: Sequence[str], **_options: Any) -> list[str]:
        names = ", ".join(f"'{table}'" for table in tables if table not in KEPT_ROWS)
        return ["SET LOCAL session_replication_role = replica", EMPTYING.replace("NAMES", names)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", sql_flush)
        yield
