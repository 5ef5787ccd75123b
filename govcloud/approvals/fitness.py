"""Who can be given a seat of a current stage, or one more: refused in one place, for who does it and for who is offered it."""

import copy

from django.utils.translation import gettext_lazy as _

from govcloud.approvals import policies
from govcloud.approvals.models import Seat, SeatOrigin
from govcloud.approvals.policies import SelfApproval
from govcloud.approvals.signable import Signers, is_shorter
from govcloud.errors import Conflict, Invalid
from tenants.models import User

MOST_SEATS = 20


class PersonUnfit(Invalid):
    code = "person-unfit"
    message = _("%(person)s cannot take this: it needs somebody who decides here and has no part in it yet.")


class NobodyLeftToSign(Conflict):
    code = "nobody-left-to-sign"
    message = _(
        "%(person)s is needed for another signature of this step or of a later one, and each person signs once. Choose somebody else."
    )


class TooManySeats(Conflict):
    code = "too-many-seats"
    message = _("A stage is signed by at most %(most)s.")


def require_delegable(
    signers: Signers, seat: Seat, person: User, *, actor: User, on_behalf_of: User | None
) -> None:
    """Raises what keeps the person from having the seat, which is the actor's or of whom they stand in for."""
    _require_fit(signers, person)
    if person == actor and actor.pk not in {seat.given_by_id, seat.given_for_id}:
        raise PersonUnfit(person=str(person), pointers=("/person",))
    seats = signers.stage.seats.all()
    short = signers.shortages(seats)
    # by itself, since a seat that has found its person may hide another that loses its only one
    _require_no_shorter(short, signers.shortages(seats, without=[person.pk]), person)
    handed = handed_to(seat, person, actor, on_behalf_of)
    _require_no_shorter(
        short, signers.shortages([handed if each == seat else each for each in seats]), person
    )


def require_addable(signers: Signers, person: User, *, actor: User) -> None:
    """Raises what keeps the person from signing the stage as well."""
    _require_fit(signers, person)
    if person == actor:
        raise PersonUnfit(person=str(person), pointers=("/person",))
    seats = signers.stage.seats.all()
    if len(seats) >= MOST_SEATS:
        raise TooManySeats(most=MOST_SEATS)
    _require_no_shorter(signers.shortages(seats), signers.shortages(seats, without=[person.pk]), person)


def _require_fit(signers: Signers, person: User) -> None:
    """Raises SelfApproval for whose matter it is, and PersonUnfit for who may not or has decided or sits there already."""
    case = signers.stage.case
    if person.pk in policies.owners(case):
        raise SelfApproval(pointers=("/person",))
    decided = person.pk in policies.involved_by_deciding(signers.stages)
    sits = any(seat.person_id == person.pk for seat in signers.stage.seats.all())
    decides = person.is_active and policies.decides_for(person, case.department, at=signers.at)
    if decided or sits or not decides:
        raise PersonUnfit(person=str(person), pointers=("/person",))


def _require_no_shorter(before: tuple[int, int], after: tuple[int, int], person: User) -> None:
    """Raises NobodyLeftToSign where a seat that somebody could have signed is left to nobody, in the stage or later on."""
    if is_shorter(after, before):
        raise NobodyLeftToSign(person=str(person), pointers=("/person",))


def handed_to(seat: Seat, person: User, actor: User, on_behalf_of: User | None) -> Seat:
    """The seat as it is once the actor has given it to the person; the one at hand stays as it was. Whose part it was stays, whoever
    gives it on.
    """
    handed = copy.copy(seat)
    handed.origin = SeatOrigin.DELEGATED if seat.role else SeatOrigin.ADDED
    handed.person, handed.given_by = person, actor
    handed.given_for = seat.given_for or on_behalf_of or actor
    return handed
