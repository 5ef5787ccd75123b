"""``/healthz``: the process answers. ``/readyz``: it can do its work, and somebody is there to do what it rings for."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import yaml
from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse
from kombu import Connection
from kombu.exceptions import OperationalError

from govcloud import clock
from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.clouds import credentials, guest_keys
from govcloud.provisioning import presence

BROKER_TIMEOUT = 2  # seconds
PATIENCE = 3.0  # seconds for all checks, which run side by side

Check = Callable[[], str]
"""Empty when its part is well, else what is wrong, without telling more than its name and the kind of trouble."""


def healthz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """503 while a part fails that this process cannot work without. Without workers it can: what is ordered waits in the rows."""
    runs = {name: probe.start() for name, probe in PROBES.items()}
    deadline = time.monotonic() + PATIENCE
    troubles = {name: run.outcome(deadline) for name, run in runs.items()}
    ready = not any(troubles[name] for name in NEEDED)
    status = "ready" if not any(troubles.values()) else "degraded" if ready else "not-ready"
    body = {"status": status, "checks": {name: trouble or "ok" for name, trouble in troubles.items()}}
    return JsonResponse(body, status=200 if ready else 503)


class Probe:
    """Runs a check in a thread of its own. One that hangs is not waited for, nor started again before it has ended."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self.lock = threading.Lock()
        self.run: Run | None = None

    def start(self) -> "Run":
        with self.lock:
            if self.run is None or self.run.ended.is_set():
                self.run = Run(self.check)
            return self.run


class Run:
    def __init__(self, check: Check) -> None:
        self.check, self.ended, self.trouble = check, threading.Event(), ""
        threading.Thread(target=self._go, daemon=True).start()

    def _go(self) -> None:
        try:
            self.trouble = self.check()
        except Exception as error:  # noqa: BLE001  whatever it was: the part is not well, and the others are still to be told
            self.trouble = type(error).__name__
        finally:
            connections.close_all()  # this thread's
            self.ended.set()

    def outcome(self, deadline: float) -> str:
        """By ``deadline``, of the monotonic clock, at the latest."""
        in_time = self.ended.wait(max(0.0, deadline - time.monotonic()))
        return self.trouble if in_time else f"no answer within {PATIENCE:.0f} s"


def database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def migrations() -> str:
    """Whether the tables are those of this code. A table that is newer than the code is no trouble: an update is under way."""
    missing = len(_migrations_of_the_code() - set(MigrationRecorder(connection).applied_migrations()))
    return f"not applied: {missing}" if missing else ""


@cache
def _migrations_of_the_code() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def broker() -> str:
    """A broker made of files must be writable; any other must accept a connection."""
    if settings.CELERY_BROKER_URL.startswith("filesystem:"):
        folder = Path(str(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_in"]))
        folder.mkdir(parents=True, exist_ok=True)
        return "" if os.access(folder, os.W_OK) else "not writable"
    try:
        with Connection(settings.CELERY_BROKER_URL, connect_timeout=BROKER_TIMEOUT) as broker_connection:
            broker_connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT)
    except (OperationalError, OSError) as error:
        return type(error).__name__
    return ""


def clouds() -> str:
    """Every enabled cloud has its entry in clouds.yaml, or credentials that can be decrypted here. Asks no cloud."""
    path = Path(os.environ.get("OS_CLIENT_CONFIG_FILE", ""))
    try:
        configured = yaml.safe_load(path.read_text()) if path.is_file() else {}
        enabled = Cloud.objects.filter(status=CloudStatus.ENABLED)
        needed = set(enabled.exclude(profile="").values_list("profile", flat=True))
        locked = [*credentials.unreadable(), *guest_keys.unreadable()]
    except (DatabaseError, OSError, yaml.YAMLError) as error:
        return type(error).__name__
    missing = needed - set((configured or {}).get("clouds", {}))
    if missing:
        return f"not configured: {', '.join(sorted(missing))}"
    return f"no key for the credentials of: {', '.join(locked)}" if locked else ""


def workers() -> str:
    return "" if presence.workers_present(at=clock.now()) else "none seen"


def sweep() -> str:
    at = clock.now()
    last = presence.last_sweep()
    if last is None:
        return "never seen"
    return f"last seen {(at - last).total_seconds():.0f} s ago" if presence.overdue(last, at=at) else ""


NEEDED = frozenset({"database", "migrations", "broker", "clouds"})
PROBES: Mapping[str, Probe] = {
    check.__name__: Probe(check) for check in (database, migrations, broker, clouds, workers, sweep)
}
