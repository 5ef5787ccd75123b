"""Rounding money."""

from decimal import Decimal

import pytest

from govcloud.money import fen, rated


@pytest.mark.parametrize(
    ("amount", "rounded"),
    [
        ("0.005", "0.01"),
        ("0.015", "0.02"),
        ("0.025", "0.03"),
        ("-0.005", "-0.01"),
        ("0.00499999", "0.00"),
        ("7", "7.00"),
    ],
)
def test_fen_round_halves_away_from_zero(amount, rounded):
    assert str(fen(Decimal(amount))) == rounded


@pytest.mark.parametrize(
    ("amount", "rounded"), [("0.0000005", "0.000001"), ("-0.0000005", "-0.000001"), ("1", "1.000000")]
)
def test_usage_is_rated_at_six_places(amount, rounded):
    assert str(rated(Decimal(amount))) == rounded
