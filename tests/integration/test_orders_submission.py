"""Submitting an order, deciding it, and taking it back: what is frozen, held, told, and given back."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from govcloud.approvals.lifecycle import Status as CaseStatus
from govcloud.approvals.policies import RevisionChanged, SelfApproval
from govcloud.audit import refusals
from govcloud.audit.models import Event, Outcome
from govcloud.audit.services import SystemActor
from govcloud.catalog.models import Offering
from govcloud.catalog.services import retire_flavor
from govcloud.errors import Invalids
from govcloud.inventory.models import Resource
from govcloud.lifecycle import WrongState
from govcloud.orders import services
from govcloud.orders.drafts import ExtendDraft, ItemDraft, ReleaseDraft
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order, QuoteLine, Revision, Unit
from govcloud.orders.revisions import digest
from govcloud.orders.rules.of_protection import OffSiteBackupMissing, OffSiteBackupNeeded
from govcloud.provisioning.models import Operation
from govcloud.quotas.models import QuotaAccount
from govcloud.quotas.services import QuotaExceeded
from tenants.models import Role
from tenants.policies import RoleMissing
from tests.factories.inventory import BackupAllowanceFactory, VolumeFactory, whole_server
from tests.factories.orders import (
    BACKUP,
    NETWORK,
    SERVERS,
    STORY,
    Scene,
    approve_all,
    approved,
    decided,
    drafted,
    returned,
    scene,
    submitted,
)
from tests.factories.tenants import UserFactory, grant, member

pytestmark = pytest.mark.django_db

STORY_HOLDS = {
    "servers": 2,
    "vcpus": 8,
    "memory_gb": 32,
    "storage_gb": 1_200,
    "backup_gb": 1_200,
    "networks": 1,
}
MOST_STATEMENTS = 23


@pytest.fixture
def on() -> Scene:
    return scene()


def held(on: Scene) -> dict[str, int]:
    accounts = QuotaAccount.objects.filter(department=on.department)
    return {account.dimension: account.held for account in accounts if account.held}


# what a submission does


def test_quota_is_held_in_the_department_and_in_everything_above_it(at: datetime) -> None:
    on = scene()
    submitted(on, at=at)
    assert held(on) == STORY_HOLDS


def test_there_is_a_unit_for_every_resource_and_it_holds_its_own_part(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at)
    units = Unit.objects.filter(item__order=order).order_by("item__position", "position")
    assert [
        (u.name, u.server.name if u.server else None, u.volume.size_gb if u.volume else None) for u in units
    ] == [
        ("app-net", None, None),
        ("app-1", None, None),
        ("app-1-system", "app-1", 100),
        ("app-1-data-1", "app-1", 500),
        ("app-2", None, None),
        ("app-2-system", "app-2", 100),
        ("app-2-data-1", "app-2", 500),
        ("dr", None, None),
    ]
    entries = on.department.quota_accounts.values_list("entries__source", "dimension", "entries__amount")
    app_2 = next(unit for unit in units if unit.name == "app-2")
    assert {(d, n) for source, d, n in entries if source == app_2.uuid} == {
        ("servers", 1),
        ("vcpus", 4),
        ("memory_gb", 16),
    }


def test_the_content_is_frozen_under_its_hash(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at)
    revision = order.revisions.get()
    assert revision.digest == digest(revision.content)  # as read back from the database
    assert revision.content["items"][1]["flavor"] == "g.4c16g"
    assert revision.content["quote"]["monthly_total"] == "1812"
    assert order.case is not None
    assert (order.case.revision, order.case.revision_hash) == (1, revision.digest)


def test_the_quote_is_frozen_whatever_becomes_of_the_tariff(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at)
    for price in on.catalogue.meters["vcpu"].prices.all():
        price.per_month = Decimal(99)
        price.save()
    quote = services.quote(order=order, at=at)
    assert quote.monthly_total == order.revisions.get().monthly_total == Decimal("1812.00")
    assert sum(line.amount for line in quote.lines) == quote.monthly_total


@pytest.mark.parametrize("table", [Revision, QuoteLine])
def test_what_is_frozen_cannot_be_changed_in_the_database(
    on: Scene, table: type[Revision], at: datetime
) -> None:
    submitted(on, at=at)
    with pytest.raises(DatabaseError, match="never changed or removed"), transaction.atomic():
        table.objects.update(**{"monthly_total" if table is Revision else "amount": 1})


@pytest.mark.parametrize(("servers", "units"), [(2, 8), (20, 62)])
def test_a_submission_takes_so_many_statements_however_many_servers(
    on: Scene, servers: int, units: int, at: datetime
) -> None:
    items = (NETWORK, replace(SERVERS, quantity=servers), replace(BACKUP, capacity_gb=12_000))
    order = Order.objects.get(pk=drafted(on, at=at, items=items).pk)
    with CaptureQueriesContext(connection) as captured:
        services.submit(order=order, actor=on.applicant, at=at)
    statements = [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]
    assert len(statements) <= MOST_STATEMENTS, "\n".join(sql[:150] for sql in statements)
    assert Unit.objects.count() == units


def test_the_trail_tells_of_the_draft_and_of_the_submission(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at)
    trail = Event.objects.filter(thread=order.uuid).order_by("id")
    assert [event.verb for event in trail] == [
        "order.drafted",
        "case.opened",
        "order.in_approval",
        "order.submitted",
    ]
    told = trail.last()
    assert told is not None
    assert told.after["digest"] == order.revisions.get().digest
    assert told.after["holds"] == STORY_HOLDS


# what stops one


def test_a_flavor_retired_since_the_draft_is_refused_by_its_name(on: Scene, at: datetime) -> None:
    order = drafted(on, at=at)
    flavor = on.catalogue.flavors["g.4c16g"]
    retire_flavor(flavor=flavor, actor=SystemActor("tests"), at=at)
    with pytest.raises(Invalids, match=f"“{flavor.name_en}” \\(g.4c16g\\) has been retired") as refusal:
        services.submit(order=order, actor=on.applicant, at=at)
    assert refusal.value.pointers == ("/items/1/flavor",)
    assert Order.objects.get().status == Status.DRAFT
    assert held(on) == {}


def test_what_stands_is_given_back_under_an_offering_that_has_been_retired(on: Scene, at: datetime) -> None:
    server = whole_server(system=on.system).resource
    Offering.objects.filter(kind="server").update(retired_at=at)
    order = submitted(on, at=at, items=(ReleaseDraft(target=server.uuid, kind="server"),))
    assert order.items.get().offering.retired_at == at


def test_beyond_the_quota_nothing_is_held_and_the_refusal_is_audited(at: datetime) -> None:
    on = scene(limits={"vcpus": 7})
    order = drafted(on, at=at)
    with pytest.raises(QuotaExceeded):
        services.submit(order=order, actor=on.applicant, at=at)
    assert held(on) == {}
    assert Order.objects.get().status == Status.DRAFT
    assert not Unit.objects.exists()
    event = Event.objects.get(outcome=Outcome.REFUSED)
    assert (event.thread, event.reason) == (order.uuid, QuotaExceeded.code)


def test_the_refusal_survives_the_transaction_of_the_request(at: datetime) -> None:
    on = scene(limits={"vcpus": 7})
    order = drafted(on, at=at)
    with pytest.raises(QuotaExceeded), refusals.kept(), transaction.atomic():
        services.submit(order=order, actor=on.applicant, at=at)
    assert Event.objects.filter(outcome=Outcome.REFUSED, thread=order.uuid).count() == 1


def test_an_order_submitted_already_is_not_submitted_again(on: Scene, at: datetime) -> None:
    draft = drafted(on, at=at)
    services.submit(order=draft, actor=on.applicant, at=at)
    with pytest.raises(services.NotEditable):
        services.submit(order=draft, actor=on.applicant, at=at)
    assert held(on) == STORY_HOLDS


def test_only_an_applicant_of_the_department_submits(on: Scene, at: datetime) -> None:
    order = drafted(on, at=at)
    with pytest.raises(RoleMissing):
        services.submit(order=order, actor=on.chain[Role.UNIT_APPROVER], at=at)


def test_names_that_an_open_order_has_are_not_given_twice(on: Scene, at: datetime) -> None:
    submitted(on, at=at)
    with pytest.raises(Invalids, match="app-net"):
        drafted(on, at=at, items=(NETWORK,))


def test_a_volume_that_an_open_order_changes_is_not_changed_by_a_second_one(on: Scene, at: datetime) -> None:
    volume = VolumeFactory(resource__system=on.system).resource
    first = drafted(on, at=at, items=(ExtendDraft(target=volume.uuid, size_gb=800),))
    second = drafted(on, at=at, items=(ReleaseDraft(target=volume.uuid, kind="volume"),))
    services.submit(order=first, actor=on.applicant, at=at)
    with pytest.raises(Invalids, match="Another open order"):
        services.submit(order=second, actor=on.applicant, at=at)


# changes and releases


def test_a_change_holds_only_what_it_adds(on: Scene, at: datetime) -> None:
    volume = VolumeFactory(resource__system=on.system).resource
    order = submitted(on, at=at, items=(ExtendDraft(target=volume.uuid, size_gb=800),))
    assert held(on) == {"storage_gb": 300}
    unit = Unit.objects.get(item__order=order)
    assert unit.resource == volume
    assert unit.volume is not None
    assert unit.volume.size_gb == 800


def test_a_release_holds_nothing_and_takes_the_servers_volumes_along(on: Scene, at: datetime) -> None:
    server = whole_server(system=on.system)
    order = submitted(on, at=at, items=(ReleaseDraft(target=server.resource.uuid, kind="server"),))
    assert held(on) == {}
    units = Unit.objects.filter(item__order=order).order_by("position")
    volumes = [volume.resource for volume in server.volumes.order_by("resource_id")]
    assert [unit.resource for unit in units] == [server.resource, *volumes]
    assert [unit.server for unit in units] == [None, units[0], units[0]]


def test_two_orders_do_not_give_back_the_last_two_off_site_backups_of_a_system_with_servers(
    on: Scene, at: datetime
) -> None:
    whole_server(system=on.system)
    first, second = (
        BackupAllowanceFactory(resource__system=on.system, resource__cloud=on.catalogue.cloud).resource
        for _ in range(2)
    )
    order = submitted(on, at=at, items=(ReleaseDraft(target=first.uuid, kind="backup"),))
    with pytest.raises(Invalids) as refused:
        submitted(on, at=at, items=(ReleaseDraft(target=second.uuid, kind="backup"),))
    assert [error.code for error in refused.value.errors] == ["off-site-backup-needed"]
    services.withdraw(order=order, reason="stays", actor=on.applicant, at=at)
    submitted(on, at=at, items=(ReleaseDraft(target=second.uuid, kind="backup"),))


@pytest.fixture
def backup(on: Scene) -> Resource:
    """The only one of a system of level 3, off site."""
    place = {"resource__system": on.system, "resource__cloud": on.catalogue.cloud}
    return BackupAllowanceFactory(**place).resource


def refused_codes(on: Scene, *items: ItemDraft, at: datetime) -> list[str]:
    with pytest.raises(Invalids) as refused:
        submitted(on, at=at, items=items)
    return [error.code for error in refused.value.errors]


def test_an_order_does_not_give_back_the_off_site_backup_that_servers_of_another_one_rely_on(
    on: Scene, backup: Resource, at: datetime
) -> None:
    release = ReleaseDraft(target=backup.uuid, kind="backup")
    order = submitted(on, at=at, items=(NETWORK, SERVERS))
    assert refused_codes(on, release, at=at) == ["off-site-backup-needed"]
    services.withdraw(order=order, reason="stays", actor=on.applicant, at=at)
    submitted(on, at=at, items=(release,))
    assert refused_codes(on, NETWORK, SERVERS, at=at) == ["off-site-backup-missing"]


def test_servers_that_bring_an_off_site_backup_keep_no_other_one(
    on: Scene, backup: Resource, at: datetime
) -> None:
    submitted(on, at=at)
    assert submitted(on, at=at, items=(ReleaseDraft(target=backup.uuid, kind="backup"),)).status


def test_servers_are_not_built_once_the_off_site_backup_that_they_were_to_rely_on_is_gone(
    on: Scene, backup: Resource, at: datetime
) -> None:
    order = submitted(on, at=at, items=(NETWORK, SERVERS))
    Resource.objects.filter(pk=backup.pk).update(status="releasing")
    with pytest.raises(OffSiteBackupMissing):
        approve_all(on, order, at=at)


def test_a_backup_is_not_given_back_once_servers_need_it(on: Scene, backup: Resource, at: datetime) -> None:
    order = submitted(on, at=at, items=(ReleaseDraft(target=backup.uuid, kind="backup"),))
    whole_server(system=on.system)
    with pytest.raises(OffSiteBackupNeeded):
        approve_all(on, order, at=at)


def test_a_release_is_possible_when_the_quota_has_been_lowered_under_what_is_in_use(at: datetime) -> None:
    on = scene(limits=dict.fromkeys(STORY_HOLDS, 0))
    server = whole_server(system=on.system).resource
    order = submitted(on, at=at, items=(ReleaseDraft(target=server.uuid, kind="server"),))
    assert order.status == Status.IN_APPROVAL


# decisions


def test_the_last_of_four_approvals_starts_the_building_in_the_same_transaction(
    on: Scene, at: datetime
) -> None:
    order = submitted(on, at=at)
    for n in range(1, 4):
        order = decided(on, order, at=at + timedelta(minutes=n))
        assert order.status == Status.IN_APPROVAL
        assert not Operation.objects.exists()
    order = decided(on, order, at=at + timedelta(minutes=4))
    assert order.status == Status.FULFILLING
    operation = Operation.objects.get()
    assert operation.thread == order.uuid
    assert Unit.objects.filter(item__order=order, operation=operation).count() == 8
    assert held(on) == STORY_HOLDS  # held until each resource is built


def test_deciders_see_what_the_order_takes_without_counting_it_twice(at: datetime) -> None:
    on = scene(limits={"vcpus": 8})
    order = submitted(on, at=at)
    vcpus = [e for e in services.effect(order=order, at=at) if e.dimension == "vcpus" and e.limit is not None]
    assert [(e.held, e.takes, e.after, e.fits) for e in vcpus] == [(0, 8, 8, True)]


def test_an_order_being_built_shows_no_effect_any_more(on: Scene, at: datetime) -> None:
    assert services.effect(order=approved(on, at=at), at=at) == []


def test_the_applicant_cannot_approve_their_own_order_and_the_attempt_is_audited(
    on: Scene, at: datetime
) -> None:
    grant(on.applicant, Role.UNIT_APPROVER, on.department)
    order = submitted(on, at=at)
    with pytest.raises(SelfApproval):
        services.decide(
            order=order,
            verb="approve",
            opinion="",
            revision_hash=order.case.revision_hash,
            actor=on.applicant,
            at=at,
        )
    event = Event.objects.get(outcome=Outcome.REFUSED)
    assert (event.verb, event.actor, event.thread) == ("case.decided", on.applicant.audit_ref, order.uuid)


def test_whoever_submitted_for_the_applicant_does_not_decide_either(on: Scene, at: datetime) -> None:
    colleague = UserFactory()
    grant(colleague, Role.APPLICANT, on.department)
    grant(colleague, Role.UNIT_APPROVER, on.department)
    order = services.submit(order=drafted(on, at=at), actor=colleague, at=at)
    with pytest.raises(SelfApproval):
        services.decide(
            order=order,
            verb="approve",
            opinion="",
            revision_hash=order.case.revision_hash,
            actor=colleague,
            at=at,
        )


def test_a_decision_on_another_revision_than_the_present_one_is_refused(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at)
    with pytest.raises(RevisionChanged):
        services.decide(
            order=order,
            verb="approve",
            opinion="",
            revision_hash="0" * 64,
            actor=on.chain[Role.UNIT_APPROVER],
            at=at,
        )


def test_a_draft_cannot_be_decided(on: Scene, at: datetime) -> None:
    with pytest.raises(services.NotInApproval):
        services.decide(
            order=drafted(on, at=at),
            verb="approve",
            opinion="",
            revision_hash="",
            actor=on.chain[Role.UNIT_APPROVER],
            at=at,
        )


def test_an_order_that_is_returned_gives_its_quota_back_and_can_be_submitted_again(
    on: Scene, at: datetime
) -> None:
    order = returned(on, at=at)
    assert order.status == Status.RETURNED
    assert held(on) == {}
    assert not Unit.objects.exists()
    smaller = (NETWORK, replace(SERVERS, quantity=1), BACKUP)
    order = services.revise(
        order=order,
        title="改后",
        justification="",
        declares_classified=False,
        items=smaller,
        expected_version=order.version,
        actor=on.applicant,
        at=at,
    )
    order = services.submit(order=order, actor=on.applicant, at=at)
    assert held(on)["servers"] == 1
    assert [revision.number for revision in order.revisions.all()] == [1, 2]
    assert order.case is not None
    assert (order.case.revision, order.case.status) == (2, CaseStatus.OPEN)


def test_an_order_returned_can_be_submitted_again_as_it_is(on: Scene, at: datetime) -> None:
    order = services.submit(order=returned(on, at=at), actor=on.applicant, at=at)
    assert order.status == Status.IN_APPROVAL
    assert held(on) == STORY_HOLDS


def test_an_order_that_is_rejected_gives_its_quota_back_for_good(on: Scene, at: datetime) -> None:
    order = decided(on, submitted(on, at=at), at=at, verb="reject", opinion="不需要")
    assert (order.status, order.finished_at) == (Status.REJECTED, at)
    assert held(on) == {}
    with pytest.raises(services.NotEditable):
        services.submit(order=order, actor=on.applicant, at=at)


@pytest.mark.parametrize("state", [drafted, submitted, returned])
def test_an_order_can_be_withdrawn_until_it_is_decided_for_good(
    on: Scene, state: object, at: datetime
) -> None:
    order = services.withdraw(order=state(on, at=at), reason="不再需要", actor=on.applicant, at=at)
    assert (order.status, order.finished_at) == (Status.WITHDRAWN, at)
    assert held(on) == {}
    assert order.case is None or order.case.__class__.objects.get().status == CaseStatus.WITHDRAWN


def test_what_is_being_built_cannot_be_withdrawn(on: Scene, at: datetime) -> None:
    with pytest.raises(WrongState):
        services.withdraw(order=approved(on, at=at), reason="不再需要", actor=on.applicant, at=at)


def test_only_an_applicant_of_the_department_withdraws(on: Scene, at: datetime) -> None:
    with pytest.raises(RoleMissing):
        services.withdraw(
            order=submitted(on, at=at), reason="不再需要", actor=member(Role.SERVICE_DESK), at=at
        )


def test_a_withdrawn_orders_names_are_free_again(on: Scene, at: datetime) -> None:
    services.withdraw(order=submitted(on, at=at), reason="不再需要", actor=on.applicant, at=at)
    assert drafted(on, at=at, items=STORY).status == Status.DRAFT
