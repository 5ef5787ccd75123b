"""Access reviews: opened by the security administrator, decided by unit approvers, nobody on themselves."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.approvals import handover
from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from govcloud.errors import Conflict, Forbidden, Invalid
from govcloud.lifecycle import check, transition
from govcloud.organisation import appointing
from govcloud.organisation.lifecycle import ReviewStatus, Verdict
from govcloud.organisation.models import AccessReview, ReviewLine
from govcloud.organisation.people import not_over
from tenants import memberships
from tenants.models import Department, Membership, Role, User
from tenants.policies import require, scope_of


class DeadlinePassed(Invalid):
    code = "review-deadline-passed"
    message = _("A review needs time: its deadline lies after its opening.")


class NothingToReview(Conflict):
    code = "nothing-to-review"
    message = _("Nobody holds a role there.")


class OwnAccess(Forbidden):
    code = "own-access"
    message = _("Nobody decides on their own access: the unit above does, or the security administrator.")


class NotAReviewer(Forbidden):
    code = "not-a-reviewer"
    message = _("This is decided by the unit's approver or the security administrator.")


class LineDecided(Conflict):
    code = "line-decided"
    message = _("This has been decided already: %(verdict)s.")


class ReviewOver(Conflict):
    code = "review-over"
    message = _("The review has been closed.")


class EndingReasonMissing(Invalid):
    code = "ending-reason-missing"
    message = _("Say why the role ends.")


class NoVerdict(Invalid):
    code = "no-verdict"
    message = _("A role is %(known)s.")


class ReviewUnfinished(Conflict):
    code = "review-unfinished"
    message = _("%(count)s roles have not been decided on, and the deadline has not passed.")


@transaction.atomic
def open_review(
    *, title: str, departments: Sequence[Department], due_at: datetime, actor: User, at: datetime
) -> AccessReview:
    """Of the units named and all below them; of everybody, the centre's own roles too, when none is named.

    Raises RoleMissing, DeadlinePassed and NothingToReview.
    """
    require(actor, Role.SECURITY_ADMIN, at=at)
    if due_at <= at:
        raise DeadlinePassed(pointers=("/due_at",))
    there = Q() if not departments else Q(pk__in=[])
    for department in departments:
        there |= Q(department__path__startswith=department.path)
    held = list(Membership.objects.valid(at=at).filter(there).order_by("department__path", "role", "pk"))
    if not held:
        raise NothingToReview(pointers=("/departments",))
    review = AccessReview.objects.create(title=title.strip(), opened_by=actor, opened_at=at, due_at=due_at)
    ReviewLine.objects.bulk_create(
        ReviewLine(review=review, membership=each, department_id=each.department_id) for each in held
    )
    audit.record(
        actor=actor, verb="accessreview.opened", subject=review, at=at,
        after={"departments": [str(each.uuid) for each in departments], "due_at": due_at, "roles": len(held)},
    )  # fmt: skip
    return review


def decide(*, line: ReviewLine, verdict: str, reason: str, actor: User, at: datetime) -> ReviewLine:
    """Confirm a role, or end it at once. Late is better than never: the deadline keeps nobody from it.

    Raises NoVerdict, EndingReasonMissing, OwnAccess, NotAReviewer, ReviewOver, and LineDecided when somebody was quicker or
    the role has ended by itself.
    """
    if verdict not in {Verdict.CONFIRMED, Verdict.ENDED}:
        known = f"{Verdict.CONFIRMED.value}, {Verdict.ENDED.value}"
        raise NoVerdict(known=known, pointers=("/verdict",))
    if verdict == Verdict.ENDED and not reason.strip():
        raise EndingReasonMissing(pointers=("/reason",))
    try:
        _require_reviewer(line, actor=actor, at=at)
    except (OwnAccess, NotAReviewer) as refusal:
        refuse(
            actor=actor, verb="accessreview.decided", subject=line, at=at, reason=refusal.code,
            label=line.review.title,
        )  # fmt: skip
        raise
    with transaction.atomic():
        current = _locked(line)
        _require_pending(current, at=at)
        _write(current, verdict, reason=reason.strip(), actor=actor, at=at)
    return current


@transaction.atomic
def close(*, review: AccessReview, reason: str, actor: User, at: datetime) -> AccessReview:
    """End a review; what nobody decided on stays in the evidence as such. Before its deadline only when all is decided.

    Raises RoleMissing, ReviewUnfinished and WrongState.
    """
    require(actor, Role.SECURITY_ADMIN, at=at)
    current = AccessReview.objects.select_for_update().get(pk=review.pk)
    check(current, ReviewStatus.CLOSED)
    waiting = current.lines.select_for_update().filter(verdict=Verdict.PENDING)
    over = waiting.exclude(membership__in=not_over(at=at).values("pk"))
    ReviewLine.objects.filter(pk__in=[each.pk for each in over]).update(verdict=Verdict.LAPSED, decided_at=at)
    left = current.lines.filter(verdict=Verdict.PENDING).count()
    if left and at < current.due_at:
        raise ReviewUnfinished(count=left)
    transition(current, ReviewStatus.CLOSED, actor=actor, at=at, reason=reason.strip(), closed_at=at)
    return current


def _require_reviewer(line: ReviewLine, *, actor: User, at: datetime) -> None:
    if line.membership.user_id == actor.pk:
        raise OwnAccess
    scope = scope_of(actor, at=at)
    if Role.SECURITY_ADMIN in scope.roles:
        return
    if line.department is None or not scope.holds(Role.UNIT_APPROVER, department=line.department):
        raise NotAReviewer


def _locked(line: ReviewLine) -> ReviewLine:
    rows = ReviewLine.objects.select_for_update(of=("self", "review"))
    return rows.select_related("review", "membership__user", "department").get(pk=line.pk)


def _require_pending(line: ReviewLine, *, at: datetime) -> None:
    if line.review.status != ReviewStatus.OPEN:
        raise ReviewOver
    if line.verdict != Verdict.PENDING:
        raise LineDecided(verdict=line.get_verdict_display())
    if not not_over(at=at).filter(pk=line.membership_id).exists():
        raise LineDecided(verdict=Verdict.LAPSED.label)


def _write(line: ReviewLine, verdict: str, *, reason: str, actor: User, at: datetime) -> None:
    line.verdict, line.reason, line.decided_by, line.decided_at = verdict, reason, actor, at
    line.save(update_fields=["verdict", "reason", "decided_by", "decided_at"])
    membership = line.membership
    audit.record(
        actor=actor, verb="accessreview.decided", subject=line, at=at, thread=line.review.uuid,
        before={"verdict": Verdict.PENDING},
        after={"verdict": verdict, "person": membership.user.audit_ref, "role": membership.role},
        reason=reason,
    )  # fmt: skip
    if verdict == Verdict.ENDED:
        memberships.end(membership=membership, reason=reason, actor=actor, at=at)
        handover.vacate(person=membership.user, actor=actor, at=at)
        appointing.decline_void(person=membership.user, actor=actor, at=at, reason=reason)
