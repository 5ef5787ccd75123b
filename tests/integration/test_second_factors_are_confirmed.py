"""The migration after which second factors count once they are confirmed."""

from collections.abc import Iterator

import pytest
from allauth.mfa.models import Authenticator
from django.conf import LazySettings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from tenants.access import entry
from tenants.access.models import Enrolment
from tenants.models import Role
from tests.factories.tenants import UserFactory, member

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = [("access", "0002_roles_and_what_they_may_do")]


def migrate(targets: list[tuple[str, str]]) -> None:
    MigrationExecutor(connection).migrate(targets)


@pytest.fixture
def _before() -> Iterator[None]:
    """Whatever happens, the schema is as it should be afterwards."""
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    migrate(BEFORE)
    yield
    migrate(newest)


def test_second_factors_that_people_have_already_count(_before: None, settings: LazySettings) -> None:
    settings.SECOND_FACTOR = "required"
    user, other = member(Role.CLOUD_ADMIN), UserFactory()
    since = timezone.now()
    app = Authenticator.objects.create(user=user, type="totp", data={}, created_at=since)
    Authenticator.objects.create(user=other, type="recovery_codes", data={})
    migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())
    enrolment = Enrolment.objects.get()
    assert (enrolment.authenticator, enrolment.user, enrolment.enrolled_at) == (app, user, since)
    assert enrolment.confirmed_at >= since
    assert enrolment.confirmed_by is None
    assert entry.first_thing(user, at=timezone.now()) is None
