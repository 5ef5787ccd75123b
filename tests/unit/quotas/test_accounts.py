"""What an account has left, and what a hold is counted as."""

from importlib import import_module
from uuid import uuid4

import pytest
from django.apps import apps

from govcloud.quotas.ledger import Hold, positive, total
from govcloud.quotas.models import Dimension, QuotaAccount
from tests.factories.tenants import DepartmentFactory


@pytest.mark.parametrize(
    ("limit", "held", "used", "free"),
    [
        (10, 3, 4, 3),
        (0, 0, 0, 0),  # a limit of 0 is nothing at all, not "unlimited"
        (None, 3, 4, None),
        (5, 3, 4, 0),  # lowered under what is in use: nothing left, but not less than nothing
    ],
)
def test_free_is_what_the_limit_leaves(limit: int | None, held: int, used: int, free: int | None) -> None:
    assert QuotaAccount(limit=limit, held=held, used=used).free == free


def test_only_what_is_really_taken_counts() -> None:
    assert positive({"storage_gb": 5, "vcpus": 0, "servers": 1}) == {
        Dimension.SERVERS: 1,
        Dimension.STORAGE_GB: 5,
    }


def test_units_are_added_up_by_dimension() -> None:
    holds = [Hold(uuid4(), {"vcpus": 4, "memory_gb": 16}), Hold(uuid4(), {"vcpus": 4, "networks": 0})]
    assert total(each.amounts for each in holds) == {Dimension.VCPUS: 8, Dimension.MEMORY_GB: 16}


def test_an_amount_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        positive({"vcpus": -1})


def test_an_unknown_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match="gpus"):
        positive({"gpus": 1})


@pytest.mark.django_db
def test_a_department_that_had_accounts_before_gets_one_of_addresses_with_nothing_on_it() -> None:
    department = DepartmentFactory()
    QuotaAccount.objects.bulk_create(
        QuotaAccount(department=department, dimension=each, limit=None)
        for each in Dimension
        if each != Dimension.ADDRESSES
    )
    DepartmentFactory()  # without accounts
    migration = import_module("govcloud.quotas.migrations.0004_accounts_for_addresses")
    for _again in range(2):
        migration.open_accounts(apps, None)
    assert list(
        QuotaAccount.objects.filter(dimension=Dimension.ADDRESSES).values_list("limit", "held", "used")
    ) == [(0, 0, 0)]
    migration.close_unused(apps, None)
    assert not QuotaAccount.objects.filter(dimension=Dimension.ADDRESSES).exists()
