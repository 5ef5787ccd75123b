"""Departments with quota accounts, opened the way the product opens them."""

from govcloud.audit.services import SystemActor
from govcloud.quotas import services
from govcloud.quotas.models import Dimension, QuotaAccount
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
