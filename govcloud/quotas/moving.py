"""What the tree of accounts makes of a department that moves in it.

Use moves along: it ends in the departments that are no longer above, and begins in those that now are, by entries of its
own. What is held stays on the accounts on which it was taken until it is used or given back, so nothing may be held.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from govcloud.errors import Conflict
from govcloud.quotas import ledger
from govcloud.quotas.ledger import QuotaExceeded
from govcloud.quotas.models import Dimension, EntryKind, QuotaAccount, QuotaEntry
from tenants.models import Department
from tenants.naming import name_of


class QuotaHeld(Conflict):
    code = "quota-held"
    message = _(
        "%(department)s holds quota for orders that are being decided or built: it can be moved when they are done."
    )


def transfer(*, department: Department, above: Department | None, source: UUID, at: datetime) -> None:
    """Count the department's use, and that of all below it, where it will stand: below ``above``, or at the top.

    Runs in the transaction that moves the department, whose tree is locked, before its path changes. ``source`` names the
    move in the ledger. Raises QuotaHeld, and QuotaExceeded for what does not fit into the limits of the new place.
    """
    before = set(department.ancestor_ids[:-1])
    after = set(above.ancestor_ids) if above else set()
    accounts = QuotaAccount.objects.filter(department__in=before | after | {department.pk})
    locked = list(accounts.select_related("department").locked())
    own = [each for each in locked if each.department_id == department.pk]
    if any(each.held for each in own):
        raise QuotaHeld(department=name_of(department))
    used: Counter[Dimension] = Counter({Dimension(each.dimension): each.used for each in own if each.used})
    if not used:
        return
    begins = [
        each for each in locked if each.department_id in after - before and used[Dimension(each.dimension)]
    ]
    ends = [
        each for each in locked if each.department_id in before - after and used[Dimension(each.dimension)]
    ]
    _require_room(begins, used, where=above, new=after - before)
    _move(ends, used, kind=EntryKind.GIVE_BACK, source=source, at=at)
    _move(begins, used, kind=EntryKind.COMMIT, source=source, at=at)


def _require_room(
    accounts: Iterable[QuotaAccount],
    used: Mapping[Dimension, int],
    *,
    where: Department | None,
    new: set[int],
) -> None:
    if where is None:
        return
    lacking = ledger.shortages(list(accounts), used, department=where)
    lacking = [each for each in lacking if each.department.pk in new]
    if lacking:
        raise QuotaExceeded(lacking)


def _move(
    accounts: Iterable[QuotaAccount],
    used: Mapping[Dimension, int],
    *,
    kind: EntryKind,
    source: UUID,
    at: datetime,
) -> None:
    for account in accounts:
        amount = used[Dimension(account.dimension)]
        change = amount if kind == EntryKind.COMMIT else -amount
        QuotaAccount.objects.filter(pk=account.pk).update(used=F("used") + change)
        QuotaEntry.objects.create(account=account, source=source, kind=kind, amount=amount, at=at)
