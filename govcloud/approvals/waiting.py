"""Whom cases wait for, many at once: for whoever tells people of what waits."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.db.models import F

from govcloud.approvals import policies
from govcloud.approvals.lifecycle import StageStatus
from govcloud.approvals.models import CaseStage, Decision


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a case's current stage (its key) still waits for; people by their keys.

    ``roles`` are those whose signatures are missing, a seat that was given to somebody by name counting for its role and an
    added reviewer's for the stage's; ``signed`` are people who have given theirs too late. It is open to holders of ``open_to`` but for those in ``without``, and to the people
    ``named``. Who stands in for them is found when they are told: nobody of ``without`` but those ``standing_in``.
    """

    stage: int
    roles: tuple[str, ...]
    open_to: tuple[str, ...]
    named: tuple[int, ...]
    without: frozenset[int]
    standing_in: frozenset[int]
    signed: tuple[int, ...] = ()


def of(cases: Collection[int]) -> dict[int, Waiting]:
    """By the keys of cases that are being decided. As many statements for many as for few."""
    current = CaseStage.objects.filter(case__in=cases, status=StageStatus.CURRENT)
    stages = list(current.select_related("case__department").prefetch_related("seats__person"))
    if not stages:
        return {}
    decided = _decided(stages)
    return {
        stage.case_id: _waiting(stage, decided.get(stage.case_id, set()))
        for stage in stages
        if policies.open_seats(stage)  # none where somebody signed the last one between the two looks
    }


def barred(stage: CaseStage) -> set[int]:
    """Who signs no seat of a role in a current stage, by their keys: whose matter it is, who has decided on the revision, and
    who has given their part away.
    """
    return _barred(stage, _decided([stage]).get(stage.case_id, set()))


def barred_from(stages: Collection[CaseStage]) -> dict[int, set[int]]:
    """The same of many current stages, by their keys."""
    decided = _decided(stages)
    return {stage.pk: _barred(stage, decided.get(stage.case_id, set())) for stage in stages}


def standing_in(stage: CaseStage) -> set[int]:
    """Of those barred who may sign for others all the same: they have only given their own part away."""
    return _standing_in(stage, _decided([stage]).get(stage.case_id, set()))


def _barred(stage: CaseStage, decided: set[int]) -> set[int]:
    return policies.owners(stage.case) | decided | policies.given_away(stage.seats.all())


def _standing_in(stage: CaseStage, decided: set[int]) -> set[int]:
    return policies.given_away(stage.seats.all()) - policies.owners(stage.case) - decided


def _waiting(stage: CaseStage, decided: set[int]) -> Waiting:
    seats = policies.open_seats(stage)
    return Waiting(
        stage=stage.pk,
        roles=tuple(dict.fromkeys(seat.role or stage.role for seat in seats)),
        open_to=tuple(dict.fromkeys(seat.role for seat in seats if seat.person_id is None)),
        named=tuple(seat.person_id for seat in seats if seat.person_id is not None),
        without=frozenset(_barred(stage, decided)),
        standing_in=frozenset(_standing_in(stage, decided)),
    )


def _decided(stages: Iterable[CaseStage]) -> Mapping[int, set[int]]:
    """Who has decided on the present revision, by case: each person decides once."""
    rows = Decision.objects.filter(
        stage__case__in=[stage.case_id for stage in stages], stage__revision=F("stage__case__revision")
    )
    found: dict[int, set[int]] = {}
    for case, *people in rows.values_list("stage__case", "decider", "on_behalf_of"):
        found.setdefault(case, set()).update(pk for pk in people if pk is not None)
    return found
