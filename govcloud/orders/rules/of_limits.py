"""Rules about limits of the department's quota: one order for nothing else, what the tree leaves, and for how long."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from govcloud.errors import Conflict, DomainError, Invalid
from govcloud.orders.changes import LimitLine
from govcloud.orders.rules.standing import Numbered
from govcloud.quotas import limits, temporary
from govcloud.quotas.limits import Foreseen
from govcloud.quotas.services import LARGEST_LIMIT, LimitOutOfRange
from govcloud.quotas.temporary import NoTemporaryRaise

LONGEST = timedelta(days=366)
"""A raise for longer than a year is no temporary one."""


class QuotaNotAlone(Invalid):
    code = "quota-not-alone"
    message = _(
        "Quota is ordered by itself: what needs more than there is can be ordered once it has been granted."
    )


class DimensionTwice(Invalid):
    code = "quota-dimension-twice"
    message = _("More than one item changes the limit of %(dimension)s.")


class SameLimit(Conflict):
    code = "quota-same-limit"
    message = _("The limit of %(dimension)s is %(limit)s already.")


class UntilOutOfRange(Invalid):
    code = "quota-until-out-of-range"
    message = _(
        "The last day of a temporary raise is %(earliest)s at the earliest and %(latest)s at the latest."
    )


def check(order: Numbered) -> Iterator[DomainError]:
    asked = list(order.of(LimitLine))
    if not asked:
        return
    if not order.only_limits:
        yield QuotaNotAlone(pointers=tuple(pointer for pointer, _line in asked))
    times = Counter(line.dimension for _pointer, line in asked)
    for pointer, line in asked:
        here = (f"{pointer}/limit",)
        if times[line.dimension] > 1:
            yield DimensionTwice(dimension=line.dimension.label, pointers=(f"{pointer}/dimension",))
        yield from _last_day(order, line, pointer)
        if not 0 <= line.limit <= LARGEST_LIMIT:
            yield LimitOutOfRange(largest=LARGEST_LIMIT, pointers=here)
            continue
        for error in _possible(line, order.now.limits[line.dimension]):
            error.pointers = error.pointers or here
            yield error


def _last_day(order: Numbered, line: LimitLine, pointer: str) -> Iterator[DomainError]:
    earliest, latest = order.now.today, order.now.today + LONGEST
    if line.until is not None and not earliest <= line.until <= latest:
        yield UntilOutOfRange(earliest=earliest, latest=latest, pointers=(f"{pointer}/until",))


def _possible(line: LimitLine, now: Foreseen) -> Iterator[DomainError]:
    if line.before != now.limit:
        yield limits.moved(now, line.before)
        return
    running = now.running
    if line.limit == now.limit and (running is None or line.until == running.until):
        yield SameLimit(dimension=line.dimension.label, limit=line.limit)
    if line.until is not None and not temporary.raises(now, line.limit):
        yield NoTemporaryRaise(limit=line.limit, lasting=limits.shown(now.lasting))
    elif line.lasting_before != now.lasting:
        yield limits.lasting_moved(now, line.lasting_before)
    yield from limits.refusals(now, line.limit)
