"""What a cloud really holds, compared with what our tables say: lost, duplicated, orphaned, and quota that leaked.

Everything is counted in the cloud itself, through the gateway, so it works on any cloud that ``clouds.yaml`` names. Ask
when nothing is due any more; what is still being built or taken down is nobody's fault yet and is left out.
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, Sum

from govcloud.catalog.models import CloudFlavor, CloudImage, CloudStorageClass
from govcloud.inventory import leases
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import (
    Address,
    FloatingAddress,
    Network,
    Power,
    Project,
    Resource,
    ResourceKind,
    SecurityRule,
    Snapshot,
    Volume,
    VolumeRole,
)
from govcloud.protection.models import RecoveryPoint
from govcloud.provisioning.lifecycle import FINISHED, Desired, OperationStatus, StepState
from govcloud.provisioning.models import Operation, Step
from govcloud.provisioning.settlement import quota_of
from govcloud.quotas.models import EntryKind, QuotaAccount, QuotaEntry
from tests.chaos import oracle_points, oracle_takeovers
from tests.chaos.things import Thing, things_in

ADOPTED = ("server_takeover", "volume_takeover")
"""The kinds of steps that record what was built outside."""
ENDED = (OperationStatus.DONE, OperationStatus.UNDONE, OperationStatus.PARKED)


@dataclass(slots=True)
class Verdict:
    """One line for each thing that is wrong; empty lists where nothing is."""

    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not any(asdict(self).values())

    def counts(self) -> dict[str, int]:
        return {name: len(lines) for name, lines in asdict(self).items()}

    def lines(self) -> list[str]:
        return [f"{name}: {line}" for name, lines in asdict(self).items() for line in lines]


def examine(*, taken: Collection[str] = ()) -> Verdict:
    """Compare every project of ours with our tables. ``taken``: ids of what people removed or relabelled by hand."""
    things = [thing for project in Project.objects.select_related("cloud") for thing in things_in(project)]
    there = {thing.id for thing in things}
    things = [thing for thing in things if thing.id not in taken]
    return Verdict(
        lost=[
            *_unended(),
            *_missing(there | set(taken)),
            *_unrecorded(),
            *_recorded_otherwise(),
            *_sized_otherwise({thing.id: thing.size_gb for thing in things}),
            *_kept_otherwise({thing.id: thing for thing in things if thing.kind == "server"}),
            *_of_another_class({thing.id: thing.type for thing in things if thing.kind == "volume"}),
            *_of_another_image({thing.id: thing.image for thing in things}),
            *_of_another_volume({thing.id: thing.of for thing in things}),
            *_let_otherwise(),
            *_detached({thing.id: thing.held_by for thing in things}, set(taken)),
            *_attached_otherwise({thing.id: thing.held_by for thing in things}, set(taken)),
            *_unreached({thing.id: thing.held_by for thing in things}, set(taken)),
            *oracle_points.held_and_gone(),
            *oracle_points.written_otherwise(
                {each.id: each.holds for each in things if each.kind == "volume"}
            ),
            *oracle_points.written_and_gone(),
            *oracle_takeovers.lost(taken),
        ],
        duplicates=[*_duplicates(things), *_rebuilt_again(things), *oracle_takeovers.duplicates(taken)],
        orphans=[
            *_orphans(things),
            *oracle_points.left_over(),
            *oracle_points.kept_beyond(),
            *oracle_takeovers.orphans(taken),
        ],
        leaked=[*_stale_holds(), *_accounts_beside_resources(), *_accounts_beside_entries()],
    )


# -- lost


def _unended() -> list[str]:
    """Operations that nobody works on any more and that have not come to an end."""
    waiting = Step.objects.filter(operation=OuterRef("pk"), next_run_at__isnull=False)
    left = Operation.objects.exclude(status__in=ENDED).exclude(Exists(waiting))
    return [
        f"operation {each.uuid} ({each.reason}) is {each.status} and nothing of it is due" for each in left
    ]


def _missing(there: set[str]) -> list[str]:
    """Resources that we bill and the cloud does not have; ways out and in that we count on."""
    standing = Resource.objects.exclude(status=Status.RELEASED).exclude(external_id="")
    given = FloatingAddress.objects.filter(released_at=None).exclude(given_at=None)
    connected = Network.objects.filter(resource__in=standing).exclude(router_id="")
    snapshots = Snapshot.objects.filter(deleted_at=None)
    points = RecoveryPoint.objects.filter(expired_at=None)
    rules = SecurityRule.objects.filter(removed_at=None, network__resource__in=standing)
    return [
        *(
            f"{each.kind} {each.external_id} of unit {each.unit}"
            for each in standing
            if each.external_id not in there
        ),
        *(f"floating address {each} of unit {each.unit}" for each in given if each.external_id not in there),
        *(
            f"snapshot {each.external_id} of unit {each.unit}"
            for each in snapshots
            if each.external_id not in there
        ),
        *(
            f"recovery point {each.external_id} of unit {each.step.unit}"
            for each in points.select_related("step")
            if each.external_id not in there
        ),
        *(
            f"security rule {each.external_id} of unit {each.unit}"
            for each in rules
            if each.external_id not in there
        ),
        *(f"router {each.router_id} of {each.resource}" for each in connected if each.router_id not in there),
    ]


def _unrecorded() -> list[str]:
    """Steps that say they built something of which there is no record."""
    recorded = Resource.objects.filter(unit=OuterRef("unit"))
    built = Step.objects.filter(
        kind__in=["server", "volume", "container", "security_group", *ADOPTED], state=StepState.DONE
    )
    taken = Step.objects.filter(kind="backup", desired=Desired.PRESENT, state=StepState.DONE)
    return [
        f"{each.kind} of unit {each.unit} is done but not recorded"
        for each in (*built.exclude(Exists(recorded)), *taken.filter(recovery_point=None))
    ]


def _recorded_otherwise() -> list[str]:
    """Resources of which the step that built them knows another id than the record."""
    built = Step.objects.filter(
        kind__in=["server", "volume", "container", *ADOPTED], state=StepState.DONE, desired=Desired.PRESENT
    )
    known = dict(built.values_list("unit", "external_id"))
    standing = Resource.objects.exclude(status=Status.RELEASED).filter(unit__in=known)
    return [
        f"{each.kind} of unit {each.unit} is {each.external_id} by the record and {known[each.unit]} by its step"
        for each in standing
        if each.external_id != known[each.unit]
    ]


def _sized_otherwise(sizes: dict[str, int]) -> list[str]:
    """Volumes and containers that are in use with another size than the cloud gives them."""
    in_use = Resource.objects.filter(status=Status.ACTIVE, external_id__in=sizes)
    scales = {(row.cloud_id, row.storage_class_id): row for row in CloudStorageClass.objects.all()}
    wrong = []
    for each in in_use.filter(Q(volume__isnull=False) | Q(container__isnull=False)).select_related(
        "volume", "container"
    ):
        held = each.volume if each.kind == ResourceKind.VOLUME else each.container
        recorded = held.size_gb if each.kind == ResourceKind.VOLUME else held.quota_gb
        if scales[each.cloud_id, held.storage_class_id].built_gb(recorded) != sizes[each.external_id]:
            wrong.append(
                f"{each.kind} of unit {each.unit} has {sizes[each.external_id]} GiB, and {recorded} by the record"
            )
    return wrong


def _kept_otherwise(servers: dict[str, Thing]) -> list[str]:
    """Servers that run, or do not, against the record, those that are suspended at all; and of another size than recorded."""
    kept = [Status.ACTIVE, Status.SUSPENDED]
    standing = Resource.objects.filter(kind=ResourceKind.SERVER, status__in=kept, external_id__in=servers)
    names = dict(CloudFlavor.objects.values_list("flavor", "cloud_name"))
    wrong = []
    for each in standing.select_related("server"):
        found = servers[each.external_id]
        stopped = each.status == Status.SUSPENDED and each.server.power != Power.BROKEN
        power = Power.STOPPED if stopped else each.server.power
        if found.power != power:
            wrong.append(f"server of unit {each.unit} is {found.power}, and {power} by the record")
        if found.flavor != names[each.server.flavor_id]:
            wrong.append(
                f"server of unit {each.unit} has {found.flavor}, and {names[each.server.flavor_id]} by the record"
            )
    return wrong


def _of_another_class(types: dict[str, str]) -> list[str]:
    """Volumes of another type on the cloud than their storage class has there."""
    names = {(row.cloud_id, row.storage_class_id): row.cloud_name for row in CloudStorageClass.objects.all()}
    in_use = Volume.objects.filter(resource__status=Status.ACTIVE, resource__external_id__in=types)
    return [
        f"volume of unit {each.resource.unit} is of type {types[each.resource.external_id]}, and {named} by the record"
        for each in in_use.select_related("resource")
        if types[each.resource.external_id] != (named := names[each.resource.cloud_id, each.storage_class_id])
    ]


def _of_another_image(images: dict[str, str]) -> list[str]:
    """Servers in use whose system is of another image than recorded. Nothing is said of what people have taken."""
    names = dict(CloudImage.objects.values_list("image", "cloud_name"))
    booted = Volume.objects.filter(role=VolumeRole.SYSTEM, server__resource__status=Status.ACTIVE)
    wrong = []
    for each in booted.select_related("resource", "server__resource"):
        found, recorded = images.get(each.resource.external_id), names[each.server.image_id]
        if each.server.resource.external_id in images and found not in {None, recorded}:
            wrong.append(
                f"server of unit {each.server.resource.unit} has the image {found}, and {recorded} by the record"
            )
    return wrong


def _of_another_volume(volumes: dict[str, str]) -> list[str]:
    """Snapshots and recovery points of another volume than that which they are recorded of."""
    kept = (
        *Snapshot.objects.filter(deleted_at=None, external_id__in=volumes).select_related("volume__resource"),
        *RecoveryPoint.objects.filter(expired_at=None, external_id__in=volumes).select_related(
            "volume__resource"
        ),
    )
    return [
        f"{type(each).__name__} {each.external_id} is of {volumes[each.external_id]}"
        for each in kept
        if volumes[each.external_id] != each.volume.resource.external_id
    ]


def _let_otherwise() -> list[str]:
    """Leases that do not end when their renewals say: each that was carried out counts once, for a server's volumes as well."""
    built = Step.objects.filter(kind__in=["server", "container", "volume", *ADOPTED], desired=Desired.PRESENT)
    ends = {
        unit: datetime.fromisoformat(state["lease_end"])
        for unit, state in built.values_list("unit", "desired_state")
        if state.get("lease_end")
    }
    renewed = Step.objects.filter(kind="lease", state=StepState.DONE, desired=Desired.PRESENT)
    rows = renewed.order_by("finished_at").values_list("desired_state", "outputs", "finished_at")
    for state, outputs, at in rows:
        unit = UUID(state["resource"])
        if at is not None and unit in ends:
            ordered_from = datetime.fromisoformat(state["runs_until"])
            ends[unit] = max(ends[unit], leases.extended(ordered_from, months=state["months"], at=at))
            for volume in map(UUID, outputs["volumes"]):
                ends[volume] = max(ends.get(volume, ends[unit]), ends[unit])
    standing = Resource.objects.exclude(status=Status.RELEASED).filter(unit__in=ends)
    return [
        f"the lease of unit {each.unit} ends {each.lease_end}, by what was ordered {ends[each.unit]}"
        for each in standing
        if each.lease_end != ends[each.unit]
    ]


def _unreached(held: dict[str, frozenset[str]], taken: set[str]) -> list[str]:
    """Floating addresses that do not lead to the server that has them by the record."""
    given = FloatingAddress.objects.filter(released_at=None).exclude(given_at=None)
    ports = dict(Address.objects.values_list("unit", "port_id"))
    wrong = []
    for each in given.select_related("server__resource"):
        port = ports[each.server.resource.unit]
        if each.external_id in held and port not in held[each.external_id] | taken:
            wrong.append(f"floating address {each} does not lead to {each.server.resource.external_id}")
    return wrong


def _detached(held: dict[str, frozenset[str]], taken: set[str]) -> list[str]:
    """Volumes that a server should have and does not. Those that people took, or whose server they took, are theirs.

    What is reserved for a server in error shows at none.
    """
    at_servers = Volume.objects.exclude(server=None).exclude(server__resource__status=Status.RELEASED)
    at_servers = at_servers.exclude(server__power=Power.BROKEN)
    standing = at_servers.filter(resource__status=Status.ACTIVE).select_related(
        "resource", "server__resource"
    )
    return [
        f"volume of unit {each.resource.unit} is not attached to {each.server.resource.external_id}"
        for each in standing
        if each.resource.external_id in held
        and each.server.resource.external_id not in held[each.resource.external_id] | taken
    ]


def _attached_otherwise(held: dict[str, frozenset[str]], taken: set[str]) -> list[str]:
    """Volumes that a server has against the record, and further interfaces that are not at theirs."""
    volumes = Resource.objects.filter(kind=ResourceKind.VOLUME, status=Status.ACTIVE, external_id__in=held)
    further = Address.objects.filter(released_at=None).exclude(server=None).exclude(port_id="")
    in_use = further.filter(server__resource__status=Status.ACTIVE).select_related("server__resource")
    return [
        *(
            f"volume of unit {each.unit} is attached to {sorted(held[each.external_id])} against the record"
            for each in volumes.select_related("volume__server__resource")
            if held[each.external_id] - taken - _own_server(each.volume)
        ),
        *(
            f"interface of unit {each.unit} is not at {each.server.resource.external_id}"
            for each in in_use
            if each.port_id in held and each.server.resource.external_id not in held[each.port_id] | taken
        ),
    ]


def _own_server(volume: Volume) -> frozenset[str]:
    return frozenset() if volume.server is None else frozenset([volume.server.resource.external_id])


# -- duplicates and orphans


def _duplicates(things: list[Thing]) -> list[str]:
    by_unit: dict[tuple[str, str], list[str]] = defaultdict(list)
    for thing in things:
        by_unit[thing.kind, thing.unit].append(thing.id)
    return [f"{kind} of unit {unit}: {sorted(ids)}" for (kind, unit), ids in by_unit.items() if len(ids) > 1]


def _rebuilt_again(things: list[Thing]) -> list[str]:
    """Servers whose system was written anew more often than that was asked for: what they had by then is lost."""
    asked = Counter(str(unit) for unit in Step.objects.filter(kind="rebuild").values_list("unit", flat=True))
    return [
        f"{thing} was rebuilt {thing.rebuilds} times, asked for {asked[thing.unit]} times"
        for thing in things
        if thing.rebuilds > asked[thing.unit]
    ]


def _orphans(things: list[Thing]) -> list[str]:
    """What carries our mark and belongs neither to a resource nor to a step that is still at work."""
    unfinished = Step.objects.exclude(state__in=FINISHED)
    units = {str(unit) for unit in unfinished.values_list("unit", flat=True)}
    standing = Resource.objects.exclude(status=Status.RELEASED)
    networks = Network.objects.filter(resource__in=standing)
    ids = {
        *unfinished.values_list("external_id", flat=True),
        *standing.values_list("external_id", flat=True),
        *Address.objects.filter(released_at=None).values_list("port_id", flat=True),
        *networks.values_list("subnet_id", flat=True),
        *networks.values_list("security_group_id", flat=True),
        *networks.values_list("router_id", flat=True),
        *FloatingAddress.objects.filter(released_at=None).values_list("external_id", flat=True),
        *Snapshot.objects.filter(deleted_at=None).values_list("external_id", flat=True),
        *SecurityRule.objects.filter(removed_at=None).values_list("external_id", flat=True),
        *RecoveryPoint.objects.filter(expired_at=None).values_list("external_id", flat=True),
    }
    return [str(thing) for thing in things if thing.id not in ids and thing.unit not in units]


# -- quota


def _stale_holds() -> list[str]:
    """Holds that nothing will ever settle: every step of their unit is finished."""
    settled = QuotaEntry.objects.filter(
        source=OuterRef("source"), kind__in=[EntryKind.COMMIT, EntryKind.UNHOLD]
    )
    held = QuotaEntry.objects.filter(kind=EntryKind.HOLD).exclude(Exists(settled))
    steps = Step.objects.filter(unit=OuterRef("source"))
    stale = held.filter(Exists(steps)).exclude(Exists(steps.exclude(state__in=FINISHED)))
    return [
        f"unit {each.source} holds {each.amount} of {each.account.dimension}"
        for each in stale.select_related("account")
    ]


def _accounts_beside_resources() -> list[str]:
    """What accounts count as used, against what stands."""
    standing: dict[tuple[int, str], int] = defaultdict(int)
    resources = Resource.objects.exclude(status=Status.RELEASED).select_related(
        "system__department", "server", "volume", "backup", "container"
    )
    for resource in resources:
        for department in resource.system.department.ancestor_ids:
            for dimension, amount in quota_of(resource).items():
                standing[department, dimension] += amount
    kept = Snapshot.objects.filter(deleted_at=None).select_related("volume__resource__system__department")
    for snapshot in kept:
        for department in snapshot.volume.resource.system.department.ancestor_ids:
            standing[department, "storage_gb"] += snapshot.size_gb
    given = FloatingAddress.objects.filter(released_at=None).exclude(given_at=None)
    for address in given.select_related("server__resource__system__department"):
        for department in address.server.resource.system.department.ancestor_ids:
            standing[department, "addresses"] += 1
    return [
        f"{account.department_id} uses {account.used} of {account.dimension}, and {stands} stand"
        for account in QuotaAccount.objects.order_by("pk")
        if account.used != (stands := standing[account.department_id, account.dimension])
    ]


def _accounts_beside_entries() -> list[str]:
    """What accounts count as held, against the entries that made it so."""
    sums: dict[tuple[int, str], int] = {
        (account, kind): amount
        for account, kind, amount in QuotaEntry.objects.order_by()
        .values_list("account", "kind")
        .annotate(Sum("amount"))
    }
    wrong = []
    for account in QuotaAccount.objects.order_by("pk"):
        hold, commit, unhold = (
            sums.get((account.pk, kind), 0) for kind in (EntryKind.HOLD, EntryKind.COMMIT, EntryKind.UNHOLD)
        )
        if account.held != hold - commit - unhold:
            wrong.append(
                f"{account.department_id} holds {account.held} of {account.dimension}, its entries {hold - commit - unhold}"
            )
    return wrong
