"""Two schedulers, two administrators: each thing is done once."""

from collections.abc import Iterator

import pytest

from govcloud.gateways import openstack
from govcloud.lifecycle import ChangedMeanwhile, WrongState
from govcloud.provisioning.models import Operation
from govcloud.quotas.models import QuotaAccount, QuotaEntry
from govcloud.reconciliation import services, sweeps
from govcloud.reconciliation.balances import ledger
from govcloud.reconciliation.findings import RECONCILER, note
from govcloud.reconciliation.models import Finding, Sweep
from govcloud.reconciliation.vocabulary import SubjectKind
from tenants.models import Role
from tests.at_once import at_once
from tests.factories.catalog import CloudFactory
from tests.factories.inventory import ProjectFactory
from tests.factories.quotas import opened
from tests.factories.tenants import BEGINNING, DepartmentFactory, member
from tests.integration.building import now
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def limited(building: Sandbox) -> Iterator[Finding]:
    """A project of ours with limits that nobody granted."""
    cloud = openstack.connect(cloud="sandbox")
    made = cloud.identity.create_project(name="limited", description="")
    ProjectFactory(cloud=CloudFactory(code="sandbox"), external_id=made.id)
    waiting = sweeps.request(cloud=CloudFactory(code="sandbox"), actor=RECONCILER, at=now())
    services.sweep(waiting=waiting, clock=now)
    yield Finding.objects.get()
    cloud.identity.delete_project(made.id)


def test_two_schedulers_at_once_ask_for_one_pass() -> None:
    cloud = CloudFactory(code="sandbox")

    def ask() -> None:
        sweeps.request(cloud=cloud, actor=RECONCILER, at=now())

    outcomes = at_once([ask] * 4)
    assert outcomes.count(None) == 1
    assert {type(each) for each in outcomes if each is not None} == {sweeps.SweepUnderWay}
    assert Sweep.objects.count() == 1


def test_two_workers_at_once_carry_a_pass_out_once(building: Sandbox) -> None:
    cloud = CloudFactory(code="sandbox")
    waiting = sweeps.request(cloud=cloud, actor=RECONCILER, at=now())
    building.ask("DELETE", "/calls")
    assert at_once([lambda: services.sweep(waiting=waiting, clock=now)] * 4) == [None] * 4
    waiting.refresh_from_db()
    assert waiting.status == "done"
    asked = [
        each for each in building.ask("GET", "/calls")["counts"] if each["path"].endswith("/servers/detail")
    ]
    assert [each["count"] for each in asked] == [1]


def test_an_account_is_corrected_once_although_two_click_at_once() -> None:
    department, admin = DepartmentFactory(), member(Role.CLOUD_ADMIN)
    opened(department)
    QuotaAccount.objects.filter(department=department, dimension="vcpus").update(used=3)
    note(cloud=None, subject=SubjectKind.ACCOUNT, looked_at=[], observations=ledger(), at=BEGINNING)
    finding = Finding.objects.get()
    outcomes = at_once([lambda: services.apply(finding=finding, actor=admin, at=now())] * 4)
    assert outcomes.count(None) == 1
    assert {type(each) for each in outcomes if each is not None} <= {WrongState, ChangedMeanwhile}
    assert QuotaEntry.objects.filter(kind="give_back").count() == 1
    assert QuotaAccount.objects.get(department=department, dimension="vcpus").used == 0


def test_a_finding_is_applied_by_one_operation_although_two_click_at_once(
    building: Sandbox, limited: Finding
) -> None:
    admin = member(Role.CLOUD_ADMIN)
    outcomes = at_once([lambda: services.apply(finding=limited, actor=admin, at=now())] * 4)
    assert outcomes.count(None) == 1
    assert {type(each) for each in outcomes if each is not None} <= {WrongState, ChangedMeanwhile}
    assert Operation.objects.filter(kind="mend").count() == 1
