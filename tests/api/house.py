"""A house with so many of everything that the API lists, and what identifies one of each in a path."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from knox.models import AuthToken

from api.models import TokenName
from govcloud.audit.models import Event
from govcloud.catalog.models import Cloud
from govcloud.chargeback.models import MonthClose
from govcloud.clouds.models import Maintenance
from govcloud.inventory.models import Resource, Volume
from govcloud.leases import notices
from govcloud.leases.models import Expiry, Notice, NoticeKind
from govcloud.metering.models import UsageSegment
from govcloud.orders.models import Order
from govcloud.protection.models import BackupPlan, BackupRun, Frequency, RecoveryPoint
from govcloud.provisioning.lifecycle import StepState
from govcloud.provisioning.models import Operation, OperationKind, Step
from govcloud.reconciliation.models import Sweep
from tenants.models import Department, Role, System, User
from tests.factories.approvals import absence, consulted, drafted
from tests.factories.catalog import CloudFactory, ZoneFactory
from tests.factories.chargeback import TariffFactory, statements
from tests.factories.clouds import MaintenanceFactory
from tests.factories.inventory import (
    BackupAllowanceFactory,
    CredentialFactory,
    FloatingAddressFactory,
    SecurityRuleFactory,
    SnapshotFactory,
    WipeRecordFactory,
    whole_server,
)
from tests.factories.leases import found
from tests.factories.metering import UsageSegmentFactory
from tests.factories.orders import Scene, scene, submitted
from tests.factories.quotas import opened
from tests.factories.reconciliation import DifferenceFactory, FindingFactory, SweepFactory
from tests.factories.takeovers import CandidateFactory, EquivalentFactory, TakeoverFactory
from tests.factories.tenants import DepartmentFactory, DivisionFactory, SystemFactory

RECAP = {"ok": 9, "changed": 0, "unreachable": 0, "failed": 0, "skipped": 2, "rescued": 0, "ignored": 0}
AT = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class House:
    on: Scene
    order: Order
    keys: dict[str, Any]
    """By the name of a resource in the API, what stands in the path of one of it that belongs to the scene."""


def house(many: int) -> House:
    on = scene()
    units = [DepartmentFactory(parent=on.department) for _ in range(many)]
    for unit in units[1:]:
        opened(unit)
    systems = [on.system, *(SystemFactory(department=on.department, level_3=True) for _ in range(many - 1))]
    orders = [submitted(_for(on, system), at=AT) for system in systems]
    reviewer = on.chain[Role.TECHNICAL_REVIEWER]
    asked = [consulted(order.case, reviewer, at=AT) for order in orders]
    away = [absence(on.applicant, reviewer, begins=AT + timedelta(days=day)) for day in range(many)]
    flow_drafts = [drafted() for _system in systems]
    servers = [whole_server(system=system) for system in systems]
    for number in range(many):
        DivisionFactory(code=f"45{number:04d}")
        cloud = CloudFactory(code=f"cloud-{number}", status="disabled")
        ZoneFactory(cloud=cloud)
        MaintenanceFactory(cloud=cloud, announced_at=AT)
        TariffFactory(in_force=DateTimeTZRange(_year(1900 + number), _year(1901 + number)))
    volumes = [server.volumes.first() for server in servers]
    points = [recovery_point(volume) for volume in volumes]
    floating = [FloatingAddressFactory(server=server) for server in servers]
    rules = [SecurityRuleFactory(network=each.network) for each in floating]
    snapshots = [SnapshotFactory(volume=volume) for volume in volumes]
    credentials = [CredentialFactory(container__resource__system=system) for system in systems]
    wiped = [WipeRecordFactory(volume=volume) for volume in volumes]
    for server in servers:
        UsageSegmentFactory(resource=server.resource)
        SweepFactory(cloud__code="sandbox")
    takeovers = [TakeoverFactory(cloud__code="sandbox", system=system, zone="private") for system in systems]
    candidates = [CandidateFactory(takeover=takeover) for takeover in takeovers]
    equivalents = [EquivalentFactory(cloud__code="sandbox") for _system in systems]
    findings = [FindingFactory(system=system) for system in systems]
    for finding in findings:
        DifferenceFactory(finding=finding)
    for server in servers:
        found(server.resource, at=AT)
    ended = Expiry.objects.get(resource=servers[0].resource)
    notices.write([each.resource for each in servers], kind=NoticeKind.SUSPENDED, at=AT)
    issued = statements(on.department, *units)
    return House(
        on=on,
        order=orders[0],
        keys={
            **_catalogue(),
            "departments": on.department.uuid,
            "systems": on.system.uuid,
            "quota-accounts": on.department.quota_accounts.first().uuid,
            "orders": orders[0].uuid,
            "cases": orders[0].case.uuid,
            "consultations": asked[0].uuid,
            "absences": away[0].uuid,
            "flow-versions": flow_drafts[0].uuid,
            "operations": points[0].run.operation.uuid,
            "resources": servers[0].resource.uuid,
            "sweeps": Sweep.objects.first().uuid,
            "findings": findings[0].uuid,
            "expiries": ended.uuid,
            "lease-notices": Notice.objects.get(resource=servers[0].resource).uuid,
            "takeovers": takeovers[0].uuid,
            "takeover-candidates": candidates[0].uuid,
            "equivalents": equivalents[0].uuid,
            "recovery-points": points[0].uuid,
            "snapshots": snapshots[0].uuid,
            "floating-addresses": floating[0].uuid,
            "security-rules": rules[0].uuid,
            "container-credentials": credentials[0].uuid,
            "wipe-records": wiped[0].uuid,
            "usage-segments": UsageSegment.objects.filter(resource=servers[0].resource).first().uuid,
            "month-closes": MonthClose.objects.first().month,
            "statements": issued[0].uuid,
            "audit-events": Event.objects.first().uuid,
        },
    )


def _catalogue() -> dict[str, Any]:
    return {
        "divisions": "450000",
        "offerings": "server",
        "flavors": "g.4c16g",
        "storage-classes": "ssd",
        "images": "debian-12",
        "dr-tiers": 3,
        "clouds": Cloud.objects.get(code="sandbox").uuid,
        "maintenances": Maintenance.objects.first().uuid,
        "tariffs": TariffFactory._meta.model.objects.order_by("-in_force").first().uuid,
    }


def _for(on: Scene, system: System) -> Scene:
    return Scene(
        catalogue=on.catalogue,
        department=on.department,
        system=system,
        applicant=on.applicant,
        chain=on.chain,
    )


def _year(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)


def recovery_point(volume: Volume) -> RecoveryPoint:
    """A backup taken of the volume, by an operation of two steps."""
    resource: Resource = volume.resource
    allowance = BackupAllowanceFactory(resource__system=resource.system)
    plan = BackupPlan.objects.create(
        allowance=allowance, name="daily", frequency=Frequency.DAILY, next_run_at=None, created_at=AT
    )
    operation = Operation.objects.create(
        kind=OperationKind.BACKUP,
        reason="daily backup",
        system=resource.system,
        cloud=resource.cloud,
        created_at=AT,
    )
    run = BackupRun.objects.create(plan=plan, due_at=AT, operation=operation)
    steps = [
        Step.objects.create(
            operation=operation, position=position, key=str(uuid4()), kind="backup", label=resource.name, unit=uuid4(),
            state=state, outputs={"recaps": {"app-1": RECAP}, "request": "req-1"},
        )
        for position, state in enumerate((StepState.DONE, StepState.PARKED))
    ]  # fmt: skip
    return RecoveryPoint.objects.create(
        run=run, volume=volume, step=steps[0], external_id=str(uuid4()), taken_at=AT + timedelta(minutes=5),
        size_gb=volume.size_gb, off_site=True,
    )  # fmt: skip


def token_of(user: User) -> UUID:
    """A token that the person has given a name."""
    token, _text = AuthToken.objects.create(user=user)
    return TokenName.objects.create(token=token, name="laptop").uuid


def stranger_department() -> Department:
    return DepartmentFactory()
