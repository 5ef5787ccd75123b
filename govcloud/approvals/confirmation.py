"""Confirmation: the department says whether what was delivered is as it was approved; defects are mended, and it is asked again.

Nobody confirms in its place, and silence is no answer: it gets a card (``supervision.confirming``), and can still be answered.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.models import Answer, Case, Confirmation
from govcloud.audit import services as audit
from govcloud.calendars.services import due_after
from govcloud.errors import Conflict, Invalid
from tenants.models import User

LONGEST = 2_000
"""Characters of a remark, and of what is said about a remedy."""


class NothingToConfirm(Conflict):
    code = "nothing-to-confirm"
    message = _("Nothing waits for a confirmation now: %(why)s.")


class NothingToRemedy(Conflict):
    code = "nothing-to-remedy"
    message = _("No defects wait for a remedy now.")


class RemarkMissing(Invalid):
    code = "remark-missing"
    message = _("Say what it is, in at most %(most)s characters.")


class RemarkTooLong(Invalid):
    code = "remark-too-long"
    message = _("At most %(most)s characters.")


WHY = {
    None: _("nothing was delivered that is to be confirmed"),
    Answer.CONFIRMED: _("it has been confirmed"),
    Answer.DEFECTS: _("the defects that were reported are being mended"),
}


def ask(*, case: Case, actor: audit.Actor, at: datetime) -> Confirmation | None:
    """Ask the department, with the limit that the case's flow has; None where the flow does not ask."""
    days = case.flow.confirmation_days
    return None if days is None else _ask(case, days, actor=actor, at=at)


def _ask(case: Case, days: int, *, actor: audit.Actor, at: datetime) -> Confirmation:
    position = case.confirmations.count()
    due_at = due_after(start=at, working_days=days)
    asked = Confirmation.objects.create(case=case, position=position, asked_at=at, due_at=due_at)
    after = {"due_at": due_at, "working_days": days}
    _tell("case.confirmation_asked", case, actor=actor, at=at, after=after)
    return asked


@transaction.atomic
def answer(*, case: Case, verdict: Answer, remark: str, actor: User, at: datetime) -> Confirmation:
    """Take the department's answer down. The package above says who may give it.

    Raises NothingToConfirm, also for the second of two at once; RemarkMissing for defects of which nothing is said; RemarkTooLong.
    """
    remark = _words(remark, wanted=verdict == Answer.DEFECTS, pointer="/remark")
    last = _last(case)
    if last is None or not last.owed:
        raise NothingToConfirm(why=WHY[Answer(last.answer) if last else None])
    last.answer, last.remark, last.answered_by, last.answered_at = verdict, remark, actor, at
    after = {"answer": verdict, "remark": remark}
    if verdict == Answer.DEFECTS and case.flow.fulfilment_days is not None:
        last.remedy_due_at = due_after(start=at, working_days=case.flow.fulfilment_days)
        after["remedy_due_at"] = str(last.remedy_due_at)
    last.save()
    if verdict == Answer.CONFIRMED:
        _tell("case.confirmed", case, actor=actor, at=at, after=after)
    else:
        _tell("case.defects_reported", case, actor=actor, at=at, after=after)
    return last


@transaction.atomic
def remedied(*, case: Case, remedy: str, actor: User, at: datetime) -> tuple[Confirmation, Confirmation]:
    """What was reported has been mended; the department is asked again, within the limit that it had. Raises NothingToRemedy, RemarkMissing, RemarkTooLong."""
    remedy = _words(remedy, wanted=True, pointer="/remedy")
    last = _last(case)
    if last is None or not last.disputed:
        raise NothingToRemedy
    last.remedy, last.remedied_by, last.remedied_at = remedy, actor, at
    last.save()
    _tell("case.remedied", case, actor=actor, at=at, after={"remedy": remedy})
    return last, _ask(case, case.flow.confirmation_days or 0, actor=actor, at=at)


def _last(case: Case) -> Confirmation | None:
    """The latest, locked: of two that answer at once the second finds it answered."""
    return Confirmation.objects.select_for_update().filter(case=case).order_by("-position").first()


def _words(text: str, *, wanted: bool, pointer: str) -> str:
    text = text.replace("\0", "").strip()
    if wanted and not text:
        raise RemarkMissing(most=LONGEST, pointers=(pointer,))
    if len(text) > LONGEST:
        raise RemarkTooLong(most=LONGEST, pointers=(pointer,))
    return text


def _tell(verb: str, case: Case, *, actor: audit.Actor, at: datetime, after: Mapping[str, Any]) -> None:
    audit.record(actor=actor, verb=verb, subject=case, thread=case.thread, after=after, at=at)
