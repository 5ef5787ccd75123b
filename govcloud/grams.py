"""Texts as the single characters and pairs of characters that an index finds them by (docs/decisions/0012)."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Func, Value
from django.db.models import TextField as Text

TEXTS: "ArrayField[Any, Any]" = ArrayField(Text())


class Joined(Func):
    """Texts with a blank between them. (``Concat`` guards against nulls, and would have them in the index's expression.)"""

    template = "(%(expressions)s)"
    arg_joiner = " || ' ' || "
    output_field = Text()


class Grams(Func):
    """The single characters and pairs of characters that a text consists of, in capitals (migration 0012 of orders); with a
    second argument of 2 the pairs alone.

    One or two Chinese characters are a word; an index of trigrams would not find them. PostgreSQL
    capitalises rows and words alike, by the database's locale.
    """

    function = "govcloud_grams"
    output_field = TEXTS


def grams_of(word: str) -> Grams:
    """What a text has to have for the word to be in it: its pairs, or the one character that it is."""
    return Grams(Value(word, output_field=Text()), Value(min(2, len(word))))
