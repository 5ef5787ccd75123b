"""Quota accounts in words: how full each is, what comes of it by itself, and what became of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Prefetch, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from govcloud.portal.files import Sheet, local
from govcloud.portal.templatetags.portal import limited, named
from govcloud.quotas.models import Dimension, LimitChange, QuotaAccount, TemporaryRaise
from tenants.models import Department

HISTORY_HEADINGS: tuple[str | Promise, ...] = (
    _("When"),
    _("Department"),
    _("Of what"),
    _("Limit before"),
    _("Limit after"),
    _("Last day"),
    _("How"),
    _("By whom"),
    _("Order"),
    _("Reason"),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One account as it is read. ``percent`` is None where there is no limit to be a share of."""

    account: QuotaAccount
    label: str | Promise
    percent: int | None
    level: str
    words: str
    running: TemporaryRaise | None

    @property
    def beyond(self) -> int:
        """How much more is held and used than the limit."""
        return 0 if self.account.limit is None else max(0, self.account.taken - self.account.limit)

    @property
    def filled(self) -> int:
        """Of the bar, which ends at its limit."""
        return min(100, self.percent or 0)


def accounts(rows: QuerySet[QuotaAccount]) -> QuerySet[QuotaAccount]:
    """With what ``bars`` reads of them."""
    return rows.prefetch_related(Prefetch("raises", TemporaryRaise.objects.running(), to_attr="running"))


def bars(found: Iterable[QuotaAccount]) -> list[Bar]:
    """In the order of the dimensions; ``found`` are those of ``accounts``."""
    by_dimension = {account.dimension: account for account in found}
    return [_bar(by_dimension[each], each.label) for each in Dimension if each in by_dimension]


def _bar(account: Any, label: str | Promise) -> Bar:
    level, words = _level(account)
    return Bar(account, label, percent_of(account), level, words, next(iter(account.running), None))


def percent_of(account: QuotaAccount) -> int | None:
    """Whole per cent of the limit, rounded down; of a limit of 0 either nothing or more than all of it."""
    if account.limit is None:
        return None
    if account.limit == 0:
        return 100 if account.taken else 0
    return account.taken * 100 // account.limit


def _level(account: QuotaAccount) -> tuple[str, str]:
    """A word for how it looks, and the words for people."""
    if account.limit is None:
        return "unlimited", gettext("no limit")
    if account.taken > account.limit:
        return "beyond", gettext("over the limit")
    if account.limit == 0:
        return "ungranted", gettext("nothing granted")
    percent = percent_of(account) or 0
    if account.taken == account.limit:
        return "full", gettext("full")
    if percent >= min(settings.QUOTA_THRESHOLDS, default=100):
        return "near", gettext("nearly full")
    return "roomy", gettext("room left")


@dataclass(frozen=True, slots=True)
class Unit:
    """A department in a list: its fullest account, and how many of its raises fall back by themselves."""

    department: Department
    fullest: Bar | None
    raises: int


def units(departments: Iterable[Department]) -> Iterator[Unit]:
    """Needs their accounts (``with_accounts``)."""
    for department in departments:
        own = bars(department.quota_accounts.all())
        with_limit = [bar for bar in own if bar.percent is not None]
        fullest = max(with_limit, key=_fullness, default=None)
        yield Unit(department, fullest, sum(bar.running is not None for bar in own))


def _fullness(bar: Bar) -> tuple[bool, int]:
    return bar.level == "beyond", bar.percent or 0


def with_accounts(departments: QuerySet[Department]) -> QuerySet[Department]:
    return departments.prefetch_related(Prefetch("quota_accounts", accounts(QuotaAccount.objects.all())))


def change_sheet(changes: Iterable[LimitChange]) -> Sheet:
    """The history as a file; no limit is a word and 0 is 0."""
    told = (
        (
            local(each.at),
            named(each.account.department),
            str(Dimension(each.account.dimension).label),
            _cell(each.before),
            _cell(each.after),
            each.until,
            each.get_origin_display(),
            each.actor.audit_name if each.actor is not None else gettext("by itself"),
            each.order_number,
            each.reason,
        )
        for each in changes
    )
    return Sheet("quota-history", _("History of the quota"), HISTORY_HEADINGS, told)


def _cell(limit: int | None) -> int | str:
    return limited(None) if limit is None else limit
