"""A house with so many of everything that the API lists, and what identifies one of each in a path."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from govcloud.audit.models import Event, Export
from govcloud.calendars.models import SpecialDay
from govcloud.catalog.models import Cloud
from govcloud.chargeback.models import MonthClose
from govcloud.clouds.models import Maintenance
from govcloud.inventory.models import Resource, Volume
from govcloud.leases import notices
from govcloud.leases.models import Expiry, Notice, NoticeKind
from govcloud.metering.models import UsageSegment
from govcloud.notifications import dispatch
from govcloud.orders.models import Order
from govcloud.protection.models import BackupPlan, BackupRun, Frequency, LegalHold, RecoveryPoint
from govcloud.provisioning.lifecycle import StepState
from govcloud.provisioning.models import Operation, OperationKind, Step
from govcloud.quotas.models import Crossing, LimitChange, TemporaryRaise
from govcloud.reconciliation.models import Sweep
from govcloud.supervision import services as supervision
from tenants.models import Department, Role, System
from tests.factories.approvals import absence, case_of, consulted, drafted
from tests.factories.catalog import CloudFactory, ZoneFactory
from tests.factories.chargeback import TariffFactory, statements
from tests.factories.clouds import MaintenanceFactory
from tests.factories.inventory import (
    BackupAllowanceFactory,
    ContainerFactory,
    CredentialFactory,
    FloatingAddressFactory,
    SecurityRuleFactory,
    SnapshotFactory,
    WipeRecordFactory,
    whole_server,
)
from tests.factories.leases import found
from tests.factories.metering import UsageSegmentFactory
from tests.factories.notifications import posted, webhook
from tests.factories.orders import Scene, paper_of, scene, submitted
from tests.factories.organisation import review_of
from tests.factories.quotas import crossed, opened, raised
from tests.factories.reconciliation import DifferenceFactory, FindingFactory, SweepFactory
from tests.factories.second_factors import enrolled
from tests.factories.takeovers import CandidateFactory, EquivalentFactory, TakeoverFactory
from tests.factories.tenants import (
    DepartmentFactory,
    DivisionFactory,
    SystemFactory,
    asked_for,
    member,
    token_of,
)

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
    papers = [paper_of(order, at=AT) for order in orders]
    reviewer = on.chain[Role.TECHNICAL_REVIEWER]
    opinions = [consulted(order.case, reviewer, at=AT) for order in orders]
    away = [absence(on.applicant, reviewer, begins=AT + timedelta(days=day)) for day in range(many)]
    flow_drafts = [drafted() for _system in systems]
    servers = [whole_server(system=system) for system in systems]
    for number in range(many):
        DivisionFactory(code=f"45{number:04d}")
        cloud = CloudFactory(code=f"cloud-{number}", status="disabled")
        ZoneFactory(cloud=cloud)
        MaintenanceFactory(cloud=cloud, announced_at=AT)
        TariffFactory(in_force=DateTimeTZRange(_year(1910 + number), _year(1911 + number)))
    volumes = [server.volumes.first() for server in servers]
    points = [recovery_point(volume) for volume in volumes]
    floating = [FloatingAddressFactory(server=server) for server in servers]
    rules = [SecurityRuleFactory(network=each.network) for each in floating]
    snapshots = [SnapshotFactory(volume=volume) for volume in volumes]
    credentials = [CredentialFactory(container__resource__system=system) for system in systems]
    held = [
        LegalHold.objects.create(
            container=ContainerFactory(resource__system=system),
            reason="证据",
            placed_by=reviewer,
            placed_at=AT,
        )
        for system in systems
    ]
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
    for account in on.department.quota_accounts.all():
        raised(account, times=many, at=AT)
        crossed(account, times=many, at=AT)
    told = _told(on, many) | _carded(on, many)
    issued = statements(on.department, *units)
    exports = [_audit_export(number) for number in range(1, many + 1)]
    officer = member(Role.SECURITY_ADMIN)
    asked = [asked_for(member(Role.LEADER), by=officer, at=AT) for _system in systems]
    for each in asked:
        enrolled(each.user, at=AT)
    reviews = [review_of(on.department, at=AT, days=3650) for _number in range(many)]
    for _person in range(many):
        member(Role.APPLICANT, on.department)
    return House(
        on=on,
        order=orders[0],
        keys={
            **_catalogue(),
            "departments": on.department.uuid,
            "systems": on.system.uuid,
            "people": on.applicant.uuid,
            "access-reviews": reviews[0].uuid,
            "access-review-lines": reviews[0].lines.first().uuid,
            "quota-accounts": on.department.quota_accounts.first().uuid,
            "quota-changes": LimitChange.objects.filter(account__department=on.department).first().uuid,
            "quota-raises": TemporaryRaise.objects.filter(account__department=on.department).first().uuid,
            "quota-crossings": Crossing.objects.filter(account__department=on.department).first().uuid,
            "orders": orders[0].uuid,
            "attachments": papers[0].uuid,
            "cases": orders[0].case.uuid,
            "consultations": opinions[0].uuid,
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
            "legal-holds": held[0].uuid,
            "wipe-records": wiped[0].uuid,
            "usage-segments": UsageSegment.objects.filter(resource=servers[0].resource).first().uuid,
            "month-closes": MonthClose.objects.first().month,
            "statements": issued[0].uuid,
            **told,
            "audit-events": Event.objects.first().uuid,
            "audit-exports": exports[0].uuid,
            "accounts": asked[0].user.uuid,
            "tokens": token_of(on.applicant)[0].uuid,
            "memberships": on.applicant.memberships.first().uuid,
            "role-requests": asked[0].uuid,
        },
    )


def _audit_export(number: int) -> Export:
    return Export.objects.create(
        number=number, at=AT, first_seal=number, last_seal=number, events=1, file=f"audit-{number}.jsonl.gz"
    )


def _carded(on: Scene, many: int) -> dict[str, Any]:
    """Cases of the department with cards, and days in the calendar."""
    cases = [case_of(on, at=AT - timedelta(days=30)) for _each in range(many)]
    supervision.sweep(at=AT)
    SpecialDay.objects.bulk_create(
        SpecialDay(day=date(2026, 1, 1) + timedelta(days=n), kind="rest", name="元旦") for n in range(many)
    )
    return {
        "supervision-cards": cases[0].cards.first().uuid,
        "special-days": "2026-01-01",
        "appraisal-sheets": "2026-11",
    }


def _told(on: Scene, many: int) -> dict[str, Any]:
    """Notices to the applicant, and calls of the department's webhooks."""
    hooks = [webhook("https://bus.example/hook", at=AT, department=on.department)[0] for _each in range(many)]
    for _notice in range(many):
        posted(on.applicant, at=AT, department=on.department)
    dispatch.dispatch(at=AT)
    return {
        "messages": on.applicant.messages.first().uuid,
        "webhooks": hooks[0].uuid,
        "webhook-deliveries": hooks[0].deliveries.first().uuid,
    }


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


def stranger_department() -> Department:
    return DepartmentFactory()
