"""Accounts that come near their limits: each share of a limit that is reached is told once, until the account is below it again.

Looked at by a sweep, so that holding quota costs nothing more for it. A limit of 0 of which nothing is taken is not full,
and what is unlimited never is.
"""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from govcloud.alone import alone
from govcloud.audit import services as audit
from govcloud.quotas import notices
from govcloud.quotas.models import Crossing, QuotaAccount

WATCH = audit.SystemActor("quota")
BATCH = 1_000
ALONE = 0x71756F74  # "quot": an advisory lock of the watch's own


def reached(percent: int) -> "QuerySet[QuotaAccount]":
    """Accounts of which so much of the limit, or more, is held and used."""
    taken = QuotaAccount.objects.annotate(parts=(F("held") + F("used")) * 100)
    return taken.filter(limit__isnull=False, parts__gt=0, parts__gte=F("limit") * percent)


@transaction.atomic
def watch(*, at: datetime) -> int:
    """Note and tell what has been reached since the last look, and note what is over; returns how many. Of two at once one looks."""
    if not alone(ALONE):
        return 0
    crossed: list[Crossing] = []
    for percent in settings.QUOTA_THRESHOLDS:
        while rows := _note(percent, at=at):
            crossed += rows
    notices.reached(crossed, at=at)
    noted = len(crossed)
    while count := _clear(at=at):
        noted += count
    return noted


def _note(percent: int, *, at: datetime) -> list[Crossing]:
    told = Crossing.objects.in_force().filter(account=OuterRef("pk"), percent=percent)
    accounts = reached(percent).filter(~Exists(told)).select_related("department").order_by("pk")[:BATCH]
    rows = [
        Crossing(account=each, percent=percent, limit=each.limit, taken=each.taken, crossed_at=at)
        for each in accounts
        if each.limit is not None
    ]
    Crossing.objects.bulk_create(rows)
    entries = [
        audit.Entry(
            row.account, {"percent": row.percent, "limit": row.limit, "taken": row.taken}, label=str(row)
        )
        for row in rows
    ]
    audit.record_many(actor=WATCH, verb="quota.threshold_reached", entries=entries, at=at)
    return rows


def _clear(*, at: datetime) -> int:
    """What is below its share again, and shares that nobody asks for any more."""
    stands = [
        Crossing.objects.in_force().filter(percent=percent, account__in=reached(percent).values("pk"))
        for percent in settings.QUOTA_THRESHOLDS
    ]
    over = Crossing.objects.in_force().select_related("account__department").order_by("pk")
    for each in stands:
        over = over.exclude(pk__in=each.values("pk"))
    rows = list(over[:BATCH])
    Crossing.objects.filter(pk__in=[row.pk for row in rows]).update(cleared_at=at)
    entries = [
        audit.Entry(
            row.account,
            {"percent": row.percent, "limit": row.account.limit, "taken": row.account.taken},
            label=str(row),
        )
        for row in rows
    ]
    audit.record_many(actor=WATCH, verb="quota.threshold_cleared", entries=entries, at=at)
    return len(rows)
