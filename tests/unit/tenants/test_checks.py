"""No way around the roles, as ``manage.py check`` sees it, and what the production profile refuses to start with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.checks import run_checks
from django.db import connection, transaction
from django.test import override_settings

from tenants.access import checks
from tenants.models import User
from tests.factories.tenants import UserFactory

ROOT = Path(__file__).resolve().parents[3]


def ids(messages: list) -> list[str]:
    return [message.id for message in messages]


def test_there_is_none() -> None:
    assert [message for message in run_checks() if (message.id or "").startswith("access.")] == []


def test_the_admin_site_is_one() -> None:
    with override_settings(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.admin"]):
        assert "access.E001" in ids(list(checks.no_way_around_the_roles()))


def test_another_back_end_is_one(settings: LazySettings) -> None:
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.RemoteUserBackend"]
    assert ids(list(checks.no_way_around_the_roles())) == ["access.E002"]


def test_debug_pages_in_production_are_one(settings: LazySettings) -> None:
    settings.EMBEDDED, settings.DEBUG = False, True
    assert ids(list(checks.no_way_around_the_roles())) == ["access.E004"]


@pytest.mark.django_db
def test_a_superuser_behind_the_back_of_the_constraint_is_found() -> None:
    assert list(checks.no_superusers(databases=["default"])) == []
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE tenants_user DROP CONSTRAINT user_is_no_superuser")
        User.objects.filter(pk=UserFactory().pk).update(is_superuser=True)
        assert ids(list(checks.no_superusers(databases=["default"]))) == ["access.E005"]
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_an_empty_database_can_be_migrated() -> None:
    """The command that makes the tables has the checks run first."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE tenants_user RENAME TO not_yet_there")
        assert list(checks.no_superusers(databases=["default"])) == []
        transaction.set_rollback(True)


def started_with(**environment: str) -> subprocess.CompletedProcess[str]:
    """The settings of the production profile, read by a process of its own."""
    production = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "SECRET_KEY": "s" * 50,
        "CREDENTIAL_KEYS": "k" * 32,
    }
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "import govcloud.settings as s; print(s.SECOND_FACTOR, s.PASSWORD_MAX_AGE_DAYS)",
        ],
        cwd=ROOT,
        env={**os.environ, **production, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_requires_the_second_factor_and_that_passwords_grow_old() -> None:
    assert started_with().stdout.split() == ["required", "90"]


def test_production_does_not_start_where_the_second_factor_is_only_offered() -> None:
    refused = started_with(SECOND_FACTOR="offered")
    assert refused.returncode != 0
    assert "the production profile requires it" in refused.stderr
