from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.guests.fleet import Fleet
from govcloud.sandbox.store import Store
from govcloud.sandbox.timeline import transition

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cloud.sqlite"


def test_what_was_committed_is_there_after_a_restart_in_the_order_in_which_it_was_made(path: Path):
    store = Store(path)
    for name in ("z", "a", "m"):
        store.save("project", {"id": name, "name": name})
    store.commit()
    store.save("project", {"id": "z", "name": "renamed"})
    store.close()
    assert [row["name"] for row in Store(path).find("project")] == ["renamed", "a", "m"]


def test_what_was_not_committed_is_lost(path: Path):
    store = Store(path)
    store.save("project", {"id": "p", "name": "p"})
    assert Store(path).find("project") == []


def test_an_index_follows_a_row_that_changes(path: Path):
    store = Store(path)
    row = store.save("port", {"id": "p", "network_id": "n", "device_id": ""})
    row["device_id"] = "server"
    store.save("port", row)
    assert store.find("port", device_id="server") == [row]
    assert store.find("port", device_id="") == []
    store.delete("port", "p")
    assert store.find("port", device_id="server") == []


def test_several_columns_narrow_together(path: Path):
    store = Store(path)
    store.save("port", {"id": "1", "network_id": "n", "device_id": "a"})
    store.save("port", {"id": "2", "network_id": "n", "device_id": "b"})
    assert [row["id"] for row in store.find("port", network_id="n", device_id="b")] == ["2"]


@transition("test.note")
def _note(cloud: Cloud, at: datetime, args: dict) -> None:
    cloud.store.save("note", {"id": args["name"], "at": at.isoformat()})
    if args.get("then"):
        cloud.timeline.schedule("test.note", at, seconds=args["after"], name=args["then"])


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(directory=tmp_path, base_url="http://sandbox", guests=Fleet(tmp_path, enabled=False))


def notes(cloud: Cloud) -> list[str]:
    return [row["id"] for row in cloud.store.find("note")]


def test_transitions_happen_in_order_when_they_are_due(cloud: Cloud):
    cloud.timeline.schedule("test.note", NOON, seconds=2, name="second")
    cloud.timeline.schedule("test.note", NOON, seconds=1, name="first")
    cloud.settle(NOON)
    assert notes(cloud) == []
    cloud.settle(NOON + timedelta(seconds=5))
    assert notes(cloud) == ["first", "second"]


def test_a_transition_may_lead_to_another_which_keeps_its_own_time(cloud: Cloud):
    cloud.timeline.schedule("test.note", NOON, name="now", then="later", after=3)
    cloud.settle(NOON + timedelta(seconds=1))
    assert notes(cloud) == ["now"]
    cloud.settle(NOON + timedelta(seconds=3))
    assert notes(cloud) == ["now", "later"]


def test_a_restart_forgets_no_transition(cloud: Cloud, tmp_path: Path):
    cloud.timeline.schedule("test.note", NOON, seconds=1, name="kept")
    cloud.store.close()
    again = Cloud(directory=tmp_path, base_url="http://sandbox", guests=Fleet(tmp_path, enabled=False))
    again.settle(NOON + timedelta(seconds=1))
    assert notes(again) == ["kept"]
