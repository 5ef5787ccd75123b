"""The example rules ask for series that there are, and none is forgotten in docs/operating.md."""

import re
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from api.metrics import Access, Engine, Places, Records, Trail
from govcloud.audit.sealing import LATE
from govcloud.orders import placing
from govcloud.provisioning import overview, presence
from govcloud.reconciliation import figures
from tests.unit.provisioning.scripted import operation

ROOT = Path(__file__).resolve().parents[3]
SERIES = re.compile(r"\bgovcloud_[a-z_]+")


@pytest.fixture
def series(db: None, at: datetime) -> set[str]:
    """As a scrape of Prometheus names them: a counter's samples end in _total."""
    operation(at, "app")
    presence.sweep_seen(at=at)
    registry = CollectorRegistry()
    registry.register(Engine(overview.read(at=at)))
    registry.register(Records(figures.compared(at=at), figures.open_findings()))
    registry.register(Places(placing.backlog(), at=at))
    registry.register(Trail(unsealed=0.0, unexported=0.0))
    registry.register(Access(late=0.0))
    return {f"{f.name}_total" if f.type == "counter" else f.name for f in registry.collect()}


def test_rules_ask_for_series_that_there_are(series: set[str]) -> None:
    groups = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == 12
    for rule in rules:
        assert set(SERIES.findall(rule["expr"])) <= series, rule["alert"]
        assert rule["annotations"]["summary"]


def test_the_rule_about_events_without_a_seal_and_verify_audit_mean_the_same_age() -> None:
    groups = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())["groups"]
    (asked,) = [
        rule["expr"]
        for group in groups
        for rule in group["rules"]
        if "govcloud_audit_unsealed_age_seconds" in rule["expr"]
    ]
    assert asked == f"govcloud_audit_unsealed_age_seconds > {LATE.total_seconds():.0f}"


def test_every_series_is_explained(series: set[str]) -> None:
    explained = set(SERIES.findall((ROOT / "docs" / "operating.md").read_text(encoding="utf-8")))
    assert explained == series
