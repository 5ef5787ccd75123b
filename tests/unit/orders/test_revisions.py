"""Canonical content and its hash."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from govcloud.orders.revisions import canonical, digest, plain

KEYS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def test_keys_are_sorted_and_nothing_stands_between_tokens() -> None:
    assert (
        canonical({"b": [1, None], "a": {"z": "政务云", "y": True}})
        == '{"a":{"y":true,"z":"政务云"},"b":[1,null]}'.encode()
    )


def test_the_hash_is_that_of_the_canonical_bytes() -> None:
    assert digest({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(KEYS, VALUES))
def test_the_order_in_which_content_was_put_together_makes_no_difference(content: dict[str, object]) -> None:
    backwards = dict(reversed(list(content.items())))
    assert digest(backwards) == digest(content)


@pytest.mark.parametrize("inexact", [0.1, 1.0, float("nan"), 2**53, -(2**53)])
def test_a_number_that_two_writers_could_write_differently_is_refused(inexact: float) -> None:
    with pytest.raises(ValueError, match="not an exact integer"):
        canonical({"items": [{"size": inexact}]})


def test_a_key_that_two_sorters_could_place_differently_is_refused() -> None:
    with pytest.raises(ValueError, match="not an ASCII key"):
        canonical({"名": 1})


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0.700000", "0.7"),
        ("1452.00", "1452"),
        ("0", "0"),
        ("1E+3", "1000"),
        ("-140.10", "-140.1"),
        ("100", "100"),
    ],
)
def test_a_number_is_written_in_full_and_without_zeros_that_say_nothing(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text
