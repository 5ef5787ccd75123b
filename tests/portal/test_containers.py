"""Object containers on the page of their order: what is asked for, what stands, and what goes with it."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.test import Client
from django.utils import translation

from govcloud.inventory import containers
from govcloud.inventory.containers import GIB
from govcloud.orders.drafts import ContainerDraft, ItemDraft, QuotaDraft, ReleaseDraft
from govcloud.portal.order.parts import Asked
from govcloud.portal.order.resources import built
from tenants.models import User
from tests.factories.inventory import ContainerFactory
from tests.factories.orders import Scene, drafted, scene, submitted
from tests.portal.reading import text

pytestmark = pytest.mark.django_db
Signed = Callable[[User], Client]


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


def page(on: Scene, signed_in: Signed, item: ItemDraft, *, at: datetime) -> str:
    order = drafted(on, at=at, items=(item,))
    return text(signed_in(on.applicant).get(f"/orders/{order.number}/"))


def test_what_is_asked_for_is_read_in_plain_words(on: Scene, signed_in: Signed, at: datetime) -> None:
    files = ContainerDraft(name="files", zone="public", storage_class="object", quota_gb=1_500)
    shown = page(on, signed_in, files, at=at)
    assert "object container" in shown
    assert "1,500 GB, object" in shown


def test_a_change_says_to_what(on: Scene, signed_in: Signed, at: datetime) -> None:
    files = ContainerFactory(resource__system=on.system).resource
    assert "to 250 GB, object" in page(on, signed_in, QuotaDraft(target=files.uuid, quota_gb=250), at=at)


@pytest.mark.parametrize(("with_contents", "words"), [(True, "for good"), (False, "only if it is empty")])
def test_a_release_says_what_becomes_of_the_contents(
    on: Scene, signed_in: Signed, at: datetime, *, with_contents: bool, words: str
) -> None:
    files = ContainerFactory(resource__system=on.system).resource
    release = ReleaseDraft(target=files.uuid, kind="container", delete_contents=with_contents)
    assert words in page(on, signed_in, release, at=at)


def test_what_stands_is_told_with_what_it_holds(on: Scene, at: datetime) -> None:
    files = ContainerFactory(resource__system=on.system, resource__name="files")
    order = submitted(on, at=at, items=(QuotaDraft(target=files.resource.uuid, quota_gb=250),))
    containers.count(container=files, bytes_used=3 * GIB, objects_held=1_234, at=at)
    with translation.override("en"):
        (shown,) = built(order, Asked("/")).rows
    assert shown.facts == ["100 GB, object", "1,234 objects, 3.0\xa0GB"]
