"""A migrated database that those of the tests are copied from.

Migrating an empty one takes a quarter of a minute, in each process of each run; copying takes a moment. The template's name
tells what it was made by, so that another state of the migrations makes another one.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection

PREFIX = "migrated_"
LOCK = 6_021_926
"""The advisory lock under which a template is made (exclusive) and copied (shared)."""
ROOT = Path(__file__).resolve().parents[1]
DECIDING = (
    "**/migrations/*.py", "requirements*.txt", "govcloud/settings.py", "govcloud/ciphers.py", "govcloud/grams.py",
    "govcloud/orders/queries.py",
)  # fmt: skip
"""What decides about the schema and the rows that come with it; of our own modules those that migrations import."""


@contextmanager
def copied() -> Iterator[None]:
    """Within, a test database is created as a copy of the template, which is made first if it is not there."""
    name = PREFIX + _digest()
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", [LOCK])
        while not _exists(cursor, name):
            cursor.execute("SELECT pg_advisory_unlock_shared(%s), pg_advisory_lock(%s)", [LOCK, LOCK])
            if not _exists(cursor, name):
                _make(cursor, name)
            cursor.execute("SELECT pg_advisory_unlock(%s), pg_advisory_lock_shared(%s)", [LOCK, LOCK])
        connection.settings_dict["TEST"]["TEMPLATE"] = name
        yield


def _digest() -> str:
    found = sorted({path for pattern in DECIDING for path in ROOT.glob(pattern) if not _elsewhere(path)})
    contents = (f"{path.relative_to(ROOT)}\n{path.read_text()}" for path in found)
    return hashlib.sha256("\n".join(contents).encode()).hexdigest()[:12]


def _elsewhere(path: Path) -> bool:
    """In what is installed here, or in what installations have left."""
    return path.relative_to(ROOT).parts[0] not in {"govcloud", "tenants", "api"} and path.parent != ROOT


def _exists(cursor: Any, name: str) -> bool:
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    return cursor.fetchone() is not None


def _make(cursor: Any, name: str) -> None:
    """Alone, under the lock: former templates go, and what is half made has another name until it is whole."""
    quoted, making = connection.ops.quote_name(name), connection.ops.quote_name(PREFIX + "in_the_making")
    cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX])
    for (former,) in cursor.fetchall():
        cursor.execute(f"DROP DATABASE {connection.ops.quote_name(former)} WITH (FORCE)")
    cursor.execute(f"CREATE DATABASE {making}")
    meant = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = PREFIX + "in_the_making"
    try:
        call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = meant
    cursor.execute(f"ALTER DATABASE {making} RENAME TO {quoted}")
