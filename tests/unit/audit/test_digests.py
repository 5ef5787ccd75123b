"""What is hashed when events are sealed."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from govcloud.audit.models import Seal
from govcloud.audit.sealing import COLUMNS, canonical, event_digest, hexdigest, seal_digest

NOON = datetime(2026, 11, 18, 4, 0, 0, 5, tzinfo=UTC)
EVENT = {
    "id": 7,
    "uuid": UUID("6a1f0a0e-0000-4000-8000-000000000001"),
    "at": NOON,
    "recorded_at": NOON,
    "actor": "system:engine",
    "actor_name": "engine",
    "verb": "order.submitted",
    "subject_type": "orders.order",
    "subject_id": None,
    "subject_label": "GC-2026-000001",
    "thread": None,
    "before": {},
    "after": {"b": 1, "a": ["二", None]},
    "outcome": "done",
    "reason": "",
    "request_id": "",
    "transaction": 12,
}


def test_json_is_written_in_one_form_only():
    assert canonical({"b": "二", "a": {"d": 1, "c": None}}) == '{"a":{"c":null,"d":1},"b":"二"}'.encode()


def test_an_instant_reads_the_same_from_every_time_zone():
    beijing = NOON.astimezone(timezone(timedelta(hours=8)))

    assert (
        canonical({"at": beijing}) == canonical({"at": NOON}) == b'{"at":"2026-11-18T04:00:00.000005+00:00"}'
    )


def test_every_column_of_an_event_is_in_its_digest():
    assert set(EVENT) == set(COLUMNS)
    digest = event_digest(EVENT, "sha256")

    for column in COLUMNS:
        assert event_digest({**EVENT, column: "something else"}, "sha256") != digest, column


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("sm3", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),  # GB/T 32905, example 1
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),  # FIPS 180-2, B.1
    ],
)
def test_the_algorithms_are_those_of_their_standards(algorithm, digest):
    assert hexdigest(algorithm, b"abc") == digest


@pytest.mark.parametrize(
    "change", [{"number": 3}, {"at": NOON}, {"algorithm": "sm3"}, {"previous": "00"}, {"events": 3}]
)
def test_everything_a_seal_says_is_in_its_digest(change):
    said = {"number": 2, "at": NOON + timedelta(1), "algorithm": "sha256", "previous": "ff", "events": 2}

    assert seal_digest(Seal(**said), ["a", "b"]) != seal_digest(Seal(**{**said, **change}), ["a", "b"])


def test_the_order_of_events_is_in_the_seal_s_digest():
    seal = Seal(number=1, at=NOON, algorithm="sm3", previous="", events=2)

    assert seal_digest(seal, ["a", "b"]) != seal_digest(seal, ["b", "a"])
