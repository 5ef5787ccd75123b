"""Sums that have to agree: a project's limits in the cloud with what was granted, an account of the ledger with what stands."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Sum, Value

from govcloud.gateways import openstack
from govcloud.gateways.openstack.models import QuotaUse
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import FloatingAddress, Project, Resource, Snapshot
from govcloud.provisioning import demand
from govcloud.provisioning.kinds.tenancy import LIMITS, limits_of
from govcloud.provisioning.lifecycle import FINISHED
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.models import Dimension, QuotaAccount
from govcloud.reconciliation.comparison import Difference, Observation
from govcloud.reconciliation.vocabulary import Field, FindingKind, Remedy, SubjectKind
from tenants.models import Department

UNLIMITED = "-1"  # as the clouds write it


def limits(*, project: Project, cloud: openstack.Cloud, since: datetime) -> list[Observation]:
    """How the limits of a system's project differ from what the system has been granted there.

    Nothing while an operation is about to set them, or when one has ended since the instant. Raises ``CloudError``.
    """
    found = limits_of(cloud.quotas, project.external_id)
    granted = demand.of(system=project.system, cloud=project.cloud)
    different = [
        Difference(Field(f"{service}.{name}"), str(expected), shown)
        for service, kind in LIMITS.items()
        for name, expected in kind.limits(granted).items()
        if (shown := _limit(found[service], name)) != str(expected)
    ]
    if not different or _being_set(project, since=since):
        return []
    return [
        Observation(
            kind=FindingKind.QUOTA_MISMATCH,
            subject=SubjectKind.PROJECT,
            external_id=project.external_id,
            remedy=Remedy.SET_LIMITS,
            name=project.system.code,
            system=project.system_id,
            differences=tuple(different),
        )
    ]


def _limit(found: Mapping[str, QuotaUse], name: str) -> str:
    limit = found[name].limit if name in found else None
    return UNLIMITED if limit is None else str(limit)


def _being_set(project: Project, *, since: datetime) -> bool:
    of_system = Operation.objects.filter(system=project.system, cloud=project.cloud)
    ended_meanwhile = of_system.filter(finished_at__gte=since)
    kinds = [kind.name for kind in LIMITS.values()]
    to_come = Step.objects.filter(operation__in=of_system.filter(finished_at=None), kind__in=kinds)
    return ended_meanwhile.exists() or to_come.exclude(state__in=FINISHED).exists()


def ledger() -> list[Observation]:
    """Accounts of the ledger that say another use than what stands in their department and below it."""
    standing = _standing()
    return [
        observation
        for account in QuotaAccount.objects.all()
        if account.used != standing[account.department_id, account.dimension]
        for observation in account_mismatch(account.pk)
    ]


@transaction.atomic
def account_mismatch(account_pk: int) -> list[Observation]:
    """Looked at again with the account locked: what is recorded and counted in one transaction is then seen whole."""
    account = (
        QuotaAccount.objects.select_related("department").select_for_update(of=("self",)).get(pk=account_pk)
    )
    expected = _standing()[account.department_id, account.dimension]
    if account.used == expected:
        return []
    return [
        Observation(
            kind=FindingKind.QUOTA_MISMATCH,
            subject=SubjectKind.ACCOUNT,
            external_id=str(account.uuid),
            remedy=Remedy.CORRECT_LEDGER,
            name=f"{account.department} {account.dimension}",
            account=account.pk,
            differences=(Difference(Field.USED, str(expected), str(account.used)),),
        )
    ]


def _standing() -> Counter[tuple[int, str]]:
    """What stands in each department and below it, by the department's key and the dimension."""
    rows: Any = (
        Resource.objects.exclude(status=Status.RELEASED)
        .values("system__department__path")
        .annotate(
            servers=Count("server"),
            vcpus=Sum("server__vcpus"),
            memory_gb=Sum("server__memory_gb"),
            storage_gb=Sum("volume__size_gb"),
            object_gb=Sum("container__quota_gb"),
            backup_gb=Sum("backup__capacity_gb"),
            networks=Count("network"),
            addresses=Value(0),
        )
        .order_by()
    )
    totals: Counter[tuple[int, str]] = Counter()
    for row in rows:
        for department in Department(path=row["system__department__path"]).ancestor_ids:
            for dimension in Dimension.values:
                totals[department, dimension] += row[dimension] or 0
    _add_floating(totals)
    kept = Snapshot.objects.filter(deleted_at=None).values("volume__resource__system__department__path")
    for path, size_gb in (
        kept.annotate(size=Sum("size_gb"))
        .order_by()
        .values_list("volume__resource__system__department__path", "size")
    ):
        for department in Department(path=path).ancestor_ids:
            totals[department, Dimension.STORAGE_GB] += size_gb
    return totals


def _add_floating(totals: Counter[tuple[int, str]]) -> None:
    """They are no resources of their own: each counts where its server is."""
    given = FloatingAddress.objects.filter(given_at__isnull=False, released_at=None)
    path = "server__resource__system__department__path"
    for of, count in given.values_list(path).annotate(Count("pk")).order_by():
        for department in Department(path=of).ancestor_ids:
            totals[department, Dimension.ADDRESSES] += count
