"""The limit for building what was approved, where the flow has one. The package above tells when that begins and ends."""

from datetime import datetime

from govcloud.approvals.models import Case
from govcloud.audit import services as audit
from govcloud.calendars.services import due_after


def begun(*, case: Case, actor: audit.Actor, at: datetime) -> None:
    """What the case was about is being built from now on."""
    days = case.flow.fulfilment_days
    if days is None:
        return
    case.fulfilment_due_at = due_after(start=at, working_days=days)
    case.save(update_fields=["fulfilment_due_at"])
    after = {"fulfilment_due_at": case.fulfilment_due_at, "working_days": days}
    audit.record(
        actor=actor, verb="case.fulfilment_begun", subject=case, thread=case.thread, after=after, at=at
    )


def ended(*, case: Case, delivered: bool, at: datetime) -> None:
    """It is all there, or it was called off: nobody is late with what nobody wants any more."""
    if delivered:
        case.fulfilled_at = at
    else:
        case.fulfilment_due_at = None
    case.save(update_fields=["fulfilled_at", "fulfilment_due_at"])
