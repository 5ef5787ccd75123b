"""Taking over what was surveyed: what comes together, its quota and its places, and the operation that does it."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.catalog.models import MEMORY_GB, VCPU, CloudFlavor, CloudStorageClass
from govcloud.chargeback import services as chargeback
from govcloud.chargeback.services import PricedMeter
from govcloud.clouds.models import AvailabilityZone
from govcloud.clouds.services import require_not_retired
from govcloud.errors import Conflict, DomainError
from govcloud.inventory import takeovers as record
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Address, AddressBlock, Resource, ResourceKind
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.lifecycle import FINISHED
from govcloud.provisioning.models import Operation, OperationKind, Step
from govcloud.quotas import services as quotas
from govcloud.quotas.models import QuotaAccount
from govcloud.quotas.services import Hold, QuotaEffect, QuotaExceeded
from govcloud.takeover import judging, planning
from govcloud.takeover.lifecycle import CandidateStatus, TakeoverStatus
from govcloud.takeover.models import Candidate, Port, Takeover
from govcloud.takeover.services import NotInTheFuture, NotOpen, locked, require_level
from govcloud.takeover.vocabulary import Obstacle
from tenants.models import Department, System
from tenants.services import require_in_service


class NotAssigned(Conflict):
    code = "takeover-not-assigned"
    message = _("Say first for which system, and in which network zone, this project is taken over.")


class NotSurveyed(Conflict):
    code = "takeover-not-surveyed"
    message = _("The project is %(status)s: only what has been surveyed can be taken over.")


class AlreadyOwned(Conflict):
    code = "already-owned"
    message = _("“%(name)s” belongs to the system %(system)s already.")


class Obstructed(Conflict):
    code = "cannot-be-taken-over"
    message = _("“%(name)s” cannot be taken over: %(reasons)s.")


class AddressPromised(Conflict):
    code = "address-promised"
    message = _("“%(name)s” has the address %(address)s, which a server that is being built is to get.")


class NothingToTake(Conflict):
    code = "nothing-to-take-over"
    message = _("There is nothing here that could be taken over.")


@dataclass(frozen=True, slots=True)
class Refused:
    candidate: Candidate
    error: DomainError


@dataclass(frozen=True, slots=True)
class Taking:
    """``operation`` is None when everything was refused."""

    operation: Operation | None
    begun: Sequence[Candidate]
    refused: Sequence[Refused]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What taking over all that can be would do. ``prices`` are by the tariff in force, for a whole month."""

    coming: Sequence[Candidate]
    staying: Sequence[Candidate]
    quota: Sequence[QuotaEffect]
    prices: Sequence[PricedMeter]
    monthly_total: Decimal


def foresee(*, takeover: Takeover, at: datetime) -> Foreseen:
    """Writes nothing. Raises NotSurveyed, NotAssigned, NotInTheFuture, and NoPrice where a meter has no price."""
    system = _ready(takeover, at=at)
    still_open = list(takeover.candidates.filter(status=CandidateStatus.OPEN).select_related(*_SHOWN))
    coming = [each for each in still_open if not each.obstacles]
    amounts: Counter[str] = Counter()
    quantities: Counter[str] = Counter()
    for each in coming:
        amounts.update(quota_of(each))
        quantities.update(_meters_of(each))
    prices = chargeback.price(quantities={k: Decimal(v) for k, v in sorted(quantities.items())}, at=at)
    return Foreseen(
        coming=coming,
        staying=[each for each in still_open if each.obstacles],
        quota=quotas.effect(department=system.department, amounts=amounts),
        prices=prices,
        monthly_total=sum((each.amount for each in prices), Decimal("0.00")),
    )


_SHOWN = ("flavor", "image", "storage_class__meter")


def quota_of(candidate: Candidate) -> dict[str, int]:
    """What it would count for; as ``settlement.quota_of`` says it of a resource."""
    match candidate.kind:
        case ResourceKind.SERVER:
            memory_gb = candidate.flavor.memory_gb if candidate.flavor else 0
            return {"servers": 1, "vcpus": candidate.vcpus, "memory_gb": memory_gb}
        case ResourceKind.VOLUME:
            return {"storage_gb": candidate.size_gb}
        case _:
            return {"networks": 1}


def _meters_of(candidate: Candidate) -> dict[str, int]:
    if candidate.kind == ResourceKind.SERVER and candidate.flavor is not None:
        return {VCPU: candidate.flavor.vcpus, MEMORY_GB: candidate.flavor.memory_gb}
    if candidate.kind == ResourceKind.VOLUME and candidate.storage_class is not None:
        return {candidate.storage_class.meter.code: candidate.size_gb}
    return {}


def take(
    *,
    takeover: Takeover,
    candidates: Collection[UUID] | None = None,
    raise_limits: bool = False,
    actor: audit.Actor,
    at: datetime,
) -> Taking:
    """Begin to take over these candidates with all that belongs to them (a server's volumes and networks), or all that can be.

    What cannot come is refused by itself, the rest goes on; when nothing is left its refusal is raised. ``raise_limits``
    lifts the limits of the department tree to what is taken over. Raises NotSurveyed, NotAssigned, NotInTheFuture (the
    lease has ended before it began), CloudRetired, SystemRetired, LevelTooHigh, ProjectOfAnother, HasAnotherProject, NothingToTake; NotOpen, AlreadyOwned, Obstructed, RangeTaken, QuotaExceeded for candidates.
    """
    with transaction.atomic():
        takeover = locked(takeover)
        system = _ready(takeover, at=at)
        # whoever claims a name waits; so does who changes the system, which is read as it is now
        rows = System.objects.select_for_update(no_key=True, of=("self",)).select_related("department")
        takeover.system = system = rows.get(pk=system.pk)
        require_in_service(system)
        require_not_retired(takeover.cloud)
        require_level(takeover.cloud, system)
        list(takeover.candidates.select_for_update().order_by("pk").values_list("pk"))
        judging.judge(takeover)
        batch = _Batch(takeover, system, actor=actor, at=at, raise_limits=raise_limits)
        batch.choose(candidates)
        record.claim_project(system=system, cloud=takeover.cloud, external_id=takeover.project_id)
        batch.claim()
        if not batch.begun:
            raise batch.refused[0].error if batch.refused else NothingToTake()
        return Taking(batch.start(), batch.begun, batch.refused)


def _ready(takeover: Takeover, *, at: datetime) -> System:
    """Raises NotSurveyed, NotAssigned, NotInTheFuture."""
    if takeover.surveyed_at is None or takeover.status != TakeoverStatus.SURVEYED:
        raise NotSurveyed(status=TakeoverStatus(takeover.status).label)
    if takeover.system is None or not takeover.zone:
        raise NotAssigned
    if takeover.lease_end is not None and takeover.lease_end <= at:
        raise NotInTheFuture(pointers=("/lease_end",))
    return takeover.system


@dataclass(slots=True)
class _Batch:
    """What one request takes over. A parcel is what comes only together: a server with its volumes, or one thing."""

    takeover: Takeover
    system: System
    actor: audit.Actor
    at: datetime
    raise_limits: bool
    begun: list[Candidate] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    parcels: list[list[Candidate]] = field(default_factory=list)
    units: dict[str, UUID] = field(default_factory=dict)
    addresses: dict[str, UUID] = field(default_factory=dict)
    interfaces: dict[str, list[Port]] = field(default_factory=dict)

    def choose(self, chosen: Collection[UUID] | None) -> None:
        everything = {
            each.external_id: each for each in self.takeover.candidates.select_related(*_SHOWN).order_by("pk")
        }
        for port in self.takeover.ports.all():
            self.interfaces.setdefault(port.held_by, []).append(port)
        wanted = [
            each
            for each in everything.values()
            if (chosen is None and each.status == CandidateStatus.OPEN and not each.obstacles)
            or (chosen is not None and each.uuid in chosen)
        ]
        parcels: dict[str, list[Candidate]] = {}
        for each in wanted:
            for member in self._together(each, everything):
                owner = self._owner(member, everything)
                parcel = parcels.setdefault(owner.external_id, [])
                if member not in parcel:
                    parcel.append(member)
        networks_first = sorted(parcels.values(), key=lambda parcel: parcel[0].kind != ResourceKind.NETWORK)
        self.parcels = networks_first

    def _owner(self, candidate: Candidate, everything: Mapping[str, Candidate]) -> Candidate:
        held = [everything[server] for server in candidate.held_by if server in everything]
        return held[0] if held else candidate

    def _together(self, candidate: Candidate, everything: Mapping[str, Candidate]) -> Iterable[Candidate]:
        """What cannot come without it, or it not without them: what is ours already is left out, and a volume that is gone since.

        Where the server still has that volume, and the survey was wrong about it, its step finds out.
        """
        owner = self._owner(candidate, everything)
        if owner.kind != ResourceKind.SERVER:
            return [owner]
        volumes = [
            each
            for each in everything.values()
            if owner.external_id in each.held_by
            and (each.status != CandidateStatus.GONE or each == candidate)
        ]
        networks = [
            everything[port.network_id]
            for port in self.interfaces.get(owner.external_id, [])
            if port.network_id in everything
        ]
        return [owner, *volumes, *(each for each in networks if not _is_ours(each))]

    def claim(self) -> None:
        """All at once where all of it can be had, else parcel by parcel."""
        networks = Resource.objects.filter(
            system=self.system, cloud=self.takeover.cloud, kind=ResourceKind.NETWORK, status=Status.ACTIVE
        )
        self.units = dict(networks.values_list("external_id", "unit"))
        free = self._free()
        if not self._attempt(free):
            for parcel in free:
                self._attempt([parcel])
        self._begin()

    def _free(self) -> list[list[Candidate]]:
        ids = [each.external_id for parcel in self.parcels for each in parcel]
        in_use = Resource.objects.filter(cloud=self.takeover.cloud, external_id__in=ids)
        owned = in_use.exclude(status=Status.RELEASED).values_list("external_id", "system__code")
        owners, free = dict(owned), []
        for parcel in self.parcels:
            try:
                for each in parcel:
                    _check_free(each, owners.get(each.external_id))
            except DomainError as error:
                self.refused += [Refused(each, error) for each in parcel]
            else:
                free.append(parcel)
        return free

    def _attempt(self, parcels: Sequence[Sequence[Candidate]]) -> bool:
        """Quota and places for all of these, or none. What is refused alone is noted."""
        units = dict(self.units)
        try:
            with transaction.atomic():
                self._hold([each for parcel in parcels for each in parcel])
                for parcel in parcels:
                    for each in parcel:
                        self._claim_places(each)
        except DomainError as error:
            self.units = units
            if len(parcels) == 1:
                self.refused += [Refused(each, error) for each in parcels[0]]
            return len(parcels) == 1
        self.begun += [each for parcel in parcels for each in parcel]
        return True

    def _hold(self, candidates: Sequence[Candidate]) -> None:
        """Raises QuotaExceeded."""
        department = self.system.department
        holds = [Hold(each.unit, quota_of(each)) for each in candidates]
        try:
            with transaction.atomic():
                quotas.hold(department=department, holds=holds, at=self.at)
        except QuotaExceeded:
            if not self.raise_limits:
                raise
            _make_room(department, holds, actor=self.actor, at=self.at)
            quotas.hold(department=department, holds=holds, at=self.at)

    def _begin(self) -> None:
        """Their rows are locked, and were open when they were."""
        keys = [each.pk for each in self.begun]
        Candidate.objects.filter(pk__in=keys).update(status=CandidateStatus.TAKING, remark="")
        for each in self.begun:
            each.status = CandidateStatus.TAKING
        before, after = {"status": CandidateStatus.OPEN}, {"status": CandidateStatus.TAKING}
        entries = (audit.Entry(each, after, before, thread=self.takeover.uuid) for each in self.begun)
        audit.record_many(actor=self.actor, verb="candidate.taking", entries=entries, at=self.at)

    def _claim_places(self, candidate: Candidate) -> None:
        self.units[candidate.external_id] = candidate.unit
        if candidate.kind == ResourceKind.NETWORK:
            block = record.claim_range(cloud=self.takeover.cloud, cidr=candidate.cidr, unit=candidate.unit)
            for port in self.takeover.ports.filter(network_id=candidate.external_id):
                for address in port.addresses:
                    record.claim_address(block=block, address=address, unit=uuid4())
        elif candidate.kind == ResourceKind.SERVER:
            self._claim_addresses(candidate)

    def _claim_addresses(self, server: Candidate) -> None:
        """The first interface's carries the server's own unit: it is the one that releases and playbooks go by."""
        first = True
        for port in self.interfaces[server.external_id]:
            network = self.units.get(port.network_id)
            if network is None:
                raise Obstructed(name=str(server), reasons=Obstacle.FOREIGN_NETWORK.label)
            unit = server.unit if first else uuid4()
            block = AddressBlock.objects.get(unit=network, released_at=None)
            _check_not_promised(server, block, port.addresses[0])
            record.claim_address(block=block, address=port.addresses[0], unit=unit)
            self.addresses[port.external_id] = unit
            first = False

    def start(self) -> Operation:
        takeover, cloud = self.takeover, self.takeover.cloud
        plan = planning.Plan(
            takeover=takeover,
            key=uuid4(),
            candidates=self.begun,
            ports=self.interfaces,
            units=self.units,
            addresses=self.addresses,
            names={
                "flavors": set(CloudFlavor.objects.filter(cloud=cloud).values_list("cloud_name", flat=True)),
                "storage_classes": set(
                    CloudStorageClass.objects.filter(cloud=cloud).values_list("cloud_name", flat=True)
                ),
            },
            parts=dict(AvailabilityZone.objects.filter(cloud=cloud).values_list("compute_zone", "code")),
        )
        operation = provisioning.start(
            kind=OperationKind.TAKEOVER, reason=takeover.project_name[:200], thread=None,
            system=self.system, cloud=cloud, steps=planning.taking(plan), actor=self.actor, at=self.at,
        )  # fmt: skip
        Candidate.objects.filter(pk__in=[each.pk for each in self.begun]).update(operation=operation)
        return operation


def _is_ours(candidate: Candidate) -> bool:
    taken = candidate.status in {CandidateStatus.TAKING, CandidateStatus.TAKEN}
    return taken or candidate.obstacles == [Obstacle.ALREADY_OWNED]


def _check_free(candidate: Candidate, owner: str | None) -> None:
    """``owner`` is the code of the system that has it. Raises NotOpen, AlreadyOwned, Obstructed."""
    if candidate.status != CandidateStatus.OPEN:
        raise NotOpen(name=str(candidate), status=CandidateStatus(candidate.status).label)
    if owner is not None:
        raise AlreadyOwned(name=str(candidate), system=owner)
    if candidate.obstacles:
        reasons = gettext("; ").join(str(Obstacle(each).label) for each in candidate.obstacles)
        raise Obstructed(name=str(candidate), reasons=reasons)


def _check_not_promised(server: Candidate, block: AddressBlock, address: str) -> None:
    """Raises AddressPromised. The addresses that the cloud's ports had when the network came are promised to nobody."""
    given = Address.objects.filter(block=block, address=address, released_at=None)
    promised = Step.objects.filter(unit__in=given.values("unit")).exclude(state__in=FINISHED)
    if promised.exists():
        raise AddressPromised(name=str(server), address=address)


def _make_room(department: Department, holds: Sequence[Hold], *, actor: audit.Actor, at: datetime) -> None:
    """Lift every limit up the tree that is in the way to exactly what is then held and used."""
    amounts: Counter[str] = Counter()
    for hold in holds:
        amounts.update(hold.amounts)
    for effect in quotas.effect(department=department, amounts=amounts):
        if effect.fits:
            continue
        quotas.open_accounts(department=effect.department, limits={}, actor=actor, at=at)
        account = QuotaAccount.objects.get(department=effect.department, dimension=effect.dimension)
        quotas.set_limit(
            account=account, limit=effect.after, expected_version=account.version, actor=actor, at=at
        )
