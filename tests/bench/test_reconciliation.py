"""What comparing a large cloud with its records costs: API calls and seconds per thousand servers.

    pytest tests/bench/test_reconciliation.py -s

Seeds 18,000 servers, changes one in a hundred by hand, and asserts that exactly those are found; never a time.
"""

from pathlib import Path

import pytest

from tests.integration.conftest import building, sandbox  # noqa: F401  fixtures
from tests.integration.passes import Cost, compared

SERVERS, PER_SYSTEM = 18_000, 300


@pytest.mark.django_db
@pytest.mark.usefixtures("building")
def test_a_pass_over_eighteen_thousand_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = compared(tmp_path, monkeypatch, servers=SERVERS, per_system=PER_SYSTEM)
    print(
        f"\nreconciliation: {SERVERS} servers in {SERVERS // PER_SYSTEM} systems, {costs.findings} changed by hand, all found"
    )
    _tell("full pass", costs.full)
    _tell("incremental pass", costs.incremental)


def _tell(name: str, cost: Cost) -> None:
    thousands = SERVERS / 1_000
    ours = cost.seconds - cost.of_the_cloud
    print(
        f"  {name}: {cost.looked_at} looked at, {cost.api_calls} API calls, {cost.statements} statements, {cost.seconds:.1f} s; "
        f"per thousand servers {cost.api_calls / thousands:.1f} calls and {cost.seconds / thousands:.2f} s, "
        f"{ours / thousands:.2f} s of them ours and the rest the cloud's"
    )
