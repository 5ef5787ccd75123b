"""The outermost edge's clock. Services are given the time and never come here.

In the embedded profile the time can be moved forward for a demonstration: the offset, in seconds, is kept in a small
file that every process of the profile reads. The production profile has no such file and no such clock.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from govcloud.errors import Absent, Conflict, Invalid

FARTHEST = timedelta(days=3653)
"""Ten years: longer than any lease, and far from where dates end and the arithmetic of deadlines with them."""


class NoDemoClock(Absent):
    code = "no-demo-clock"
    message = _("This installation's clock cannot be moved.")


class ClockGoesForward(Conflict):
    code = "clock-goes-forward"
    message = _("The demo clock only goes forward; it now reads %(now)s.")


class ClockTooFar(Invalid):
    code = "clock-too-far"
    message = _("The demo clock goes no farther than %(latest)s, ten years from today.")


def _offset() -> timedelta:
    path = settings.DEMO_CLOCK_FILE
    if path is None:
        return timedelta()
    try:
        return timedelta(seconds=float(path.read_text()))
    except FileNotFoundError:
        return timedelta()


def now() -> datetime:
    """The present instant in UTC, moved by the demo clock where there is one."""
    return datetime.now(UTC) + _offset()


def agreed() -> Callable[[], datetime]:
    """A clock that all machines share, for what one of them writes and another goes by: leases, intents, usage.

    It is the database's, read once and carried on by this machine's ticks: a clock that is an hour off, or is set while
    we work, takes over nobody's lease. To be read anew for each piece of work: ticks stop while a machine sleeps.
    """
    ticks, then = time.monotonic(), _of_the_database() + _offset()
    return lambda: then + timedelta(seconds=time.monotonic() - ticks)


def _of_the_database() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (moment,) = cursor.fetchone()
    return moment.astimezone(UTC)  # type: ignore[no-any-return]


def advance(*, to: datetime) -> datetime:
    """Move the demo clock forward so that it reads ``to`` now; returns the new time.

    Raises NoDemoClock in production, ClockGoesForward when ``to`` is not in the clock's future, and ClockTooFar when it
    is more than ten years from the real present, however many steps lead there.
    """
    path = settings.DEMO_CLOCK_FILE
    if path is None:
        raise NoDemoClock
    if to <= now():
        raise ClockGoesForward(now=_read(now()))
    latest = datetime.now(UTC) + FARTHEST
    if to > latest:
        raise ClockTooFar(pointers=("/to",), latest=_read(latest))
    draft = path.with_suffix(".new")
    draft.write_text(str((to - datetime.now(UTC)).total_seconds()))
    draft.replace(path)  # a reader sees the old offset or the new one, never half a number
    return now()


def _read(instant: datetime) -> str:
    """The instant as a clock on the installation's wall shows it."""
    return timezone.localtime(instant).isoformat(" ", "minutes")
