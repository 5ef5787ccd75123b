"""An order as it is filled in: stored, priced, and shown what it takes and whom it needs."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from govcloud.audit.models import Event, Outcome
from govcloud.errors import Invalids
from govcloud.inventory import services as inventory
from govcloud.inventory.models import ResourceKind
from govcloud.orders import services
from govcloud.orders.drafts import ExtendDraft, ReleaseDraft, VolumeDraft
from govcloud.orders.models import Order, OrderItem
from govcloud.orders.readiness import reckon
from tenants.models import Connection, Role, User
from tenants.policies import RoleMissing
from tests.factories.inventory import AddressBlockFactory, NetworkFactory, VolumeFactory, whole_server
from tests.factories.orders import BACKUP, NETWORK, SERVERS, STORY, Scene, drafted, returned, scene, submitted
from tests.factories.tenants import DepartmentFactory, SystemFactory, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def on() -> Scene:
    return scene()


def refused(on: Scene, *items: object, at: datetime, **changes: object) -> list[tuple[str, tuple[str, ...]]]:
    with pytest.raises(Invalids) as refusal:
        drafted(on, at=at, items=items, **changes)
    return [(error.code, error.pointers) for error in refusal.value.errors]


def test_a_draft_keeps_everything_that_was_filled_in(on: Scene, at: datetime) -> None:
    order = drafted(on, at=at)
    network, servers, backup = order.items.all()
    assert (order.status, order.version, order.applicant) == ("draft", 1, on.applicant)
    assert (servers.quantity, servers.zone, servers.lease_months) == (2, "private", 12)
    assert servers.server.flavor.code == "g.4c16g"
    assert servers.server.network_item == network
    assert [(v.storage_class.code, v.size_gb) for v in servers.volumes.all()] == [("ssd", 100), ("sas", 500)]
    spec = backup.backup
    assert (spec.tier.level, spec.capacity_gb, spec.frequency, spec.off_site) == (3, 1_200, "daily", True)


def test_numbers_count_within_the_year_of_the_local_time_zone(on: Scene) -> None:
    last_evening = datetime.fromisoformat("2026-12-31T15:59:59+00:00")
    new_year = datetime.fromisoformat("2026-12-31T16:00:00+00:00")
    numbers = [
        drafted(on, at=when, items=(NETWORK,)).number for when in (last_evening, last_evening, new_year)
    ]
    assert numbers == ["GC-2026-000001", "GC-2026-000002", "GC-2027-000001"]


def test_the_quote_has_a_price_per_line_and_their_sum(on: Scene, at: datetime) -> None:
    quote = services.quote(order=drafted(on, at=at), at=at)
    assert [(line.item, line.meter.code, line.quantity, line.amount) for line in quote.lines] == [
        (1, "block_sas_gb", Decimal(1_000), Decimal("400.00")),
        (1, "block_ssd_gb", Decimal(200), Decimal("140.00")),
        (1, "memory_gb", Decimal(32), Decimal("544.00")),
        (1, "vcpu", Decimal(8), Decimal("368.00")),
        (2, "backup_off_site_gb", Decimal(1_200), Decimal("360.00")),
    ]
    assert quote.monthly_total == Decimal("1812.00")  # 2 x 726 + 360


def test_a_draft_shows_what_it_would_take_of_each_quota_up_the_tree(at: datetime) -> None:
    on = scene(limits={"vcpus": 7, "servers": 10})
    effect = services.effect(order=drafted(on, at=at), at=at)
    own = {e.dimension: (e.takes, e.after, e.fits) for e in effect if e.department == on.department}
    assert own == {
        "servers": (2, 2, True),
        "vcpus": (8, 8, False),
        "memory_gb": (32, 32, True),
        "storage_gb": (1_200, 1_200, True),
        "backup_gb": (1_200, 1_200, True),
        "networks": (1, 1, True),
    }


def test_a_draft_shows_who_must_approve_it_by_when(on: Scene, at: datetime) -> None:
    route = reckon(order=drafted(on, at=at), at=at).route
    assert [(s.role, s.deciders) for s in route] == [(role, [person]) for role, person in on.chain.items()]
    assert [
        s.due_at.isoformat() for s in route
    ] == [  # 2026-11-18 is a Wednesday; 18:00 in Beijing is 10:00 UTC
        "2026-11-20T10:00:00+00:00",
        "2026-11-23T10:00:00+00:00",
        "2026-11-25T10:00:00+00:00",
        "2026-11-27T10:00:00+00:00",
    ]


def test_a_draft_beyond_the_quota_goes_by_the_whole_chain(at: datetime) -> None:
    on = scene(limits={"vcpus": 7}, mlps_level=2, zone="public")
    items = (replace(NETWORK, zone="public"), replace(SERVERS, zone="public"))
    assert len(reckon(order=drafted(on, at=at, items=items), at=at).route) == 4


def test_everything_wrong_with_an_order_is_told_at_once_and_nothing_is_stored(
    on: Scene, at: datetime
) -> None:
    wrong = replace(SERVERS, quantity=0, flavor="g.huge", network="nowhere")
    judged = refused(
        on,
        NETWORK,
        wrong,
        replace(BACKUP, dr_level=6),
        ExtendDraft(target=uuid4(), size_gb=1),
        at=at,
        title=" ",
    )
    assert judged == [
        ("title-missing", ("/title",)),
        ("not-in-catalogue", ("/items/1/flavor",)),
        ("no-such-network", ("/items/1/network",)),
        ("no-such-resource", ("/items/3/target",)),
        ("quantity-out-of-range", ("/items/1/quantity",)),
        ("dr-level-needs-replication", ("/items/2/dr_level",)),
    ]
    assert not Order.objects.exists()


def test_what_else_is_wrong_with_an_item_that_names_something_unknown_is_told_too(
    on: Scene, at: datetime
) -> None:
    wrong = replace(
        SERVERS,
        name="App",
        zone="internet",
        lease_months=13,
        system_volume=VolumeDraft(storage_class="ssd", size_gb=19),
        data_volumes=(
            VolumeDraft(storage_class="sas", size_gb=0),
            VolumeDraft(storage_class="unheard-of", size_gb=0),
            VolumeDraft(storage_class="unheard-of", size_gb=1),
        ),
    )
    assert refused(on, NETWORK, wrong, BACKUP, at=at) == [
        ("not-in-catalogue", ("/items/1/data_volumes/1/storage_class",)),
        ("not-in-catalogue", ("/items/1/data_volumes/2/storage_class",)),
        ("bad-name", ("/items/1/name",)),
        ("zone-not-of-the-system", ("/items/1/zone",)),
        ("size-out-of-range", ("/items/1/system_volume/size_gb",)),
        ("size-out-of-range", ("/items/1/data_volumes/0/size_gb",)),
        ("volume-too-small", ("/items/1/data_volumes/1/size_gb",)),
        ("lease-out-of-range", ("/items/1/lease_months",)),
    ]


def test_an_unknown_level_of_a_backup_does_not_make_it_missing(on: Scene, at: datetime) -> None:
    off_site = replace(BACKUP, dr_level=9)
    unknown = ("not-in-catalogue", ("/items/2/dr_level",))
    assert refused(on, NETWORK, SERVERS, off_site, at=at) == [unknown]
    assert refused(on, NETWORK, SERVERS, replace(off_site, off_site=False), at=at) == [
        unknown,
        ("off-site-backup-missing", ("/items",)),
    ]


def test_servers_of_an_unknown_flavor_need_their_backup_as_well(on: Scene, at: datetime) -> None:
    assert refused(on, NETWORK, replace(SERVERS, flavor="g.huge"), at=at) == [
        ("not-in-catalogue", ("/items/1/flavor",)),
        ("off-site-backup-missing", ("/items",)),
    ]


def test_what_a_system_lacks_is_told_although_no_item_can_be_resolved(at: datetime) -> None:
    on = scene(filing_number="")
    assert refused(on, replace(BACKUP, dr_level=9), at=at) == [
        ("not-in-catalogue", ("/items/0/dr_level",)),
        ("filing-number-missing", ("/system",)),
    ]


def test_a_name_given_twice_is_told_although_an_item_cannot_be_resolved(on: Scene, at: datetime) -> None:
    assert refused(on, NETWORK, replace(BACKUP, dr_level=9, name="app-net"), at=at) == [
        ("not-in-catalogue", ("/items/1/dr_level",)),
        ("name-twice-in-order", ("/items/0/name",)),
        ("name-twice-in-order", ("/items/1/name",)),
    ]


def test_a_thousand_million_servers_are_refused_without_being_counted_out(on: Scene, at: datetime) -> None:
    judged = refused(on, NETWORK, replace(SERVERS, quantity=10**9), BACKUP, at=at)
    assert judged == [
        ("quantity-out-of-range", ("/items/1/quantity",)),
        ("network-full", ("/items/1/quantity",)),
        ("backup-capacity-too-small", ("/items/2/capacity_gb",)),
    ]


def test_an_order_without_an_item_is_refused(on: Scene, at: datetime) -> None:
    assert refused(on, at=at) == [("nothing-ordered", ("/items",))]


def test_a_department_not_connected_cannot_order(on: Scene, at: datetime) -> None:
    on.department.connection = Connection.REQUESTED
    on.department.save()
    assert refused(on, *STORY, at=at) == [("department-not-connected", ("/system",))]


def test_of_a_system_declared_classified_only_a_refusal_without_content_is_kept(
    on: Scene, at: datetime
) -> None:
    with pytest.raises(services.ClassifiedWork):
        drafted(on, at=at, title="机密项目", declares_classified=True)
    assert not Order.objects.exists()
    event = Event.objects.get(outcome=Outcome.REFUSED)
    assert (event.verb, event.reason, event.actor) == (
        "order.classified",
        "classified-work",
        on.applicant.audit_ref,
    )
    assert (event.subject_id, event.subject_label, event.before, event.after) == (None, "", {}, {})


@pytest.mark.parametrize("role", [Role.UNIT_APPROVER, Role.SERVICE_DESK, Role.CLOUD_ADMIN])
def test_only_an_applicant_of_the_department_orders_for_its_systems(
    on: Scene, role: Role, at: datetime
) -> None:
    with pytest.raises(RoleMissing):
        drafted(on, at=at, actor=member(role, on.department))


def test_an_applicant_of_another_department_does_not_order_here(on: Scene, at: datetime) -> None:
    with pytest.raises(RoleMissing):
        drafted(on, at=at, actor=member(Role.APPLICANT, DepartmentFactory()))


def test_servers_can_go_on_a_network_that_the_system_has(on: Scene, at: datetime) -> None:
    network = NetworkFactory(resource__system=on.system, resource__name="old-net").resource
    order = drafted(on, at=at, items=(replace(SERVERS, network=str(network.uuid)), BACKUP))
    spec = order.items.get(kind="server").server
    assert (spec.network, spec.network_item) == (network, None)


def test_no_more_servers_than_a_network_has_addresses_for(on: Scene, at: datetime) -> None:
    """A new one as it will be cut from the pool, and one that the system has with what is left of it."""
    few = (SERVERS, replace(SERVERS, name="web", quantity=50), replace(SERVERS, name="db"))
    backup = replace(BACKUP, capacity_gb=10_000)
    full = ("network-full", ("/items/1/quantity", "/items/2/quantity", "/items/3/quantity"))
    assert full in refused(on, NETWORK, *few, backup, at=at)
    network = NetworkFactory(resource__system=on.system, resource__name="old-net").resource
    block = AddressBlockFactory(unit=network.unit, cloud=network.cloud)
    inventory.reserve_addresses(block=block, units=[uuid4() for _ in range(52)])
    there = replace(SERVERS, network=str(network.uuid))
    assert refused(on, there, BACKUP, at=at) == [("network-full", ("/items/0/quantity",))]
    assert drafted(on, at=at, items=(replace(there, quantity=1), BACKUP)).items.count() == 2


def test_another_systems_network_is_none_of_this_systems(on: Scene, at: datetime) -> None:
    foreign = NetworkFactory(resource__system=SystemFactory(department=on.department)).resource
    judged = refused(on, replace(SERVERS, network=str(foreign.uuid)), BACKUP, at=at)
    assert judged == [("no-such-network", ("/items/0/network",))]


def test_a_larger_volume_is_priced_and_counted_by_what_it_grows(on: Scene, at: datetime) -> None:
    volume = VolumeFactory(resource__system=on.system).resource  # 500 GB SAS
    order = drafted(on, at=at, items=(ExtendDraft(target=volume.uuid, size_gb=800),))
    quote = services.quote(order=order, at=at)
    assert [(line.meter.code, line.quantity, line.amount) for line in quote.lines] == [
        ("block_sas_gb", Decimal(300), Decimal("120.00"))
    ]
    assert {e.dimension: e.takes for e in services.effect(order=order, at=at)} == {"storage_gb": 300}


def test_a_release_shows_what_ends_and_what_it_gives_back(on: Scene, at: datetime) -> None:
    server = whole_server(system=on.system).resource
    order = drafted(on, at=at, items=(ReleaseDraft(target=server.uuid, kind=ResourceKind.SERVER),))
    assert services.quote(order=order, at=at).monthly_total == Decimal("-726.00")
    effect = {e.dimension: e.takes for e in services.effect(order=order, at=at)}
    assert effect == {"servers": -1, "vcpus": -4, "memory_gb": -16, "storage_gb": -600}


def test_an_instant_matter_is_the_unit_approvers_and_the_service_desks(on: Scene, at: datetime) -> None:
    server = whole_server(system=on.system).resource
    order = drafted(on, at=at, items=(ReleaseDraft(target=server.uuid, kind=ResourceKind.SERVER),))
    assert [stage.role for stage in reckon(order=order, at=at).route] == [
        Role.UNIT_APPROVER,
        Role.SERVICE_DESK,
    ]


def test_an_id_does_not_release_what_is_of_another_kind(on: Scene, at: datetime) -> None:
    server = whole_server(system=on.system).resource
    judged = refused(on, ReleaseDraft(target=server.uuid, kind=ResourceKind.NETWORK), at=at)
    assert judged == [("no-such-resource", ("/items/0/target",))]


def test_revising_replaces_the_items_and_counts_the_version(on: Scene, at: datetime) -> None:
    order = drafted(on, at=at)
    revised = revise(on, order, at=at, items=(NETWORK,), title="只要网络")
    assert (revised.version, revised.title) == (2, "只要网络")
    assert [item.name for item in OrderItem.objects.filter(order=order)] == ["app-net"]
    event = Event.objects.get(verb="order.revised")
    assert [item["name"] for item in event.before["items"]] == ["app-net", "app", "dr"]
    assert [item["name"] for item in event.after["items"]] == ["app-net"]


def revise(on: Scene, order: Order, *, at: datetime, version: int = 1, **changes: object) -> Order:
    fields = {
        "title": "改后",
        "justification": "",
        "declares_classified": False,
        "items": STORY,
        "actor": on.applicant,
    }
    return services.revise(order=order, expected_version=version, at=at, **{**fields, **changes})


def test_a_draft_changed_since_it_was_read_is_not_overwritten(on: Scene, at: datetime) -> None:
    order = drafted(on, at=at)
    revise(on, order, at=at)
    with pytest.raises(services.StaleVersion, match="version 2"):
        revise(on, order, at=at, version=1)


def test_what_is_being_approved_cannot_be_edited(on: Scene, at: datetime) -> None:
    with pytest.raises(services.NotEditable, match="in approval"):
        revise(on, submitted(on, at=at), at=at)


def test_what_was_returned_can(on: Scene, at: datetime) -> None:
    order = returned(on, at=at)
    assert revise(on, order, at=at, items=(NETWORK,)).items.count() == 1


def test_a_colleague_with_the_role_may_revise_and_nobody_else(on: Scene, at: datetime) -> None:
    order = drafted(on, at=at)
    colleague: User = member(Role.APPLICANT, on.department)
    assert revise(on, order, at=at, actor=colleague).version == 2
    with pytest.raises(RoleMissing):
        revise(on, order, at=at, version=2, actor=member(Role.UNIT_APPROVER, on.department))
