from collections.abc import Callable, Iterable

import structlog
from celery import shared_task

from govcloud import clock
from govcloud.leases import notices, services

log = structlog.get_logger(__name__)


@shared_task(name="leases.sweep", ignore_result=True)
def sweep() -> None:
    """Tell departments what ends, and do what is due where a lease has ended. Two at once do each thing once: the rows decide."""
    services.find(at=clock.now())
    notices.announce(at=clock.now())
    advance_all(services.due(at=clock.now()))


def advance_all(
    expiries: Iterable[int], *, tell: Callable[[services.Outcome | None], None] = lambda _outcome: None
) -> int:
    """Go through leases that have ended; returns how many failed. One that fails is logged and holds up no other."""
    failed = 0
    for expiry in expiries:
        try:
            tell(services.advance(expiry, at=clock.now()))
        except Exception:
            failed += 1
            log.exception("lease not followed up", expiry=expiry)
    return failed
