"""What differs, and what is proposed about it."""

from dataclasses import replace
from uuid import UUID

import pytest

from govcloud.reconciliation.comparison import (
    Difference,
    Home,
    Seen,
    Standing,
    drift,
    missing,
    remedies,
    unknown,
    whole,
    without,
)
from govcloud.reconciliation.vocabulary import Field, FindingKind, Remedy, SubjectKind

UNIT = UUID("5f1cbb1e-6a5f-4c3b-8f50-0d5b7a4f9e01")
SERVER = {
    Field.NAME: "app-1", Field.FLAVOR: "g.4c16g", Field.POWER: "running", Field.STATE: "usable", Field.MARK: f"gc-{UNIT}",
}  # fmt: skip
HOME = Home(resource=9, at_rest=True)


def standing(kind: SubjectKind = SubjectKind.SERVER, **fields: str) -> Standing:
    changed = {Field(name): value for name, value in fields.items()}
    own = SERVER if kind is SubjectKind.SERVER else {}
    return Standing(kind=kind, external_id="id-1", resource=7, unit=UNIT, system=3, fields={**own, **changed})


def seen(kind: SubjectKind = SubjectKind.SERVER, *, mark: UUID | None = UNIT, **fields: str) -> Seen:
    changed = {Field(name): value for name, value in fields.items()}
    own = SERVER if kind is SubjectKind.SERVER else {}
    return Seen(
        kind=kind, external_id="id-1", project_id="p", name="app-1", mark=mark, fields={**own, **changed}
    )


def test_what_is_as_recorded_gives_no_finding() -> None:
    assert drift(standing(), seen()) == []


def test_differences_that_are_put_right_alike_are_one_finding() -> None:
    found = drift(standing(), seen(name="renamed", flavor="g.8c32g", power="stopped"))
    assert [(each.remedy, [row.field for row in each.differences]) for each in found] == [
        (Remedy.SET_BACK, [Field.NAME]),
        (Remedy.ADOPT, [Field.FLAVOR, Field.POWER]),
    ]
    assert {(each.kind, each.resource, each.system, each.unit) for each in found} == {
        (FindingKind.DRIFTED, 7, 3, UNIT)
    }
    assert found[0].differences == (Difference(Field.NAME, "app-1", "renamed"),)


def test_what_only_one_side_tells_is_not_held_against_the_other() -> None:
    error = without(without(seen(), Field.POWER), Field.FLAVOR)
    assert drift(standing(), error) == []
    assert drift(standing(SubjectKind.VOLUME), seen(SubjectKind.VOLUME, size_gib="5")) == []


@pytest.mark.parametrize(
    ("subject", "field", "found", "proposed"),
    [
        (SubjectKind.SERVER, Field.POWER, "stopped", Remedy.ADOPT),
        (SubjectKind.SERVER, Field.POWER, "paused", Remedy.DECIDE),
        (SubjectKind.SERVER, Field.STATE, "error", Remedy.DECIDE),
        (SubjectKind.SERVER, Field.FLAVOR, "g.8c32g", Remedy.ADOPT),
        (SubjectKind.VOLUME, Field.SIZE, "800", Remedy.ADOPT),
        (SubjectKind.VOLUME, Field.ATTACHED_TO, "", Remedy.SET_BACK),
        (SubjectKind.PORT, Field.ATTACHED_TO, "", Remedy.SET_BACK),
        (SubjectKind.PORT, Field.ATTACHED_TO, "another", Remedy.DECIDE),
        (SubjectKind.PORT, Field.SECURITY_GROUP, "", Remedy.SET_BACK),
        (SubjectKind.NETWORK, Field.NAME, "net", Remedy.SET_BACK),
        (SubjectKind.SECURITY_GROUP, Field.LET_IN, "", Remedy.SET_BACK),
        (SubjectKind.ROUTER, Field.EXTERNAL_NETWORK, "", Remedy.SET_BACK),
        (SubjectKind.ROUTER, Field.OUTSIDE_ADDRESS, "198.18.0.9", Remedy.ADOPT),
        (SubjectKind.ROUTER, Field.STATE, "disabled", Remedy.SET_BACK),
        (SubjectKind.ROUTER, Field.STATE, "error", Remedy.DECIDE),
        (SubjectKind.FLOATING_ADDRESS, Field.LEADS_TO, "", Remedy.SET_BACK),
    ],
)
def test_each_difference_has_its_proposal(
    subject: SubjectKind, field: Field, found: str, proposed: Remedy
) -> None:
    assert remedies(subject, Difference(field, "expected", found))[0] is proposed


def test_a_suspended_server_that_somebody_started_is_only_to_be_stopped_again() -> None:
    stopped = replace(standing(power="stopped"), suspended=True)
    (found,) = drift(stopped, seen(power="running"))
    (difference,) = found.differences
    assert found.remedy is Remedy.SET_BACK
    assert remedies(SubjectKind.SERVER, difference, suspended=True) == (Remedy.SET_BACK,)


def test_what_nobody_recorded_is_ours_by_its_mark_or_else_foreign() -> None:
    ours, theirs = unknown(seen(), system=3), unknown(seen(mark=None), system=3)
    assert (ours.kind, ours.remedy, ours.unit) == (FindingKind.ORPHANED, Remedy.CLEAR_AWAY, UNIT)
    assert (theirs.kind, theirs.remedy, theirs.unit) == (FindingKind.FOREIGN, Remedy.DECIDE, None)
    assert Difference(Field.FLAVOR, "", "g.4c16g") in theirs.differences


@pytest.mark.parametrize(
    ("subject", "proposed"),
    [
        (SubjectKind.SERVER, Remedy.MARK_LOST),
        (SubjectKind.VOLUME, Remedy.MARK_LOST),
        (SubjectKind.NETWORK, Remedy.DECIDE),
        (SubjectKind.PORT, Remedy.SET_BACK),
        (SubjectKind.SECURITY_RULE, Remedy.SET_BACK),
        (SubjectKind.ROUTER, Remedy.SET_BACK),
        (SubjectKind.FLOATING_ADDRESS, Remedy.SET_BACK),
    ],
)
def test_servers_and_volumes_can_be_given_up_what_others_stand_on_cannot_ways_in_are_made_again(
    subject: SubjectKind, proposed: Remedy
) -> None:
    assert missing(standing(subject)).remedy is proposed


@pytest.mark.parametrize(
    ("subject", "home", "possible"),
    [
        (SubjectKind.SECURITY_RULE, HOME, (Remedy.CLEAR_AWAY, Remedy.ADOPT)),
        (SubjectKind.ROUTER, HOME, (Remedy.CLEAR_AWAY, Remedy.ADOPT)),
        (SubjectKind.ROUTER, None, (Remedy.DECIDE,)),
        (SubjectKind.FLOATING_ADDRESS, None, (Remedy.DECIDE,)),
        (SubjectKind.VOLUME, None, (Remedy.DECIDE,)),
    ],
)
def test_what_leads_to_something_of_ours_is_to_be_taken_out_unless_somebody_vouches_for_it(
    subject: SubjectKind, home: Home | None, possible: tuple[Remedy, ...]
) -> None:
    found = unknown(seen(subject, mark=None), system=3, home=home)
    assert (found.kind, found.resource) == (FindingKind.FOREIGN, home.resource if home else None)
    assert found.remedy is possible[0]
    assert whole(FindingKind.FOREIGN, subject, at_home=home is not None) == possible


@pytest.mark.parametrize("subject", [SubjectKind.SNAPSHOT, SubjectKind.RECOVERY_POINT])
def test_what_is_gone_of_a_volumes_states_can_only_be_recorded_as_lost(subject: SubjectKind) -> None:
    found = missing(standing(subject, legal_hold="2026-11-02 09:00"))
    assert (found.remedy, found.differences) == (
        Remedy.MARK_LOST, (Difference(Field.LEGAL_HOLD, "2026-11-02 09:00", ""),)
    )  # fmt: skip
    assert whole(FindingKind.MISSING, subject, at_home=True) == (Remedy.MARK_LOST,)
