"""Events are written with the change they tell of, and never touched again."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from govcloud.audit.models import Event, Outcome
from govcloud.audit.queries import trail
from govcloud.audit.services import Entry, SystemActor, record, record_many, request
from tests.factories.tenants import SystemFactory, UserFactory

ENGINE = SystemActor("engine")


@pytest.mark.django_db
def test_an_event_tells_who_did_what_to_what(at):
    person, system, thread = UserFactory(), SystemFactory(), uuid4()

    with request("req-1"):
        record(
            actor=person,
            verb="system.changed",
            subject=system,
            at=at,
            thread=thread,
            before={"level": 2},
            after={"level": Decimal("2.50"), "on": at.date()},
            reason="because",
        )

    event = Event.objects.get()
    assert (event.actor, event.actor_name) == (f"user:{person.uuid}", person.display_name)
    assert (event.subject_type, event.subject_id, event.subject_label) == (
        "tenants.system",
        system.uuid,
        system.name,
    )
    assert (event.before, event.after) == ({"level": 2}, {"level": "2.50", "on": "2026-11-18"})
    assert (event.at, event.thread, event.reason, event.request_id) == (at, thread, "because", "req-1")
    assert event.outcome == Outcome.DONE


@pytest.mark.django_db(transaction=True)
def test_an_event_without_the_transaction_of_its_change_is_refused(at):
    with pytest.raises(RuntimeError):
        record(actor=ENGINE, verb="x", subject=None, at=at)
    with pytest.raises(RuntimeError):
        record_many(actor=ENGINE, verb="x", entries=[], at=at)


@pytest.mark.django_db
def test_many_events_are_few_statements(at, django_assert_max_num_queries):
    system = SystemFactory()
    entries = [Entry(system, {"n": n}) for n in range(500)]

    with django_assert_max_num_queries(1):
        assert record_many(actor=ENGINE, verb="x", entries=entries, at=at) == 500

    assert Event.objects.filter(subject_id=system.uuid).count() == 500


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET reason = 'nicer'",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event CASCADE",
        "UPDATE audit_seal SET digest = ''",
        "DELETE FROM audit_seal",
        "UPDATE audit_sealedevent SET digest = ''",
        "DELETE FROM audit_sealedevent",
    ],
)
def test_the_database_lets_nobody_change_or_remove_events_and_seals(statement, at):
    record(actor=ENGINE, verb="x", subject=None, at=at)

    with pytest.raises(DatabaseError, match="never changed or removed"), transaction.atomic():
        connection.cursor().execute(statement)

    assert Event.objects.get().reason == ""


@pytest.mark.django_db
def test_a_trail_is_one_order_s_events_as_they_were_written_down(at):
    thread = uuid4()
    record_many(
        actor=ENGINE,
        verb="x",
        entries=[Entry(None, {"n": n}, thread=thread if n % 2 else uuid4()) for n in range(6)],
        at=at,
    )

    assert [event.after["n"] for event in trail(thread=thread)] == [1, 3, 5]
