"""The longest table is searched by indexes."""

from datetime import datetime

import pytest
from django.db import connection, transaction

from govcloud.audit import services
from govcloud.audit.models import Event
from govcloud.audit.queries import narrowed
from govcloud.audit.services import Entry, SystemActor
from govcloud.portal.audit.rows import listed
from govcloud.portal.listing import Narrowing

pytestmark = pytest.mark.django_db
MANY = 3_000


@pytest.fixture
def trail(at: datetime) -> None:
    """Thousands of events, two of which are about something else and one of which was asked for by a request."""
    entries = [Entry(None, {}, label=f"GC-2026-{number:06d} 统计直报系统上云") for number in range(MANY)]
    with transaction.atomic():
        services.record_many(actor=SystemActor("tests"), verb="order.drafted", entries=entries, at=at)
        services.record(
            actor=SystemActor("tests"), verb="quota.changed", subject=None, label="低保 IoT_hub", at=at
        )
        with services.request("call-7"):
            services.record(actor=SystemActor("tests"), verb="order.drafted", subject=None, label="税", at=at)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE audit_event")


@pytest.mark.parametrize(
    ("text", "verbs"),
    [
        ("低保", ["quota.changed"]),
        ("iot_HUB", ["quota.changed"]),
        ("保低", []),
        ("quota.", ["quota.changed"]),
        ("changed", []),  # a verb is found by what it begins with
        ("税", ["order.drafted"]),
        ("call-7", ["order.drafted"]),
        ("低保 税", []),
        ("低保 quota", ["quota.changed"]),
        ("%", []),
    ],
)
@pytest.mark.usefixtures("trail")
def test_a_word_is_found_in_what_it_always_was(text: str, verbs: list[str]) -> None:
    assert [event.verb for event in listed(Narrowing(text=text))] == verbs


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("低保", "audit_event_grams"),
        ("量子", "audit_event_grams"),
        ("quota.", "audit_event_grams"),
        ("call-7", "audit_event_request"),
    ],
)
@pytest.mark.usefixtures("trail")
def test_a_word_that_few_events_have_is_found_by_an_index(text: str, index: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")  # of a short trail in the order of its keys
    plan = listed(Narrowing(text=text)).explain()
    assert f"Bitmap Index Scan on {index}" in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize("text", ["上云", "系统上云 order.", "order.drafted"])
@pytest.mark.usefixtures("trail")
def test_what_many_events_have_is_looked_for_from_the_last_one_back(text: str) -> None:
    filters = Narrowing(text=text)
    assert "audit_event_grams" not in listed(filters, many=True)[:5].explain()
    assert list(listed(filters, many=True)) == list(listed(filters))


@pytest.mark.usefixtures("trail")
def test_what_the_index_finds_has_the_pairs_of_the_word() -> None:
    """It is for whoever asks to compare the word itself."""
    assert narrowed(Event.objects.all(), ["低保"]).count() == 1
