from pathlib import Path

import pytest

from tests.integration.passes import compared

SERVERS, PER_SYSTEM = 2_000, 250
PAGES, SYSTEMS = (
    2 + 4 + 2 + 1 + 1 + 1 + 2 + 1,
    8 + 1,
)  # of servers, volumes, ports, networks, groups, rules, routers with their legs, floating addresses; and the one that was copied
KEPT = 2  # a page of snapshots and one of backups, which full passes alone list


@pytest.mark.django_db
@pytest.mark.usefixtures("building")
def test_of_many_servers_exactly_those_changed_by_hand_are_found_at_a_cost_by_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = compared(tmp_path, monkeypatch, servers=SERVERS, per_system=PER_SYSTEM)
    assert costs.findings == SERVERS / 100
    assert costs.full.looked_at >= 4 * SERVERS
    missing = 2  # looked for one by one
    assert costs.full.api_calls <= PAGES + KEPT + 3 + 3 * SYSTEMS + missing
    assert costs.full.statements <= 25 * PAGES + 15 * SYSTEMS + 100
    assert costs.incremental.api_calls <= PAGES
