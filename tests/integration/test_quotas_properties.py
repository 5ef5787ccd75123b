"""Whatever happens in whatever order: accounts are the sums of their entries, and no hold overruns a limit."""

from collections import defaultdict
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from govcloud.quotas import services as quotas
from govcloud.quotas.models import QuotaAccount, QuotaEntry
from govcloud.quotas.services import Hold, HoldSpent, QuotaExceeded
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory

AT = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
LIMITS = [(None, 30), (20, None), (12, 9)]
"""Limits of servers and vCPU: of the top, of a department, of a unit."""

amounts = st.fixed_dictionaries({"servers": st.integers(0, 7), "vcpus": st.integers(0, 7)})


class Ledger(RuleBasedStateMachine):
    """A tree of top, department and unit; a model in plain numbers beside it says what must come out."""

    held_sources = Bundle("held")
    used_sources = Bundle("used")
    settled_sources = Bundle("settled")

    def __init__(self) -> None:
        super().__init__()
        self.work = transaction.atomic()
        self.work.__enter__()
        above = None
        self.tree = []
        for servers, vcpus in LIMITS:
            above = DepartmentFactory(parent=above)
            opened(above, servers=servers, vcpus=vcpus)
            self.tree.append(above)
        self.figures: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])  # held, used

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.work.__exit__(None, None, None)

    def count(self, depth: int, wanted: dict[str, int], *, held: int = 0, used: int = 0) -> None:
        for department in self.tree[: depth + 1]:
            for dimension, amount in wanted.items():
                self.figures[department.pk, dimension][0] += held * amount
                self.figures[department.pk, dimension][1] += used * amount

    def fits(self, depth: int, wanted: dict[str, int]) -> bool:
        return all(
            limit is None
            or not wanted[dimension]
            or sum(self.figures[department.pk, dimension]) + wanted[dimension] <= limit
            for department, limits in zip(self.tree[: depth + 1], LIMITS, strict=False)
            for dimension, limit in zip(("servers", "vcpus"), limits, strict=True)
        )

    @rule(target=held_sources, depth=st.integers(0, 2), wanted=amounts, repeated=st.booleans())
    def hold(self, depth: int, wanted: dict[str, int], repeated: bool) -> tuple[UUID, int, dict[str, int]]:  # noqa: FBT001
        unit = Hold(uuid4(), wanted)
        if self.fits(depth, wanted):
            quotas.hold(department=self.tree[depth], holds=[unit], at=AT)
            if repeated:
                quotas.hold(department=self.tree[depth], holds=[unit], at=AT)
            self.count(depth, wanted, held=1)
            return unit.source, depth, wanted
        with pytest.raises(QuotaExceeded):
            quotas.hold(department=self.tree[depth], holds=[unit], at=AT)
        return unit.source, depth, dict.fromkeys(wanted, 0)

    @rule(target=used_sources, held=consumes(held_sources), times=st.integers(1, 2))
    def commit(self, held: tuple[UUID, int, dict[str, int]], times: int) -> tuple[UUID, int, dict[str, int]]:
        source, depth, wanted = held
        for _again in range(times):
            quotas.commit(source=source, at=AT)
        self.count(depth, wanted, held=-1, used=1)
        return held

    @rule(target=settled_sources, held=consumes(held_sources), times=st.integers(1, 2))
    def unhold(self, held: tuple[UUID, int, dict[str, int]], times: int) -> tuple[UUID, dict[str, int]]:
        source, depth, wanted = held
        for _again in range(times):
            quotas.unhold(source=source, at=AT)
        self.count(depth, wanted, held=-1)
        return source, wanted

    @rule(used=consumes(used_sources), times=st.integers(1, 2))
    def give_back(self, used: tuple[UUID, int, dict[str, int]], times: int) -> None:
        _source, depth, wanted = used
        release = uuid4()
        for _again in range(times):
            quotas.give_back(source=release, department=self.tree[depth], amounts=wanted, at=AT)
        self.count(depth, wanted, used=-1)

    @rule(settled=settled_sources)
    def use_what_was_given_back(self, settled: tuple[UUID, dict[str, int]]) -> None:
        source, wanted = settled
        if not any(wanted.values()):
            return
        with pytest.raises(HoldSpent), transaction.atomic():
            quotas.commit(source=source, at=AT)

    @invariant()
    def accounts_are_what_the_model_says_and_the_sums_of_their_entries(self) -> None:
        sums: dict[tuple[int, str], int] = {
            (account, kind): amount
            for account, kind, amount in QuotaEntry.objects.values_list("account", "kind").annotate(
                Sum("amount")
            )
        }
        for account in QuotaAccount.objects.filter(
            dimension__in=["servers", "vcpus"], department__in=self.tree
        ):
            hold, unhold, commit, gone = (
                sums.get((account.pk, kind), 0) for kind in ("hold", "unhold", "commit", "give_back")
            )
            assert (account.held, account.used) == (hold - unhold - commit, commit - gone)
            assert [account.held, account.used] == self.figures[account.department_id, account.dimension]
            assert account.limit is None or account.held + account.used <= account.limit


@pytest.mark.django_db
def test_no_sequence_of_movements_breaks_the_ledger() -> None:
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
