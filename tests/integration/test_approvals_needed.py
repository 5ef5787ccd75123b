"""Who alone can sign something else does not use their one signature up, unless nobody else could approve now."""

from dataclasses import replace
from datetime import datetime

import pytest
from django.db import transaction
from django.utils import translation

from govcloud.approvals import handover
from govcloud.approvals.lifecycle import Status
from govcloud.approvals.models import Decision
from govcloud.approvals.policies import require_decider
from govcloud.approvals.routing import StageRule
from govcloud.approvals.services import current_deciders, stages_of
from govcloud.approvals.signable import Need, NeededElsewhere, need_of
from tenants.models import Membership, Role, User
from tests.factories.approvals import (
    DIGEST,
    INTAKE,
    Case,
    Chain,
    absence,
    case_of,
    chain,
    current_stage,
    decide,
    flow,
)
from tests.factories.situations import SITUATIONS, accepted, somewhere
from tests.factories.tenants import DepartmentFactory, grant, member

pytestmark = pytest.mark.django_db
UNIT = StageRule("unit", "单位审批", "Unit approval", Role.UNIT_APPROVER, 1)


@pytest.fixture
def people() -> Chain:
    return chain()


def need(case: Case, actor: User, at: datetime) -> Need | None:
    stages, seen = stages_of(case), current_stage(case).code
    turn = require_decider(case, stages, seen=seen, revision_hash=DIGEST, actor=actor, at=at)
    return need_of(turn, stages, actor=actor, at=at)


def test_who_alone_can_sign_a_later_step_leaves_this_one_to_a_colleague(people: Chain, at: datetime) -> None:
    flow(UNIT, INTAKE, at=at)
    case = case_of(people, at=at)
    both, colleague = people.service_desk, people.unit_approver
    grant(both, Role.UNIT_APPROVER, people.department)
    found = need(case, both, at)
    assert found is not None
    assert (found.stage.code, found.others) == ("intake", (colleague,))
    for verb in ("approve", "approve_with_conditions"):
        with translation.override("en"), pytest.raises(NeededElsewhere, match=f"“Intake”.*{colleague}"):
            decide(case, both, at, verb)
    assert not Decision.objects.exists()
    assert need(case, colleague, at) is None
    assert decide(decide(case, colleague, at), both, at).status == Status.APPROVED


@pytest.mark.parametrize(("verb", "ends"), [("return", Status.RETURNED), ("reject", Status.REJECTED)])
def test_what_ends_the_round_needs_nobody_later(people: Chain, at: datetime, verb: str, ends: str) -> None:
    flow(UNIT, INTAKE, at=at)
    grant(people.service_desk, Role.UNIT_APPROVER, people.department)
    assert decide(case_of(people, at=at), people.service_desk, at, verb).status == ends


def test_where_nobody_else_could_approve_either_it_is_told_and_not_refused(
    people: Chain, at: datetime
) -> None:
    flow(UNIT, INTAKE, at=at)
    case = case_of(people, at=at)
    Membership.objects.filter(user=people.service_desk).delete()
    grant(people.unit_approver, Role.SERVICE_DESK)
    found = need(case, people.unit_approver, at)
    assert found is not None
    assert (found.stage.code, found.others) == ("intake", ())
    with translation.override("en"):
        assert "Intake" in found.text
        assert "service desk" in found.text.lower()
    assert current_stage(decide(case, people.unit_approver, at)).code == "intake"


def test_two_who_are_both_needed_later_are_told_of_the_later_of_the_steps(
    people: Chain, at: datetime
) -> None:
    """Two can sign intake, and there are two such steps: each of them alone is not missed, both together are."""
    flow(UNIT, INTAKE, replace(INTAKE, code="second"), at=at)
    case = case_of(people, at=at)
    both = member(Role.SERVICE_DESK)
    grant(both, Role.UNIT_APPROVER, people.department)
    found = need(case, both, at)
    assert found is not None
    assert (found.stage.code, found.others) == ("second", (people.unit_approver,))
    member(Role.SERVICE_DESK)
    assert need(case, both, at) is None


def test_of_two_who_could_approve_in_their_place_only_who_is_not_needed_is_named(
    people: Chain, at: datetime
) -> None:
    flow(UNIT, INTAKE, replace(UNIT, code="tech", role=Role.TECHNICAL_REVIEWER), at=at)
    case = case_of(people, at=at)
    for person in (people.service_desk, people.technical_reviewer):
        grant(person, Role.UNIT_APPROVER, people.department)
    found = need(case, people.service_desk, at)
    assert found is not None
    assert found.others == (people.unit_approver,)


def test_a_substitute_who_is_needed_later_leaves_it_to_the_person(people: Chain, at: datetime) -> None:
    flow(UNIT, INTAKE, at=at)
    case = case_of(people, at=at)
    absence(people.unit_approver, people.service_desk, begins=at)
    with pytest.raises(NeededElsewhere, match=str(people.unit_approver)):
        decide(case, people.service_desk, at)
    assert current_stage(decide(case, people.unit_approver, at)).code == "intake"


def test_a_later_step_that_a_rule_decides_needs_nobody(people: Chain, at: datetime) -> None:
    flow(UNIT, replace(INTAKE, auto_max_mlps_level=5), at=at)
    grant(people.service_desk, Role.UNIT_APPROVER, people.department)
    assert decide(case_of(people, at=at), people.service_desk, at).status == Status.APPROVED


def test_of_two_roles_a_person_signs_for_that_after_which_a_later_step_has_somebody(
    people: Chain, at: datetime
) -> None:
    """Intake and the cloud administrators sign together; who also reviews later is needed for intake nowhere but there."""
    Membership.objects.filter(user__in=[people.cloud_admin, people.technical_reviewer]).delete()
    both, reviews = people.service_desk, member(Role.SERVICE_DESK)
    grant(both, Role.CLOUD_ADMIN)
    grant(reviews, Role.TECHNICAL_REVIEWER)
    member(Role.CLOUD_ADMIN)
    flow(
        replace(INTAKE, role=Role.CLOUD_ADMIN, also_roles=(Role.SERVICE_DESK,)),
        replace(INTAKE, code="tech", role=Role.TECHNICAL_REVIEWER),
        at=at,
    )
    decide(case_of(people, at=at), both, at)
    assert Decision.objects.get().seat.role == Role.SERVICE_DESK


@pytest.mark.parametrize("seed", range(SITUATIONS))
def test_somebody_may_always_approve_where_anybody_can(seed: int, at: datetime) -> None:
    case = somewhere(seed, at)
    able = current_deciders(case=case, at=at)
    done = 0
    for person in able:
        with transaction.atomic():
            done += accepted(lambda person=person: decide(case, User.objects.get(pk=person.pk), at))
            transaction.set_rollback(True)
    assert bool(done) == bool(able)


@pytest.mark.parametrize("many", [1, 20])
def test_who_would_be_missed_takes_as_many_queries_however_many_cases(
    people: Chain, at: datetime, many: int, django_assert_num_queries
) -> None:
    """Half of the cases are another department's, where another approves."""
    elsewhere = replace(people, department=DepartmentFactory())
    member(Role.UNIT_APPROVER, elsewhere.department)
    cases = [case_of((people, elsewhere)[number % 2], at=at) for number in range(many)]
    with django_assert_num_queries(4):  # stages, seats, decisions; who holds the roles
        missed = handover.missed(cases=cases, people=[people.unit_approver, people.technical_reviewer], at=at)
    here = {(case.pk, people.unit_approver.pk) for case in cases[::2]}
    assert missed == here | {(case.pk, people.technical_reviewer.pk) for case in cases}
