"""The whole sandbox cloud: its memory, its clock-driven transitions, its faults, and the lock that makes each call atomic."""

import threading
import uuid
from collections import Counter, deque
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from govcloud.sandbox.errors import bad_request
from govcloud.sandbox.faults import Faults
from govcloud.sandbox.guests.fleet import Fleet
from govcloud.sandbox.store import Row, Store
from govcloud.sandbox.timeline import Timeline


@dataclass
class Timing:
    """How long the cloud takes for what it does by itself, in seconds; a token's life as well."""

    build_seconds: float = 0.8
    delete_seconds: float = 0.4
    action_seconds: float = 0.4
    volume_seconds: float = 0.4
    attach_seconds: float = 0.3
    backup_seconds: float = 0.6
    token_seconds: float = 3600.0

    def change(self, document: dict[str, Any]) -> None:
        """Set the named delays.

        Raises:
            ApiError: 400 for an unknown name or a value that is not a number.

        """
        for name, value in document.items():
            if name not in asdict(self) or not isinstance(value, int | float) or value < 0:
                raise bad_request(f"not a delay: {name}={value!r}")
            setattr(self, name, float(value))


class CallLog:
    """What was asked of the cloud: counts by service, method and path, and the last calls in full."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._recent: deque[dict[str, Any]] = deque(maxlen=5000)

    def record(
        self, *, service: str, method: str, route: str, path: str, status: int, request_id: str
    ) -> None:
        """Add one call; status 0 means that no answer was sent."""
        with self._lock:
            self._counts[service, method, route] += 1
            self._recent.append(
                {
                    "service": service,
                    "method": method,
                    "path": path,
                    "status": status,
                    "request_id": request_id,
                }
            )

    def clear(self) -> None:
        """Start counting anew."""
        with self._lock:
            self._counts.clear()
            self._recent.clear()

    def report(self) -> dict[str, Any]:
        """Counts and recent calls, for tests to look at."""
        with self._lock:
            counts = [
                {"service": service, "method": method, "path": route, "count": count}
                for (service, method, route), count in sorted(self._counts.items())
            ]
            return {"counts": counts, "recent": list(self._recent)}


class Cloud:
    """One cloud under one directory. Every method of every service runs under `lock`."""

    def __init__(self, *, directory: Path, base_url: str, guests: Fleet) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.base_url = base_url
        self.lock = threading.RLock()
        self.store = Store(directory / "cloud.sqlite")
        self.timeline = Timeline(self.store)
        self.timing = Timing()
        self.faults = Faults()
        self.calls = CallLog()
        self.guests = guests

    def settle(self, now: datetime) -> None:
        """Bring the cloud up to `now`."""
        with self.lock:
            self.timeline.settle(self, now)

    def new(self, kind: str, row: Row, *, at: datetime) -> Row:
        """Store a new row with an id (unless it brings one) and its time of creation."""
        stamp = at.isoformat(timespec="microseconds")
        return self.store.save(
            kind, {"id": str(uuid.uuid4()), "created_at": stamp, "updated_at": None, **row}
        )

    def change(self, kind: str, row: Row, *, at: datetime, **columns: Any) -> Row:
        """Update columns of a row in place and store it."""
        row.update(columns, updated_at=at.isoformat(timespec="microseconds"))
        return self.store.save(kind, row)

    def amend(self, kind: str, row: Row, **columns: Any) -> Row:
        """Change what a service keeps beside a row (Nova's tags, Cinder's metadata): its time of change stays."""
        row.update(columns)
        return self.store.save(kind, row)
