"""Clouds' credentials at rest: sealed for their cloud alone (see ``govcloud.ciphers``)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from govcloud import ciphers
from govcloud.ciphers import CIPHERS, Sealed, Unreadable, fingerprint

__all__ = ["CIPHERS", "Sealed", "Unreadable", "fingerprint", "opened", "seal"]

PURPOSE = "cloud credentials"


def seal(document: Mapping[str, Any], *, cloud: UUID) -> Sealed:
    return ciphers.seal(document, purpose=PURPOSE, owner=cloud)


def opened(sealed: Sealed, *, cloud: UUID) -> dict[str, Any]:
    """What was sealed for the cloud. Raises Unreadable."""
    return ciphers.opened(sealed, purpose=PURPOSE, owner=cloud)
