"""The formula of a bill."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govcloud.chargeback.rating import Charge, Slice, Usage, rate, rate_month, seconds_between, slices

NOVEMBER = (datetime(2026, 10, 31, 16, tzinfo=UTC), datetime(2026, 11, 30, 16, tzinfo=UTC))
ALWAYS = Charge(Decimal(46), None, None)
MONTH = 30 * 24 * 3600

quantities = st.decimals("0.000001", "100000", places=6)
prices = st.decimals("0", "10000", places=6)
offsets = st.integers(0, MONTH * 10**6)


def usage(start: float, end: float | None, quantity: str = "4") -> Usage:
    """Usage from one day of November to another."""
    until = None if end is None else NOVEMBER[0] + timedelta(days=end)
    return Usage(Decimal(quantity), NOVEMBER[0] + timedelta(days=start), until)


def billed(*parts: Usage, charges: tuple[Charge, ...] = (ALWAYS,)) -> list[Slice]:
    return [s for part in parts for s in slices(part, charges=charges, month=NOVEMBER)]


def test_the_domain_s_server_costs_726_a_month():
    parts = [("4", "46"), ("16", "17"), ("100", "0.7"), ("500", "0.4")]

    assert sum(rate_month(quantity=Decimal(q), per_month=Decimal(p)) for q, p in parts) == Decimal("726.00")


def test_a_whole_month_costs_the_price_whatever_its_length():
    for seconds in (28 * 86400, 29 * 86400, 30 * 86400, 31 * 86400):
        rated = rate(
            quantity=Decimal(4), per_month=Decimal(46), seconds=Decimal(seconds), month_seconds=seconds
        )
        assert rated == Decimal("184.000000")


def test_half_a_month_costs_half():
    (line,) = billed(usage(0, 15))

    assert (line.rated, line.amount) == (Decimal("92.000000"), Decimal("92.00"))


def test_usage_that_goes_on_is_billed_to_the_end_of_the_month():
    (line,) = billed(usage(20, None))

    assert (line.start, line.end) == (NOVEMBER[0] + timedelta(days=20), NOVEMBER[1])


def test_usage_of_other_months_is_not_billed():
    assert billed(usage(-20, 0), usage(30, None)) == []


def test_usage_is_cut_where_the_price_changes_and_each_part_has_its_own():
    change = NOVEMBER[0] + timedelta(days=10)
    charges = (Charge(Decimal(46), None, change), Charge(Decimal(60), change, None))

    first, second = billed(usage(0, None), charges=charges)

    assert (first.end, second.start) == (change, change)
    assert (first.amount, second.amount) == (Decimal("61.33"), Decimal("160.00"))


def test_halves_are_rounded_away_from_zero_on_both_sides():
    half = {"per_month": Decimal("0.000001"), "seconds": Decimal(1), "month_seconds": 2}

    assert rate(quantity=Decimal(1), **half) == Decimal("0.000001")
    assert rate(quantity=Decimal(-1), **half) == Decimal("-0.000001")
    assert rate_month(quantity=Decimal("0.5"), per_month=Decimal("0.01")) == Decimal("0.01")
    assert rate_month(quantity=Decimal("-0.5"), per_month=Decimal("0.01")) == Decimal("-0.01")


def test_a_quantity_of_more_than_six_places_is_a_mistake():
    with pytest.raises(ValueError, match="six places"):
        rate(quantity=Decimal("0.0000001"), per_month=Decimal(1), seconds=Decimal(1), month_seconds=1)


def test_seconds_are_exact_to_the_microsecond():
    start = NOVEMBER[0]

    assert seconds_between(start, start + timedelta(days=40, microseconds=1)) == Decimal("3456000.000001")


@given(quantities, prices, offsets)
def test_the_rate_is_the_exact_product_rounded_once(quantity, per_month, micros):
    seconds = Decimal(micros).scaleb(-6)

    rated = rate(quantity=quantity, per_month=per_month, seconds=seconds, month_seconds=MONTH)

    exact = Fraction(quantity) * Fraction(per_month) * Fraction(seconds) / MONTH
    assert abs(Fraction(rated) - exact) <= Fraction(1, 2 * 10**6)
    assert rated.as_tuple().exponent == -6


@given(quantities, st.lists(offsets, max_size=6), st.lists(prices, min_size=7, max_size=7))
def test_the_parts_add_up_to_the_whole_month_and_to_the_integral(quantity, cuts, per_month):
    edges = [None, *sorted(NOVEMBER[0] + timedelta(microseconds=c) for c in cuts), None]
    charges = [
        Charge(p, start, end)
        for p, start, end in zip(per_month, edges, edges[1:], strict=False)
        if start is None or end is None or start < end
    ]

    lines = list(slices(Usage(quantity, NOVEMBER[0], None), charges=charges, month=NOVEMBER))

    assert sum(seconds_between(s.start, s.end) for s in lines) == MONTH
    integral = sum(
        Fraction(quantity) * Fraction(s.per_month) * Fraction(seconds_between(s.start, s.end)) / MONTH
        for s in lines
    )
    assert abs(sum(Fraction(s.rated) for s in lines) - integral) <= len(lines) * Fraction(1, 2 * 10**6)
