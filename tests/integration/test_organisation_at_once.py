"""Units that move, orders that hold and reviewers that decide at the same moment."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from govcloud.audit.services import SystemActor
from govcloud.lifecycle import ChangedMeanwhile
from govcloud.organisation import handover, reviews, units
from govcloud.organisation.models import ReviewLine
from govcloud.quotas import services as quotas
from govcloud.quotas.models import QuotaAccount
from govcloud.quotas.services import Hold
from tenants import roles
from tenants.models import Department, Membership, Role, User
from tenants.services import UnitClosed, register_department
from tests.at_once import at_once, held_up
from tests.factories.organisation import review_of
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory, DivisionFactory, UserFactory, credit_code, member

pytestmark = pytest.mark.django_db(transaction=True)

BY = SystemActor("test")


def moving(unit: Department, parent: Department, at: datetime) -> Callable[[], object]:
    return lambda: units.move(department=unit, parent=parent, reason="reform", actor=BY, at=at)


def test_two_units_moved_below_each_other_make_no_ring(at: datetime) -> None:
    first, second = DepartmentFactory(), DepartmentFactory()
    outcomes = at_once([moving(first, second, at), moving(second, first, at)])
    assert [type(each) for each in outcomes if each] == [units.BelowItself]
    paths = sorted(Department.objects.values_list("path", flat=True), key=len)
    assert paths[1].startswith(paths[0])


def test_a_unit_registered_below_one_that_moves_comes_along(at: datetime) -> None:
    division, top, unit = DivisionFactory(), DepartmentFactory(), DepartmentFactory()
    registered = [
        lambda number=number: register_department(
            name="新",
            credit_code=credit_code(70_000 + number),
            division=division,
            parent=unit,
            actor=BY,
            at=at,
        )
        for number in range(6)
    ]
    assert at_once([*registered, moving(unit, top, at)]) == [None] * 7
    unit.refresh_from_db()
    below = Department.objects.filter(parent=unit)
    assert below.count() == 6
    assert all(each.path == f"{unit.path}{each.pk}/" for each in below)


def test_whoever_read_the_old_place_counts_nothing_there_once_a_unit_has_moved(at: datetime) -> None:
    old, new = DepartmentFactory(), DepartmentFactory()
    unit = DepartmentFactory(parent=old)
    opened(unit)
    opened(new)

    def use() -> None:
        source = uuid4()
        with transaction.atomic():
            quotas.hold(department=unit, holds=[Hold(source, {"servers": 1})], at=at)
            quotas.commit(source=source, at=at)

    outcomes = at_once([use] * 8 + [moving(unit, new, at)] + [use] * 8)
    assert {type(each) for each in outcomes if each} <= {ChangedMeanwhile}
    used = dict(QuotaAccount.objects.filter(dimension="servers").values_list("department", "used"))
    assert used == {old.pk: 0, new.pk: outcomes.count(None) - 1, unit.pk: outcomes.count(None) - 1}


@pytest.mark.parametrize("closes_first", [True, False])
def test_a_role_given_while_its_unit_closes_is_refused_or_ends_with_it(
    at: datetime,
    closes_first: bool,  # noqa: FBT001
) -> None:
    unit, person = DepartmentFactory(), UserFactory()
    member(Role.APPLICANT, unit)

    def close() -> object:
        return units.close(department=unit, reason="merged", actor=BY, at=at + timedelta(seconds=1))

    def give() -> object:
        return roles.grant_role(user=person, role=Role.APPLICANT, department=unit, actor=BY, at=at)

    first, second = (close, give) if closes_first else (give, close)
    with transaction.atomic():
        first()
        waiting = held_up(second)
    assert type(waiting.exception(timeout=60)) is (UnitClosed if closes_first else type(None))
    assert not Membership.objects.overlapping(at + timedelta(seconds=1), None).exists()


def test_two_roles_given_in_one_unit_do_not_wait_for_each_other(at: datetime) -> None:
    unit, people = DepartmentFactory(), [UserFactory(), UserFactory()]

    def giving(person: User) -> Callable[[], object]:
        return lambda: roles.grant_role(user=person, role=Role.APPLICANT, department=unit, actor=BY, at=at)

    with transaction.atomic():
        giving(people[0])()
        assert at_once([giving(people[1])]) == [None]


def test_of_two_reviewers_one_decides_and_the_other_is_told(at: datetime) -> None:
    unit = DepartmentFactory()
    person, approver, keeper = (
        member(Role.APPLICANT, unit),
        member(Role.UNIT_APPROVER, unit),
        member(Role.SECURITY_ADMIN),
    )
    review_of(unit, at=at, by=keeper)
    line = ReviewLine.objects.select_related("membership", "review").get(membership__user=person)

    def deciding(by: User, verdict: str) -> Callable[[], object]:
        return lambda: reviews.decide(line=line, verdict=verdict, reason="x", actor=by, at=at)

    outcomes = at_once([deciding(approver, "confirmed"), deciding(keeper, "ended")])
    assert [type(each) for each in outcomes if each] == [reviews.LineDecided]
    line.refresh_from_db()
    assert line.decided_by in {approver, keeper}


def test_somebody_leaves_once(at: datetime) -> None:
    unit = DepartmentFactory()
    leaver, _stays = member(Role.APPLICANT, unit), member(Role.APPLICANT, unit)
    keepers = [member(Role.SECURITY_ADMIN) for _number in range(2)]

    def letting_go(by: User) -> Callable[[], object]:
        return lambda: handover.hand_over(
            person=leaver, successors=[], reason="retired", force=False, actor=by, at=at
        )

    outcomes = at_once([letting_go(keeper) for keeper in keepers])
    assert [type(each) for each in outcomes if each] == [handover.GoneAlready]
