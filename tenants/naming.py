"""Names of rows that have one in each language, told in the language in which they are read."""

from typing import Protocol

from django.utils.functional import Promise, lazystr
from django.utils.translation import get_language


class Bilingual(Protocol):
    """A row with a Chinese name, and an English one that may be empty."""

    @property
    def name(self) -> str: ...

    @property
    def name_en(self) -> str: ...


class _Name:
    """Decides when it is turned into text, not before."""

    def __init__(self, row: Bilingual) -> None:
        self._chinese, self._english = row.name, row.name_en

    def __str__(self) -> str:
        english = (get_language() or "").startswith("en")
        return self._english if english and self._english else self._chinese


def name_of(row: Bilingual) -> Promise:
    """The row's name in the language active when it is read, as for any other text; Chinese where there is no other."""
    return lazystr(_Name(row))
