"""The one SQL that closes a month and the formula in rating.py agree on every line, to the millionth of a yuan."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from govcloud.chargeback.models import MonthClose, StatementLine
from govcloud.chargeback.rating import Charge, Usage, seconds_between, slices
from govcloud.chargeback.services import close_month
from govcloud.periods import Month
from tenants.models import Role
from tests.factories.catalog import MeterFactory
from tests.factories.chargeback import PriceFactory, TariffFactory
from tests.factories.metering import UsageSegmentFactory
from tests.factories.tenants import BEGINNING, member

MONTH = (datetime(2026, 1, 31, 16, tzinfo=UTC), datetime(2026, 2, 28, 16, tzinfo=UTC))  # February, of 28 days
SPAN = (MONTH[1] - MONTH[0]) // timedelta(microseconds=1)
METERS = ("vcpu", "block_ssd_gb")

quantities = st.decimals("0.000001", "999999", places=6)
prices = st.decimals("0", "99999", places=6)
instants = st.integers(0, SPAN) | st.integers(0, 28).map(lambda day: day * 86_400_000_000)


@dataclass(frozen=True)
class Chain:
    """A resource's usage of one meter: quantities between instants of the month, the last of them running on."""

    meter: str
    cuts: list[int]
    quantities: list[Decimal]


chains = st.builds(
    Chain,
    st.sampled_from(METERS),
    st.lists(instants, min_size=1, max_size=4, unique=True).map(sorted),
    st.lists(quantities, min_size=4, max_size=4),
)


def instant(micros: int) -> datetime:
    return MONTH[0] + timedelta(microseconds=micros)


def pairs(edges: list[datetime | None]) -> list[tuple[datetime | None, datetime | None]]:
    return list(pairwise(edges))


def tariffs(cuts: list[int], per_month: list[Decimal]) -> dict[str, list[Charge]]:
    """Price books from one instant to the next, written down; what each meter costs by them."""
    edges = [BEGINNING, *(instant(c) for c in cuts), None]
    charges: dict[str, list[Charge]] = {meter: [] for meter in METERS}
    for number, (start, end) in enumerate(pairs(edges)):
        book = TariffFactory(in_force=DateTimeTZRange(start, end))
        for offset, meter in enumerate(METERS):
            cost = per_month[2 * number + offset]
            PriceFactory(tariff=book, meter=MeterFactory(code=meter), per_month=cost)
            charges[meter].append(Charge(cost, start, end))
    return charges


def metered(chain: Chain) -> list[Usage]:
    """The chain as segments of one resource, written down."""
    spans = pairs([*(instant(c) for c in chain.cuts), None])
    parts = [Usage(q, start, end) for q, (start, end) in zip(chain.quantities, spans, strict=False)]
    resource = None
    for part in parts:
        columns = {"resource": resource} if resource else {}
        segment = UsageSegmentFactory(
            meter=MeterFactory(code=chain.meter),
            quantity=part.quantity,
            period=DateTimeTZRange(part.start, part.end),
            **columns,
        )
        resource = segment.resource
    return parts


class Agreement(TestCase):
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.lists(chains, min_size=1, max_size=4),
        st.lists(instants, max_size=3, unique=True).map(sorted),
        st.lists(prices, min_size=8, max_size=8),
    )
    def test_the_database_bills_exactly_what_the_formula_says(self, usage, cuts, per_month):
        charges = tariffs(cuts, per_month)
        expected = [
            (s.start, s.end, s.quantity, s.per_month, seconds_between(s.start, s.end), s.rated, s.amount)
            for chain in usage
            for part in metered(chain)
            for s in slices(part, charges=charges[chain.meter], month=MONTH)
        ]

        close = close_month(month=Month(2026, 2), actor=member(Role.FINANCE), at=MONTH[1])

        lines = StatementLine.objects.values_list(
            "start", "end", "quantity", "per_month", "seconds", "rated", "amount"
        )
        assert sorted(lines) == sorted(expected)
        assert close.total == sum(line[-1] for line in expected)
        for statement in close.statements.all():
            assert statement.total == sum(line.amount for line in statement.lines.all())

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(chains, st.lists(prices, min_size=8, max_size=8))
    def test_a_second_rating_is_the_same_to_the_byte(self, chain, per_month):
        tariffs([], per_month)
        metered(chain)
        finance = member(Role.FINANCE)

        first, second = closed_and_taken_back(finance), closed_and_taken_back(finance)

        assert first == second
        assert not MonthClose.objects.exists()


def closed_and_taken_back(finance) -> list[str]:
    """The lines of the month as text, from a close that leaves nothing."""
    sid = transaction.savepoint()
    close_month(month=Month(2026, 2), actor=finance, at=MONTH[1])
    rows = StatementLine.objects.order_by("statement__number", "position").values()
    lines = [repr({k: v for k, v in row.items() if k not in {"id", "statement_id"}}) for row in rows]
    transaction.savepoint_rollback(sid)
    return lines
