"""The migration that puts the names of systems' owners out of sight, and its way back."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tenants import owners
from tenants.models import System
from tests.factories.tenants import SystemFactory

pytestmark = pytest.mark.django_db(transaction=True)

PLAIN = [("tenants", "0005_units_and_systems_in_full")]


def migrate(targets: list[tuple[str, str]]) -> None:
    MigrationExecutor(connection).migrate(targets)


@pytest.fixture
def _plain() -> Iterator[None]:
    """Whatever happens, the schema is as it should be afterwards."""
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    migrate(PLAIN)
    yield
    migrate(newest)


def test_names_of_owners_are_sealed_and_come_back(_plain: None) -> None:
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenants_division (code, name, name_en) VALUES ('450000', 'd', '') RETURNING id"
        )
        (division,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO tenants_department (uuid, name, name_en, credit_code, division_id, path, connection, version, "
            "created_at) VALUES (gen_random_uuid(), 'u', '', '11450000MB9900013R', %s, '/1/', 'connected', 1, now()) "
            "RETURNING id",
            [division],
        )
        (department,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO tenants_system (uuid, code, name, name_en, department_id, mlps_level, filing_number, zone, "
            "dr_level, version, created_at, owner_name, data_class, service_scope) VALUES (gen_random_uuid(), 'oa', 's', "
            "'', %s, 1, '', 'public', 1, 1, now(), '张三', '', '')",
            [department],
        )
    migrate(newest)
    assert owners.owner_of(System.objects.get(code="oa")).name == "张三"
    assert SystemFactory().retired_at is None, "the schema is whole again"
    migrate(PLAIN)
    with connection.cursor() as cursor:
        cursor.execute("SELECT owner_name FROM tenants_system WHERE code = 'oa'")
        assert cursor.fetchone() == ("张三",)
