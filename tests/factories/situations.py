"""Cases half way, made by lot: several roles in one hand, people away, seats given away and added."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from django.db import transaction

from govcloud.approvals import policies
from govcloud.approvals.lifecycle import Status
from govcloud.approvals.models import Case
from govcloud.approvals.services import current_deciders
from govcloud.errors import DomainError
from tenants.models import UNIT_ROLES, Membership, Role, User
from tests.factories.approvals import (
    INTAKE,
    Chain,
    absence,
    add_reviewer,
    case_of,
    chain,
    decide,
    delegate,
    flow,
)
from tests.factories.tenants import DepartmentFactory, grant, member

SITUATIONS = 12
ROLES = sorted(policies.DECIDING | {Role.LEADER, Role.APPLICANT})


def somewhere(seed: int, at: datetime) -> Case:
    """The same for the same seed: a case in a flow of three steps, after up to three deeds."""
    dice = random.Random(seed)  # noqa: S311  a situation, no secret
    people = chain(DepartmentFactory(parent=DepartmentFactory()))
    above = people.department.parent
    staff = [
        *(people.of(role) for role in Chain.__annotations__ if role != "department"),
        *(member(dice.choice(ROLES), above) for _each in range(dice.randrange(5))),
        member(Role.CLOUD_ADMIN, is_active=False),
        member(Role.UNIT_APPROVER, DepartmentFactory()),
    ]
    for _each in range(dice.randrange(6)):
        role = Role(dice.choice(ROLES))
        person = dice.choice(staff)
        if not Membership.objects.filter(user=person, role=role).exists():
            grant(person, role, people.department if role in UNIT_ROLES else None)
    for person in dice.sample(staff, 2):
        substitute = dice.choice([each for each in staff if each != person])
        absence(person, substitute, begins=at)
    steps = [
        replace(
            INTAKE,
            code=f"step-{number}",
            role=role,
            also_roles=tuple(dice.sample([Role.FINANCE, Role.CLOUD_ADMIN], dice.randrange(2))),
            **dice.choice([{}, {}, {"quorum": "some", "quorum_count": 2}, {"quorum": "all"}]),
        )
        for number, role in enumerate(
            dice.sample([Role.UNIT_APPROVER, Role.SERVICE_DESK, Role.TECHNICAL_REVIEWER], 3)
        )
    ]
    flow(*steps, at=at)
    case = case_of(people, at=at)
    for _each in range(dice.randrange(4)):
        case = _moved(dice, case, staff, at)
    return case


def _moved(dice: random.Random, case: Case, staff: list[User], at: datetime) -> Case:
    """After one deed of somebody who may do it, if there is one that is not refused."""
    deciding = current_deciders(case=case, at=at)
    if case.status != Status.OPEN or not deciding:
        return case
    actor, other = dice.choice(deciding), dice.choice(staff)
    deed: Callable[[], object] = dice.choice(
        [
            lambda: decide(case, actor, at),
            lambda: delegate(case, actor, other, at),
            lambda: add_reviewer(case, actor, other, at),
        ]
    )
    accepted(deed)
    return Case.objects.get(pk=case.pk)


def accepted(deed: Callable[[], object]) -> bool:
    try:
        with transaction.atomic():
            deed()
    except DomainError:
        return False
    return True
