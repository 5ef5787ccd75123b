"""What state machines have in common: how they choose, how they try what may be refused, and how they are run."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from govcloud.audit.refusals import kept
from govcloud.errors import DomainError

T = TypeVar("T")


@dataclass(frozen=True)
class Pick:
    """One of several; mostly ``rightly``, of those that fit, so that a good part of what is tried is not refused."""

    number: int
    rightly: bool = True

    def of(self, fitting: Sequence[T], everything: Sequence[T] = ()) -> T | None:
        among = fitting if self.rightly else everything
        return among[self.number % len(among)] if among else None


picks = st.builds(Pick, st.integers(0, 40), st.sampled_from([True, True, True, True, True, False]))


def attempted(
    act: Callable[[], T], *, everything: Callable[[], object]
) -> tuple[T | None, DomainError | None]:
    """Do it as an edge does: what came of it, or the refusal, by which nothing of ``everything`` may have changed."""
    before = everything()
    try:
        with kept(), transaction.atomic():
            return act(), None
    except DomainError as error:
        refusal = error
    assert everything() == before, f"changed though refused: {refusal}"
    return None, refusal


def run(machine: type[RuleBasedStateMachine], *, examples: int, steps: int) -> None:
    """``MACHINE_EXAMPLES`` of the environment asks for so many sequences, drawn anew, in place of the same ``examples`` each time."""
    asked = os.environ.get("MACHINE_EXAMPLES", "")
    drawn: dict[str, Any] = (
        {"max_examples": int(asked)} if asked else {"max_examples": examples, "derandomize": True}
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            **drawn,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
