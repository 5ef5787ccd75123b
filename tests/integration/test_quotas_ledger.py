"""Holds, use and giving back, on real accounts up a tree of departments."""

from datetime import datetime
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Sum
from django.utils.translation import override

from govcloud.errors import Conflict
from govcloud.quotas import services as quotas
from govcloud.quotas.models import QuotaAccount, QuotaEntry
from govcloud.quotas.services import HeldOtherwise, Hold, HoldSpent, MoreThanUsed, QuotaExceeded
from tenants.models import Department
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory

pytestmark = pytest.mark.django_db


def figures(department: Department, dimension: str) -> tuple[int, int]:
    account = QuotaAccount.objects.get(department=department, dimension=dimension)
    return account.held, account.used


def hold(department: Department, at: datetime, source: UUID | None = None, **amounts: int) -> UUID:
    source = source or uuid4()
    quotas.hold(department=department, holds=[Hold(source, amounts)], at=at)
    return source


@pytest.fixture
def office() -> Department:
    """A unit with 10 vCPU and 100 GB below a department with 12 vCPU, itself below an unlimited one."""
    department = DepartmentFactory(parent=DepartmentFactory())
    opened(department, vcpus=12)
    unit = DepartmentFactory(parent=department)
    opened(unit, vcpus=10, storage_gb=100)
    return unit


def test_hold_counts_in_the_unit_and_in_everything_above_it(office: Department, at: datetime) -> None:
    hold(office, at, vcpus=4)
    assert [figures(each, "vcpus") for each in (office, office.parent, office.parent.parent)] == [(4, 0)] * 3


def test_hold_up_to_the_limit_fits_and_one_more_does_not(office: Department, at: datetime) -> None:
    hold(office, at, vcpus=10)
    with pytest.raises(QuotaExceeded) as refusal:
        hold(office, at, vcpus=1)
    short = {"department": office.name_en, "dimension": "vCPU", "requested": 1, "free": 0}
    assert refusal.value.params == {**short, "shortages": [short]}
    assert figures(office, "vcpus") == (10, 0)


def test_limit_above_the_unit_refuses_what_the_unit_itself_allows(office: Department, at: datetime) -> None:
    sibling = DepartmentFactory(parent=office.parent)
    opened(sibling)
    hold(sibling, at, vcpus=9)
    with pytest.raises(QuotaExceeded) as refusal:
        hold(office, at, vcpus=4)
    (shortage,) = refusal.value.shortages
    assert (shortage.department, shortage.dimension, shortage.requested, shortage.free) == (
        office.parent,
        "vcpus",
        4,
        3,
    )
    assert figures(office, "vcpus") == (0, 0)


def test_what_does_not_fit_in_one_dimension_holds_nothing_in_any(office: Department, at: datetime) -> None:
    with pytest.raises(QuotaExceeded):
        hold(office, at, vcpus=1, storage_gb=101)
    assert not QuotaEntry.objects.exists()
    assert figures(office, "vcpus") == (0, 0)


def test_every_shortage_is_told_nearest_first(office: Department, at: datetime) -> None:
    with pytest.raises(QuotaExceeded) as refusal:
        hold(office, at, vcpus=13, storage_gb=101)
    told = [(shortage.department, str(shortage.dimension)) for shortage in refusal.value.shortages]
    assert told == [(office, "vcpus"), (office, "storage_gb"), (office.parent, "vcpus")]
    assert refusal.value.detail == (
        f"{office.name_en} has 10 left of its quota (vCPU), and this takes 13. "
        f"{office.name_en} has 100 left of its quota (block storage, GB), and this takes 101. "
        f"{office.parent.name_en} has 12 left of its quota (vCPU), and this takes 13."
    )
    assert [(each["free"], each["requested"]) for each in refusal.value.params["shortages"]] == [
        (10, 13),
        (100, 101),
        (12, 13),
    ]


def test_the_department_is_named_in_the_language_of_whoever_reads(office: Department, at: datetime) -> None:
    with pytest.raises(QuotaExceeded) as refusal:
        hold(office, at, vcpus=11)
    with override("zh-hans"):
        assert office.name in refusal.value.detail
        assert str(refusal.value.params["department"]) == office.name
    with override("en"):
        assert office.name_en in refusal.value.detail
        assert str(refusal.value.params["department"]) == office.name_en


def test_limit_of_0_is_nothing_at_all_and_no_limit_is_unlimited(at: datetime) -> None:
    none, boundless = DepartmentFactory(), DepartmentFactory()
    opened(none, servers=0)
    opened(boundless, servers=None)
    hold(boundless, at, servers=1_000_000)
    with pytest.raises(QuotaExceeded):
        hold(none, at, servers=1)


def test_department_without_accounts_has_no_quota(at: datetime) -> None:
    with pytest.raises(QuotaExceeded):
        hold(DepartmentFactory(), at, servers=1)


def test_being_over_on_memory_does_not_block_what_takes_only_storage(
    office: Department, at: datetime
) -> None:
    accounts = opened(office)
    hold(office, at, memory_gb=64)
    memory = accounts["memory_gb"]
    QuotaAccount.objects.filter(pk=memory.pk).update(limit=32)
    hold(office, at, storage_gb=100, memory_gb=0)
    assert figures(office, "storage_gb") == (100, 0)


def test_the_same_source_holds_once(office: Department, at: datetime) -> None:
    source = hold(office, at, vcpus=6)
    hold(office, at, source=source, vcpus=6)
    assert figures(office, "vcpus") == (6, 0)
    with pytest.raises(HeldOtherwise):
        hold(office, at, source=source, vcpus=7)


def test_hold_becomes_use_once(office: Department, at: datetime) -> None:
    source = hold(office, at, vcpus=6, storage_gb=50)
    quotas.commit(source=source, at=at)
    quotas.commit(source=source, at=at)
    assert figures(office, "vcpus") == (0, 6)
    assert figures(office.parent, "storage_gb") == (0, 50)


def test_hold_given_back_makes_room_once_and_cannot_be_taken_up_again(
    office: Department, at: datetime
) -> None:
    kept, given_back = hold(office, at, vcpus=4), hold(office, at, vcpus=6)
    quotas.unhold(source=given_back, at=at)
    quotas.unhold(source=given_back, at=at)
    assert figures(office, "vcpus") == (4, 0)
    for again in (
        lambda: hold(office, at, source=given_back, vcpus=6),
        lambda: quotas.commit(source=given_back, at=at),
    ):
        with pytest.raises(HoldSpent):
            again()
    quotas.commit(source=kept, at=at)
    assert figures(office, "vcpus") == (0, 4)


def test_use_does_not_end_by_giving_back_the_hold(office: Department, at: datetime) -> None:
    source = hold(office, at, vcpus=4)
    quotas.commit(source=source, at=at)
    with pytest.raises(HoldSpent):
        quotas.unhold(source=source, at=at)


def test_use_given_back_makes_room_once(office: Department, at: datetime) -> None:
    quotas.commit(source=hold(office, at, vcpus=10), at=at)
    release = uuid4()
    for _repeated in range(2):
        quotas.give_back(source=release, department=office, amounts={"vcpus": 4}, at=at)
    assert figures(office, "vcpus") == (0, 6)
    hold(office, at, vcpus=4)


def test_giving_back_is_allowed_under_a_limit_that_was_lowered(office: Department, at: datetime) -> None:
    quotas.commit(source=hold(office, at, vcpus=10), at=at)
    QuotaAccount.objects.filter(department=office, dimension="vcpus").update(limit=0)
    quotas.give_back(source=uuid4(), department=office, amounts={"vcpus": 10}, at=at)
    assert figures(office, "vcpus") == (0, 0)


def test_more_than_is_used_cannot_be_given_back(office: Department, at: datetime) -> None:
    quotas.commit(source=hold(office, at, vcpus=4), at=at)
    with pytest.raises(MoreThanUsed):
        quotas.give_back(source=uuid4(), department=office, amounts={"vcpus": 5}, at=at)
    assert figures(office.parent, "vcpus") == (0, 4)


def test_one_release_gives_back_one_amount(office: Department, at: datetime) -> None:
    quotas.commit(source=hold(office, at, vcpus=4), at=at)
    release = uuid4()
    quotas.give_back(source=release, department=office, amounts={"vcpus": 1}, at=at)
    with pytest.raises(HeldOtherwise):
        quotas.give_back(source=release, department=office, amounts={"vcpus": 2}, at=at)


def test_what_takes_nothing_moves_nothing(office: Department, at: datetime) -> None:
    source = hold(office, at)
    quotas.commit(source=source, at=at)
    quotas.give_back(source=source, department=office, amounts={}, at=at)
    assert not QuotaEntry.objects.exists()


def test_holding_does_not_take_more_statements_for_more_units(
    office: Department, at: datetime, django_assert_max_num_queries
) -> None:
    opened(office, vcpus=10)
    holds = [Hold(uuid4(), {"networks": 1, "backup_gb": 5}) for _unit in range(200)]
    with django_assert_max_num_queries(7):  # of them two are the savepoint
        quotas.hold(department=office, holds=holds, at=at)
    with django_assert_max_num_queries(8):
        quotas.commit_all(sources=[each.source for each in holds], at=at)
    assert figures(office.parent, "backup_gb") == (0, 1_000)


def test_accounts_are_the_sums_of_their_entries(office: Department, at: datetime) -> None:
    first, second = hold(office, at, vcpus=3), hold(office, at, vcpus=5)
    quotas.commit(source=first, at=at)
    quotas.unhold(source=second, at=at)
    quotas.give_back(source=uuid4(), department=office, amounts={"vcpus": 1}, at=at)
    sums = dict(
        QuotaEntry.objects.filter(account__department=office)
        .values_list("kind")
        .annotate(Sum("amount"))
        .order_by("kind")
    )
    assert sums == {"commit": 3, "give_back": 1, "hold": 8, "unhold": 5}
    assert figures(office, "vcpus") == (0, 2)


@pytest.mark.parametrize(
    "statement", ["UPDATE quotas_quotaentry SET amount = 1", "DELETE FROM quotas_quotaentry"]
)
def test_what_moved_is_never_changed(office: Department, at: datetime, statement: str) -> None:
    hold(office, at, vcpus=3)
    with (
        pytest.raises(DatabaseError, match="never changed or removed"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert QuotaEntry.objects.filter(amount=3).exists()


def test_effect_tells_limit_use_and_fit_of_every_account_from_the_top_down(
    office: Department, at: datetime, django_assert_num_queries
) -> None:
    hold(office, at, vcpus=4)
    with django_assert_num_queries(1):
        effects = quotas.effect(department=office, amounts={"vcpus": 8, "storage_gb": -20, "servers": 0})
    told = [
        (each.department, str(each.dimension), each.limit, each.held, each.takes, each.after, each.fits)
        for each in effects
    ]
    above, top = office.parent, office.parent.parent
    assert told == [
        (top, "vcpus", None, 4, 8, 12, True),
        (top, "storage_gb", None, 0, -20, -20, True),
        (above, "vcpus", 12, 4, 8, 12, True),
        (above, "storage_gb", None, 0, -20, -20, True),
        (office, "vcpus", 10, 4, 8, 12, False),
        (office, "storage_gb", 100, 0, -20, -20, True),
    ]


def test_effect_on_a_department_without_accounts_does_not_fit() -> None:
    (effect,) = quotas.effect(department=DepartmentFactory(), amounts={"servers": 1})
    assert (effect.limit, effect.fits) == (0, False)


def test_refusals_of_the_ledger_are_conflicts() -> None:
    assert all(
        issubclass(refusal, Conflict) for refusal in (QuotaExceeded, HoldSpent, HeldOtherwise, MoreThanUsed)
    )
