"""Asking for haste (催办): a row and an audit event, for whoever tells people; the deadline stays."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.approvals import notices, policies
from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import Case, Reminder
from govcloud.approvals.services import current_deciders, lock, stages_of
from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from govcloud.errors import Conflict, Forbidden
from govcloud.periods import wall_clock
from tenants.models import Role, User
from tenants.policies import scope_of

REST = timedelta(days=1)
"""Of one stage nobody reminds again before that."""

WATCHING = frozenset({Role.LEADER, Role.SUPERVISOR})


class MayNotRemind(Forbidden):
    code = "may-not-remind"
    message = _("Only those who may apply for this department remind of it, leaders and supervisors.")


class RemindedAlready(Conflict):
    code = "reminded-already"
    message = _("%(person)s has reminded of it; the next reminder is possible from %(next)s.")


def remind(*, case: Case, text: str, actor: User, at: datetime) -> Reminder:
    """Remind of the current stage. Raises MayNotRemind, CaseNotOpen, and RemindedAlready within a day of the last one."""
    try:
        with transaction.atomic():
            locked = lock(case)
            _require_standing(locked, actor=actor, at=at)
            if locked.status != Status.OPEN:
                raise policies.CaseNotOpen(status=locked.get_status_display())
            stages = stages_of(locked)
            stage = next(each for each in stages if each.status == StageStatus.CURRENT)
            last = stage.reminders.select_related("person").last()
            again = rests_until(last.at if last else None, at=at)
            if last is not None and again is not None:
                raise RemindedAlready(person=str(last.person), next=wall_clock(again))
            reminder = Reminder.objects.create(stage=stage, person=actor, text=text.strip(), at=at)
            audit.record(
                actor=actor,
                verb="case.reminded",
                subject=locked,
                at=at,
                thread=locked.thread,
                after={"stage": stage.code},
                reason=text.strip(),
            )
            people = [person.pk for person in current_deciders(case=locked, at=at, stages=stages)]
            before = policies.involved_by_deciding(stages)
            notices.reminded(stage, people, before=before, actor=actor, at=at)
    except MayNotRemind as refusal:
        refuse(
            actor=actor, verb="case.reminded", subject=case, at=at, thread=case.thread, reason=refusal.code
        )
        raise
    return reminder


def may_remind(case: Case, *, actor: User, at: datetime) -> bool:
    scope = scope_of(actor, at=at)
    applies = scope.holds(Role.APPLICANT, department=case.department)
    return actor.pk in policies.owners(case) or applies or bool(scope.roles & WATCHING)


def rests_until(last: datetime | None, *, at: datetime) -> datetime | None:
    """From when on it can be reminded again of a stage that was reminded of last then; None: now."""
    return last + REST if last is not None and last + REST > at else None


def _require_standing(case: Case, *, actor: User, at: datetime) -> None:
    if not may_remind(case, actor=actor, at=at):
        raise MayNotRemind
