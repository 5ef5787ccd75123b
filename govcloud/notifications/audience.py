"""Whom a notice is for, looked up when it is dispatched: people by name, whoever holds a role then, and who stands in for them."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from govcloud.notifications.kinds import FOR_SUBSTITUTES, WATCHING
from govcloud.notifications.models import Notice
from tenants.models import Department, Membership, User


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who is told; ``on_behalf_of`` are those they stand in for, none where it is for themselves."""

    person: User
    on_behalf_of: tuple[User, ...] = ()


@dataclass(frozen=True, slots=True)
class StandIn:
    """Who stands in for somebody, in the departments that they can do it in."""

    person: User
    can: Callable[[Department], bool]


StandIns = Callable[[Collection[int], datetime], Mapping[int, StandIn]]
"""By the keys of those they stand in for; asked with the keys of people and the instant."""

_STAND_INS: list[StandIns] = []


def register_stand_ins(look_up: StandIns) -> None:
    """Enter what knows who stands in for whom; called from the AppConfig of the package that has it."""
    _STAND_INS.append(look_up)


def of(notices: Sequence[Notice], *, at: datetime) -> Mapping[int, list[Addressee]]:
    """By the notice's key, everybody once; two queries and what the look-up of stand-ins takes, however many notices.

    A unit's role counts in the notice's department and above it, a role of the centre for every department.
    """
    named = {key for notice in notices for key in notice.people}
    users = {user.pk: user for user in User.objects.filter(pk__in=named, is_active=True)}
    memberships = (
        Membership.objects.valid(at=at)
        .filter(role__in={role for notice in notices for role in notice.roles}, user__is_active=True)
        .select_related("user")
        .order_by("user", "pk")
    )
    held: dict[str, list[Membership]] = {}
    for membership in memberships:
        held.setdefault(membership.role, []).append(membership)
    found = {notice.pk: _of(notice, users, held) for notice in notices}
    deciding = {n.pk: _deciding(n, held) & found[n.pk].keys() for n in notices if n.kind in FOR_SUBSTITUTES}
    away = _away(set().union(*deciding.values()), at=at)
    return {n.pk: [*_addressed(n, found[n.pk], deciding.get(n.pk, ()), away)] for n in notices}


def _of(
    notice: Notice, users: Mapping[int, User], held: Mapping[str, Sequence[Membership]]
) -> dict[int, User]:
    found = {key: users[key] for key in notice.people if key in users}
    found |= {user.pk: user for user in _holders(notice, held) if user.pk not in notice.without}
    return found


def _holders(
    notice: Notice, held: Mapping[str, Sequence[Membership]], *, but: Collection[str] = ()
) -> Iterator[User]:
    above = set(notice.department.ancestor_ids) if notice.department else set()
    for role in (each for each in notice.roles if each not in but):
        for membership in held.get(role, ()):
            if membership.department_id is None or membership.department_id in above:
                yield membership.user


def _deciding(notice: Notice, held: Mapping[str, Sequence[Membership]]) -> set[int]:
    """Who is told because it is theirs to decide, not only because they watch."""
    return {*notice.people} | {user.pk for user in _holders(notice, held, but=WATCHING)}


def _away(people: Collection[int], *, at: datetime) -> dict[int, StandIn]:
    found: dict[int, StandIn] = {}
    for look_up in _STAND_INS if people else ():
        found |= look_up(people, at)
    return found


def _addressed(
    notice: Notice, found: Mapping[int, User], deciding: Collection[int], away: Mapping[int, StandIn]
) -> Iterator[Addressee]:
    """Those found, and who stands in for those deciding unless they are told anyway or barred from it. Nobody stands in for a
    stand-in.
    """
    yield from map(Addressee, found.values())
    if notice.department is None:
        return
    not_for_others = {*found} | ({*notice.without} - {*notice.standing_in})
    behalf: dict[User, list[User]] = {}
    for key, person in found.items():
        other = away.get(key) if key in deciding else None
        if other and other.person.pk not in not_for_others and other.can(notice.department):
            behalf.setdefault(other.person, []).append(person)
    for substitute, people in behalf.items():
        yield Addressee(substitute, tuple(people))
