"""Seats that nobody is left for, when each person signs once."""

import pytest

from govcloud.approvals.signable import unfilled


@pytest.mark.parametrize(
    ("seats", "holders", "empty"),
    [
        ([], {}, 0),
        (["desk"], {"desk": []}, 1),
        (["desk", "desk"], {"desk": [1]}, 1),
        (["desk", "desk"], {"desk": [1, 2]}, 0),
        (["desk", "cloud"], {"desk": [1], "cloud": [1]}, 1),
        (
            ["desk", "cloud"],
            {"desk": [1, 2], "cloud": [1]},
            0,
        ),  # the first has to leave the desk to the second
        (["desk", "cloud", "money"], {"desk": [1, 2], "cloud": [1, 3], "money": [1]}, 0),
        (["desk", "cloud", "money"], {"desk": [1, 2], "cloud": [1, 2], "money": [1, 2]}, 1),
    ],
)
def test_so_many_seats_stay_empty(seats: list[str], holders: dict[str, list[int]], empty: int) -> None:
    assert unfilled(seats, holders) == empty
