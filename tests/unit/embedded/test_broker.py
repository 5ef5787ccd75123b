import threading
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Queue

from govcloud import celery  # noqa: F401  puts our transport in the place of kombu's

MESSAGES = 300


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    options = {
        "data_folder_in": str(tmp_path / "queue"),
        "data_folder_out": str(tmp_path / "queue"),
        "control_folder": str(tmp_path / "control"),
        "polling_interval": 0.01,
    }
    for folder in ("queue", "control"):
        (tmp_path / folder).mkdir()
    return Connection("filesystem://", transport_options=options)


def test_messages_arrive_whole_while_others_are_being_written(connection: Connection) -> None:
    """With kombu's own transport a reader dies of a half-written message within a few hundred."""
    queue = Queue("bells", routing_key="bells")
    read: list[Any] = []
    writers = [threading.Thread(target=write, args=(connection.clone(), queue, MESSAGES)) for _ in range(2)]
    for writer in writers:
        writer.start()
    with connection as reading, reading.SimpleQueue(queue) as simple:
        while len(read) < MESSAGES * 2:
            message = simple.get(timeout=10)
            read.append(message.payload["number"])
            message.ack()
    for writer in writers:
        writer.join()
    assert sorted(read) == sorted([*range(MESSAGES), *range(MESSAGES)])


def write(connection: Connection, queue: Queue, count: int) -> None:
    with connection as writing, writing.SimpleQueue(queue) as simple:
        for number in range(count):
            simple.put({"number": number, "padding": "x" * 2000})


def test_nothing_is_left_behind(connection: Connection, tmp_path: Path) -> None:
    write(connection.clone(), Queue("bells", routing_key="bells"), 3)
    assert len(list((tmp_path / "queue").glob("*.msg"))) == 3
    assert not list((tmp_path / "queue").glob("*.draft"))
