"""Running cases whose applicant leaves: another applicant takes them over."""

from collections.abc import Collection, Iterable
from datetime import datetime

from govcloud.approvals.lifecycle import Status
from govcloud.approvals.models import Case, Decision
from govcloud.audit import services as audit
from govcloud.audit.services import Entry
from tenants.models import User

RUNNING = (Status.OPEN, Status.RETURNED)


def deciders_of(cases: Iterable[int]) -> set[tuple[int, int]]:
    """Case and decider (primary keys), of whatever has been decided: nobody becomes the applicant of what they decided."""
    decided = Decision.objects.filter(stage__case__in=cases)
    return set(decided.values_list("stage__case", "decider"))


def reassign(*, cases: Collection[Case], to: User, actor: audit.Actor, at: datetime) -> None:
    """Of running cases; who submitted them stays as it was. Runs in the transaction that reassigns what they are about."""
    moved = Case.objects.filter(pk__in=[case.pk for case in cases], status__in=RUNNING)
    locked = list(moved.select_for_update(of=("self",)).select_related("applicant"))
    moved.update(applicant=to)
    entries = [
        Entry(
            case,
            {"applicant": to.audit_ref},
            before={"applicant": case.applicant.audit_ref},
            thread=case.thread,
        )
        for case in locked
    ]
    audit.record_many(actor=actor, verb="case.reassigned", entries=entries, at=at)
