"""Opening accounts and changing their limits, with the trail that leaves."""

from datetime import datetime

import pytest

from govcloud.audit.models import Event
from govcloud.quotas import services as quotas
from govcloud.quotas.models import Dimension, QuotaAccount
from govcloud.quotas.policies import require_limit_keeper
from tenants.models import Role
from tenants.policies import RoleMissing
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory, member

pytestmark = pytest.mark.django_db


def test_a_department_gets_an_account_per_dimension_and_0_where_nothing_is_said(at: datetime) -> None:
    department, admin = DepartmentFactory(), member(Role.CLOUD_ADMIN)
    accounts = quotas.open_accounts(
        department=department, limits={"vcpus": 64, "servers": None}, actor=admin, at=at
    )
    limits = {account.dimension: account.limit for account in accounts}
    assert limits == {**dict.fromkeys(Dimension.values, 0), "vcpus": 64, "servers": None}
    event = Event.objects.get(verb="quota.opened", subject_id=department.uuid)
    assert event.after == limits


def test_opening_again_leaves_what_is_open_as_it_is(at: datetime) -> None:
    department, admin = DepartmentFactory(), member(Role.CLOUD_ADMIN)
    opened(department, vcpus=64)
    before = Event.objects.count()
    quotas.open_accounts(department=department, limits={"vcpus": 1}, actor=admin, at=at)
    assert department.quota_accounts.get(dimension="vcpus").limit == 64
    assert Event.objects.count() == before


def test_limit_is_changed_by_who_saw_the_last_one(at: datetime) -> None:
    account, admin = opened(DepartmentFactory(), vcpus=64)["vcpus"], member(Role.CLOUD_ADMIN)
    quotas.set_limit(account=account, limit=128, expected_version=1, actor=admin, at=at)
    with pytest.raises(quotas.AccountChanged):
        quotas.set_limit(account=account, limit=32, expected_version=1, actor=admin, at=at)
    account.refresh_from_db()
    assert (account.limit, account.version) == (128, 2)
    event = Event.objects.get(verb="quota.limit_set")
    assert (event.subject_id, event.before, event.after) == (account.uuid, {"limit": 64}, {"limit": 128})


@pytest.mark.parametrize("limit", [-1, quotas.LARGEST_LIMIT + 1])
def test_limit_out_of_range_is_refused_and_changes_nothing(at: datetime, limit: int) -> None:
    account, admin = opened(DepartmentFactory(), vcpus=64)["vcpus"], member(Role.CLOUD_ADMIN)
    with pytest.raises(quotas.LimitOutOfRange) as refusal:
        quotas.set_limit(account=account, limit=limit, expected_version=1, actor=admin, at=at)
    assert refusal.value.pointers == ("/limit",)
    assert QuotaAccount.objects.get(pk=account.pk).limit == 64


def test_only_cloud_administrators_keep_the_limits(at: datetime) -> None:
    require_limit_keeper(member(Role.CLOUD_ADMIN), at=at)
    with pytest.raises(RoleMissing):
        require_limit_keeper(member(Role.UNIT_APPROVER, DepartmentFactory()), at=at)


def test_a_department_sees_its_own_accounts_and_those_below_it_and_the_centre_sees_all(at: datetime) -> None:
    department = DepartmentFactory()
    unit, foreign = DepartmentFactory(parent=department), DepartmentFactory()
    opened(unit)
    opened(foreign)
    seen = QuotaAccount.objects.visible_to(member(Role.APPLICANT, department), at=at)
    assert {account.department for account in seen} == {department, unit}
    assert (
        QuotaAccount.objects.visible_to(member(Role.FINANCE), at=at).count() == QuotaAccount.objects.count()
    )
