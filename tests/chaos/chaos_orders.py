"""Departments that order, change and release; approvers; and the administrator whom parked operations wait for."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from random import Random

from govcloud.approvals import services as approvals
from govcloud.approvals.lifecycle import StageStatus
from govcloud.audit.services import SystemActor
from govcloud.errors import DomainError, Invalids
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.orders import services
from govcloud.orders.drafts import (
    ExtendDraft,
    ItemDraft,
    NetworkDraft,
    ReleaseDraft,
    ServerDraft,
    VolumeDraft,
)
from govcloud.orders.models import Order
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.lifecycle import OperationStatus
from govcloud.provisioning.models import Operation
from tenants.models import Department, NetworkZone, Role, System, User
from tests.factories.catalog import Catalogue, catalogue
from tests.factories.chargeback import tariff
from tests.factories.quotas import opened
from tests.factories.tenants import BEGINNING, DepartmentFactory, SystemFactory, member

ADMINISTRATOR = SystemActor("administrator")
SYSTEMS_PER_DEPARTMENT = 3
ORDERS_PER_SYSTEM = 15
ABANDONED = 0.06  # of the orders that are built or changed, and of direct actions, half-way
IMAGE = "debian-12"


@dataclass(slots=True)
class Applicant:
    """An application system with those who order for it."""

    system: System
    person: User
    zone: str
    has_network: bool = False


@dataclass(slots=True)
class Centre:
    """Departments and people as they are before the first order."""

    catalogue: Catalogue
    chain: dict[str, dict[int | None, User]]
    applicants: list[Applicant]


def open_centre(*, cloud: str, orders: int, at: datetime) -> Centre:
    """A few departments of three systems each, one of them in the private zone and so with the whole chain of approval."""
    offered = catalogue(cloud=cloud)
    tariff()
    approvals.publish_default_flow(actor=SystemActor("chaos"), at=BEGINNING)
    chain: dict[str, dict[int | None, User]] = {
        role: {None: member(role)}
        for role in (Role.SERVICE_DESK, Role.TECHNICAL_REVIEWER, Role.AUTHORITY_APPROVER)
    }
    chain[Role.UNIT_APPROVER] = {}
    applicants: list[Applicant] = []
    for _ in range(max(1, orders // (ORDERS_PER_SYSTEM * SYSTEMS_PER_DEPARTMENT))):
        department = DepartmentFactory()
        opened(department)
        chain[Role.UNIT_APPROVER][department.pk] = member(Role.UNIT_APPROVER, department)
        applicants += _systems(department)
    return Centre(offered, chain, applicants)


def _systems(department: Department) -> list[Applicant]:
    person = member(Role.APPLICANT, department)
    zones = (NetworkZone.PRIVATE, *[NetworkZone.PUBLIC] * (SYSTEMS_PER_DEPARTMENT - 1))
    systems = [SystemFactory(department=department, zone=zone) for zone in zones]
    return [Applicant(system, person, system.zone) for system in systems]


@dataclass(slots=True)
class Orders:
    """Places orders one after the other; ``none_possible`` counts when there was nothing to change or release yet."""

    centre: Centre
    random: Random
    clock: Callable[[], datetime]
    flavors: tuple[str, ...]
    large_gb: int
    placed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    _names: "count[int]" = field(default_factory=count)

    def place(self) -> Order | None:
        """One more order, approved; None when it could not be had."""
        on = self.random.choice(self.centre.applicants)
        verb, items = self._wanted(on)
        if not items:
            return None
        try:
            order = self._approved(on, verb, items)
        except DomainError as refusal:
            told = refusal.errors if isinstance(refusal, Invalids) else [refusal]
            self.refused.update(each.code for each in told)
            return None
        self.placed[verb] += 1
        on.has_network = True
        return order

    def _wanted(self, on: Applicant) -> tuple[str, tuple[ItemDraft, ...]]:
        if not on.has_network:
            networks = tuple(NetworkDraft(name=name, zone=on.zone) for name in ("net", "back"))
            return "networks and servers", (*networks, self._server(on, "net"))
        network = self._standing(on, ResourceKind.NETWORK).first()
        if network is None:
            return "", ()
        drawn = self.random.random()
        if drawn < 0.55:
            return "servers", (self._server(on, str(network.uuid)),)
        if drawn < 0.75:
            return "larger volume", self._larger(on)
        if drawn < 0.95:
            return "server released", self._released(on, ResourceKind.SERVER)
        return "volume released", self._released(on, ResourceKind.VOLUME)

    def _server(self, on: Applicant, network: str) -> ServerDraft:
        data = tuple(
            VolumeDraft(storage_class="sas", size_gb=self.large_gb)
            for _ in range(self.random.choice((0, 1, 1, 2)))
        )
        return ServerDraft(
            name=f"s{next(self._names)}", quantity=self.random.choice((1, 1, 1, 2)), zone=on.zone,
            flavor=self.random.choice(self.flavors), image=IMAGE, network=network,
            system_volume=VolumeDraft(storage_class="ssd", size_gb=100), data_volumes=data,
        )  # fmt: skip

    def _larger(self, on: Applicant) -> tuple[ItemDraft, ...]:
        volumes = self._standing(on, ResourceKind.VOLUME).filter(volume__role="data").select_related("volume")
        volume = self._any_of(list(volumes))
        return (
            (ExtendDraft(target=volume.uuid, size_gb=volume.volume.size_gb + self.large_gb),)
            if volume
            else ()
        )

    def _released(self, on: Applicant, kind: ResourceKind) -> tuple[ItemDraft, ...]:
        standing = self._standing(on, kind)
        if kind == ResourceKind.VOLUME:
            standing = standing.filter(volume__role="data")
        found = self._any_of(list(standing))
        return (ReleaseDraft(target=found.uuid, kind=kind),) if found else ()

    def _any_of(self, resources: list[Resource]) -> Resource | None:
        return self.random.choice(resources) if resources else None

    @staticmethod
    def _standing(on: Applicant, kind: ResourceKind):
        return Resource.objects.filter(system=on.system, kind=kind, status=Status.ACTIVE).order_by("pk")

    def _approved(self, on: Applicant, title: str, items: tuple[ItemDraft, ...]) -> Order:
        """Drafted, submitted, and decided by everybody whose turn it is."""
        order = services.draft(
            system=on.system, title=title, justification="", declares_classified=False, items=items, actor=on.person,
            at=self.clock(),
        )  # fmt: skip
        order = services.submit(order=order, actor=on.person, at=self.clock())
        try:
            return self._decided(on, order)
        except DomainError:  # somebody acts directly on what it is about: nobody decides it a second time
            order.refresh_from_db()
            services.withdraw(
                order=order, reason="refused when it was decided", actor=on.person, at=self.clock()
            )
            raise

    def _decided(self, on: Applicant, order: Order) -> Order:
        while order.status == "in_approval" and order.case is not None:
            role = order.case.stages.get(status=StageStatus.CURRENT).role
            deciders = self.centre.chain[role]
            order = services.decide(
                order=order, verb="approve", opinion="", revision_hash=order.case.revision_hash,
                actor=deciders.get(on.system.department_id) or deciders[None], at=self.clock(),
            )  # fmt: skip
        return order


@dataclass(slots=True)
class Administrator:
    """Retries what is parked; after the storm a second time, and then abandons what can be abandoned."""

    random: Random
    clock: Callable[[], datetime]
    done: Counter[str] = field(default_factory=Counter)
    _asked: Counter[int] = field(default_factory=Counter)
    _withdrawals: dict[int, float] = field(default_factory=dict)

    def may_abandon(self, operations: Iterable[Operation], *, now: float) -> None:
        """Some are called off in the middle: note when."""
        for operation in operations:
            if self.random.random() < ABANDONED:
                self._withdrawals[operation.pk] = now + self.random.uniform(0.5, 20)

    def call_off(self, *, now: float) -> None:
        for pk in [pk for pk, moment in self._withdrawals.items() if moment <= now]:
            del self._withdrawals[pk]
            self._abandon(Operation.objects.get(pk=pk), "abandoned half-way")

    def after_the_storm(self) -> None:
        """From now on what keeps failing is given up."""
        self._asked.clear()
        self._withdrawals.clear()

    def look(self, *, patient: bool) -> None:
        """At what is parked. Whoever is not ``patient`` retries once."""
        for operation in Operation.objects.filter(status=OperationStatus.PARKED).order_by("pk"):
            self._asked[operation.pk] += 1
            if (
                patient
                or self._asked[operation.pk] == 1
                or not self._abandon(operation, "abandoned when parked")
            ):
                self._retry(operation)

    def _retry(self, operation: Operation) -> None:
        try:
            provisioning.retry(operation=operation, actor=ADMINISTRATOR, at=self.clock())
        except DomainError:
            return
        self.done["retried"] += 1

    def _abandon(self, operation: Operation, why: str) -> bool:
        try:
            provisioning.abandon(operation=operation, reason=why, actor=ADMINISTRATOR, at=self.clock())
        except DomainError:
            return False  # it has ended, or takes something down, which can only be retried
        self.done[why] += 1
        return True
