"""What has changed between a project's assignment and its being taken over."""

from datetime import datetime

import pytest

from govcloud.catalog.models import Cloud
from govcloud.clouds.services import CloudRetired
from govcloud.takeover import services, taking
from govcloud.takeover.models import Takeover
from tenants.models import Role, System, User
from tests.factories.clouds import AvailabilityZoneFactory
from tests.factories.orders import Scene, scene
from tests.factories.takeovers import CandidateFactory, TakeoverFactory
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def admin() -> User:
    return member(Role.CLOUD_ADMIN)


@pytest.fixture
def takeover(on: Scene) -> Takeover:
    takeover = TakeoverFactory(cloud=on.catalogue.cloud, system=on.system, zone="private")
    CandidateFactory(takeover=takeover)
    return takeover


def test_nothing_is_taken_over_on_a_cloud_that_has_been_retired(
    takeover: Takeover, admin: User, at: datetime
) -> None:
    Cloud.objects.filter(pk=takeover.cloud_id).update(status="retired")
    with pytest.raises(CloudRetired):
        taking.take(takeover=takeover, actor=admin, at=at)
    assert takeover.candidates.get().status == "open"


def test_a_project_on_a_cloud_that_has_been_retired_is_neither_surveyed_nor_assigned(
    on: Scene, takeover: Takeover, admin: User, at: datetime
) -> None:
    Cloud.objects.filter(pk=takeover.cloud_id).update(status="retired")
    with pytest.raises(CloudRetired):
        services.survey_again(takeover=takeover, actor=admin, at=at)
    to = services.Assignment(system=on.system, zone="private")
    with pytest.raises(CloudRetired):
        services.assign(takeover=takeover, to=to, actor=admin, at=at)


def test_a_system_whose_level_was_raised_meanwhile_gets_nothing_on_a_cloud_that_is_too_low(
    on: Scene, takeover: Takeover, admin: User, at: datetime
) -> None:
    """As nothing of it stands there yet, the level can be raised."""
    Cloud.objects.filter(pk=takeover.cloud_id).update(mlps_level=2)
    System.objects.filter(pk=on.system.pk).update(mlps_level=3)
    with pytest.raises(services.LevelTooHigh):
        taking.take(takeover=takeover, actor=admin, at=at)
    assert takeover.candidates.get().status == "open"


def test_a_server_in_a_part_of_the_cloud_that_is_too_low_for_its_system_stays(
    on: Scene, takeover: Takeover, admin: User, at: datetime
) -> None:
    AvailabilityZoneFactory(cloud=takeover.cloud, compute_zone="nova-a", mlps_level=2)
    System.objects.filter(pk=on.system.pk).update(mlps_level=3)
    server = CandidateFactory(
        takeover=takeover, kind="server", flavor_name="g.4c16g", availability_zone="nova-a"
    )
    to = services.Assignment(system=System.objects.get(pk=on.system.pk), zone="private")
    services.assign(takeover=takeover, to=to, actor=admin, at=at)
    server.refresh_from_db()
    assert "part_too_low" in server.obstacles
