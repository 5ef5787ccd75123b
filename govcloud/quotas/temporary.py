"""Raises for a time: a limit that falls back by itself when its last day is over, whatever is in use then.

Nothing is taken away from what stands: what is held and used above the limit stays, and nothing more is held until it is
below. The row says by how much it was beyond, and so does the audit event. The department is warned some working days before.
"""

from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.calendars import services as calendars
from govcloud.errors import Conflict
from govcloud.lifecycle import transition
from govcloud.quotas import limits, notices
from govcloud.quotas.lifecycle import RaiseStatus
from govcloud.quotas.limits import Change, Foreseen
from govcloud.quotas.models import Origin, QuotaAccount, TemporaryRaise


class NoTemporaryRaise(Conflict):
    code = "quota-no-temporary-raise"
    message = _(
        "For a time a limit can only be raised: %(limit)s is not more than the lasting limit, %(lasting)s."
    )


class TimeIsOver(Conflict):
    code = "quota-time-is-over"
    message = _("It was asked for until %(until)s, and that is over.")


BY_ITSELF = audit.SystemActor("quota")
BATCH = 500


def over_at(until: date) -> datetime:
    """The first instant after a last day, by the configured time zone."""
    return datetime.combine(until + timedelta(days=1), time(), tzinfo=timezone.get_default_timezone())


def raises(now: Foreseen, limit: int) -> bool:
    """Whether the limit is more than what it would fall back to."""
    return now.lasting is not None and limit > now.lasting


def require(now: Foreseen, limit: int, *, until: date, at: datetime) -> None:
    """For when it is granted, days after it was asked for. Raises NoTemporaryRaise and TimeIsOver."""
    if not raises(now, limit):
        raise NoTemporaryRaise(limit=limit, lasting=limits.shown(now.lasting))
    if over_at(until) <= at:
        raise TimeIsOver(until=until)


def near(*, at: datetime) -> datetime:
    """The midnight after the last of the next ``QUOTA_RAISE_NOTICE_WORKING_DAYS``: a raise that ends by then is near its end."""
    last = calendars.due_after(start=at, working_days=settings.QUOTA_RAISE_NOTICE_WORKING_DAYS)
    return over_at(timezone.localtime(last).date())


@transaction.atomic
def warn(*, at: datetime) -> int:
    """Tell departments of raises whose end is near, each once; returns of how many.

    Of two at once each takes what the other has not locked, and the mark is written with the notice.
    """
    rows = list(
        TemporaryRaise.objects.running()
        .filter(warned_at=None, next_run_at__gt=at, next_run_at__lte=near(at=at))
        .select_related("account__department")
        .select_for_update(of=("self",), skip_locked=True)
        .order_by("pk")[:BATCH]
    )
    TemporaryRaise.objects.filter(pk__in=[row.pk for row in rows]).update(warned_at=at)
    notices.falling_back(rows, at=at)
    return len(rows)


def due(*, at: datetime) -> QuerySet[TemporaryRaise, int]:
    """Primary keys of raises whose time is over."""
    return TemporaryRaise.objects.due(at=at).order_by("next_run_at", "pk").values_list("pk", flat=True)


@transaction.atomic
def fall_back(raise_pk: int, *, at: datetime) -> bool:
    """Let a limit fall back whose time is over; False if somebody else has, or it was replaced.

    The account is locked before its raise, as by whoever grants another limit.
    """
    ended = TemporaryRaise.objects.filter(pk=raise_pk).values("account")
    account = QuotaAccount.objects.select_related("department").locked().get(pk__in=ended)
    found = account.raises.due(at=at).filter(pk=raise_pk).first()
    if found is None:
        return False
    change = Change(account, found.falls_back_to, Origin.FELL_BACK)
    limits.write([change], thread=found.thread, number=found.order_number, actor=BY_ITSELF, at=at)
    beyond = max(0, account.taken - found.falls_back_to)
    transition(
        found, RaiseStatus.ENDED, actor=BY_ITSELF, at=at, thread=found.thread, ended_at=at, beyond=beyond
    )
    found.account = account
    notices.fell_back(found, at=at)
    return True
