"""Substitutes: for a time somebody decides on behalf of a person who is away."""

from collections.abc import Collection
from datetime import MAXYEAR, datetime, timedelta
from functools import partial

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from govcloud.approvals import notices
from govcloud.approvals.models import Absence, Case
from govcloud.approvals.policies import decides_for
from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from govcloud.errors import Conflict, Forbidden, Invalid
from govcloud.notifications.audience import StandIn
from tenants.models import DECIDING, UNIT_ROLES, Membership, User
from tenants.policies import read_scopes, require, scope_of

LONGEST = timedelta(days=366)
BATCH = 100


class AbsenceUnfit(Invalid):
    code = "absence-unfit"
    message = _("An absence ends after it begins and after now, and lasts at most %(days)s days.")


class SubstituteUnfit(Invalid):
    code = "substitute-unfit"
    message = _("%(person)s cannot stand in for you: it needs somebody who decides wherever you do.")


class AbsenceOverlaps(Conflict):
    code = "absence-overlaps"
    message = _("Somebody stands in for you at that time already.")


class AbsenceOver(Conflict):
    code = "absence-over"
    message = _("This absence is over.")


class NotYourAbsence(Forbidden):
    code = "not-your-absence"
    message = _("Each person ends their own absence.")


@transaction.atomic
def name_substitute(
    *, substitute: User, starts_at: datetime, ends_at: datetime, reason: str, actor: User, at: datetime
) -> Absence:
    """Have somebody decide on the actor's behalf for a time; nothing before now, whenever it is said to begin.

    They may do what the actor may, but not what the actor must not: nothing that either of them applied for or has decided
    on. Raises RoleMissing for who decides nothing, AbsenceUnfit, SubstituteUnfit and AbsenceOverlaps.
    """
    require(actor, *sorted(DECIDING), at=at)
    begins = max(starts_at, at)
    # Not until the end of all dates: the clock of the wall is ahead of that of the database.
    if not begins < ends_at or ends_at - begins > LONGEST or ends_at.year == MAXYEAR:
        raise AbsenceUnfit(days=LONGEST.days, pointers=("/ends_at",))
    if substitute not in substitutes_for(actor, at=at):
        raise SubstituteUnfit(person=str(substitute), pointers=("/substitute",))
    try:
        with transaction.atomic():
            absence = Absence.objects.create(
                person=actor,
                substitute=substitute,
                starts_at=begins,
                ends_at=ends_at,
                reason=reason.strip(),
                named_at=at,
            )
    except IntegrityError:
        raise AbsenceOverlaps(pointers=("/starts_at",)) from None
    after = {"substitute": substitute.audit_ref, "starts_at": begins, "ends_at": ends_at}
    audit.record(
        actor=actor, verb="absence.named", subject=absence, at=at, after=after, reason=reason.strip()
    )
    return absence


def end(*, absence: Absence, actor: User, at: datetime) -> Absence:
    """Before its time: nobody decides on the actor's behalf from now on. Raises NotYourAbsence and AbsenceOver."""
    if absence.person_id != actor.pk:
        refuse(actor=actor, verb="absence.ended", subject=absence, at=at, reason=NotYourAbsence.code)
        raise NotYourAbsence
    with transaction.atomic():
        locked = Absence.objects.select_for_update().get(pk=absence.pk)
        if locked.ends_at <= at:
            raise AbsenceOver
        before = {"ends_at": locked.ends_at}
        locked.ends_at = max(locked.starts_at, at)
        locked.save(update_fields=["ends_at"])
        after = {"ends_at": locked.ends_at}
        audit.record(actor=actor, verb="absence.ended", subject=locked, at=at, before=before, after=after)
    return locked


def end_substitutions(*, of: User, reason: str, actor: audit.Actor, at: datetime) -> int:
    """Of a substitute who leaves: whoever they stand in for is told, and may name somebody else. Returns how many.

    Runs in the transaction in which they leave.
    """
    rows = Absence.objects.filter(substitute=of, ends_at__gt=at).exclude(ends_at=F("starts_at"))
    rows = rows.select_related("person", "substitute").order_by("pk")
    ended = list(rows.select_for_update(of=("self",)))
    for absence in ended:
        notices.substitute_leaves(absence, at=at)
        before = {"ends_at": absence.ends_at}
        absence.ends_at = max(absence.starts_at, at)
        absence.save(update_fields=["ends_at"])
        audit.record(
            actor=actor, verb="absence.ended", subject=absence, at=at,
            before=before, after={"ends_at": absence.ends_at}, reason=reason,
        )  # fmt: skip
    return len(ended)


def substitutes_for(person: User, *, at: datetime) -> list[User]:
    """Who decides wherever the person does: roles of the centre reach every department, a unit's those at and below it.

    Nobody for who decides nothing.
    """
    scope = scope_of(person, at=at)
    central = bool(scope.roles & DECIDING)
    paths = {path for role, path in scope.unit_roles if role in DECIDING}
    if not central and not paths:
        return []
    held = Membership.objects.valid(at=at).filter(role__in=DECIDING, user__is_active=True)
    found: dict[User, None] = {}
    for membership in (
        held.exclude(user=person).select_related("user", "department").order_by("user__username")
    ):
        reaches = membership.role not in UNIT_ROLES
        if membership.department is not None and not central:
            above = membership.department.path
            reaches = all(path.startswith(above) for path in paths)
        if reaches:
            found.setdefault(membership.user)
    return list(found)


def stand_ins(people: Collection[int], at: datetime) -> dict[int, StandIn]:
    """Who stands in for which of these people (keys) at the instant: one query, and one more where anybody does."""
    absences = Absence.objects.in_force(at=at).filter(person__in=people, substitute__is_active=True)
    found = {absence.person_id: absence.substitute for absence in absences.select_related("substitute")}
    if found:
        read_scopes(list(found.values()), at=at)

    return {key: StandIn(person, partial(decides_for, person, at=at)) for key, person in found.items()}


@transaction.atomic
def tell_of_beginnings(*, at: datetime) -> int:
    """Tell each substitute whose time has begun what waits for the person now; returns how many such absences there were.

    Once for each absence, also where nothing waits: what comes later they are told as the person is.
    """
    begun = list(
        Absence.objects.to_tell(at=at)
        .select_for_update(of=("self",), skip_locked=True)
        .select_related("person", "substitute")
        .order_by("pk")[:BATCH]
    )
    for absence in begun:
        cases = _waiting_in(absence, at=at)
        if cases:
            notices.stand_in_begins(absence, cases, at=at)
    Absence.objects.filter(pk__in=[absence.pk for absence in begun]).update(told_at=at)
    return len(begun)


def _waiting_in(absence: Absence, *, at: datetime) -> list[Case]:
    """What the substitute can decide on behalf of the person, the oldest first."""
    person, substitute = absence.person, absence.substitute
    if not (person.is_active and substitute.is_active):
        return []
    cases = Case.objects.on_behalf_of(person, substitute, at=at).select_related("department").order_by("pk")
    return [case for case in cases if decides_for(substitute, case.department, at=at)]
