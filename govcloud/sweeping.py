"""Sweeps take row after row: one that fails is logged, is tried again by the next sweep, and holds up no other."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger(__name__)


@contextmanager
def by_itself(event: str, **about: object) -> Iterator[None]:
    """Log what fails in the block as ``event``, and go on after it. What the block writes must be one transaction."""
    try:
        yield
    except Exception:
        log.exception(event, **about)
