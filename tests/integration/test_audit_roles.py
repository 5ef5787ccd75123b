"""The database role that the application works with: everything goes on, and the trail cannot be touched."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction
from pytest_django import Settings

from govcloud import clock
from govcloud.audit import checks, roles, sealing, services
from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.celery import app
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order
from govcloud.provisioning.models import CloudCall, Step
from tests.factories.orders import approved, scene

pytestmark = pytest.mark.django_db

ROLE = "govcloud_application"
ASKED_FOR = timedelta(days=184)
"""How long records have to be kept at the least: six months, of which the longest have 184 days (Cybersecurity Law, article 21)."""


@pytest.fixture
def application() -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE} NOLOGIN")
    call_command("grant_application_role", ROLE)
    return ROLE


@contextmanager
def working_as(role: str) -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {role}")
        yield
        cursor.execute("RESET ROLE")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET actor = 'user:nobody'",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event CASCADE",
        "ALTER TABLE audit_event DISABLE TRIGGER append_only",
        "DROP TRIGGER append_only ON audit_event",
        "SET LOCAL session_replication_role = replica",
        "UPDATE audit_seal SET digest = ''",
        "DELETE FROM audit_sealedevent",
        "DELETE FROM approvals_decision",
        "CREATE OR REPLACE FUNCTION govcloud_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    ],
)
def test_the_application_cannot_touch_the_trail(application: str, at: datetime, statement: str) -> None:
    services.record(actor=SystemActor("tests"), verb="test.done", subject=None, at=at)
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), working_as(application):
        connection.cursor().execute(statement)


def test_everything_else_goes_on(application: str, at: datetime) -> None:
    on = scene()
    with working_as(application):
        order = approved(on, at=at)
        sealing.seal(at=at)
    assert order.status == Status.FULFILLING
    assert Event.objects.filter(verb="order.submitted").exists()


def test_the_owner_is_told_apart_from_the_application(application: str) -> None:
    assert roles.powers().owns_the_trail
    with working_as(application):
        assert roles.powers() == roles.Powers(superuser=False, owns_the_trail=False)


@pytest.mark.parametrize("role", ["nobody_of_that_name", "current"])
def test_only_a_role_that_is_not_the_owner_is_restricted(role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (owner,) = cursor.fetchone()
    with pytest.raises(CommandError):
        call_command("grant_application_role", owner if role == "current" else role)


def test_in_production_an_owner_is_warned(application: str, settings: Settings) -> None:
    settings.EMBEDDED = False
    assert [each.id for each in checks.we_cannot_rewrite_the_trail(databases=["default"])] == ["audit.W002"]
    with working_as(application):
        assert checks.we_cannot_rewrite_the_trail(databases=["default"]) == []


def test_what_is_audited_and_cannot_be_told_does_not_happen(at: datetime) -> None:
    """An event that the database does not take undoes the change that it would tell of."""
    on = scene()
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE audit_event ADD CONSTRAINT full_disk CHECK (verb <> 'order.submitted') NOT VALID"
        )
    with pytest.raises(Exception, match="full_disk"), transaction.atomic():
        approved(on, at=at)
    assert not Order.objects.exclude(status=Status.DRAFT).exists()


@pytest.mark.parametrize("who", ["the owner", "the application"])
@pytest.mark.parametrize(
    "age", [timedelta(), ASKED_FOR - timedelta(days=1), ASKED_FOR, timedelta(days=3650)], ids=str
)
@pytest.mark.parametrize(
    "statement", ["DELETE FROM audit_event WHERE id = %s", "UPDATE audit_event SET at = now() WHERE id = %s"]
)
def test_an_event_of_any_age_stays_as_it_is(
    application: str, at: datetime, who: str, age: timedelta, statement: str
) -> None:
    event = Event.objects.create(
        at=at - age, recorded_at=at - age, actor="system:tests", actor_name="tests", verb="test.done"
    )
    role = roles_of_the_database(application)[who]
    with (
        pytest.raises(ProgrammingError, match=r"permission denied|never changed or removed"),
        working_as(role),
    ):
        connection.cursor().execute(statement, [event.pk])
    assert Event.objects.filter(pk=event.pk, at=at - age, recorded_at=at - age).exists()


def roles_of_the_database(application: str) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (owner,) = cursor.fetchone()
    return {"the owner": owner, "the application": application}


def test_nothing_that_runs_by_the_clock_takes_of_the_trail_what_has_been_kept_for_long_enough(
    application: str, settings: Settings, tmp_path: Path
) -> None:
    """Half a year later, when calls to the cloud have been let go of."""
    settings.DEMO_CLOCK_FILE, settings.AUDIT_EXPORT_TO = tmp_path / "clock", str(tmp_path / "exports")
    approved(scene(), at=clock.now())
    step = Step.objects.earliest("pk")
    CloudCall.objects.create(
        step=step, at=clock.now(), service="compute", method="GET", path="/", milliseconds=1
    )
    recorded = list(Event.objects.order_by("pk").values())
    app.loader.import_default_modules()  # the tasks of all packages, as a worker does
    clock.advance(to=clock.now() + ASKED_FOR + timedelta(days=1))
    with working_as(application):
        for each in settings.CELERY_BEAT_SCHEDULE.values():
            app.tasks[each["task"]]()
    assert not CloudCall.objects.exists()
    kept = list(Event.objects.filter(pk__in=[each["id"] for each in recorded]).order_by("pk").values())
    assert kept == recorded != []
