"""``/healthz``: the process answers. ``/readyz``: it can do its work (database, broker, clouds)."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from kombu import Connection
from kombu.exceptions import OperationalError

from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.clouds import credentials

BROKER_TIMEOUT = 2  # seconds


def healthz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """503 names each part that fails, without telling more than its name and kind of trouble."""
    results = {name: check() for name, check in CHECKS.items()}
    ready = not any(results.values())
    body = {
        "status": "ready" if ready else "not-ready",
        "checks": {name: trouble or "ok" for name, trouble in results.items()},
    }
    return JsonResponse(body, status=200 if ready else 503)


def database() -> str:
    """Empty when the database answers, else what is wrong."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return type(error).__name__
    return ""


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
        locked = credentials.unreadable()
    except (DatabaseError, OSError, yaml.YAMLError) as error:
        return type(error).__name__
    missing = needed - set((configured or {}).get("clouds", {}))
    if missing:
        return f"not configured: {', '.join(sorted(missing))}"
    return f"no key for the credentials of: {', '.join(locked)}" if locked else ""


CHECKS: Mapping[str, Callable[[], str]] = {"database": database, "broker": broker, "clouds": clouds}
