"""What limits may become: by an order, by the unit above, by the keepers of the limits; and what the tree of units allows.

A unit that hands on quota keeps what it has not handed on: the limits of the units directly below it and what it uses itself
stay within its own. Every change locks the accounts up the tree in the order of their keys, as holds do.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Conflict, DomainError
from govcloud.lifecycle import ChangedMeanwhile, transition
from govcloud.quotas.lifecycle import RaiseStatus
from govcloud.quotas.models import Dimension, LimitChange, Origin, QuotaAccount, TemporaryRaise
from tenants.models import Department, User
from tenants.naming import name_of


class LimitBelowUse(Conflict):
    code = "quota-limit-below-use"
    message = _(
        "%(department)s holds %(held)s and uses %(used)s (%(dimension)s): its limit cannot become %(limit)s."
    )


class LimitBelowHandedOn(Conflict):
    code = "quota-limit-below-handed-on"
    message = _(
        "%(department)s has handed on %(handed_on)s to the units below it (%(dimension)s): its limit cannot become %(limit)s."
    )


class LimitBeyondUnitAbove(Conflict):
    code = "quota-limit-beyond-unit-above"
    message = _(
        "%(limit)s is more than the units above leave (%(dimension)s): %(above)s has a limit of %(above_limit)s, of which "
        "%(others)s go to others and its own use. At most %(most)s is possible."
    )


class LimitMoved(Conflict):
    code = "quota-limit-moved"
    message = _(
        "The limit of %(department)s (%(dimension)s) is %(now)s by now; this was asked for when it was %(then)s."
    )


class LastingLimitMoved(LimitMoved):
    """What is in force is as it was seen, and by now, or not any more, for a time only: it may be decided another way."""

    code = "quota-lasting-limit-moved"
    message = _(
        "The lasting limit of %(department)s (%(dimension)s) is %(now)s by now; this was asked for when it was %(then)s."
    )


@dataclass(frozen=True, slots=True)
class Foreseen:
    """An account and what the tree leaves it; limits of None are unlimited.

    ``handed_on`` are the limits of the units directly below. ``above`` is the nearest unit above with a limit, if any;
    ``others`` what it has handed on beside this, and uses itself. ``running`` is the temporary raise in force.
    """

    department: Department
    dimension: Dimension
    limit: int | None
    held: int
    used: int
    handed_on: int
    above: Department | None
    above_limit: int | None
    others: int
    running: TemporaryRaise | None

    @property
    def taken(self) -> int:
        return self.held + self.used

    @property
    def least(self) -> int:
        """What the limit cannot be lowered under."""
        return max(self.taken, self.handed_on)

    @property
    def most(self) -> int | None:
        """What it can be raised to; None if nothing above bounds it."""
        return None if self.above_limit is None else max(0, self.above_limit - self.others)

    @property
    def lasting(self) -> int | None:
        """The limit without the temporary raise."""
        return self.running.falls_back_to if self.running is not None else self.limit


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of an account's limit, and how it came to it."""

    account: QuotaAccount
    limit: int | None
    origin: Origin
    until: date | None = None

    def told(self) -> dict[str, Any]:
        """In the audit trail."""
        return {"limit": self.limit} if self.until is None else {"limit": self.limit, "until": self.until}


Accounts = Mapping[tuple[int, str], QuotaAccount]
"""By department and dimension."""


def foresee(
    *, department: Department, dimensions: Collection[str], accounts: Accounts | None = None
) -> dict[Dimension, Foreseen]:
    """By dimension. Three queries, however many; certain for whoever has the ``accounts`` ``locked``."""
    if accounts is None:
        accounts = _by_place(QuotaAccount.objects.up_the_tree(department, dimensions))
    below = _below(department, dimensions)
    raises = TemporaryRaise.objects.running().filter(
        account__department=department, account__dimension__in=dimensions
    )
    running = {each.account.dimension: each for each in raises.select_related("account__department")}
    return {
        each: _foreseen(department, each, accounts, below, running.get(each))
        for each in Dimension
        if each in dimensions
    }


Below = Mapping[tuple[int, str], tuple[int, int]]
"""Limits, and what is taken, of the units directly below a department in a dimension; the department itself left out."""


def _below(department: Department, dimensions: Collection[str]) -> Below:
    """Only of those with a limit: what has none draws on what the unit above keeps."""
    parents = [pk for pk in (department.pk, department.parent_id) if pk is not None]
    rows = (
        QuotaAccount.objects.filter(
            department__parent__in=parents, dimension__in=dimensions, limit__isnull=False
        )
        .exclude(department=department)
        .order_by()
        .values_list("department__parent", "dimension")
        .annotate(handed=Sum("limit"), in_use=Sum(F("held") + F("used")))
    )
    return {(parent, dimension): (limits, taken) for parent, dimension, limits, taken in rows}


def _foreseen(
    department: Department,
    dimension: Dimension,
    accounts: Accounts,
    below: Below,
    running: TemporaryRaise | None,
) -> Foreseen:
    nothing = QuotaAccount(department=department, dimension=dimension, limit=0)
    own = accounts.get((department.pk, dimension), nothing)
    above, others = None, 0
    for pk in reversed(department.ancestor_ids[:-1]):
        above = accounts.get((pk, dimension))
        if above is not None and above.limit is not None:
            break
    if above is not None and above.department_id == department.parent_id:
        limits, taken = below.get((above.department_id, dimension), (0, 0))
        others = limits + max(0, above.taken - taken - own.taken)
    bounded = above is not None and above.limit is not None
    return Foreseen(
        department=department,
        dimension=dimension,
        limit=own.limit,
        held=own.held,
        used=own.used,
        handed_on=below.get((department.pk, dimension), (0, 0))[0],
        above=above.department if above is not None and bounded else None,
        above_limit=above.limit if above is not None else None,
        others=others if bounded else 0,
        running=running,
    )


def refusals(now: Foreseen, limit: int) -> Iterator[DomainError]:
    """Why the limit cannot become so much.

    Lowering is never refused for what the units above have, nor a raise because it is not enough for what is in use. A limit
    where there was none is both.
    """
    told: dict[str, Any] = {
        "department": name_of(now.department),
        "dimension": now.dimension.label,
        "limit": limit,
    }
    lowers = now.limit is None or limit < now.limit
    if lowers and limit < now.taken:
        yield LimitBelowUse(**told, held=now.held, used=now.used)
    if lowers and limit < now.handed_on:
        yield LimitBelowHandedOn(**told, handed_on=now.handed_on)
    grows = now.limit is None or limit > now.limit
    if grows and now.above is not None and now.most is not None and limit > now.most:
        yield LimitBeyondUnitAbove(
            **told, above=name_of(now.above), above_limit=now.above_limit, others=now.others, most=now.most
        )


def require(now: Foreseen, limit: int) -> None:
    """Raises the first of ``refusals``."""
    for refusal in refusals(now, limit):
        raise refusal


def locked(department: Department, dimensions: Collection[str]) -> Accounts:
    """The accounts up the tree, locked as holds lock them.

    Raises ChangedMeanwhile when the department was moved to another place in the tree while these were waited for.
    """
    found = _by_place(QuotaAccount.objects.up_the_tree(department, dimensions).locked())
    if not Department.objects.filter(pk=department.pk, path=department.path).exists():
        raise ChangedMeanwhile
    return found


def _by_place(accounts: QuerySet[QuotaAccount]) -> Accounts:
    rows = accounts.select_related("department")
    return {(account.department_id, account.dimension): account for account in rows}


def moved(now: Foreseen, expected: int | None) -> LimitMoved:
    return LimitMoved(**_told(now, now.limit, expected))


def lasting_moved(now: Foreseen, expected: int | None) -> LastingLimitMoved:
    return LastingLimitMoved(**_told(now, now.lasting, expected))


def _told(of: Foreseen, now: int | None, then: int | None) -> dict[str, Any]:
    return {
        "department": name_of(of.department),
        "dimension": of.dimension.label,
        "now": shown(now),
        "then": shown(then),
    }


def shown(limit: int | None) -> str:
    """0 is nothing at all and is told as 0."""
    return str(_("unlimited")) if limit is None else str(limit)


def write(
    changes: Sequence[Change],
    *,
    actor: audit.Actor,
    at: datetime,
    reason: str = "",
    thread: UUID | None = None,
    number: str = "",
) -> None:
    """Set the limits of accounts that are locked, with their place in the history and in the audit trail.

    ``thread`` and ``number`` are those of the order they came by. The number of statements does not grow with the changes.
    """
    accounts = [each.account for each in changes]
    before = [account.limit for account in accounts]
    for each in changes:
        each.account.limit, each.account.version = each.limit, each.account.version + 1
    QuotaAccount.objects.bulk_update(accounts, ["limit", "version"])
    LimitChange.objects.bulk_create(
        LimitChange(
            account=each.account, origin=each.origin, before=was, after=each.limit, until=each.until,
            actor=actor if isinstance(actor, User) else None, reason=reason,
            thread=thread, order_number=number, at=at,
        )
        for each, was in zip(changes, before, strict=True)
    )  # fmt: skip
    entries = [
        audit.Entry(each.account, each.told(), before={"limit": was}, thread=thread, reason=reason)
        for each, was in zip(changes, before, strict=True)
    ]
    match changes[0].origin:  # one call's changes came about alike
        case Origin.SET:
            _tell("quota.limit_set", entries, actor=actor, at=at)
        case Origin.ALLOTTED:
            _tell("quota.allotted", entries, actor=actor, at=at)
        case Origin.FELL_BACK:
            _tell("quota.fell_back", entries, actor=actor, at=at)
        case _:
            _tell("quota.granted", entries, actor=actor, at=at)


def _tell(verb: str, entries: Sequence[audit.Entry], *, actor: audit.Actor, at: datetime) -> None:
    audit.record_many(actor=actor, verb=verb, entries=entries, at=at)


def replace(running: Iterable[TemporaryRaise], *, actor: audit.Actor, at: datetime) -> None:
    """Another limit comes before their time is over: nothing falls back any more."""
    for each in running:
        transition(each, RaiseStatus.REPLACED, actor=actor, at=at, thread=each.thread, ended_at=at)
