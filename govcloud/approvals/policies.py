"""Who decides, and who must not."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import cast

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import Case, CaseStage, Seat, SeatOrigin, SeatStatus
from govcloud.approvals.queries import stood_in_for
from govcloud.errors import Conflict, DomainError, Forbidden
from tenants.models import DECIDING, Department, Membership, Role, User
from tenants.policies import Scope, allows, scope_of

FLOW_EDITORS = (Role.SYSTEM_ADMIN,)
"""Who drafts and publishes flows: it is a setting of the system, as accounts are."""

FLOW_READERS = tuple(role for role in Role if role != Role.APPLICANT)


class SelfApproval(Forbidden):
    code = "self-approval"
    message = _(
        "Nobody decides on what they have applied for or submitted themselves, or of which they have written or changed anything, files included."
    )


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


class GivenAway(Conflict):
    code = "seat-given-away"
    message = _("You have given your part in this step to %(person)s.")


class OutOfTurn(Conflict):
    code = "out-of-turn"
    message = _("It is not your turn: this is now with the %(role)s.")


class NotTheApplicant(Forbidden):
    code = "not-the-applicant"
    message = _("Only those who may apply for this department withdraw what it has applied for.")


AUDITED: tuple[type[Forbidden], ...] = (SelfApproval, NotADecider, NotTheApplicant)
"""Refusals that are recorded: somebody tried what is not theirs to do."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What somebody may do now: sign this seat of the current stage, by themselves or on behalf of somebody absent."""

    stage: CaseStage
    seat: Seat
    on_behalf_of: User | None = None


def held(*, departments: Iterable[Department], roles: Collection[str], at: datetime) -> list[Membership]:
    """Who holds one of the roles for one of the departments at the instant, in one query; the nearest first, as in ``deciders``."""
    units = {pk for department in departments for pk in department.ancestor_ids}
    holders = (
        Membership.objects.valid(at=at)
        .filter(Q(department__isnull=True) | Q(department__in=units), role__in=roles)
        .filter(user__is_active=True)
        .select_related("user")
        .order_by(
            "-department__path", "user__username"
        )  # up one line of the tree, the longest path sorts last
    )
    return list(holders)


def held_for(case: Case, *, roles: Collection[str], at: datetime) -> list[Membership]:
    """The same for the department of one case, and perhaps of more roles, to tell of it: what ``read_held`` has kept on the case for the
    instant is not read again.
    """
    kept: tuple[datetime, frozenset[str], list[Membership]] | None = vars(case).get("_held")
    if kept is not None and kept[0] == at and kept[1].issuperset(roles):
        return kept[2]
    return read_held(case, roles=roles, at=at)


def read_held(case: Case, *, roles: Collection[str], at: datetime) -> list[Membership]:
    """The same to decide by: read anew."""
    found = held(departments=[case.department], roles=roles, at=at)
    vars(case)["_held"] = at, frozenset(roles), found
    return found


def deciders(
    *,
    department: Department,
    roles: Collection[str],
    without: Collection[User | int],
    at: datetime,
    among: Iterable[Membership] | None = None,
) -> dict[str, list[User]]:
    """Who holds each of the roles for a department at the instant, in one query; in none with those ``among`` whom they are,
    as ``held`` has read them for several departments and at least these roles.

    Unit roles count in the department and in those above it, the nearest first; the centre's roles count for everybody.
    """
    if among is None:
        among = held(departments=[department], roles=roles, at=at)
    barred = {each.pk if isinstance(each, User) else each for each in without}
    units = {None, *department.ancestor_ids}
    found: dict[str, dict[int, User]] = {role: {} for role in roles}
    for membership in among:
        known = found.get(membership.role)
        if known is not None and membership.department_id in units and membership.user_id not in barred:
            known.setdefault(membership.user_id, membership.user)
    return {role: list(people.values()) for role, people in found.items()}


def require_decider(
    case: Case,
    stages: Sequence[CaseStage],
    *,
    seen: str,
    revision_hash: str | None,
    actor: User,
    at: datetime,
) -> Turn:
    """The seat that the actor may sign now; ``stages`` are those of the present revision with seats and decisions, read
    under the case's lock.

    ``seen`` is the code of the stage that the actor means; ``revision_hash`` None where nothing is decided on the content.
    Raises what stands in the way, the gravest first.
    """
    if actor.pk in owners(case):
        raise SelfApproval
    speaking_for = _speaking_for(case, stages, actor, at=at)
    first = next(speaking_for)
    if case.status != Status.OPEN:
        raise CaseNotOpen(status=case.get_status_display())
    if revision_hash is not None and revision_hash != case.revision_hash:
        raise RevisionChanged(pointers=("/revision_hash",))
    decided = involved_by_deciding(stages)
    if actor.pk in decided:
        raise DecidedAlready
    current = next((stage for stage in stages if stage.status == StageStatus.CURRENT), None)
    if current is None:  # read without a lock, and somebody took the last decision between two looks
        raise StageDecided
    if seen != current.code:
        if any(stage.code == seen and stage.decided_at is not None for stage in stages):
            raise StageDecided
        raise StageNotCurrent(pointers=("/stage",), role=waits_for(current))
    people: list[User] = []
    for person in chain([first], speaking_for):
        people.append(person)
        seat = None if person.pk in decided else seat_of(current, person, at=at)
        if seat is not None:
            return Turn(current, seat, None if person == actor else person)
    raise _no_seat(current, people, at=at)


def turn_of(case: Case, stages: Sequence[CaseStage], *, actor: User, at: datetime) -> Turn | None:
    """The seat that the actor may sign now, if there is one; ``stages`` as for ``require_decider``."""
    current = next((stage for stage in stages if stage.status == StageStatus.CURRENT), None)
    if current is None or actor.pk in involved_by_deciding(stages):
        return None
    try:
        return require_decider(case, stages, seen=current.code, revision_hash=None, actor=actor, at=at)
    except DomainError:
        return None


def _no_seat(stage: CaseStage, people: Sequence[User], *, at: datetime) -> Conflict:
    """Why there is no seat in the current stage for any of these: the actor and whom they stand in for."""
    delegate = next((d for person in people for d in delegates_of(person, stage)), None)
    if delegate is not None:
        return GivenAway(person=str(delegate))
    if any(_has_claim(person, stage, at=at) for person in people):
        return StageDecided()
    return OutOfTurn(role=waits_for(stage))


def seat_of(stage: CaseStage, person: User, *, at: datetime) -> Seat | None:
    """The open seat of a stage that a person may take, that which has their name first.

    Who has delegated their part in it takes no other: one person would have filled two seats. A named seat needs no role of
    its own of the person, but what they act with must not be limited to other duties.
    """
    seats = open_seats(stage)
    named = next((seat for seat in seats if seat.person_id == person.pk and allows(person, seat.role)), None)
    if named is not None and decides_for(person, stage.case.department, at=at):
        return named
    if next(delegates_of(person, stage), None) is not None:
        return None
    free = (seat for seat in seats if seat.person_id is None and _holds(person, seat.role, stage.case, at=at))
    return next(free, None)


def owners(case: Case) -> set[int]:
    """Whose matter it is: who applied, and everybody who has submitted a revision of it or written of what it says."""
    return {case.applicant_id, case.submitted_by_id, *case.submitters, *case.writers}


def involved_by_deciding(stages: Sequence[CaseStage]) -> set[int]:
    """Who has decided on this revision, by themselves or through a substitute: each person decides once."""
    decisions = [decision for stage in stages for decision in stage.decisions.all()]
    return {
        pk
        for decision in decisions
        for pk in (decision.decider_id, decision.on_behalf_of_id)
        if pk is not None
    }


def waits_for(stage: CaseStage) -> str:
    """Whose signatures a current stage still waits for."""
    return _(", ").join(dict.fromkeys(str(seat) for seat in open_seats(stage)))


def open_seats(stage: CaseStage) -> list[Seat]:
    return [seat for seat in stage.seats.all() if seat.status == SeatStatus.OPEN]


def decides_for(person: User, department: Department, *, at: datetime) -> bool:
    """Whether a person holds a role that decides, and may see what the department applies for."""
    scope = scope_of(person, at=at)
    return scope.holds_any(DECIDING, department=department) and sees(scope, department)


def sees(scope: Scope, department: Department) -> bool:
    return scope.everywhere or any(department.path.startswith(path) for path in scope.paths)


def require_applicant(case: Case, *, actor: User, at: datetime) -> None:
    """Raises NotTheApplicant unless the actor applied, submitted, or may apply for the department."""
    if actor.pk not in owners(case) and not _holds(actor, Role.APPLICANT, case, at=at):
        raise NotTheApplicant


def _speaking_for(case: Case, stages: Sequence[CaseStage], actor: User, *, at: datetime) -> Iterator[User]:
    """The actor, whose matter it is not, and those they stand in for, as far as the case is theirs to decide at any stage. Only who
    holds a role that decides, and may use it now, stands in for others; for whom is read once the actor does not do.

    At least one. Raises SelfApproval for who could only stand in for the applicant, and NotADecider for who has nothing to decide
    here.
    """
    own = _has_claims(actor, stages, at=at)
    if own:
        yield actor
    standing_in = stood_in_for(actor, at=at) if decides_for(actor, case.department, at=at) else []
    claims = [person for person in standing_in if _has_claims(person, stages, at=at)]
    people = [person for person in claims if person.pk not in owners(case)]
    yield from people
    if own or people:
        return
    if claims:
        raise SelfApproval
    roles: Iterator[str] = (role for stage in stages for role in stage.roles)
    raise NotADecider(roles=_(", ").join(dict.fromkeys(str(Role(role).label) for role in roles)))


def _has_claims(person: User, stages: Sequence[CaseStage], *, at: datetime) -> bool:
    return any(_has_claim(person, stage, at=at) for stage in stages)


def _has_claim(person: User, stage: CaseStage, *, at: datetime) -> bool:
    if any(seat.person_id == person.pk for seat in stage.seats.all()):
        return True
    return any(_holds(person, role, stage.case, at=at) for role in stage.roles)


def delegates_of(person: User, stage: CaseStage) -> Iterator[User]:
    """To whom the person has given their part in a stage, or somebody for them, unless it has been taken back."""
    for seat in stage.seats.all():
        if person.pk in _givers(seat):
            yield cast("User", seat.person)


def given_away(seats: Iterable[Seat]) -> set[int]:
    """Who has given their part in the stage of these seats to somebody else, or had it given by a substitute, and the substitute:
    they sign nothing else there.
    """
    return {pk for seat in seats for pk in _givers(seat)}


def _givers(seat: Seat) -> set[int]:
    """Nobody once whose part it is has it again."""
    if seat.origin != SeatOrigin.DELEGATED or seat.person_id == seat.given_for_id:
        return set()
    return {cast("int", seat.given_by_id), cast("int", seat.given_for_id)} - {seat.person_id}


def given_by(actor: User, stages: Iterable[CaseStage], *, at: datetime) -> list[Seat]:
    """The open seats that the actor may give to yet another or take back: those whose part they were, and who gave them, as
    long as they stand in for these.
    """
    mine = {actor.pk, *(person.pk for person in stood_in_for(actor, at=at))}
    return [
        seat
        for stage in stages
        for seat in open_seats(stage)
        if seat.given_for_id == actor.pk or (seat.given_by_id == actor.pk and seat.given_for_id in mine)
    ]


def _holds(actor: User, role: str, case: Case, *, at: datetime) -> bool:
    return scope_of(actor, at=at).holds(role, department=case.department)
