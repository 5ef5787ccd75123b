"""What is kept of a comparison of sizes, and what a change of names does to it."""

from datetime import datetime, timedelta

import pytest

from govcloud.audit.services import SystemActor
from govcloud.catalog.models import Cloud
from govcloud.clouds import names, services, sizes
from govcloud.clouds.models import CloudHealth
from tests.factories.catalog import CloudFlavorFactory, FlavorFactory, catalogue
from tests.factories.clouds import differing, healthy

pytestmark = pytest.mark.django_db

BY = SystemActor("tests")


def differences(cloud: Cloud) -> list[tuple[str, str, str]]:
    return list(cloud.size_differences.values_list("kind", "code", "measure"))


def test_a_comparison_replaces_the_one_before_and_has_its_date(at: datetime) -> None:
    cloud = catalogue().cloud
    healthy(cloud, at=at)
    differing(cloud, "g.4c16g")
    sizes.store(cloud=cloud, found=[], at=at)
    assert differences(cloud) == []
    assert CloudHealth.objects.get(cloud=cloud).sizes_compared_at == at


def test_what_is_named_anew_is_looked_at_again_and_the_rest_is_kept(at: datetime) -> None:
    cloud = CloudFlavorFactory(flavor=FlavorFactory(vcpus=2, memory_gb=4)).cloud
    CloudFlavorFactory(cloud=cloud)
    health = healthy(cloud, at=at + timedelta(minutes=5))
    for code in ("g.2c4g", "g.4c16g"):
        differing(cloud, code)
    differing(cloud, "debian-12", kind="images", measure="min_disk_gb")
    given = {"flavors": {"g.2c4g": "g.2c4g", "g.4c16g": "m1.large"}}
    names.set_names(cloud=cloud, names=given, expected_version=1, actor=BY, at=at)
    assert differences(cloud) == [("flavors", "g.2c4g", "vcpus"), ("images", "debian-12", "min_disk_gb")]
    health.refresh_from_db()
    assert (health.due_at, health.capacity_due_at) == (at, at)


def test_sizes_have_to_match_on_clouds_that_are_registered_unless_it_is_said(at: datetime) -> None:
    made = [
        services.register(code=code, name=code, site="main", actor=BY, at=at, **said)
        for code, said in (("east", {}), ("small", {"sizes_must_match": False}))
    ]
    assert [cloud.sizes_must_match for cloud in made] == [True, False]
