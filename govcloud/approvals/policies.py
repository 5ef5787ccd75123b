"""Who decides, and who must not."""

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import Case, CaseStage
from govcloud.errors import Conflict, Forbidden
from tenants.models import Department, Membership, Role, User
from tenants.policies import scope_of


class SelfApproval(Forbidden):
    code = "self-approval"
    message = _("Nobody decides on what they have applied for or submitted themselves.")


class NotADecider(Forbidden):
    code = "not-a-decider"
    message = _("This is decided by: %(roles)s.")


class CaseNotOpen(Conflict):
    code = "case-not-open"
    message = _("There is nothing to decide here any more: this is %(status)s.")


class RevisionChanged(Conflict):
    code = "revision-changed"
    message = _("This is no longer the revision you have seen. Look at it again before you decide.")


class DecidedAlready(Conflict):
    code = "decided-already"
    message = _("You have decided on this revision already.")


class StageDecided(Conflict):
    code = "stage-decided-meanwhile"
    message = _("Somebody else has decided this step a moment ago.")


class StageNotCurrent(Conflict):
    code = "stage-not-current"
    message = _("This is not the step that is being decided: that is now with the %(role)s.")


class OutOfTurn(Conflict):
    code = "out-of-turn"
    message = _("It is not your turn: this is now with the %(role)s.")


class NotTheApplicant(Forbidden):
    code = "not-the-applicant"
    message = _("Only those who may apply for this department withdraw what it has applied for.")


AUDITED: tuple[type[Forbidden], ...] = (SelfApproval, NotADecider, NotTheApplicant)
"""Refusals that are recorded: somebody tried what is not theirs to do."""


def deciders(
    *, department: Department, roles: Collection[str], without: Collection[User], at: datetime
) -> dict[str, list[User]]:
    """Who holds each of the roles for a department at the instant, in one query.

    Unit roles count in the department and in those above it, the nearest first; the centre's roles count for everybody.
    """
    holders = (
        Membership.objects.valid(at=at)
        .filter(Q(department__isnull=True) | Q(department__in=department.ancestor_ids), role__in=roles)
        .filter(user__is_active=True)
        .exclude(user__in=without)
        .select_related("user")
        .order_by(
            "-department__path", "user__username"
        )  # up one line of the tree, the longest path sorts last
    )
    found: dict[str, dict[int, User]] = {role: {} for role in roles}
    for membership in holders:
        found[membership.role].setdefault(membership.user_id, membership.user)
    return {role: list(people.values()) for role, people in found.items()}


def require_decider(
    case: Case, stages: Sequence[CaseStage], *, seen: str, revision_hash: str, actor: User, at: datetime
) -> CaseStage:
    """The current stage, if the actor may decide it now; ``stages`` are those of the present revision, read under its lock.

    ``seen`` is the code of the stage that the actor means to decide. Raises what stands in the way, the gravest first.
    """
    if actor.pk in {case.applicant_id, case.submitted_by_id}:
        raise SelfApproval
    held = {role for role in {stage.role for stage in stages} if _holds(actor, role, case, at=at)}
    if not held:
        raise NotADecider(roles=", ".join(dict.fromkeys(str(stage.get_role_display()) for stage in stages)))
    if case.status != Status.OPEN:
        raise CaseNotOpen(status=case.get_status_display())
    if revision_hash != case.revision_hash:
        raise RevisionChanged(pointers=("/revision_hash",))
    if any(stage.decision.decider_id == actor.pk for stage in stages if stage.decided_at is not None):
        raise DecidedAlready
    current = next(stage for stage in stages if stage.status == StageStatus.CURRENT)
    if seen != current.code:
        if any(stage.code == seen and stage.decided_at is not None for stage in stages):
            raise StageDecided
        raise StageNotCurrent(pointers=("/stage",), role=current.get_role_display())
    if current.role not in held:
        raise OutOfTurn(role=current.get_role_display())
    return current


def require_applicant(case: Case, *, actor: User, at: datetime) -> None:
    """Raises NotTheApplicant unless the actor applied, submitted, or may apply for the department."""
    own = actor.pk in {case.applicant_id, case.submitted_by_id}
    if not own and not _holds(actor, Role.APPLICANT, case, at=at):
        raise NotTheApplicant


def _holds(actor: User, role: str, case: Case, *, at: datetime) -> bool:
    return scope_of(actor, at=at).holds(role, department=case.department)
