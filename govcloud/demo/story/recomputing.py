"""The bill done by hand: nothing of the product's own arithmetic is used here."""

from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

from govcloud.demo.story.client import Json

Bill = dict[tuple[str, str], Decimal]
"""Yuan to the fen, by usage segment and start of the slice."""


def by_hand(
    *, segments: Iterable[Json], prices: dict[str, Decimal], month: tuple[datetime, datetime]
) -> Bill:
    """What the segments cost in the month by one tariff: each to the fen, halves away from zero."""
    start, end = month
    bill: Bill = {}
    for segment in segments:
        began = max(_instant(segment["start"]), start)
        ended = min(_instant(segment["end"]) if segment["end"] else end, end)
        if began < ended:
            share = _seconds(began, ended) / _seconds(start, end)
            exact = Fraction(segment["quantity"]) * Fraction(prices[segment["meter"]["code"]]) * share
            bill[segment["uuid"], began.isoformat()] = fen(exact)
    return bill


def line_by_hand(line: Json) -> Decimal:
    """A statement's line from its own figures."""
    share = Fraction(line["seconds"]) / Fraction(line["month_seconds"])
    return fen(Fraction(line["quantity"]) * Fraction(line["per_month"]) * share)


def fen(exact: Fraction) -> Decimal:
    """At six places first, as usage is rated, then to the fen."""
    with localcontext() as context:
        context.prec = 60
        rated = (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(
            Decimal("0.000001"), ROUND_HALF_UP
        )
        return rated.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _seconds(start: datetime, end: datetime) -> Fraction:
    span = end - start
    return Fraction(span.days * 86_400 + span.seconds) + Fraction(span.microseconds, 1_000_000)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
