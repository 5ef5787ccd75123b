"""A short simulation, and worlds that once showed a fault of the engine. The long ones are ``make simulate`` and ``make mutate``."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.mutations import without
from tests.chaos.world import World

pytestmark = pytest.mark.django_db(transaction=True)

SEEDS = json.loads((Path(__file__).parent / "seeds.json").read_text())
"""``seed`` and ``orders`` of a world, and ``why`` it is kept."""


@pytest.fixture(autouse=True)
def _whole_tables(django_db_blocker: object) -> Iterator[None]:
    """A world empties all tables before it begins; what it leaves is emptied as after every test that commits."""
    yield


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_nothing_is_lost_duplicated_orphaned_or_leaked(seed: int) -> None:
    outcome = World(seed=seed, orders=40).run()
    assert outcome.violations == []
    assert outcome.orders == 40


@pytest.mark.parametrize("kept", SEEDS, ids=lambda kept: f"{kept['seed']}-{kept['why']}")
def test_a_world_that_once_went_wrong_goes_right(kept: dict[str, object]) -> None:
    outcome = World(seed=int(str(kept["seed"])), orders=int(str(kept["orders"]))).run()
    assert outcome.violations == []


def test_a_seed_decides_everything_that_happens() -> None:
    first, second = (World(seed=14, orders=15).run() for _ in range(2))
    assert first.digest == second.digest
    assert first == second


def test_workers_that_go_by_their_own_clocks_are_noticed() -> None:
    with without("shared-clock"):
        outcome = World(seed=1, orders=60).run()
    assert outcome.violations != []
