"""Every verb that the documents tell of has its words on the pages of the audit trail."""

import re
from pathlib import Path

from govcloud.portal.audit.rows import ACCESS
from govcloud.portal.audit.words import WORDS
from govcloud.portal.order.trail import TELLINGS

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
    assert documented() - TELLINGS.keys() - WORDS.keys() == set()


def test_no_words_are_left_of_verbs_that_are_gone_or_told_twice() -> None:
    assert WORDS.keys() - documented() == set()
    assert WORDS.keys() & TELLINGS.keys() == set()


def test_every_verb_is_in_the_view_of_access_or_is_left_out_of_it_on_purpose() -> None:
    kinds = {verb.partition(".")[0] for verb in documented()}
    access = {begins.removesuffix(".") for begins in ACCESS}
    assert kinds - access - NOT_OF_ACCESS == set(), "say in which it belongs"
    assert (access | NOT_OF_ACCESS) - kinds == set(), "no verb begins with it"
    assert access & NOT_OF_ACCESS == set()
