"""Departments with quota accounts, opened the way the product opens them, and what became of them."""

from datetime import date, datetime
from uuid import uuid4

from govcloud.audit.services import SystemActor
from govcloud.quotas import services
from govcloud.quotas.lifecycle import RaiseStatus
from govcloud.quotas.models import Crossing, Dimension, QuotaAccount, TemporaryRaise
from tenants.models import Department
from tests.factories.tenants import BEGINNING

UNLIMITED: dict[str, int | None] = dict.fromkeys(Dimension.values)


def opened(department: Department, **limits: int | None) -> dict[str, QuotaAccount]:
    """Accounts with these limits for the department, unlimited where nothing is said and in everything above it."""
    actor = SystemActor("tests")
    for above in Department.objects.filter(pk__in=department.ancestor_ids[:-1]).order_by("path"):
        services.open_accounts(department=above, limits=UNLIMITED, actor=actor, at=BEGINNING)
    accounts = services.open_accounts(
        department=department, limits={**UNLIMITED, **limits}, actor=actor, at=BEGINNING
    )
    return {account.dimension: account for account in accounts}


def raised(account: QuotaAccount, *, times: int, at: datetime) -> None:
    """Raises of the past, which have fallen back."""
    TemporaryRaise.objects.bulk_create(
        TemporaryRaise(
            account=account, limit=200, falls_back_to=100, until=date(2026, 6, 30), status=RaiseStatus.ENDED,
            thread=uuid4(), order_number="GC-2026-000001", since=at, next_run_at=at, ended_at=at,
        )
        for _time in range(times)
    )  # fmt: skip


def crossed(account: QuotaAccount, *, times: int, at: datetime) -> None:
    """Crossings of the past, which are over."""
    Crossing.objects.bulk_create(
        Crossing(account=account, percent=80, limit=100, taken=90, crossed_at=at, cleared_at=at)
        for _time in range(times)
    )
