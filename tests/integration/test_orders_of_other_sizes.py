"""Orders for what a cloud has in another size than the catalogue sells: refused alike for new servers and for those that stand."""

from datetime import datetime

import pytest

from govcloud.catalog.models import Cloud
from govcloud.catalog.services import NotAvailableHere
from govcloud.errors import Invalids
from govcloud.inventory.models import Resource
from govcloud.orders.changing import FlavorNotOnCloud
from govcloud.orders.drafts import ItemDraft, ResizeDraft
from govcloud.orders.models import Order
from govcloud.provisioning.actions.base import actions_of
from govcloud.provisioning.actions.rebuilding import NewSystem
from govcloud.provisioning.actions.requests import request
from govcloud.provisioning.models import Operation
from tests.factories.clouds import differing
from tests.factories.inventory import whole_server
from tests.factories.orders import STORY, Scene, approve_all, approved, scene, submitted

pytestmark = pytest.mark.django_db
ORDERED, SOLD = "g.4c16g", "g.8c32g"  # of the servers of the story, and what one is to become


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def server(on: Scene) -> Resource:
    """Nothing of it is called as what is ordered."""
    made = whole_server(system=on.system, cloud=on.catalogue.cloud, name="standing")
    for volume in made.volumes.all():
        Resource.objects.filter(pk=volume.pk).update(name=f"standing-{volume.role}")
    return made.resource


def larger(server: Resource) -> tuple[ItemDraft]:
    return (ResizeDraft(target=server.uuid, flavor=SOLD),)


def refused(on: Scene, items: tuple[ItemDraft, ...], *, at: datetime) -> list[tuple[str, tuple[str, ...]]]:
    with pytest.raises(Invalids) as refusal:
        submitted(on, at=at, items=items)
    return [(each.code, tuple(each.pointers)) for each in refusal.value.errors]


@pytest.mark.parametrize("measure", ["vcpus", "memory_mib", "missing"])
def test_neither_a_new_server_nor_a_resized_one_gets_a_flavor_of_another_size(
    on: Scene, server: Resource, at: datetime, measure: str
) -> None:
    for flavor in (ORDERED, SOLD):
        differing(on.catalogue.cloud, flavor, measure=measure)
    assert refused(on, STORY, at=at) == [("not-available-in-zone", ("/items/1/flavor",))]
    assert refused(on, larger(server), at=at) == [("not-available-in-zone", ("/items/0/flavor",))]


def test_where_sizes_need_not_match_both_are_taken(on: Scene, server: Resource, at: datetime) -> None:
    Cloud.objects.update(sizes_must_match=False)
    for flavor in (ORDERED, SOLD):
        differing(on.catalogue.cloud, flavor)
    assert submitted(on, at=at, items=STORY).status == "in_approval"
    assert submitted(on, at=at, items=larger(server)).status == "in_approval"


def test_another_flavors_size_and_another_clouds_do_not_matter(
    on: Scene, server: Resource, at: datetime
) -> None:
    differing(on.catalogue.cloud, "g.2c4g")
    elsewhere = Cloud.objects.create(code="elsewhere", name="他云", name_en="Other", profile="elsewhere")
    differing(elsewhere, SOLD)
    assert approved(on, at=at, items=larger(server)).status == "fulfilling"


def test_a_resize_whose_flavor_has_changed_since_is_not_begun_and_can_be_decided_again(
    on: Scene, server: Resource, at: datetime
) -> None:
    order = submitted(on, at=at, items=larger(server))
    found = differing(on.catalogue.cloud, SOLD)
    with pytest.raises(FlavorNotOnCloud, match=r"“g\.8c32g”"):
        approve_all(on, Order.objects.get(pk=order.pk), at=at)
    server.refresh_from_db()
    order.refresh_from_db()
    assert (server.status, order.status, Operation.objects.count()) == ("active", "in_approval", 0)
    found.delete()
    assert approve_all(on, order, at=at).status == "fulfilling"


def test_a_server_is_not_written_anew_with_an_image_that_asks_for_more_than_the_catalogue_says(
    on: Scene, server: Resource, at: datetime
) -> None:
    differing(on.catalogue.cloud, "debian-12", kind="images", measure="min_disk_gb")
    (rebuild,) = (action for action in actions_of("server") if action.name == "rebuild")
    with pytest.raises(NotAvailableHere):
        request(resource=server, action=rebuild, parameters=NewSystem(), actor=on.applicant, at=at)
