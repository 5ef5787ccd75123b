"""Raises for a time: a limit that falls back by itself when its last day is over, whatever is in use then.

Nothing is taken away from what stands: what is held and used above the limit stays, and nothing more is held until it is
below. The row says by how much it was beyond, and so does the audit event.
"""

from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from govcloud.audit import services as audit
from govcloud.lifecycle import transition
from govcloud.quotas import limits
from govcloud.quotas.lifecycle import RaiseStatus
from govcloud.quotas.limits import Change
from govcloud.quotas.models import Origin, QuotaAccount, TemporaryRaise

BY_ITSELF = audit.SystemActor("quota")


def over_at(until: date) -> datetime:
    """The first instant after a last day, by the configured time zone."""
    return datetime.combine(until + timedelta(days=1), time(), tzinfo=timezone.get_default_timezone())


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
    return True
