"""Orders in the states that the pages show, made row by row so that each test says what it looks at."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from django.db import transaction

from govcloud.approvals.lifecycle import StageStatus
from govcloud.approvals.lifecycle import Status as CaseStatus
from govcloud.approvals.models import Case, CaseKind, CaseStage, Decision, FlowVersion, Seat, Verb
from govcloud.audit import services as audit
from govcloud.calendars.services import due_after
from govcloud.catalog.models import Kind
from govcloud.gateways.openstack import Exchange
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import (
    Action,
    BackupSpec,
    Order,
    OrderItem,
    QuoteLine,
    Revision,
    ServerSpec,
    Unit,
    VolumeSpec,
)
from govcloud.protection.models import Frequency
from govcloud.provisioning import presence, traffic
from govcloud.provisioning.lifecycle import OperationStatus, StepState
from govcloud.provisioning.models import CallCount, CloudCall, Operation, OperationKind, Step
from tenants.models import Department, Role, System, User
from tests.factories.catalog import Catalogue, catalogue
from tests.factories.inventory import (
    AddressBlockFactory,
    AddressFactory,
    NetworkFactory,
    ResourceFactory,
    ServerFactory,
    VolumeFactory,
)
from tests.factories.tenants import BEGINNING, DepartmentFactory, SystemFactory, member

STAGES = (
    ("unit", "单位审批", "Unit approval", Role.UNIT_APPROVER, 2),
    ("intake", "受理", "Intake", Role.SERVICE_DESK, 1),
    ("technical", "技术评审", "Technical review", Role.TECHNICAL_REVIEWER, 2),
    ("authority", "主管审批", "Authority approval", Role.AUTHORITY_APPROVER, 2),
)
DIGEST = "7d3ff5d31f6a8c4b1f4a4f0f8a0f6f3e1c8f2b9d0e7a6c5b4d3e2f1a09182736"


@dataclass(frozen=True, slots=True)
class Cast:
    """A department with a system and everybody who has to do with its orders."""

    department: Department
    system: System
    applicant: User
    approver: User
    desk: User
    reviewer: User
    authority: User
    admin: User
    foreigner: User
    catalogue: Catalogue

    @property
    def deciders(self) -> tuple[User, ...]:
        return self.approver, self.desk, self.reviewer, self.authority


def cast() -> Cast:
    department = DepartmentFactory(name="示例自治区医疗保障局", name_en="Example Healthcare Security Bureau")
    elsewhere = DepartmentFactory(name="示例自治区水利厅", name_en="Example Water Resources Department")
    return Cast(
        department=department,
        system=SystemFactory(
            department=department,
            level_3=True,
            code="settlement",
            name="医保结算平台",
            name_en="Medical settlement platform",
        ),
        applicant=member(Role.APPLICANT, department, username="applicant", display_name="韦小禾"),
        approver=member(Role.UNIT_APPROVER, department, username="approver", display_name="黄岚"),
        desk=member(Role.SERVICE_DESK, username="desk", display_name="覃明"),
        reviewer=member(Role.TECHNICAL_REVIEWER, username="reviewer", display_name="陆一帆"),
        authority=member(Role.AUTHORITY_APPROVER, username="authority", display_name="梁思远"),
        admin=member(Role.CLOUD_ADMIN, username="admin", display_name="蒙立"),
        foreigner=member(Role.APPLICANT, elsewhere, username="foreigner", display_name="莫北"),
        catalogue=catalogue(),
    )


def draft(people: Cast, *, number: int = 1, title: str = "医保结算平台扩容", at: datetime) -> Order:
    """The order of the story: a network, two servers with two volumes each, a backup quota."""
    order = Order.objects.create(
        number=f"GC-2026-{number:06d}",
        system=people.system,
        title=title,
        justification="结算高峰期响应变慢，申请新增两台应用服务器并纳入异地备份。",
        applicant=people.applicant,
        created_at=at - timedelta(days=2),
    )
    _items(order, people.catalogue)
    with transaction.atomic():
        audit.record(
            actor=people.applicant,
            verb="order.drafted",
            subject=order,
            at=order.created_at,
            thread=order.uuid,
        )
    return order


def _items(order: Order, shelf: Catalogue) -> None:
    _item(order, 0, Kind.NETWORK, "app-net", shelf)
    server_item(order, 1, "app", shelf)
    backup = _item(order, 2, Kind.BACKUP, "dr", shelf)
    BackupSpec.objects.create(
        item=backup, tier=shelf.dr_tiers[3], capacity_gb=1200, frequency=Frequency.DAILY, off_site=True
    )


def server_item(order: Order, position: int, name: str, shelf: Catalogue) -> None:
    """Two servers on the order's network, with two volumes each."""
    server = _item(order, position, Kind.SERVER, name, shelf, quantity=2)
    ServerSpec.objects.create(
        item=server,
        flavor=shelf.flavors["g.4c16g"],
        image=shelf.images["debian-12"],
        network_item=order.items.get(position=0),
    )
    for place, (code, size) in enumerate((("ssd", 100), ("sas", 500))):
        VolumeSpec.objects.create(
            item=server, position=place, storage_class=shelf.storage_classes[code], size_gb=size
        )


def _item(
    order: Order, position: int, kind: Kind, name: str, shelf: Catalogue, *, quantity: int = 1
) -> OrderItem:
    return OrderItem.objects.create(
        order=order,
        position=position,
        action=Action.CREATE,
        kind=kind,
        offering=shelf.offerings[kind.value],
        name=name,
        quantity=quantity,
        zone=order.system.zone,
    )


QUOTE = (
    (1, "block_sas_gb", 1000, "0.4", "400.00"),
    (1, "block_ssd_gb", 200, "0.7", "140.00"),
    (1, "memory_gb", 32, "17", "544.00"),
    (1, "vcpu", 8, "46", "368.00"),
    (2, "backup_off_site_gb", 1200, "0.3", "360.00"),
)


def submitted(people: Cast, *, decided: int = 0, number: int = 1, at: datetime, **draft_of: str) -> Order:
    """In approval, with so many of its four stages decided and the next one current since ``at``."""
    order = draft(people, number=number, at=at, **draft_of)
    revision = Revision.objects.create(
        order=order,
        number=1,
        content={},
        digest=DIGEST,
        monthly_total=Decimal("1812.00"),
        submitted_by=people.applicant,
        submitted_at=at,
    )
    for position, (item, code, amount, price, total) in enumerate(QUOTE):
        QuoteLine.objects.create(
            revision=revision,
            position=position,
            item_position=item,
            meter=people.catalogue.meters[code],
            quantity=amount,
            per_month=Decimal(price),
            amount=Decimal(total),
        )
    order.case = _case(order, people, decided=decided, at=at)
    order.status, order.submitted_at = Status.IN_APPROVAL, at - timedelta(days=1)
    order.monthly_total = revision.monthly_total
    order.save()
    with transaction.atomic():
        audit.record(
            actor=people.applicant,
            verb="order.submitted",
            subject=order,
            at=order.submitted_at,
            thread=order.uuid,
        )
    return order


def _case(order: Order, people: Cast, *, decided: int, at: datetime) -> Case:
    flow, _new = FlowVersion.objects.get_or_create(
        number=1, defaults={"name": "缺省流程", "in_force_from": BEGINNING, "published_at": BEGINNING}
    )
    case = Case.objects.create(
        kind=CaseKind.COMMITTED,
        subject_kind="order",
        subject_id=order.uuid,
        subject_label=order.number,
        thread=order.uuid,
        department=people.department,
        applicant=people.applicant,
        submitted_by=people.applicant,
        flow=flow,
        revision=1,
        revision_hash=DIGEST,
        opened_at=at - timedelta(days=1),
        due_at=at + timedelta(days=9),
    )
    for position, (code, name, name_en, role, days) in enumerate(STAGES):
        stage = CaseStage.objects.create(
            case=case,
            revision=1,
            position=position,
            code=code,
            name=name,
            name_en=name_en,
            role=role,
            working_days=days,
            status=_status(position, decided),
            opened_at=at if position <= decided else None,
            due_at=at + timedelta(days=days + position),
            decided_at=at if position < decided else None,
        )
        if position < decided:
            Decision.objects.create(
                stage=stage,
                verb=Verb.APPROVE,
                opinion="同意。请按等保三级要求配置。" if position == 0 else "",
                decider=people.deciders[position],
                revision_hash=DIGEST,
                at=at,
            )
        elif position == decided:
            Seat.objects.create(stage=stage, role=role)
    return case


def _status(position: int, decided: int) -> StageStatus:
    if position < decided:
        return StageStatus.APPROVED
    return StageStatus.CURRENT if position == decided else StageStatus.WAITING


STEPS = (
    ("volume", "system"),
    ("port", ""),
    ("server", ""),
    ("volume", "data-1"),
    ("attachment", "data-1"),
    ("configure", ""),
    ("confirm", ""),
    ("handover", ""),
)


def building(people: Cast, *, done: int = 4, number: int = 1, at: datetime, **draft_of: str) -> Order:
    """Approved and being built, due in three working days: of app-1 so many of eight steps are done and the next is under way;
    app-2 waits.
    """
    order = submitted(people, decided=4, number=number, at=at, **draft_of)
    order.case.fulfilment_due_at = due_after(start=at, working_days=3)
    order.case.save(update_fields=["fulfilment_due_at"])
    operation = begun(order, people, at=at)
    network = Unit.objects.create(item=order.items.get(position=0), position=0, name="app-net")
    _step(operation, 0, kind="project", label="project", unit=uuid4(), state=StepState.DONE, at=at)
    _step(operation, 1, kind="network", label="app-net", unit=network.uuid, state=StepState.DONE, at=at)
    item = order.items.get(position=1)
    for server, finished in (("app-1", done), ("app-2", 0)):
        server_steps(operation, item, server, finished=finished, at=at)
    return order


def begun(order: Order, people: Cast, *, at: datetime) -> Operation:
    order.status = Status.FULFILLING
    order.save()
    Case.objects.filter(pk=order.case_id).update(status=CaseStatus.APPROVED, closed_at=at)
    return Operation.objects.create(
        kind=OperationKind.DELIVER,
        reason=order.number,
        thread=order.uuid,
        system=order.system,
        cloud=people.catalogue.cloud,
        created_at=at,
    )


def server_steps(operation: Operation, item: OrderItem, server: str, *, finished: int, at: datetime) -> None:
    """Of its eight steps so many are done, and the next, if any is, is under way."""
    units, before = _units(item, server), operation.steps.count()
    for index, (kind, volume) in enumerate(STEPS):
        state = StepState.DONE if index < finished else StepState.WAITING
        if index == finished and finished:
            state = StepState.SETTLING
        label = f"{server}-{volume}" if volume else server
        _step(operation, before + index, kind=kind, label=label, unit=units[volume], state=state, at=at)


def _units(item: OrderItem, server: str) -> dict[str, UUID]:
    position = item.units.count()
    specs = list(item.volumes.all())
    unit = Unit.objects.create(item=item, position=position, name=server)
    disks = [
        Unit.objects.create(
            item=item, position=position + 1 + n, name=f"{server}-{role}", volume=specs[n], server=unit
        )
        for n, role in enumerate(("system", "data-1"))
    ]
    return {"": unit.uuid, "system": disks[0].uuid, "data-1": disks[1].uuid}


def _step(
    operation: Operation, position: int, *, kind: str, label: str, unit: UUID, state: StepState, at: datetime
) -> Step:
    step = Step.objects.create(
        operation=operation,
        position=position,
        key=f"{operation.uuid}/{position}",
        kind=kind,
        label=label,
        unit=unit,
        state=state,
        attempts=1 if state != StepState.WAITING else 0,
        external_id=uuid4().hex if state == StepState.DONE else "",
        started_at=at if state != StepState.WAITING else None,
        finished_at=at if state == StepState.DONE else None,
    )
    if state != StepState.WAITING:
        CloudCall.objects.create(
            step=step, at=at, service="compute", method="POST", path="/servers", status=202,
            request_id=f"req-{step.uuid}", milliseconds=120,
        )  # fmt: skip
    return step


def backup(order: Order, people: Cast, *, at: datetime) -> Operation:
    """A backup by the order's plan, of one volume, under way."""
    operation = Operation.objects.create(
        kind=OperationKind.BACKUP,
        reason="备份 dr",
        thread=order.uuid,
        system=order.system,
        cloud=people.catalogue.cloud,
        created_at=at,
    )
    _step(operation, 0, kind="backup", label="app-1-data-1", unit=uuid4(), state=StepState.SETTLING, at=at)
    return operation


def park(order: Order, *, error: str) -> None:
    """The step under way turns out to need a person."""
    operation = Operation.objects.get(thread=order.uuid)
    operation.steps.filter(state=StepState.SETTLING).update(
        state=StepState.PARKED, last_error=error, attempts=8
    )
    Operation.objects.filter(pk=operation.pk).update(status=OperationStatus.PARKED)


def troubled_engine(people: Cast, *, at: datetime) -> Order:
    """An order that waits for an administrator, a step that its worker left, a worker that is gone, a cloud that fails."""
    order = building(people, number=9, at=at - timedelta(hours=1))
    park(order, error="No valid host was found")
    backing_up = backup(order, people, at=at).steps.get()
    Step.objects.filter(pk=backing_up.pk).update(
        next_run_at=at - timedelta(minutes=9), lease_until=at - timedelta(minutes=5), worker="celery@lost"
    )
    presence.worker_seen(name="celery@lost", at=at - timedelta(minutes=6))
    statuses = [200] * 8 + [503, None]
    exchanges = [Exchange("volume", "GET", "/volumes", status, "", 40) for status in statuses]
    traffic.count(cloud=people.catalogue.cloud, exchanges=exchanges, at=at)
    return order


def recover(order: Order, *, at: datetime) -> None:
    """Workers and sweep are back, the parked operation goes on, nothing is due."""
    Operation.objects.filter(thread=order.uuid).update(status=OperationStatus.RUNNING)
    Step.objects.update(next_run_at=None, lease_until=None)
    CallCount.objects.all().delete()
    presence.worker_seen(name="celery@one", at=at)
    presence.sweep_seen(at=at)


def finish(order: Order, people: Cast, *, at: datetime) -> Order:
    """Everything built: steps done, resources recorded, the order fulfilled."""
    Step.objects.filter(operation__thread=order.uuid).update(state=StepState.DONE, finished_at=at)
    Operation.objects.filter(thread=order.uuid).update(status=OperationStatus.DONE, finished_at=at)
    shared = {
        "resource__thread": order.uuid,
        "resource__system": order.system,
        "resource__cloud": people.catalogue.cloud,
        "resource__built_at": at,
    }
    NetworkFactory(resource__name="app-net", cidr="10.20.0.0/26", gateway="10.20.0.1", **shared)
    block = AddressBlockFactory(cloud=people.catalogue.cloud)
    built = Unit.objects.filter(item__order=order, item__kind=Kind.SERVER, server=None).order_by("pk")
    for number, name in enumerate(built.values_list("name", flat=True), start=1):
        server = ServerFactory(resource__name=name, **shared)
        AddressFactory(block=block, unit=server.resource.unit, address=f"10.20.0.{10 + number}")
        VolumeFactory(server=server, system_volume=True, resource__name=f"{name}-system")
        VolumeFactory(server=server, resource__name=f"{name}-data-1")
    ResourceFactory.reset_sequence()
    order.status, order.finished_at = Status.FULFILLED, at
    order.save()
    with transaction.atomic():
        audit.record(
            actor=audit.SystemActor("engine"), verb="order.fulfilled", subject=order, at=at, thread=order.uuid
        )
    return order


def closed_as(order: Order, status: Status, case: CaseStatus, *, at: datetime) -> Order:
    """The order as its current stage left it when it was returned or rejected."""
    stage = CaseStage.objects.get(case=order.case_id, status=StageStatus.CURRENT)
    CaseStage.objects.filter(pk=stage.pk).update(status=case.value, decided_at=at)
    Decision.objects.create(
        stage=stage, verb=Verb.RETURN, opinion="请补充说明。", decider=member(Role(stage.role), order.system.department),
        revision_hash=DIGEST, at=at,
    )  # fmt: skip
    CaseStage.objects.filter(case=order.case_id, status=StageStatus.WAITING).update(
        status=StageStatus.CANCELLED
    )
    Case.objects.filter(pk=order.case_id).update(status=case)
    order.status = status
    order.save()
    return order


def returned(people: Cast, *, number: int = 1, decided: int = 0, at: datetime, **draft_of: str) -> Order:
    order = submitted(people, number=number, decided=decided, at=at, **draft_of)
    return closed_as(order, Status.RETURNED, CaseStatus.RETURNED, at=at)


def rejected(people: Cast, *, number: int = 1, decided: int = 0, at: datetime, **draft_of: str) -> Order:
    order = submitted(people, number=number, decided=decided, at=at, **draft_of)
    return closed_as(order, Status.REJECTED, CaseStatus.REJECTED, at=at)
