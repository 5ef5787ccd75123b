"""A notice in a reader's language."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone, translation
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from govcloud.notifications.kinds import KINDS, Kind
from govcloud.notifications.models import Message, Notice

MOMENT = "%Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True)
class Told:
    title: str
    text: str


def told(notice: Notice, *, language: str) -> Told:
    """Its title and text; every fact on one line, whatever was typed into it."""
    words = KINDS[Kind(notice.kind)]
    with translation.override(language):
        facts = {name: _fact(notice.facts, name) for name in notice.facts}
        return Told(str(words.title) % facts, str(words.text_of(notice.facts)) % facts)


def told_to(message: Message, *, language: str) -> Told:
    """As ``told``; who is told for others reads for whom."""
    words = told(message.notice, language=language)
    if not message.on_behalf_of:
        return words
    with translation.override(language):
        people = _(", ").join(message.on_behalf_of)
        behalf = _("You are told on behalf of %(people)s, for whom you stand in.") % {"people": people}
    return Told(words.title, f"{words.text} {behalf}")


def in_both(words: Callable[[], str], *, name: str) -> dict[str, str]:
    """A fact that is made of translated words, as ``post`` takes it: in Chinese, and its sister in English."""
    facts = {}
    for language, fact in (("zh-hans", name), ("en", f"{name}_en")):
        with translation.override(language):
            facts[fact] = words()
    return facts


def _fact(facts: dict[str, Any], name: str) -> str:
    value = facts[name]
    if name.endswith("_at"):
        moment = parse_datetime(str(value)) if not isinstance(value, datetime) else value
        return f"{timezone.localtime(moment, timezone.get_default_timezone()):{MOMENT}}" if moment else ""
    if translation.get_language() == "en" and facts.get(f"{name}_en"):
        value = facts[f"{name}_en"]
    return " ".join(str(value).split())
