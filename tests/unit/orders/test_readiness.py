"""What is reckoned of an order in one go is what its services tell one by one."""

from datetime import datetime

import pytest

from govcloud.orders import services
from govcloud.orders.drafts import ReleaseDraft
from govcloud.orders.models import Order
from govcloud.orders.readiness import (
    FilesChanged,
    FrozenOtherwise,
    digest_of,
    files_of,
    fingerprint_of,
    obstacles,
    reckon,
    submit_as_read,
)
from govcloud.orders.services import StaleVersion
from govcloud.quotas.models import QuotaAccount
from tests.factories.inventory import whole_server
from tests.factories.orders import Scene, drafted, paper_of, returned, scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def on() -> Scene:
    return scene()


def released(on: Scene, at: datetime) -> Order:
    server = whole_server(system=on.system, cloud=on.catalogue.cloud, name="old-1")
    return drafted(on, at=at, items=(ReleaseDraft(target=server.resource.uuid, kind="server"),))


def over(on: Scene, at: datetime) -> Order:
    QuotaAccount.objects.filter(department=on.department, dimension="vcpus").update(limit=4)
    return drafted(on, at=at)


def sent_back(on: Scene, at: datetime) -> Order:
    return returned(on, at=at)


@pytest.mark.parametrize("make", [over, released, sent_back])
def test_it_is_what_the_services_tell(on: Scene, at: datetime, make) -> None:
    order = make(on, at)
    reckoned = reckon(order=order, at=at)
    assert reckoned.quote == services.quote(order=order, at=at)
    assert reckoned.effect == services.effect(order=order, at=at)
    assert reckoned.route
    assert obstacles(order=order, reckoned=reckoned, at=at) == []


def test_only_what_was_read_is_submitted(on: Scene, at: datetime) -> None:
    order = drafted(on, at=at)
    paper_of(order, at=at)
    read = {
        "expected_version": order.version,
        "expected_files": digest_of(files_of(order)),
        "expected": fingerprint_of(order, reckon(order=order, at=at)),
    }
    for changed, error in (
        ({"expected_version": 2}, StaleVersion),
        ({"expected_files": ""}, FilesChanged),
        ({"expected": ""}, FrozenOtherwise),
    ):
        with pytest.raises(error):
            submit_as_read(order=order, **{**read, **changed}, actor=on.applicant, at=at)
    submitted = submit_as_read(order=order, **read, actor=on.applicant, at=at)
    assert submitted.status == "in_approval"
