"""Writing rows that may be there already, many at once."""

from collections.abc import Iterable
from typing import TypeVar

from django.db import connection
from django.db.models import Model

M = TypeVar("M", bound=Model)


def ensure(model: type[M], rows: Iterable[M], *, by: str) -> dict[str, M]:
    """Insert those of the rows that are not there yet; all of them as the database has them, by the unique column ``by``."""
    wanted = list(rows)
    model._default_manager.bulk_create(wanted, ignore_conflicts=True)  # noqa: SLF001
    found = model._default_manager.filter(**{f"{by}__in": [getattr(row, by) for row in wanted]})  # noqa: SLF001
    return {getattr(row, by): row for row in found}


def next_keys(model: type[Model], count: int) -> list[int]:
    """So many primary keys of rows to come, for rows that hold their own key (a department's path)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, count],  # noqa: SLF001
        )
        return [int(key) for (key,) in cursor.fetchall()]
