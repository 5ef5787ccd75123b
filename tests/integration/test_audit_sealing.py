"""The chain of seals: made in order, by one at a time, and broken by whatever is done to what it holds."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from threading import Event as Signal
from threading import Thread

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from govcloud.audit import tasks
from govcloud.audit.models import Event, Seal, SealedEvent
from govcloud.audit.sealing import LATE, SEALER, seal, unsealed
from govcloud.audit.services import Entry, SystemActor, record_many
from govcloud.audit.verification import Anchor, Damage, verify
from tests.factories.audit import tampering

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = (
    600  # tries, a tenth of a second apart: any transaction on the server, whoever's, holds back sealing
)


def told(at, count: int = 3) -> list[int]:
    """So many events, each in a transaction of its own; their ids."""
    for n in range(count):
        with transaction.atomic():
            record_many(actor=SystemActor("test"), verb="thing.done", entries=[Entry(None, {"n": n})], at=at)
    return list(Event.objects.order_by("-id").values_list("id", flat=True)[:count])[::-1]


def sealed(at, count: int = 3, **how: object) -> Seal:
    """So many fresh events under one seal."""
    told(at, count)
    for _ in range(PATIENCE):
        if Event.objects.filter(sealed=None).count() == waiting_and_over():
            made = seal(at=at, **how)
            assert made is not None
            return made
        time.sleep(0.1)
    pytest.fail("a transaction on this server has not ended")


def waiting_and_over() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM audit_event e LEFT JOIN audit_sealedevent s ON s.event_id = e.id "
            "WHERE s.event_id IS NULL AND transaction < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
        )
        return cursor.fetchone()[0]


def restored(at, **columns: object) -> Event:
    """An event as ``pg_restore`` brings it from another cluster, whose transactions were numbered far above ours."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        columns = {"transaction": cursor.fetchone()[0] + 10**9} | columns
    return Event.objects.create(at=at, actor="system:test", actor_name="test", verb="thing.done", **columns)


@contextmanager
def writing(at) -> Iterator[None]:
    """Meanwhile somebody else's transaction has written an event, and has not ended."""
    begun, finish = Signal(), Signal()

    def slow() -> None:
        with transaction.atomic():
            record_many(actor=SystemActor("slow"), verb="x", entries=[Entry(None, {})], at=at)
            begun.set()
            finish.wait()
        connection.close()

    writer = Thread(target=slow)
    writer.start()
    begun.wait()
    try:
        yield
    finally:
        finish.set()
        writer.join()


def test_each_seal_continues_the_one_before_it(at):
    first, second = sealed(at), sealed(at, 2)

    assert (first.number, first.previous, first.events) == (1, "", 3)
    assert (second.number, second.previous, second.events) == (2, first.digest, 2)
    assert verify().intact


def test_events_are_sealed_in_the_order_of_their_transactions(at):
    sealed(at, 5)

    entries = SealedEvent.objects.order_by("position").select_related("event")
    order = [(e.event.transaction, e.event_id) for e in entries]
    assert order == sorted(order)
    assert [e.position for e in entries] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("algorithm", ["sm3", "sha256"])
def test_the_algorithm_is_stored_with_the_seal_and_verified_by_it(algorithm, at, settings):
    settings.AUDIT_HASH = algorithm

    made = sealed(at)

    settings.AUDIT_HASH = "sm3"
    assert made.algorithm == algorithm
    assert verify().intact


def test_a_chain_goes_on_when_the_algorithm_is_changed(at):
    sealed(at, algorithm="sha256")
    sealed(at, algorithm="sm3")

    result = verify()

    assert (result.intact, result.seals, result.events) == (True, 2, 6)


def test_an_algorithm_there_is_not_is_a_mistake_of_configuration(at):
    with pytest.raises(ImproperlyConfigured, match="md5"):
        seal(at=at, algorithm="md5")


def test_nothing_to_seal_makes_no_seal(at):
    assert seal(at=at) is None
    assert not Seal.objects.exists()


def test_an_event_waits_while_an_older_transaction_is_running(at):
    with writing(at):
        (quick,) = told(at, 1)
        before = seal(at=at)

    assert before is None
    made = sealed(at, 0)
    first, second = SealedEvent.objects.filter(seal=made).order_by("position").select_related("event")
    assert (first.event.actor_name, second.event_id) == ("slow", quick)


def test_what_was_restored_from_another_cluster_is_sealed_at_once_and_what_is_being_written_here_is_not(at):
    """Its transaction is none of ours: nobody waits until we have counted as far."""
    with writing(at):
        brought = restored(at)
        made = seal(at=at)
        again = seal(at=at)

    assert (made.events, again) == (1, None)
    assert made.entries.get().event_id == brought.pk
    assert sealed(at, 0).entries.get().event.actor_name == "slow"
    assert verify().intact


def test_what_is_written_with_the_seal_waits_for_the_next_one(at):
    with transaction.atomic():
        record_many(actor=SystemActor("test"), verb="x", entries=[Entry(None, {})], at=at)
        within = seal(at=at)

    assert within is None
    assert sealed(at, 0).events == 1


def test_while_one_seals_another_does_nothing(at):
    told(at)
    begun, finish = Signal(), Signal()

    def holder() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SEALER])
            begun.set()
            finish.wait()
        connection.close()

    other = Thread(target=holder)
    other.start()
    begun.wait()
    try:
        assert seal(at=at) is None
    finally:
        finish.set()
        other.join()
    assert sealed(at, 0).events == 3


def test_the_task_seals_all_there_is_in_batches(at, monkeypatch):
    told(at, 3)
    while waiting_and_over() < 3:
        time.sleep(0.1)

    assert tasks.seal() == 3

    assert verify().waiting == 0


def test_a_batch_is_as_large_as_asked_for_and_the_rest_follows(at):
    made = sealed(at, 5, limit=2)

    assert made.events == 2
    assert seal(at=at, limit=2).events == 2
    assert seal(at=at, limit=2).events == 1
    assert verify().events == 5


def test_a_changed_event_is_named(at):
    sealed(at)
    made = sealed(at)
    victim = made.entries.get(position=2)
    with tampering() as cursor:
        cursor.execute("UPDATE audit_event SET after = '{\"n\": 99}' WHERE id = %s", [victim.event_id])

    breach = verify().breach

    assert (breach.damage, breach.seal, breach.position) == (Damage.EVENT_CHANGED, 2, 2)
    assert (breach.event, breach.event_uuid) == (victim.event_id, Event.objects.get(pk=victim.event_id).uuid)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", "2020-01-01Z"),
        ("recorded_at", "2020-01-01Z"),
        ("actor", "user:x"),
        ("outcome", "refused"),
        ("reason", "x"),
    ],
)
def test_a_change_of_any_column_is_found(column, value, at):
    made = sealed(at)
    with tampering() as cursor:
        change = sql.SQL("UPDATE audit_event SET {} = %s WHERE id = %s").format(sql.Identifier(column))
        cursor.execute(change, [value, made.entries.get(position=3).pk])

    assert verify().breach.position == 3


def test_a_removed_event_is_named(at):
    made = sealed(at)
    victim = made.entries.get(position=2).event_id
    with tampering() as cursor:
        cursor.execute("DELETE FROM audit_event WHERE id = %s", [victim])

    breach = verify().breach

    assert (breach.damage, breach.seal, breach.position, breach.event) == (Damage.EVENT_MISSING, 1, 2, victim)


@pytest.mark.parametrize("position", [1, 2, 3])
def test_an_event_removed_together_with_its_entry_leaves_a_hole(position, at):
    made = sealed(at)
    victim = made.entries.get(position=position).event_id
    with tampering() as cursor:
        cursor.execute("DELETE FROM audit_event WHERE id = %s", [victim])
        cursor.execute("DELETE FROM audit_sealedevent WHERE event_id = %s", [victim])

    breach = verify().breach

    assert (breach.damage, breach.seal, breach.position) == (Damage.ENTRY_MISSING, 1, position)


def test_a_changed_event_with_its_digest_made_to_fit_breaks_the_seal(at):
    made = sealed(at)
    sealed(at)
    with tampering() as cursor:
        cursor.execute("UPDATE audit_sealedevent SET digest = repeat('0', 64) WHERE seal_id = %s", [made.pk])
        cursor.execute("UPDATE audit_event SET reason = 'x'")

    assert verify().breach.seal == 1


def test_a_seal_made_again_breaks_the_next_one(at):
    made = sealed(at)
    sealed(at)
    with tampering() as cursor:
        cursor.execute("UPDATE audit_seal SET digest = repeat('0', 64) WHERE id = %s", [made.pk])

    assert (verify().breach.damage, verify().breach.seal) == (Damage.SEAL_CHANGED, 1)


def test_a_removed_seal_is_missed(at):
    sealed(at)
    made = sealed(at)
    sealed(at)
    with tampering() as cursor:
        cursor.execute("DELETE FROM audit_seal WHERE id = %s", [made.pk])

    assert (verify().breach.damage, verify().breach.seal) == (Damage.SEAL_MISSING, 2)


def test_a_chain_cut_off_at_its_end_is_shown_by_an_anchor(at):
    sealed(at)
    kept = sealed(at)
    anchor = Anchor(kept.number, kept.digest)
    with tampering() as cursor:
        cursor.execute(
            "DELETE FROM audit_event USING audit_sealedevent s WHERE s.event_id = audit_event.id AND s.seal_id = %s",
            [kept.pk],
        )
        cursor.execute("DELETE FROM audit_sealedevent WHERE seal_id = %s", [kept.pk])
        cursor.execute("DELETE FROM audit_seal WHERE id = %s", [kept.pk])

    assert verify().intact
    assert (verify(anchors=[anchor]).breach.damage, verify(anchors=[anchor]).breach.seal) == (
        Damage.SEAL_MISSING,
        2,
    )


def test_an_anchor_of_another_chain_is_noticed(at):
    sealed(at)

    assert verify(anchors=[Anchor(1, "0" * 64)]).breach.damage == Damage.ANCHOR_DIFFERS


def test_the_command_says_that_the_chain_is_intact_and_what_to_keep(at):
    made = sealed(at)
    out = StringIO()

    call_command("verify_audit", stdout=out)

    assert "1 seals over 3 events, 0 waiting" in out.getvalue()
    assert f"1:{made.digest}" in out.getvalue()


def test_the_command_fails_and_names_the_record(at):
    made = sealed(at)
    victim = made.entries.get(position=1).event_id
    with tampering() as cursor:
        cursor.execute("UPDATE audit_event SET reason = 'x' WHERE id = %s", [victim])

    with pytest.raises(
        CommandError, match=f"seal 1, place 1, event {victim}: the event is not as it was sealed"
    ):
        call_command("verify_audit", f"--anchor=1:{made.digest}")


@pytest.mark.parametrize("text", ["abc", "0:abc", "-1:abc"])
def test_an_anchor_that_is_none_is_refused(text):
    with pytest.raises(CommandError, match="NUMBER:DIGEST"):
        call_command("verify_audit", f"--anchor={text}")


def test_how_long_the_oldest_event_has_had_no_seal(at):
    assert unsealed() == 0
    restored(at, recorded_at=timezone.now() - timedelta(minutes=3))
    told(at, 1)

    assert 180 <= unsealed() < 240
    assert not verify().late

    while seal(at=at) is not None or Event.objects.filter(sealed=None).exists():
        time.sleep(0.1)
    assert unsealed() == 0


def test_the_command_fails_while_events_have_waited_too_long_for_a_seal(at):
    sealed(at)
    restored(at, recorded_at=timezone.now() - LATE - timedelta(minutes=1))
    out = StringIO()

    with pytest.raises(
        CommandError, match=r"1 events have no seal, the oldest for 1:01:\d\d: sealing has stopped"
    ):
        call_command("verify_audit", stdout=out)
    assert "Intact: 1 seals over 3 events, 1 waiting" in out.getvalue()

    assert seal(at=at).events == 1
    call_command("verify_audit", stdout=out)
