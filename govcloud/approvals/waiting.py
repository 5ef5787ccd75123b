"""Whom cases wait for, many at once: for whoever tells people of what waits."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from govcloud.approvals import policies
from govcloud.approvals.lifecycle import StageStatus
from govcloud.approvals.models import Absence, CaseStage, Decision
from tenants.models import User


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a case's current stage (its key) still waits for; people by their keys.

    ``roles`` are those whose signatures are missing, a seat that was given to somebody by name counting for its role and an
    added reviewer's for the stage's. It is open to holders of ``open_to`` but for those in ``without``, and to the people
    ``named``, and for who of them is away to the ``substitutes``.
    """

    stage: int
    roles: tuple[str, ...]
    open_to: tuple[str, ...]
    named: tuple[int, ...]
    substitutes: tuple[int, ...]
    without: frozenset[int]


def of(cases: Collection[int], *, at: datetime) -> dict[int, Waiting]:
    """By the keys of cases that are being decided. As many statements for many as for few; two more for each who is away."""
    current = CaseStage.objects.filter(case__in=cases, status=StageStatus.CURRENT)
    stages = list(current.select_related("case__department").prefetch_related("seats__person"))
    if not stages:
        return {}
    decided = _decided(stages)
    away = list(
        Absence.objects.in_force(at=at).filter(person__is_active=True).select_related("person", "substitute")
    )
    return {
        stage.case_id: _waiting(stage, decided.get(stage.case_id, set()), away, at=at)
        for stage in stages
        if policies.open_seats(stage)  # none where somebody signed the last one between the two looks
    }


def barred(stage: CaseStage) -> set[int]:
    """Who signs no seat of a role in a current stage, by their keys: whose matter it is, who has decided on the revision, and
    who has given their part away.
    """
    return _barred(stage, _decided([stage]).get(stage.case_id, set()))


def _barred(stage: CaseStage, decided: set[int]) -> set[int]:
    return policies.owners(stage.case) | decided | policies.given_away(stage.seats.all())


def _waiting(stage: CaseStage, decided: set[int], away: Iterable[Absence], *, at: datetime) -> Waiting:
    seats = policies.open_seats(stage)
    involved = policies.owners(stage.case) | decided  # who has given their part away may stand in for others
    return Waiting(
        stage=stage.pk,
        roles=tuple(dict.fromkeys(seat.role or stage.role for seat in seats)),
        open_to=tuple(dict.fromkeys(seat.role for seat in seats if seat.person_id is None)),
        named=tuple(seat.person_id for seat in seats if seat.person_id is not None),
        substitutes=tuple(
            absence.substitute_id
            for absence in away
            if not involved & {absence.person_id, absence.substitute_id}
            and policies.seat_of(stage, absence.person, at=at) is not None
            and _decides(absence.substitute, stage, at=at)
        ),
        without=frozenset(_barred(stage, decided)),
    )


def _decides(person: User, stage: CaseStage, *, at: datetime) -> bool:
    return person.is_active and policies.decides_for(person, stage.case.department, at=at)


def _decided(stages: Iterable[CaseStage]) -> Mapping[int, set[int]]:
    """Who has decided on the present revision, by case: each person decides once."""
    rows = Decision.objects.filter(
        stage__case__in=[stage.case_id for stage in stages], stage__revision=F("stage__case__revision")
    )
    found: dict[int, set[int]] = {}
    for case, *people in rows.values_list("stage__case", "decider", "on_behalf_of"):
        found.setdefault(case, set()).update(pk for pk in people if pk is not None)
    return found
