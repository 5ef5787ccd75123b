"""Where things are built, and what taking a flavor out of the catalogue does."""

from datetime import UTC, datetime

import pytest
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.catalog import services
from govcloud.catalog.models import CloudFlavor, Site
from tenants.models import NetworkZone
from tests.factories.catalog import CloudFactory, FlavorFactory, ZoneFactory, catalogue
from tests.factories.inventory import ProjectFactory
from tests.factories.tenants import SystemFactory

pytestmark = pytest.mark.django_db

BY = SystemActor("tests")


def cloud_with(code: str, *zones: str, **fields: object) -> object:
    cloud = CloudFactory(code=code, **fields)
    for zone in zones:
        ZoneFactory(cloud=cloud, zone=zone)
    return cloud


def test_a_system_is_built_on_the_first_main_cloud_that_has_the_zone() -> None:
    cloud_with("a-dr", NetworkZone.PRIVATE, site=Site.DR)
    cloud_with("b-off", NetworkZone.PRIVATE, enabled=False)
    cloud_with("c-public-only", NetworkZone.PUBLIC)
    wanted = cloud_with("d", NetworkZone.PRIVATE)
    cloud_with("e", NetworkZone.PRIVATE)
    assert services.place(system=SystemFactory(), zone=NetworkZone.PRIVATE) == wanted


def test_a_system_stays_on_the_cloud_where_its_things_are() -> None:
    cloud_with("a", NetworkZone.PRIVATE)
    home = cloud_with("b", NetworkZone.PRIVATE)
    system = SystemFactory()
    ProjectFactory(system=system, cloud=home)
    assert services.place(system=system, zone=NetworkZone.PRIVATE) == home
    assert services.place(system=SystemFactory(), zone=NetworkZone.PRIVATE) != home


def test_a_zone_that_no_cloud_has_is_refused_by_its_name() -> None:
    cloud_with("a", NetworkZone.PUBLIC)
    with pytest.raises(services.NoCloudForZone, match="Internet zone"):
        services.place(system=SystemFactory(), zone=NetworkZone.INTERNET)
    assert services.availability(system=SystemFactory(), zone=NetworkZone.INTERNET) is None


def test_what_can_be_had_is_what_the_cloud_has_a_name_for(
    django_assert_num_queries: CaptureQueriesContext,
) -> None:
    offered = catalogue()
    flavor = offered.flavors["g.4c16g"]
    CloudFlavor.objects.filter(flavor=flavor).delete()
    system = SystemFactory()
    with django_assert_num_queries(1):
        here = services.availability(system=system, zone=NetworkZone.PRIVATE)
    assert here is not None
    assert here.cloud == offered.cloud
    assert not here.has(flavor)
    assert here.has(offered.flavors["g.2c4g"])
    assert here.has(offered.storage_classes["ssd"])
    assert here.has(offered.images["debian-12"])
    assert here.has(offered.offerings["network"])  # nothing that clouds have a name for


def test_a_retired_flavor_is_told_in_the_audit_and_retires_once(at: datetime) -> None:
    flavor = services.retire_flavor(flavor=FlavorFactory(), actor=BY, at=at)
    assert flavor.retired_at == at
    event = Event.objects.get(verb="flavor.retired")
    assert event.subject_label == "g.4c16g"
    with pytest.raises(services.AlreadyRetired, match="2026-11-18") as refusal:
        services.retire_flavor(flavor=flavor, actor=BY, at=at)
    assert flavor.name_en in refusal.value.detail
    with override("zh-hans"):
        assert flavor.name in refusal.value.detail


def test_a_flavor_was_retired_on_the_local_date() -> None:
    after_midnight = datetime(2026, 11, 18, 16, 0, tzinfo=UTC)  # in Beijing
    flavor = services.retire_flavor(flavor=FlavorFactory(), actor=BY, at=after_midnight)
    with pytest.raises(services.AlreadyRetired, match="2026-11-19"):
        services.retire_flavor(flavor=flavor, actor=BY, at=after_midnight)
