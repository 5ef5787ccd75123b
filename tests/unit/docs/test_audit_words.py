"""Every verb that the documents tell of has its words on the pages of the audit trail."""

import re
from pathlib import Path

from govcloud.portal.audit.words import WORDS
from govcloud.portal.order.trail import TELLINGS

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
