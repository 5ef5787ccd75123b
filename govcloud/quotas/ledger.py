"""What moves on the accounts, and what the ledger refuses."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import BigIntegerField, Case, Exists, F, Q, Value, When
from django.utils.translation import gettext_lazy as _

from govcloud.errors import Conflict
from govcloud.lifecycle import ChangedMeanwhile
from govcloud.quotas.models import Dimension, EntryKind, QuotaAccount, QuotaEntry
from tenants.models import Department
from tenants.naming import name_of

BATCH = 2_000
"""Entries per INSERT: well below what one statement takes."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What one unit takes, by dimension. Dimensions it takes nothing of may be left out or 0."""

    source: UUID
    amounts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Shortage:
    """Where an order does not fit: what it asks of one account, and what that account has left."""

    department: Department
    dimension: Dimension
    requested: int
    free: int

    def told(self) -> dict[str, Any]:
        """As parameters of a message."""
        return {
            "department": name_of(self.department),
            "dimension": self.dimension.label,
            "requested": self.requested,
            "free": self.free,
        }


class QuotaExceeded(Conflict):
    """Every shortage, the nearest to the department first: one sentence and one entry of the parameter ``shortages`` each.

    The other parameters are those of the first.
    """

    code = "quota-exceeded"
    message = _(
        "%(department)s has %(free)s left of its quota (%(dimension)s), and this takes %(requested)s."
    )

    def __init__(self, shortages: Sequence[Shortage]) -> None:
        told = [each.told() for each in shortages]
        super().__init__(**told[0], shortages=told)
        self.shortages = tuple(shortages)

    @property
    def detail(self) -> str:
        """One sentence for each shortage, in the language active now."""
        return " ".join(str(self.message) % each for each in self.params["shortages"])


class HoldSpent(Conflict):
    code = "quota-hold-spent"
    message = _(
        "What was held for this has been used or given back already; it cannot be held, used or given back again."
    )


class HeldOtherwise(Conflict):
    code = "quota-held-otherwise"
    message = _("Another amount has been recorded for this already.")


class MoreThanUsed(Conflict):
    code = "quota-more-than-used"
    message = _("More is to be given back than is in use.")


def positive(amounts: Mapping[str, int]) -> dict[Dimension, int]:
    """What is really taken, in the order of the dimensions. Raises ValueError for an amount below zero."""
    if min(amounts.values(), default=0) < 0:
        raise ValueError("an amount that moves is not negative")
    taken = {Dimension(dimension): amount for dimension, amount in amounts.items() if amount}
    return {dimension: taken[dimension] for dimension in Dimension if dimension in taken}


def total(amounts: Iterable[Mapping[str, int]]) -> dict[Dimension, int]:
    """The sum by dimension; only positive amounts count."""
    sums: Counter[str] = Counter()
    for each in amounts:
        sums.update(positive(each))
    return positive(sums)


def entries_of(
    sources: Collection[UUID], kinds: Collection[EntryKind]
) -> dict[UUID, dict[EntryKind, dict[str, int]]]:
    """What the ledger has of the sources: kind, dimension and amount (the same on every account up the tree)."""
    found: dict[UUID, dict[EntryKind, dict[str, int]]] = {}
    rows = QuotaEntry.objects.filter(source__in=sources, kind__in=kinds)
    for source, kind, dimension, amount in rows.values_list("source", "kind", "account__dimension", "amount"):
        found.setdefault(source, {}).setdefault(EntryKind(kind), {})[dimension] = amount
    return found


def take(
    accounts: Sequence[QuotaAccount], amounts: Mapping[Dimension, int], *, department: Department
) -> None:
    """Hold the amounts on all of the accounts, which are locked, or on none.

    Raises QuotaExceeded where an account is missing (nothing was granted) or has less left, and ChangedMeanwhile when the
    department has been moved in the tree since it was read.
    """
    amount = by_dimension(amounts)
    has_room = Q(limit__isnull=True) | Q(limit__gte=F("held") + F("used") + amount)
    expected = len(amounts) * len(department.ancestor_ids)
    rows = QuotaAccount.objects.filter(
        has_room, in_its_place(department), pk__in=[account.pk for account in accounts]
    )
    if rows.update(held=F("held") + amount) < expected:
        lacking = shortages(accounts, amounts, department=department)
        raise QuotaExceeded(lacking) if lacking else ChangedMeanwhile


def in_its_place(department: Department) -> Exists:
    """That the department is where it was in the tree when it was read: the accounts above it are those meant."""
    return Exists(Department.objects.filter(pk=department.pk, path=department.path))


def shortages(
    accounts: Sequence[QuotaAccount], amounts: Mapping[Dimension, int], *, department: Department
) -> list[Shortage]:
    """Where the amounts do not fit, from the department itself upwards."""
    free = {(account.department_id, account.dimension): account.free for account in accounts}
    departments = Department.objects.in_bulk(department.ancestor_ids)
    return [
        Shortage(departments[pk], dimension, requested, left)
        for pk in reversed(department.ancestor_ids)
        for dimension, requested in amounts.items()
        if (left := free.get((pk, dimension), 0)) is not None and left < requested
    ]


def write(accounts: Sequence[QuotaAccount], holds: Iterable[Hold], *, kind: EntryKind, at: datetime) -> None:
    """Append the entries of each source on every account of its dimensions."""
    entries = [
        QuotaEntry(account=account, source=hold.source, kind=kind, amount=amount, at=at)
        for hold in holds
        for dimension, amount in positive(hold.amounts).items()
        for account in accounts
        if account.dimension == dimension
    ]
    QuotaEntry.objects.bulk_create(entries, batch_size=BATCH)


def by_dimension(amounts: Mapping[Dimension, int]) -> Case:
    """The amount for a row, by its dimension."""
    whens = [When(dimension=dimension, then=Value(amount)) for dimension, amount in amounts.items()]
    return Case(*whens, output_field=BigIntegerField())


def by_account(amounts: Mapping[int, int]) -> Case:
    """The amount for a row, by its key."""
    whens = [When(pk=pk, then=Value(amount)) for pk, amount in amounts.items()]
    return Case(*whens, output_field=BigIntegerField())
