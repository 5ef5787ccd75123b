"""Who may take in hand what is suspended, and what it is afterwards."""

from datetime import datetime

import pytest

from govcloud.audit.services import SystemActor
from govcloud.inventory import leases
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource
from govcloud.lifecycle import WrongState
from tests.factories.inventory import whole_server

pytestmark = pytest.mark.django_db
SOMEBODY = SystemActor("somebody")


@pytest.fixture
def suspended(at: datetime) -> Resource:
    server = whole_server(status=Status.SUSPENDED)
    server.suspended_at = at
    server.save(update_fields=["suspended_at"])
    return server.resource


def test_what_is_suspended_is_not_changed(suspended: Resource, at: datetime) -> None:
    with pytest.raises(WrongState):
        inventory.mark(resource=suspended, to=Status.CHANGING, actor=SOMEBODY, thread=None, at=at)


def test_what_is_suspended_can_be_put_right_and_is_suspended_again(suspended: Resource, at: datetime) -> None:
    leases.mend(resource=suspended, actor=SOMEBODY, thread=None, at=at)
    assert suspended.status == "changing"
    assert leases.standing_as(suspended) is Status.SUSPENDED


def test_what_is_not_suspended_is_in_use_afterwards() -> None:
    assert leases.standing_as(whole_server(changing=True).resource) is Status.ACTIVE
