"""Removal of secrets from everything that leaves a run."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

REPLACEMENT = "[redacted]"
_SECRET_NAME = re.compile(r"pass(word|wd|phrase)|secret|token|private_?key|credential", re.IGNORECASE)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
# Shorter ones would tear holes into ordinary words, and are no secrets.
_SHORTEST = 4

T = TypeVar("T")


def secrets_in(variables: Any, *, inside_secret: bool = False) -> Iterator[str]:
    """Every text that stands under a name which tells of a secret (`password`, `api_token`, ...), at any depth."""
    match variables:
        case str() if inside_secret:
            yield variables
        case Mapping():
            for name, value in variables.items():
                yield from secrets_in(
                    value, inside_secret=inside_secret or bool(_SECRET_NAME.search(str(name)))
                )
        case list() | tuple():
            for value in variables:
                yield from secrets_in(value, inside_secret=inside_secret)


class Redactor:
    """Replaces known secrets, each of their lines, and anything that looks like a private key."""

    def __init__(self, secrets: Iterable[str]) -> None:
        parts = {part.strip() for secret in secrets for part in (secret, *secret.splitlines())}
        # The longest first, or a secret's beginning would hide the rest of it from the search.
        usable = sorted((part for part in parts if len(part) >= _SHORTEST), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, usable))) if usable else None

    def text(self, text: str) -> str:
        """`text` without secrets."""
        text = _PRIVATE_KEY.sub(REPLACEMENT, text)
        return self._pattern.sub(REPLACEMENT, text) if self._pattern else text

    def value(self, value: T) -> T:
        """A JSON-like value of the same shape with every text in it redacted, keys included."""
        return self._walk(value)  # type: ignore[no-any-return]

    def _walk(self, value: Any) -> Any:
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(str(key)): self._walk(item) for key, item in value.items()}
            case list() | tuple():
                return [self._walk(item) for item in value]
        return value
