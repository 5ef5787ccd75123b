"""Usage segments, opened and closed by what happens to a resource.

Each function belongs in the transaction that records the event it follows (billing start, resize, release), and is
told what the resource uses from then on; only the meters whose quantity differs get a new segment.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal

from django.contrib.postgres.fields import DateTimeRangeField
from django.db import IntegrityError, models, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import F, Func
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.catalog.models import Meter
from govcloud.errors import Conflict, Invalid
from govcloud.inventory.models import Resource
from govcloud.metering.models import UsageSegment

METERING = audit.SystemActor("metering")


class UnknownMeter(Invalid):
    code = "unknown-meter"
    message = _("There is no meter %(meter)s.")


class NegativeUsage(Invalid):
    code = "negative-usage"
    message = _("A resource cannot use %(quantity)s of %(meter)s.")


class UsageOverlaps(Conflict):
    code = "usage-overlaps"
    message = _("Usage of %(resource)s at %(at)s is recorded already.")


class UsageOutOfOrder(Conflict):
    code = "usage-out-of-order"
    message = _(
        "Usage of %(resource)s is recorded from %(start)s on; it cannot change at %(at)s, before that."
    )


class UsageMonthClosed(Conflict):
    code = "usage-month-closed"
    message = _("The month of %(at)s is closed; the usage of %(resource)s in it cannot change any more.")


def open_usage(*, resource: Resource, quantities: Mapping[str, Decimal], at: datetime) -> list[UsageSegment]:
    """The resource's billing start: it uses so much of each meter (by its code) from ``at`` on.

    Meters with a quantity of zero are left out. Raises UnknownMeter, NegativeUsage, UsageOverlaps and
    UsageMonthClosed.
    """
    meters = _meters(quantities)
    with _recording(resource, at):
        opened = _open(resource, meters, quantities, at)
        _tell("opened", resource, at, before={}, after=_used(opened))
    return opened


def change_usage(
    *, resource: Resource, quantities: Mapping[str, Decimal], at: datetime
) -> list[UsageSegment]:
    """The resource uses these quantities, and nothing else, from ``at`` on; returns the segments opened.

    A meter that is left out or zero ends; one whose quantity stays goes on in its segment. Where nothing was used, it is
    told as the beginning that it is: at the hand-over, or after a suspension. Raises what ``open_usage`` does,
    and UsageOutOfOrder when ``at`` lies before the start of usage that would have to end.
    """
    meters = _meters(quantities)
    with _recording(resource, at):
        going_on = {segment.meter.code: segment for segment in _going_on(resource)}
        ended = {code: s for code, s in going_on.items() if quantities.get(code) != s.quantity}
        fresh = {code: meter for code, meter in meters.items() if code not in going_on or code in ended}
        if not ended and not fresh:
            return []
        _end(resource, ended.values(), at)
        opened = _open(resource, fresh, quantities, at)
        before, after = _used(ended.values()), _used(opened)
        if going_on:
            _tell("changed", resource, at, before=before, after=after)
        else:
            _tell("opened", resource, at, before=before, after=after)
    return opened


def close_usage(*, resource: Resource, at: datetime) -> None:
    """The resource uses nothing from ``at`` on. What uses nothing (a network) has nothing to close.

    Raises UsageOutOfOrder and UsageMonthClosed.
    """
    with _recording(resource, at):
        ended = _going_on(resource)
        if ended:
            _end(resource, ended, at)
            _tell("closed", resource, at, before=_used(ended), after={})


def has_usage(resource: Resource) -> bool:
    """Whether anything of the resource is metered, or ever was."""
    return UsageSegment.objects.filter(resource=resource).exists()


@contextmanager
def _recording(resource: Resource, at: datetime) -> Iterator[None]:
    """One writer per resource at a time, and the database's refusals in our words."""
    try:
        with transaction.atomic():
            Resource.objects.select_for_update(no_key=True).only("pk").get(pk=resource.pk)
            yield
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        match constraint:
            case "segments_never_overlap":
                raise UsageOverlaps(resource=resource.name, at=at.isoformat()) from error
            case "closed_months_stay_closed":
                raise UsageMonthClosed(resource=resource.name, at=at.isoformat()) from error
            case _:
                raise


def _meters(quantities: Mapping[str, Decimal]) -> dict[str, Meter]:
    """The meters that are used, by code."""
    for code, quantity in quantities.items():
        if quantity < 0:
            raise NegativeUsage(meter=code, quantity=quantity)
    known = {meter.code: meter for meter in Meter.objects.filter(code__in=quantities)}
    for code in quantities:
        if code not in known:
            raise UnknownMeter(meter=code)
    return {code: known[code] for code, quantity in quantities.items() if quantity}


def _going_on(resource: Resource) -> list[UsageSegment]:
    return list(
        UsageSegment.objects.filter(resource=resource)
        .going_on()
        .select_related("meter")
        .order_by("meter__code")
    )


def _open(
    resource: Resource, meters: Mapping[str, Meter], quantities: Mapping[str, Decimal], at: datetime
) -> list[UsageSegment]:
    period = DateTimeTZRange(at, None)
    return UsageSegment.objects.bulk_create(
        UsageSegment(resource=resource, meter=meter, quantity=quantities[code], period=period)
        for code, meter in meters.items()
    )


def _end(resource: Resource, segments: Iterable[UsageSegment], at: datetime) -> None:
    """Give the segments their end; one that would end as it starts has covered no time and goes."""
    started: list[int] = []
    empty: list[int] = []
    for segment in segments:
        start = segment.period.lower
        if start > at:
            raise UsageOutOfOrder(resource=resource.name, start=start.isoformat(), at=at.isoformat())
        (started if start < at else empty).append(segment.pk)
    UsageSegment.objects.filter(pk__in=empty).delete()
    until = Func(
        F("period__startswith"),
        models.Value(at, output_field=models.DateTimeField()),
        function="tstzrange",
        output_field=DateTimeRangeField(),
    )
    UsageSegment.objects.filter(pk__in=started).update(period=until)


def _used(segments: Iterable[UsageSegment]) -> dict[str, Decimal]:
    return {segment.meter.code: segment.quantity for segment in segments}


def _tell(
    what: str,
    resource: Resource,
    at: datetime,
    *,
    before: Mapping[str, Decimal],
    after: Mapping[str, Decimal],
) -> None:
    audit.record(
        actor=METERING,
        verb=f"usage.{what}",
        subject=resource,
        at=at,
        thread=resource.thread,
        before=before,
        after=after,
    )
