"""docs/audit-events.md has every verb that can be recorded, and no other."""

import re
from pathlib import Path

from django.apps import apps

from tests.unit.docs.audit_verbs import Module

ROOT = Path(__file__).resolve().parents[3]
ELSEWHERE = (
    "govcloud/audit/services.py",
    "govcloud/audit/refusals.py",
    "govcloud/lifecycle.py",
    "govcloud/sandbox/",
)
"""What records for others, under the verb it is given, and what has a record of its own kind."""


def recorded() -> set[str]:
    sources = (path for top in ("govcloud", "tenants", "api") for path in (ROOT / top).rglob("*.py"))
    return {
        verb
        for path in sources
        if not str(path.relative_to(ROOT)).startswith(ELSEWHERE)
        for verb in Module(path).verbs()
    }


def transitions() -> set[str]:
    """``<model>.<status>`` for every status that something can be moved to."""
    return {
        f"{model._meta.model_name}.{status}"
        for model in apps.get_models()
        for reachable in getattr(model, "TRANSITIONS", {}).values()
        for status in reachable
    }


def test_every_verb_is_documented_and_every_documented_verb_is_recorded() -> None:
    text = (ROOT / "docs" / "audit-events.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_.]+)` \| .+ \| .+ \|$", text, re.MULTILINE)
    assert len(rows) == len(set(rows)), "a verb has one row"
    assert set(rows) == recorded() | transitions()


def test_verbs_given_through_a_function_of_the_module_are_followed(tmp_path: Path) -> None:
    source = tmp_path / "services.py"
    source.write_text(
        'OPENED = "door.opened"\n'
        "def _tell(what, *, verb):\n"
        '    record(verb=verb)\n    record(verb=f"door.{what}")\n'
        'def act():\n    _tell("shut", verb=OPENED)\n    audit.record(verb="door.locked")\n'
    )
    assert set(Module(source).verbs()) == {"door.opened", "door.shut", "door.locked"}
