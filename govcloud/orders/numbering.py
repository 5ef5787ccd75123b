"""Order numbers: GC-2026-000123, counted per year without a gap."""

from datetime import datetime

from django.db import connection
from django.utils import timezone

from govcloud.orders.models import NumberSeries

TAKE = f"""
INSERT INTO {NumberSeries._meta.db_table} (year, last) VALUES (%s, 1)
ON CONFLICT (year) DO UPDATE SET last = {NumberSeries._meta.db_table}.last + 1
RETURNING last
"""  # noqa: S608, SLF001  the table's name, from the model


def next_number(*, at: datetime) -> str:
    """The next number of the year in which ``at`` falls by the configured time zone.

    The year's row stays locked until the transaction ends: of two drafts at once the second waits, and a draft that
    is rolled back leaves no gap.
    """
    year = timezone.localtime(at).year
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [year])
        (last,) = cursor.fetchone()
    return f"GC-{year}-{last:06d}"
