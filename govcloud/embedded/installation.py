"""The processes of an embedded installation, and what is prepared before they start."""

import os
import shutil
import socket
import sys
from pathlib import Path

from django.conf import settings

from govcloud.clouds import guest_keys
from govcloud.embedded import postgres
from govcloud.embedded.supervisor import Child, answers


def prepare() -> None:
    """Folders, the guests' key, the database cluster. Nothing that is there already is changed."""
    for folder in ("log", "broker/queue", "broker/control", "runs", "sandbox"):
        (settings.VAR_DIR / folder).mkdir(parents=True, exist_ok=True)
    guest_keys.make(settings.GUEST_KEY_FILE)
    shutil.rmtree(settings.RUN_DIR, ignore_errors=True)  # of runs whose workers are gone
    settings.RUN_DIR.mkdir(mode=0o700)
    postgres.prepare(settings.VAR_DIR)


def database() -> Child:
    return Child(
        name="database",
        command=postgres.server_command(settings.VAR_DIR),
        log=_log("postgres"),
        ready=lambda: postgres.is_running(settings.VAR_DIR),
        stop_with=postgres.FAST_SHUTDOWN,
    )


def sandbox(port: int) -> Child:
    """The sandbox cloud; its clouds.yaml is written before it says that it is ready."""
    state = settings.VAR_DIR / "sandbox"
    return Child(
        name="sandbox cloud",
        command=[sys.executable, "-m", "govcloud.sandbox", "--state", str(state), "--port", str(port)],
        log=_log("sandbox"),
        ready=lambda: answers(f"http://127.0.0.1:{port}/sandbox/health"),
    )


def worker(concurrency: int) -> Child:
    options = ["--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    return Child(
        name="worker",
        command=[*_celery(), "worker", "--concurrency", str(concurrency), *options],
        log=_log("worker"),
        ready=lambda: "ready." in _tail(_log("worker")),
    )


def beat() -> Child:
    pid_file = settings.VAR_DIR / "beat.pid"
    pid_file.unlink(missing_ok=True)  # of one that was killed; this installation has only one supervisor
    return Child(
        name="scheduler",
        command=[*_celery(), "beat", "--loglevel", "WARNING", "--pidfile", str(pid_file)],
        log=_log("beat"),
    )


def web(port: int) -> Child:
    return Child(
        name="web server",
        command=[
            sys.executable, "-m", "gunicorn", "govcloud.wsgi:application", "--bind", f"127.0.0.1:{port}",
            "--workers", "2", "--worker-class", "gthread", "--threads", "4", "--access-logfile", "-",
        ],
        log=_log("web"),
        ready=lambda: answers(f"http://127.0.0.1:{port}/healthz"),
    )  # fmt: skip


def _celery() -> list[str]:
    return [sys.executable, "-m", "celery", "--app", "govcloud", "--quiet"]


def _log(name: str) -> Path:
    return Path(settings.VAR_DIR) / "log" / f"{name}.log"


def _tail(path: Path, size: int = 4_000) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def free_port(wanted: int) -> int:
    """The wanted port of the loopback interface; another free one if 0 is wanted. Raises OSError if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", wanted))
        port: int = probe.getsockname()[1]
        return port
