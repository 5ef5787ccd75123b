"""An order read back into the drafts that it was written from."""

from dataclasses import replace
from datetime import date, datetime

import pytest

from govcloud.orders import services
from govcloud.orders.drafts import (
    AddressDraft,
    ContainerDraft,
    ExtendDraft,
    ItemDraft,
    LimitDraft,
    NetworkDraft,
    QuotaDraft,
    ReleaseDraft,
    RenewDraft,
    ResizeDraft,
    RetypeDraft,
    StorageDraft,
)
from govcloud.orders.redrafting import drafts_of, rewritten
from govcloud.portal.writing.choices import CHOICES, choice_of, values_of
from govcloud.portal.writing.offers import Offers
from govcloud.portal.writing.slots import Slot
from govcloud.quotas.models import Dimension
from tests.factories.inventory import (
    AddressBlockFactory,
    AddressFactory,
    ContainerFactory,
    NetworkFactory,
    whole_server,
)
from tests.factories.orders import BACKUP, NETWORK, SERVERS, STORY, Scene, drafted, scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def on(at: datetime) -> Scene:
    return scene(mlps_level=2, limits={"vcpus": 32})


def every_kind(on: Scene, at: datetime) -> list[tuple[ItemDraft, ...]]:
    """Orders that together have an item of every kind."""
    place = {"system": on.system, "cloud": on.catalogue.cloud}
    here = {f"resource__{name}": value for name, value in place.items()}
    network = NetworkFactory(
        **here,
        resource__name="old-net",
        router_id="r-1",
        external_network_id="e-1",
        outside_address="203.0.113.9",
    )
    server, other, third = (
        whole_server(**place, name=f"old-{n}", lease_end=at.replace(month=12)) for n in range(3)
    )
    block = AddressBlockFactory(unit=network.resource.unit, cidr=network.cidr)
    AddressFactory(block=block, unit=server.resource.unit)
    data = [each.volumes.get(role="data").resource for each in (server, other)]
    container, going = ContainerFactory(**here), ContainerFactory(**here)
    changes = (
        ExtendDraft(target=data[0].uuid, size_gb=800),
        AddressDraft(target=server.resource.uuid),
        ResizeDraft(target=other.resource.uuid, flavor="g.8c32g"),
        RenewDraft(target=third.resource.uuid, kind="server", lease_months=3),
        QuotaDraft(target=container.resource.uuid, quota_gb=container.quota_gb + 5),
        ReleaseDraft(target=going.resource.uuid, kind="container", delete_contents=True),
    )
    limit = LimitDraft(dimension=Dimension.VCPUS, limit=64, until=date(2026, 12, 31))
    new = (
        NETWORK,
        replace(SERVERS, name="web"),
        BACKUP,
        StorageDraft(
            name="disk", zone="private", storage_class="sas", size_gb=9, server=server.resource.uuid
        ),
        ContainerDraft(name="docs", zone="private", storage_class="object", quota_gb=7, lease_months=3),
    )
    return [new, changes, (limit,), (RetypeDraft(target=data[1].uuid, storage_class="ssd"),)]


def test_every_kind_of_item_is_read_back_as_it_was_written(on: Scene, at: datetime) -> None:
    orders = every_kind(on, at)
    assert {choice_of(draft).slug for items in orders for draft in items} == CHOICES.keys()
    for items in orders:
        assert tuple(drafts_of(drafted(on, at=at, items=items))) == items


def test_every_kind_of_item_comes_through_its_form_unchanged(on: Scene, at: datetime) -> None:
    for items in every_kind(on, at):
        offers = Offers(on.system, at, items)
        for draft in items:
            assert Slot.written(0, 0, draft).draft(offers, new_network="") == draft


def test_every_field_of_a_draft_has_a_field_in_its_form() -> None:
    for draft in STORY:
        choice = choice_of(draft)
        rows = choice.rows.key if choice.rows else " "
        keys = {key for key in values_of(draft) if not key.startswith(rows)}
        assert keys == {field.key for field in choice.fields}


def test_servers_follow_the_new_name_of_their_network(on: Scene, at: datetime) -> None:
    drafts = drafts_of(drafted(on, at=at))
    renamed = rewritten(drafts, {0: NetworkDraft(name="core", zone="private")})
    assert [renamed[0].name, renamed[1].network] == ["core", "core"]
    order = drafted(on, at=at, items=tuple(renamed))
    assert services.quote(order=order, at=at).monthly_total > 0
