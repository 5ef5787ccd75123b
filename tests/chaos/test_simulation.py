"""A short simulation, and worlds that once showed a fault of the engine. The long ones are ``make simulate`` and ``make mutate``."""

import json
from pathlib import Path

import pytest

from tests.chaos.mutate import SHOWN_BY
from tests.chaos.mutations import without
from tests.chaos.weather import HEARD_LATE
from tests.chaos.world import World

pytestmark = pytest.mark.django_db(transaction=True)

SEEDS = json.loads((Path(__file__).parent / "seeds.json").read_text())
"""``seed`` and ``orders`` of a world, whether it is a ``plain`` one, and ``why`` it is kept."""


@pytest.mark.parametrize("seed", [13, 19])
def test_nothing_is_lost_duplicated_orphaned_or_leaked(seed: int) -> None:
    outcome = World(seed=seed, orders=40).run()
    assert outcome.violations == []
    assert outcome.orders == 40


@pytest.mark.parametrize("kept", SEEDS, ids=lambda kept: f"{kept['seed']}-{kept['why']}")
def test_a_world_that_once_went_wrong_goes_right(kept: dict[str, object]) -> None:
    size = {"seed": int(str(kept["seed"])), "orders": int(str(kept["orders"]))}
    outcome = World(**size, plain=bool(kept["plain"])).run()
    assert outcome.violations == []


def test_a_seed_decides_everything_that_happens() -> None:
    """In a world with both holds and a takeover."""
    first, second = (World(seed=19, orders=15).run() for _ in range(2))
    assert first.digest == second.digest
    assert first == second


@pytest.mark.parametrize(
    ("safeguard", "first", "orders"),
    [("shared-clock", 1, 60), ("fence", 2, 20), ("intent", 1, 20), ("swap", 1, 20)],
)
def test_a_safeguard_that_is_taken_out_is_noticed(safeguard: str, first: int, orders: int) -> None:
    """The first world shows it today; a change of the engine may move it to one of the next."""
    with without(safeguard):
        worlds = (
            World(seed=seed, orders=orders, plain=True, weather=SHOWN_BY.get(safeguard)).run()
            for seed in range(first, first + 6)
        )
        assert any(outcome.violations for outcome in worlds)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_heard_of_late_is_nobodys_loss(seed: int) -> None:
    """The weather that shows ``swap``, with nothing taken out."""
    assert World(seed=seed, orders=20, plain=True, weather=HEARD_LATE).run().violations == []
