"""Where things are built, and what taking a flavor out of the catalogue does."""

from datetime import UTC, datetime

import pytest
from django.utils.translation import override

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.catalog import services
from tests.factories.catalog import FlavorFactory

pytestmark = pytest.mark.django_db

BY = SystemActor("tests")


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
