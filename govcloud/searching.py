"""What somebody has typed to search for, in words."""

import re

QUOTES = r'"([^"]+)"|“([^”]+)”'
"""Straight ones, and those that a Chinese keyboard writes."""


def terms_of(text: str, *, between: str = "") -> list[str]:
    """Words, each of which is looked for; what stands in quotation marks is one, with its blanks and in this sequence.

    Blanks stand between words, and what ``between`` names. A mark within a word, or that nothing closes, is a character like others.
    """
    apart = rf"\s{re.escape(between)}"
    found = re.findall(rf"(?:{QUOTES})(?=[{apart}]|$)|([^{apart}]+)", text)
    return [word for words in found for word in words if word.strip()]
