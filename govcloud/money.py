"""Money in yuan, exact: rated at six places, rounded once to the fen."""

from decimal import ROUND_HALF_UP, Decimal

FEN = Decimal("0.01")
RATED = Decimal("0.000001")


def rated(amount: Decimal) -> Decimal:
    """The amount at the six places at which usage is rated, halves away from zero."""
    return amount.quantize(RATED, rounding=ROUND_HALF_UP)


def fen(amount: Decimal) -> Decimal:
    """The amount rounded to the fen, halves away from zero (as PostgreSQL's ``round`` does for numeric)."""
    return amount.quantize(FEN, rounding=ROUND_HALF_UP)
