"""Limits, and what is held and used of them up the tree of departments.

Nothing is checked and then written: accounts are locked in the order of their keys, the UPDATE itself has the condition,
and every movement is an entry that a source can make once. Giving back is always allowed, whatever the limit.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import ClassVar
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Invalid
from govcloud.lifecycle import ChangedMeanwhile
from govcloud.quotas import ledger, limits, temporary
from govcloud.quotas.ledger import HeldOtherwise, Hold, HoldSpent, MoreThanUsed, QuotaExceeded
from govcloud.quotas.limits import Change
from govcloud.quotas.models import (
    Dimension,
    EntryKind,
    LimitChange,
    Origin,
    QuotaAccount,
    QuotaEntry,
    TemporaryRaise,
)
from tenants.models import Department, User

__all__ = [
    "AccountChanged",
    "HeldOtherwise",
    "Hold",
    "HoldSpent",
    "LimitOutOfRange",
    "MoreThanUsed",
    "QuotaEffect",
    "QuotaExceeded",
    "Wanted",
    "allot",
    "commit",
    "commit_all",
    "correct",
    "effect",
    "give_back",
    "grant",
    "held",
    "hold",
    "open_accounts",
    "set_limit",
    "unhold",
    "unhold_all",
]

LARGEST_LIMIT = 10**12
"""A thousand million TB: beyond any centre, and far below where the columns end."""


class LimitOutOfRange(Invalid):
    code = "quota-limit-out-of-range"
    message = _("A limit is a whole number from 0 to %(largest)s, or empty for no limit.")


class AccountChanged(ChangedMeanwhile):
    """The limit was changed since it was read (412 over HTTP)."""

    code = "quota-account-changed"
    status: ClassVar[int] = 412


@dataclass(frozen=True, slots=True)
class Wanted:
    """``expected`` is the limit that was seen when this was asked for, ``lasting`` what it would have fallen back to then; with
    ``until``, its last day, it is for a time.
    """

    dimension: Dimension
    limit: int
    expected: int | None
    lasting: int | None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class QuotaEffect:
    """What an order does to one account. ``takes`` is below zero when it gives back; ``limit`` None is unlimited."""

    department: Department
    dimension: Dimension
    limit: int | None
    held: int
    used: int
    takes: int
    after: int
    fits: bool


@transaction.atomic
def open_accounts(
    *, department: Department, limits: Mapping[str, int | None], actor: audit.Actor, at: datetime
) -> list[QuotaAccount]:
    """Open one account per dimension; a dimension left out gets a limit of 0, which is nothing at all.

    Accounts that are open already stay as they are. Raises LimitOutOfRange, and ValueError for an unknown dimension.
    """
    wanted = {Dimension(dimension): _checked(limit) for dimension, limit in limits.items()}
    new = [
        QuotaAccount(department=department, dimension=each, limit=wanted.get(each, 0)) for each in Dimension
    ]
    present = set(department.quota_accounts.values_list("dimension", flat=True))
    QuotaAccount.objects.bulk_create(new, ignore_conflicts=True)
    accounts = list(department.quota_accounts.order_by("dimension"))
    opened = [account for account in accounts if account.dimension not in present]
    if opened:
        after = {account.dimension: account.limit for account in opened}
        audit.record(actor=actor, verb="quota.opened", subject=department, at=at, after=after)
        LimitChange.objects.bulk_create(
            LimitChange(
                account=account, origin=Origin.OPENED, before=0, after=account.limit,
                actor=actor if isinstance(actor, User) else None, at=at,
            )
            for account in opened
        )  # fmt: skip
    return accounts


@transaction.atomic
def set_limit(
    *,
    account: QuotaAccount,
    limit: int | None,
    expected_version: int,
    actor: audit.Actor,
    at: datetime,
    reason: str = "",
) -> QuotaAccount:
    """Change a limit; None lifts it, 0 allows nothing. It may fall below what is held and used: then nothing is left.

    Whoever keeps the limits is not bound by the units above, as orders and units that hand on are: holds are.

    Raises LimitOutOfRange, and AccountChanged when the version is not the one expected.
    """
    limit = _checked(limit)
    current = QuotaAccount.objects.select_related("department").locked().get(pk=account.pk)
    if current.version != expected_version:
        raise AccountChanged
    limits.replace(current.raises.running(), actor=actor, at=at)
    limits.write([Change(current, limit, Origin.SET)], reason=reason, actor=actor, at=at)
    return current


@transaction.atomic
def grant(
    *,
    department: Department,
    wanted: Sequence[Wanted],
    order: UUID,
    number: str,
    actor: audit.Actor,
    at: datetime,
) -> None:
    """Give a department the limits that an order asked for; in the transaction that approves it.

    Raises LimitMoved where a limit, or what it falls back to, is not the one that was seen any more, and what
    ``limits.require`` and ``temporary.require`` raise.
    """
    dimensions = [each.dimension for each in wanted]
    accounts = limits.locked(department, dimensions)
    if any((department.pk, each) not in accounts for each in dimensions):
        open_accounts(department=department, limits={}, actor=actor, at=at)
        accounts = limits.locked(department, dimensions)
    now = limits.foresee(department=department, dimensions=dimensions, accounts=accounts)
    for each in wanted:
        here = now[each.dimension]
        if here.limit != each.expected:
            raise limits.moved(here, each.expected)
        limits.require(here, each.limit)
        if each.until is not None:
            temporary.require(here, each.limit, until=each.until, at=at)
        if here.lasting != each.lasting:
            raise limits.lasting_moved(here, each.lasting)
    limits.replace((one.running for one in now.values() if one.running is not None), actor=actor, at=at)
    near = temporary.near(at=at) if any(each.until for each in wanted) else at
    raises = [
        TemporaryRaise(
            account=accounts[department.pk, each.dimension], limit=each.limit, falls_back_to=lasting,
            until=each.until, thread=order, order_number=number,
            since=at, next_run_at=temporary.over_at(each.until),
            warned_at=at if temporary.over_at(each.until) <= near else None,
        )
        for each in wanted
        if each.until is not None and (lasting := now[each.dimension].lasting) is not None
    ]  # fmt: skip
    changes = [
        Change(
            accounts[department.pk, each.dimension],
            each.limit,
            Origin.ORDERED if each.until is None else Origin.TEMPORARY,
            each.until,
        )
        for each in wanted
    ]
    limits.write(changes, thread=order, number=number, actor=actor, at=at)
    TemporaryRaise.objects.bulk_create(raises)


@transaction.atomic
def allot(
    *, account: QuotaAccount, limit: int, reason: str, expected_version: int, actor: audit.Actor, at: datetime
) -> QuotaAccount:
    """Hand quota on to a unit directly below, or take it back: what its limit becomes.

    Raises AccountChanged when the version is not the one expected, and what ``limits.refusals`` tells.
    """
    _checked(limit)
    department = account.department
    dimension = Dimension(account.dimension)
    accounts = limits.locked(department, [dimension])
    current = accounts[department.pk, dimension]
    if current.version != expected_version:
        raise AccountChanged
    now = limits.foresee(department=department, dimensions=[dimension], accounts=accounts)[dimension]
    limits.require(now, limit)
    if limit == current.limit:
        return current
    limits.replace([now.running] if now.running is not None else [], actor=actor, at=at)
    limits.write([Change(current, limit, Origin.ALLOTTED)], reason=reason, actor=actor, at=at)
    return current


@transaction.atomic
def hold(*, department: Department, holds: Sequence[Hold], at: datetime, new: bool = False) -> None:
    """Hold what the units take, in the department and in everything above it: all of it or nothing.

    A source that holds already is not counted again; only what is taken is checked, so being over in one dimension does
    not block another. The number of statements does not grow with the number of units. ``new`` says that the sources were
    made up in this very transaction, so that there is nothing to look up of them.

    Raises QuotaExceeded; HoldSpent when a source was given back before; HeldOtherwise when it holds something else.
    """
    if len({each.source for each in holds}) < len(holds):
        raise ValueError("a source holds once")
    wanted = ledger.total(each.amounts for each in holds)
    if not wanted:
        return
    accounts = list(QuotaAccount.objects.up_the_tree(department, wanted).locked())
    fresh = holds if new else _not_held_yet(holds)
    amounts = ledger.total(each.amounts for each in fresh)
    if not amounts:
        return
    affected = [account for account in accounts if account.dimension in amounts]
    ledger.take(affected, amounts, department=department)
    ledger.write(affected, fresh, kind=EntryKind.HOLD, at=at)


def lock(*, source: UUID, department: Department, dimensions: Collection[str]) -> None:
    """At once what several calls of this transaction change: the accounts on which the source holds, and the department's up the tree.

    One after the other they would lock them in an order of their own.
    """
    holding = QuotaEntry.objects.filter(source=source, kind=EntryKind.HOLD).values("account")
    theirs = Q(department__in=department.ancestor_ids, dimension__in=dimensions)
    list(QuotaAccount.objects.filter(Q(pk__in=holding) | theirs).locked())


def commit(*, source: UUID, at: datetime) -> None:
    """Turn what the source holds into use. Does nothing for a source that holds nothing, or a second time.

    Raises HoldSpent when the hold was given back.
    """
    commit_all(sources=[source], at=at)


def commit_all(*, sources: Collection[UUID], at: datetime) -> None:
    """As ``commit``, for many sources at once."""
    _settle(sources, kind=EntryKind.COMMIT, at=at)


def unhold(*, source: UUID, at: datetime) -> None:
    """Give back what the source holds, unused. Does nothing for a source that holds nothing, or a second time.

    Raises HoldSpent when it has been turned into use: that ends by ``give_back``.
    """
    unhold_all(sources=[source], at=at)


def unhold_all(*, sources: Collection[UUID], at: datetime) -> None:
    """As ``unhold``, for many sources at once."""
    _settle(sources, kind=EntryKind.UNHOLD, at=at)


def held(*, source: UUID) -> Mapping[str, int]:
    """What the source holds by dimension: nothing once it has been turned into use or given back."""
    known = ledger.entries_of([source], list(EntryKind)).get(source, {})
    spent = EntryKind.COMMIT in known or EntryKind.UNHOLD in known
    return {} if spent else known.get(EntryKind.HOLD, {})


@transaction.atomic
def give_back(*, source: UUID, department: Department, amounts: Mapping[str, int], at: datetime) -> None:
    """End use: in the department and everything above it. Does nothing a second time for the same source.

    Raises MoreThanUsed, HeldOtherwise when the source has given back something else before, and ChangedMeanwhile when the
    department has been moved in the tree since it was read.
    """
    wanted = ledger.positive(amounts)
    accounts = list(QuotaAccount.objects.up_the_tree(department, wanted).locked())
    before = ledger.entries_of([source], [EntryKind.GIVE_BACK])
    if before:
        if before[source][EntryKind.GIVE_BACK] != wanted:
            raise HeldOtherwise
        return
    amount = ledger.by_dimension(wanted) if wanted else 0
    rows = QuotaAccount.objects.filter(
        ledger.in_its_place(department), pk__in=[account.pk for account in accounts], used__gte=amount
    )
    if rows.update(used=F("used") - amount) < len(wanted) * len(department.ancestor_ids):
        there = Department.objects.filter(pk=department.pk, path=department.path).exists()
        raise MoreThanUsed if there else ChangedMeanwhile
    ledger.write(accounts, [Hold(source, amounts)], kind=EntryKind.GIVE_BACK, at=at)


@transaction.atomic
def correct(*, account: QuotaAccount, used: int, source: UUID, actor: audit.Actor, at: datetime) -> None:
    """Set what one account says is in use, by an entry of its own: the entries add up to the account afterwards as before.

    For an account that was found not to agree with what stands; its limit does not matter.
    """
    current = QuotaAccount.objects.select_related("department").locked().get(pk=account.pk)
    before, current.used = current.used, used
    if before == used:
        return
    current.save(update_fields=["used"])
    kind = EntryKind.COMMIT if used > before else EntryKind.GIVE_BACK
    QuotaEntry.objects.create(account=current, source=source, kind=kind, amount=abs(used - before), at=at)
    audit.record(
        actor=actor, verb="quota.corrected", subject=current, label=f"{current.department} {current.dimension}", at=at,
        before={"used": before}, after={"used": used},
    )  # fmt: skip


def effect(*, department: Department, amounts: Mapping[str, int]) -> list[QuotaEffect]:
    """What taking the amounts (giving back, where below zero) would do to each account, from the top of the tree down."""
    dimensions = [dimension for dimension in Dimension if amounts.get(dimension)]
    if not dimensions:
        return []
    accounts = {
        (account.department_id, account.dimension): account
        for account in QuotaAccount.objects.up_the_tree(department, dimensions).select_related("department")
    }
    units = {account.department_id: account.department for account in accounts.values()}
    if without := set(department.ancestor_ids) - units.keys():
        units |= Department.objects.in_bulk(without)
    return [
        _effect_on(accounts.get((each.pk, dimension)), each, dimension, amounts[dimension])
        for each in sorted(units.values(), key=attrgetter("path"))
        for dimension in dimensions
    ]


def _effect_on(
    account: QuotaAccount | None, department: Department, dimension: Dimension, takes: int
) -> QuotaEffect:
    """Without an account nothing was granted: a limit of 0."""
    account = account or QuotaAccount(department=department, dimension=dimension, limit=0)
    after = account.held + account.used + takes
    return QuotaEffect(
        department=department,
        dimension=dimension,
        limit=account.limit,
        held=account.held,
        used=account.used,
        takes=takes,
        after=after,
        fits=takes <= 0 or account.limit is None or after <= account.limit,
    )


def _not_held_yet(holds: Sequence[Hold]) -> list[Hold]:
    """The holds that the ledger does not have yet. The accounts are locked: nobody writes them behind our back."""
    known = ledger.entries_of([each.source for each in holds], [EntryKind.HOLD, EntryKind.UNHOLD])
    for each in holds:
        before = known.get(each.source, {})
        if EntryKind.UNHOLD in before:
            raise HoldSpent
        if before and before[EntryKind.HOLD] != ledger.positive(each.amounts):
            raise HeldOtherwise
    return [each for each in holds if each.source not in known]


@transaction.atomic
def _settle(sources: Collection[UUID], *, kind: EntryKind, at: datetime) -> None:
    """End holds as COMMIT or UNHOLD, on exactly the accounts on which they were taken."""
    held = list(QuotaEntry.objects.filter(source__in=sources, kind=EntryKind.HOLD))
    list(QuotaAccount.objects.filter(pk__in={entry.account_id for entry in held}).locked())
    settled = ledger.entries_of(sources, [EntryKind.COMMIT, EntryKind.UNHOLD])
    if any(kind not in kinds for kinds in settled.values()):
        raise HoldSpent
    due = [entry for entry in held if entry.source not in settled]
    if not due:
        return
    amounts: Counter[int] = Counter()
    for entry in due:
        amounts[entry.account_id] += entry.amount
    amount = ledger.by_account(amounts)
    used = F("used") + amount if kind == EntryKind.COMMIT else F("used")
    QuotaAccount.objects.filter(pk__in=amounts).update(held=F("held") - amount, used=used)
    moved = [
        QuotaEntry(account_id=e.account_id, source=e.source, kind=kind, amount=e.amount, at=at) for e in due
    ]
    QuotaEntry.objects.bulk_create(moved, batch_size=ledger.BATCH)


def _checked(limit: int | None) -> int | None:
    if limit is not None and not 0 <= limit <= LARGEST_LIMIT:
        raise LimitOutOfRange(largest=LARGEST_LIMIT, pointers=("/limit",))
    return limit
