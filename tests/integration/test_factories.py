"""The factories give what the rest of the tests take for granted."""

import pytest
from stdnum.cn import uscc

from govcloud.catalog.models import Meter
from tenants.models import Department, Role
from tenants.policies import scope_of
from tests.factories.catalog import UNITS, catalogue
from tests.factories.tenants import PASSWORD, DepartmentFactory, SystemFactory, credit_code, member

pytestmark = pytest.mark.django_db


def test_credit_codes_are_the_published_examples_and_valid() -> None:
    assert credit_code(90_001) == "11450000MB9900013R"
    assert [uscc.is_valid(credit_code(n)) for n in range(50)] == [True] * 50


def test_subordinate_unit_lies_below_its_department() -> None:
    top = DepartmentFactory()
    unit = DepartmentFactory(parent=top)
    assert unit.ancestor_ids == [top.pk, unit.pk]
    assert list(Department.objects.below(top.path)) == [top, unit]


def test_member_holds_the_role_where_it_belongs(at) -> None:
    department = DepartmentFactory()
    approver, reviewer = member(Role.UNIT_APPROVER, department), member(Role.TECHNICAL_REVIEWER, department)
    assert scope_of(approver, at=at).holds(Role.UNIT_APPROVER, department=department)
    assert scope_of(reviewer, at=at).roles == {Role.TECHNICAL_REVIEWER}
    assert approver.check_password(PASSWORD)


def test_system_of_level_3_has_what_the_level_asks() -> None:
    system = SystemFactory(level_3=True)
    assert (system.mlps_level, system.zone) == (3, "private")
    assert system.cryptography_assessed_on


def test_catalogue_is_made_once_however_often_it_is_asked_for() -> None:
    first = catalogue()
    second = catalogue()
    assert first == second
    assert len(first.flavors) == 20
    assert first.storage_classes["ssd"].meter == first.meters["block_ssd_gb"]
    assert set(Meter.objects.values_list("code", flat=True)) == set(UNITS)
