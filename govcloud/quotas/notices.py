"""What a department's people are told of its quota: those who hand it on, and those who order more of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from django.utils.translation import gettext as _

from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import Kind
from govcloud.notifications.services import Posting
from govcloud.notifications.texts import in_both
from govcloud.quotas.models import Crossing, Dimension, QuotaAccount, TemporaryRaise
from tenants.models import Department, Role

TOLD = (Role.APPLICANT, Role.UNIT_APPROVER)


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit as it is granted; with ``until``, its last day, for a time."""

    dimension: str
    limit: int
    until: date | None = None


def of_limits(limits: Sequence[Limit], *, department: Department) -> dict[str, Any]:
    """The facts ``department`` and ``limits``, in both languages."""
    return _of(department) | in_both(lambda: _listed(map(_limit, limits)), name="limits")


def reached(crossings: Iterable[Crossing], *, at: datetime) -> None:
    """Tell each department once of all that has come near its limit; of several shares of an account the largest."""
    largest = {row.account_id: row for row in sorted(crossings, key=lambda row: row.percent)}
    rows = sorted(largest.values(), key=lambda row: (row.account.department_id, row.account_id))
    notifications.post_many(
        postings=[
            _reached(department, list(of_it))
            for department, of_it in groupby(rows, key=lambda row: row.account.department)
        ],
        at=at,
    )


def _reached(department: Department, rows: Sequence[Crossing]) -> Posting:
    facts = in_both(lambda: _listed(map(_taken, rows)), name="accounts")
    return _posting(Kind.QUOTA_NEAR_LIMIT, department, department, facts)


def falling_back(raises: Iterable[TemporaryRaise], *, at: datetime) -> None:
    """Warn of raises whose time is nearly over."""
    notifications.post_many(postings=[_raised(Kind.QUOTA_FALLS_BACK, each) for each in raises], at=at)


def fell_back(ended: TemporaryRaise, *, at: datetime) -> None:
    """Tell that it has; ``beyond`` is what stands above the limit from now on."""
    notifications.post_many(postings=[_raised(Kind.QUOTA_FELL_BACK, ended)], at=at)


def _raised(kind: Kind, one: TemporaryRaise) -> Posting:
    account = one.account
    facts = {
        **in_both(lambda: str(Dimension(account.dimension).label), name="dimension"),
        "limit": one.limit, "falls_back_to": one.falls_back_to, "until": one.until,
        "taken": account.taken, "beyond": one.beyond, "order": one.order_number,
        "action": "beyond" if one.beyond else "",
    }  # fmt: skip
    return _posting(kind, account, account.department, facts)


def _posting(
    kind: Kind, subject: Department | QuotaAccount, department: Department, facts: dict[str, Any]
) -> Posting:
    return Posting(
        kind=kind, subject=subject, facts=_of(department) | facts, roles=TOLD, department=department
    )


def _of(department: Department) -> dict[str, Any]:
    return {"department": department.name, "department_en": department.name_en}


def _listed(parts: Iterable[str]) -> str:
    return _(", ").join(parts)


def _limit(one: Limit) -> str:
    told = {"dimension": Dimension(one.dimension).label, "limit": one.limit, "until": one.until}
    if one.until is None:
        return _("%(dimension)s: %(limit)s") % told
    return _("%(dimension)s: %(limit)s (until %(until)s)") % told


def _taken(row: Crossing) -> str:
    return _("%(dimension)s: %(taken)s of %(limit)s (%(percent)s %% reached)") % {
        "dimension": Dimension(row.account.dimension).label,
        "taken": row.taken,
        "limit": row.limit,
        "percent": row.percent,
    }
