"""What the record says against what the cloud shows. Pure: knows neither the database nor a cloud."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from govcloud.reconciliation.vocabulary import Field, FindingKind, Remedy, SubjectKind

RUNNING_OR_NOT = frozenset({"running", "stopped"})
USABLE = "usable"
BROKEN = "broken"
LOST = "lost"
DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Something as our record has it. ``fields`` holds only what the cloud's answer can be held against."""

    kind: SubjectKind
    external_id: str
    resource: int  # primary key: of the thing itself, else of what it belongs to (a port to its server, a rule to its network)
    unit: UUID
    system: int
    fields: Mapping[Field, str]
    name: str = ""  # of what has none among its fields
    suspended: bool = False
    lost: bool = False  # it is recorded as not being there any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What we have recorded and something unknown was found at: a rule's network, a router's, a floating address's server."""

    resource: int  # primary key
    at_rest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Something as the cloud shows it. ``mark`` is the unit that it carries, if it is marked as ours."""

    kind: SubjectKind
    external_id: str
    project_id: str
    name: str
    mark: UUID | None
    held_by: str = ""  # the id of the server (or other device) that it is attached to
    at: tuple[str, ...] = ()  # what it lets into or leads to: of a rule its group, of a router its subnets
    settled: bool = True
    deleted: bool = False
    changed_at: datetime | None = None  # by the cloud's clock, where it tells
    fields: Mapping[Field, str]


@dataclass(frozen=True, slots=True)
class Difference:
    field: Field
    expected: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One thing that is wrong and one way to put it right."""

    kind: FindingKind
    subject: SubjectKind
    external_id: str
    remedy: Remedy
    name: str = ""
    unit: UUID | None = None
    resource: int | None = None
    system: int | None = None
    account: int | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same as one observed before, among those of one kind of subject."""
        return self.kind, self.external_id, self.remedy


_REMEDIES: Mapping[tuple[SubjectKind, Field], tuple[Remedy, ...]] = {
    (SubjectKind.SERVER, Field.NAME): (Remedy.SET_BACK, Remedy.ADOPT),
    (SubjectKind.SERVER, Field.MARK): (Remedy.SET_BACK,),
    (SubjectKind.SERVER, Field.FLAVOR): (Remedy.ADOPT,),  # setting it back would stop the server
    (SubjectKind.SERVER, Field.POWER): (Remedy.ADOPT, Remedy.SET_BACK),  # guests may shut themselves down
    (SubjectKind.VOLUME, Field.NAME): (Remedy.SET_BACK, Remedy.ADOPT),
    (SubjectKind.VOLUME, Field.MARK): (Remedy.SET_BACK,),
    (SubjectKind.VOLUME, Field.SIZE): (Remedy.ADOPT,),  # a volume does not shrink
    (SubjectKind.VOLUME, Field.STORAGE_CLASS): (Remedy.ADOPT,),
    (SubjectKind.VOLUME, Field.ATTACHED_TO): (Remedy.SET_BACK, Remedy.ADOPT),
    (SubjectKind.PORT, Field.MARK): (Remedy.SET_BACK,),
    (SubjectKind.PORT, Field.ADDRESS): (Remedy.SET_BACK,),
    (SubjectKind.PORT, Field.SECURITY_GROUP): (Remedy.SET_BACK,),
    (SubjectKind.NETWORK, Field.NAME): (Remedy.SET_BACK,),
    (SubjectKind.NETWORK, Field.MARK): (Remedy.SET_BACK,),
    (SubjectKind.SECURITY_GROUP, Field.NAME): (Remedy.SET_BACK,),
    (SubjectKind.SECURITY_GROUP, Field.LET_IN): (Remedy.SET_BACK,),
    (SubjectKind.ROUTER, Field.EXTERNAL_NETWORK): (Remedy.SET_BACK,),
    (SubjectKind.ROUTER, Field.ON_SUBNETS): (Remedy.SET_BACK,),
    (SubjectKind.ROUTER, Field.OUTSIDE_ADDRESS): (Remedy.ADOPT,),  # the cloud chooses it
    (SubjectKind.FLOATING_ADDRESS, Field.MARK): (Remedy.SET_BACK,),
    (SubjectKind.FLOATING_ADDRESS, Field.LEADS_TO): (Remedy.SET_BACK, Remedy.ADOPT),
}

_BY_FOUND: Mapping[tuple[SubjectKind, Field, str], tuple[Remedy, ...]] = {
    (SubjectKind.ROUTER, Field.STATE, DISABLED): (Remedy.SET_BACK,),
    (SubjectKind.PORT, Field.ATTACHED_TO, ""): (
        Remedy.SET_BACK,
        Remedy.ADOPT,
    ),  # in another server somebody may have use for it
}

_BY_VALUES: Mapping[tuple[SubjectKind, Field, str, str], tuple[Remedy, ...]] = {
    (SubjectKind.RECOVERY_POINT, Field.STATE, LOST, USABLE): (Remedy.ADOPT,),  # it is there after all
}

REACH = frozenset({SubjectKind.SECURITY_RULE, SubjectKind.ROUTER, SubjectKind.FLOATING_ADDRESS})
"""How networks and servers are reached from outside: not resources of their own, and can be made again as they were."""

BUILT = frozenset({SubjectKind.SERVER, SubjectKind.VOLUME})
KEPT = frozenset({SubjectKind.SNAPSHOT, SubjectKind.RECOVERY_POINT})
"""States of volumes. What is gone of these is gone: nothing makes it again."""


def remedies(subject: SubjectKind, difference: Difference, *, suspended: bool = False) -> tuple[Remedy, ...]:
    """What can be done about a difference; the first is what we propose. What is suspended stays stopped."""
    if difference.field is Field.POWER and difference.found not in RUNNING_OR_NOT:
        return (Remedy.DECIDE,)  # paused, suspended, rescued: somebody is at work there
    if difference.field is Field.POWER and difference.expected == BROKEN:
        return (Remedy.DECIDE,) if suspended else (Remedy.ADOPT,)  # somebody brought it back by hand
    if difference.field is Field.POWER and suspended:
        return (Remedy.SET_BACK,)
    by_values = _BY_VALUES.get((subject, difference.field, difference.expected, difference.found))
    if by_values is not None:
        return by_values
    by_found = _BY_FOUND.get((subject, difference.field, difference.found))
    return by_found or _REMEDIES.get((subject, difference.field), (Remedy.DECIDE,))


def whole(kind: FindingKind, subject: SubjectKind, *, at_home: bool) -> tuple[Remedy, ...]:
    """What can be done about something that is missing, or that nobody recorded; the first is what we propose.

    What lets in or leads to something of ours (``at_home``) is to be taken out again unless somebody says that it may stay.
    """
    match kind:
        case FindingKind.ORPHANED:
            return (Remedy.CLEAR_AWAY,)
        case FindingKind.FOREIGN if subject in REACH and at_home:
            return (Remedy.CLEAR_AWAY, Remedy.ADOPT)
        case FindingKind.MISSING if subject in REACH | {SubjectKind.PORT}:
            return (Remedy.SET_BACK, Remedy.MARK_LOST)
        case FindingKind.MISSING if subject in BUILT | KEPT:
            return (Remedy.MARK_LOST,)
        case _:
            return (Remedy.DECIDE,)


def differences(standing: Standing, seen: Seen) -> Iterator[Difference]:
    """In the order of ``Field``. What the cloud did not tell is not held against it."""
    for field in Field:
        expected, found = standing.fields.get(field), seen.fields.get(field)
        if expected is not None and found is not None and expected != found:
            yield Difference(field, expected, found)


def drift(standing: Standing, seen: Seen) -> list[Observation]:
    """One observation for each way in which the differences would be put right."""
    by_remedy: dict[Remedy, list[Difference]] = {}
    for difference in differences(standing, seen):
        by_remedy.setdefault(remedies(seen.kind, difference, suspended=standing.suspended)[0], []).append(
            difference
        )
    return [
        Observation(
            kind=FindingKind.DRIFTED,
            subject=seen.kind,
            external_id=seen.external_id,
            remedy=remedy,
            name=standing.name if standing.lost else seen.name,
            unit=standing.unit,
            resource=standing.resource,
            system=standing.system,
            differences=tuple(found),
        )
        for remedy, found in by_remedy.items()
    ]


def elsewhere(standing: Standing, seen: Seen, projects: Mapping[str, int]) -> list[Observation] | None:
    """That it belongs to another project of the cloud than it should, which is all that is told of it: what else differs cannot be
    put right from ours. None for what is where it should be. ``projects`` has the systems by their projects' ids.

    A router or a floating address may have been taken in from another project of ours, a rule from an operator's own.
    """
    of = projects.get(seen.project_id)
    own = next((project for project, system in projects.items() if system == standing.system), None)
    if own is None or of == standing.system or seen.kind == SubjectKind.SECURITY_RULE:
        return None
    if of is not None and seen.kind in REACH:
        return None
    if standing.lost:  # somebody else's now, as far as the record goes
        return []
    moved = Observation(
        kind=FindingKind.DRIFTED,
        subject=seen.kind,
        external_id=seen.external_id,
        remedy=Remedy.DECIDE,
        name=seen.name,
        unit=standing.unit,
        resource=standing.resource,
        system=standing.system,
        differences=(Difference(Field.PROJECT, own, seen.project_id),),
    )
    return [moved]


def without(seen: Seen, field: Field) -> Seen:
    """As if the cloud had not told this."""
    return replace(seen, fields={name: value for name, value in seen.fields.items() if name is not field})


def unknown(seen: Seen, *, system: int, home: Home | None = None) -> Observation:
    """Something in one of our projects that no record knows: ours by its mark, or somebody else's."""
    kind = FindingKind.FOREIGN if seen.mark is None else FindingKind.ORPHANED
    return Observation(
        kind=kind,
        subject=seen.kind,
        external_id=seen.external_id,
        remedy=whole(kind, seen.kind, at_home=home is not None)[0],
        name=seen.name,
        unit=seen.mark,
        resource=home.resource if home is not None else None,
        system=system,
        differences=tuple(
            Difference(field, "", found)
            for field, found in seen.fields.items()
            if found and field not in {Field.MARK, Field.STATE}
        ),
    )


def missing(standing: Standing) -> Observation:
    """Something that the cloud says it does not have."""
    return Observation(
        kind=FindingKind.MISSING,
        subject=standing.kind,
        external_id=standing.external_id,
        remedy=whole(FindingKind.MISSING, standing.kind, at_home=True)[0],
        name=standing.name or standing.fields.get(Field.NAME, ""),
        unit=standing.unit,
        resource=standing.resource,
        system=standing.system,
        differences=tuple(Difference(field, expected, "") for field, expected in standing.fields.items()),
    )
