"""kombu's broker made of files, with messages that appear whole.

kombu 5.7 opens a message's file under its final name and locks it afterwards: a worker that looks in between reads half a
message and dies of it. Here a message is written under another name first. Which messages are lost when a process
dies does not matter: they only say "look" (docs/decisions/0001).
"""

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem


def options(var: Path) -> dict[str, object]:
    """Celery's ``broker_transport_options`` for a broker below ``var``."""
    queue, control = str(var / "broker" / "queue"), str(var / "broker" / "control")
    return {
        "data_folder_in": queue,
        "data_folder_out": queue,
        "control_folder": control,
        "polling_interval": 0.05,
    }


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: dict[str, Any], **_options: Any) -> None:  # type: ignore[override]
        """Write a message; other processes see all of it or nothing. Names sort by time, as kombu reads them."""
        folder = Path(self.data_folder_out)
        name = f"{time.monotonic_ns() // 1_000_000}_{uuid4()}"
        draft = folder / f"{name}.draft"
        draft.write_text(json.dumps(payload))
        draft.rename(folder / f"{name}.{queue}.msg")

    def get_table(self, exchange: str) -> list[Any]:
        """The queues of an exchange; none while another process is just writing the file."""
        try:
            table: list[Any] = super().get_table(exchange)
        except ValueError:
            return []
        return table


class Transport(filesystem.Transport):
    Channel = Channel
