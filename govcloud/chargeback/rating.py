"""The formula of a bill, in plain arithmetic.

    rated  = quantity x per_month x seconds / month_seconds    at six places
    amount = rated                                             to the fen
    total  = the sum of the amounts

Both roundings take halves away from zero. The quotient is never rounded on the way: the division is one of whole
numbers. ``closing.py`` says the same in SQL for a whole month at once, and the tests hold the two to each other.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from govcloud.money import fen

MICRO = 10**6
SECOND = timedelta(seconds=1)
BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Usage:
    """So much of a meter from ``start`` until ``end``; without an end it goes on."""

    quantity: Decimal
    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Charge:
    """What one unit costs for a whole month while the tariff it is from is in force."""

    per_month: Decimal
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a segment that lies in one month and one tariff: a line of a statement."""

    quantity: Decimal
    per_month: Decimal
    start: datetime
    end: datetime
    month_seconds: int

    @property
    def rated(self) -> Decimal:
        return rate(
            quantity=self.quantity,
            per_month=self.per_month,
            seconds=seconds_between(self.start, self.end),
            month_seconds=self.month_seconds,
        )

    @property
    def amount(self) -> Decimal:
        return fen(self.rated)


def rate(*, quantity: Decimal, per_month: Decimal, seconds: Decimal, month_seconds: int) -> Decimal:
    """Yuan at six places for so much of a meter for part of a month.

    ``quantity``, ``per_month`` and ``seconds`` have six places at most; the quantity may be negative (in the quote of
    an order that gives something back).
    """
    sign = -1 if quantity < 0 else 1
    numerator = _micro(abs(quantity)) * _micro(per_month) * _micro(seconds)
    denominator = month_seconds * MICRO**2  # leaves the quotient in millionths of a yuan
    return sign * Decimal((2 * numerator + denominator) // (2 * denominator)).scaleb(-6)


def rate_month(*, quantity: Decimal, per_month: Decimal) -> Decimal:
    """Yuan to the fen for so much of a meter for one whole month, however long."""
    return fen(rate(quantity=quantity, per_month=per_month, seconds=Decimal(1), month_seconds=1))


def slices(usage: Usage, *, charges: Iterable[Charge], month: tuple[datetime, datetime]) -> Iterator[Slice]:
    """The usage within the month, cut where one charge ends and the next begins."""
    month_seconds = (month[1] - month[0]) // SECOND
    for charge in charges:
        start = max(usage.start, month[0], charge.start or BEGINNING)
        end = min(usage.end or END, month[1], charge.end or END)
        if start < end:
            yield Slice(usage.quantity, charge.per_month, start, end, month_seconds)


def seconds_between(start: datetime, end: datetime) -> Decimal:
    """Exact, to the microsecond that the clock and the database have."""
    return Decimal((end - start) // timedelta(microseconds=1)).scaleb(-6)


def _micro(value: Decimal) -> int:
    """The value in millionths. Raises ValueError when it has more than six places."""
    micro = value.scaleb(6)
    if micro != micro.to_integral_value():
        raise ValueError(f"{value} has more than six places")
    return int(micro)
