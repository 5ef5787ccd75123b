"""Every verb that the documents tell of has its words on the pages of the audit trail."""

import re
from pathlib import Path

from govcloud.audit.models import Event
from govcloud.portal.audit.rows import ACCESS
from govcloud.portal.audit.words import ACTORS, WORDS
from govcloud.portal.order.trail import SILENT, in_words

NOT_OF_ACCESS = frozenset(
    {
        "absence", "appraisal", "attachment", "audit", "backup_plan", "calendar", "candidate", "card", "case", "clock",
        "cloud", "consultation", "container", "credential", "demo", "department", "division", "equivalent", "finding",
        "flavor", "floating_address", "flow", "guest_key", "lease", "legal_hold", "list", "maintenance", "month",
        "network", "notice", "operation", "order", "quota", "recovery_point", "request", "resource", "security_rule", "server",
        "snapshot", "statement", "sweep", "system", "takeover", "temporaryraise", "units", "usage", "volume", "webhook",
    }
)  # fmt: skip
"""What the other verbs begin with: the view of sign-in and access leaves them out, and no other view goes by verbs."""
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "audit-events.md"


def documented() -> set[str]:
    cells = re.findall(r"^\| ((?:`[a-z_]+\.[a-z_]+`(?:, )?)+) \|", DOCUMENT.read_text(), re.MULTILINE)
    return {verb for cell in cells for verb in re.findall(r"`([^`]+)`", cell)}


def test_every_verb_has_words() -> None:
    assert len(documented()) > 100
    assert documented() - WORDS.keys() == set()


def test_no_event_of_an_order_is_told_by_its_code_in_the_orders_history() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|[^|]*\| ([^|]*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    verbs = {verb for cell, thread in rows if thread != "–" for verb in re.findall(r"`([^`]+)`", cell)}
    assert verbs >= {"card.raised", "credential.issued", "legal_hold.placed", "resource.adopted"}
    raw = {verb for verb in verbs - SILENT if in_words(Event(verb=verb), {}) == verb}
    assert raw == set()


def test_every_part_of_the_system_that_acts_has_a_name_people_know() -> None:
    root = DOCUMENT.parents[1]
    sources = [
        path.read_text(encoding="utf-8")
        for each in ("govcloud", "tenants")
        for path in (root / each).rglob("*.py")
    ]
    named = {
        f"system:{name}" for source in sources for name in re.findall(r'SystemActor\("([^"]+)"\)', source)
    }
    assert "system:engine" in named
    assert named - ACTORS.keys() == set()


def test_no_words_are_left_of_verbs_that_are_gone() -> None:
    assert WORDS.keys() - documented() == set()


def test_every_verb_is_in_the_view_of_access_or_is_left_out_of_it_on_purpose() -> None:
    kinds = {verb.partition(".")[0] for verb in documented()}
    access = {begins.removesuffix(".") for begins in ACCESS}
    assert kinds - access - NOT_OF_ACCESS == set(), "say in which it belongs"
    assert (access | NOT_OF_ACCESS) - kinds == set(), "no verb begins with it"
    assert access & NOT_OF_ACCESS == set()
