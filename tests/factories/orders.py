"""A department that can order, and orders of it in each state, made by the services themselves."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from govcloud.approvals import services as approvals
from govcloud.approvals.lifecycle import StageStatus
from govcloud.audit.services import SystemActor
from govcloud.catalog.models import Cloud
from govcloud.orders import attachments, fulfilment, services
from govcloud.orders.drafts import BackupDraft, ItemDraft, NetworkDraft, ServerDraft, VolumeDraft
from govcloud.orders.models import Attachment, Order
from govcloud.provisioning.lifecycle import StepState
from govcloud.provisioning.models import Operation, Step
from tenants.models import Department, Role, System, User
from tests.factories.catalog import (
    Catalogue,
    CloudFactory,
    CloudFlavorFactory,
    CloudImageFactory,
    CloudStorageClassFactory,
    ZoneFactory,
    catalogue,
)
from tests.factories.chargeback import tariff
from tests.factories.clouds import room
from tests.factories.quotas import opened
from tests.factories.tenants import BEGINNING, DepartmentFactory, SystemFactory, member

NETWORK = NetworkDraft(name="app-net", zone="private")
SERVERS = ServerDraft(
    name="app",
    quantity=2,
    zone="private",
    flavor="g.4c16g",
    image="debian-12",
    network="app-net",
    system_volume=VolumeDraft(storage_class="ssd", size_gb=100),
    data_volumes=(VolumeDraft(storage_class="sas", size_gb=500),),
)
BACKUP = BackupDraft(name="dr", dr_level=3, capacity_gb=1_200, frequency="daily", off_site=True)
STORY: tuple[ItemDraft, ...] = (NETWORK, SERVERS, BACKUP)
"""Two servers of 726 yuan each and 1,200 GB of off-site backup for 360: 1,812 yuan a month."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A level 3 system of a department with people in every role of the chain, a published flow, prices and a catalogue."""

    catalogue: Catalogue
    department: Department
    system: System
    applicant: User
    chain: dict[str, User] = field(default_factory=dict)  # the people of the chain, by role


def scene(
    *, limits: dict[str, int | None] | None = None, above: Department | None = None, **system: Any
) -> Scene:
    """Quota is unlimited where ``limits`` says nothing; ``above`` is the unit above, ``system`` are fields of the system."""
    offered = catalogue()
    tariff()
    approvals.publish_default_flow(actor=SystemActor("tests"), at=BEGINNING)
    department = DepartmentFactory(parent=above)
    opened(department, **(limits or {}))
    chain = {
        Role.UNIT_APPROVER: member(Role.UNIT_APPROVER, department),
        Role.SERVICE_DESK: member(Role.SERVICE_DESK),
        Role.TECHNICAL_REVIEWER: member(Role.TECHNICAL_REVIEWER),
        Role.AUTHORITY_APPROVER: member(Role.AUTHORITY_APPROVER),
    }
    return Scene(
        catalogue=offered,
        department=department,
        system=SystemFactory(department=department, **{"level_3": True, **system}),
        applicant=member(Role.APPLICANT, department),
        chain=chain,
    )


def drafted(on: Scene, *, at: datetime, items: tuple[ItemDraft, ...] = STORY, **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "system": on.system,
        "title": "示例系统上云",
        "justification": "替换到期设备",
        "declares_classified": False,
        "actor": on.applicant,
    }
    return services.draft(**{**fields, **changes}, items=items, at=at)


def submitted(on: Scene, *, at: datetime, items: tuple[ItemDraft, ...] = STORY) -> Order:
    return services.submit(order=drafted(on, at=at, items=items), actor=on.applicant, at=at)


def decided(on: Scene, order: Order, *, at: datetime, verb: str = "approve", opinion: str = "") -> Order:
    """The current stage decided by whoever of the chain holds its role."""
    assert order.case is not None
    current = order.case.stages.get(status=StageStatus.CURRENT)
    return services.decide(
        order=order,
        verb=verb,
        opinion=opinion,
        revision_hash=order.case.revision_hash,
        actor=on.chain[current.role],
        at=at,
    )


def approved(on: Scene, *, at: datetime, items: tuple[ItemDraft, ...] = STORY) -> Order:
    """Approved by the whole chain, so that it is being built."""
    return approve_all(on, submitted(on, at=at, items=items), at=at)


def approve_all(on: Scene, order: Order, *, at: datetime) -> Order:
    while order.status == "in_approval":
        order = decided(on, order, at=at)
    return order


def returned(on: Scene, *, at: datetime, items: tuple[ItemDraft, ...] = STORY) -> Order:
    return decided(on, submitted(on, at=at, items=items), at=at, verb="return", opinion="请补充说明")


def paper_of(order: Order, *, at: datetime) -> Attachment:
    """A file that the order was submitted with, on the disk as well."""
    content = b"%PDF-1.7\n%%EOF\n"
    row = Attachment.objects.create(
        order=order, name="paper.pdf", content_type="application/pdf", size=len(content), first_revision=1,
        sha256=hashlib.sha256(content).hexdigest(), scanned=False, added_by=order.applicant, added_at=at,
    )  # fmt: skip
    path = attachments.path_of(row.uuid)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return row


def ended(order: Order, *, at: datetime, state: StepState = StepState.DONE, **steps: Any) -> Order:
    """As if every step of what is being built had ended like this at that moment."""
    Step.objects.filter(operation__thread=order.uuid).update(state=state, next_run_at=None, **steps)
    Operation.objects.filter(thread=order.uuid).update(status="done", finished_at=at, taken_up_at=at)
    order = Order.objects.get(pk=order.pk)
    with transaction.atomic():
        fulfilment.finish(order, at=at)
    return order


def larger_cloud(on: Scene, zone: str, *, at: datetime) -> Cloud:
    """One of one zone only, with everything that the scene's catalogue has and far more room."""
    cloud = CloudFactory(code="other")
    for flavor in on.catalogue.flavors.values():
        CloudFlavorFactory(cloud=cloud, flavor=flavor)
    for storage_class in on.catalogue.storage_classes.values():
        CloudStorageClassFactory(cloud=cloud, storage_class=storage_class)
    CloudImageFactory(cloud=cloud, image=on.catalogue.images["debian-12"])
    ZoneFactory(cloud=cloud, zone=zone, address_pool="10.50.0.0/16")
    room(cloud, at=at, vcpus=4096)
    return cloud
