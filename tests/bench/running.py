"""Worker processes on the test's database, a broker of their own made of files, and a sandbox cloud beside them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from django.db import connection
from kombu import Connection

from govcloud.clouds import guest_keys
from govcloud.provisioning import tasks


class Workers:
    """Nodes of ``celery worker``, by name, and the scheduler; all with the settings that an installation has by default."""

    def __init__(self, var: Path, clouds: Path, settings: Mapping[str, str]) -> None:
        database = connection.settings_dict
        for folder in ("broker/queue", "broker/control", "runs"):
            (var / folder).mkdir(parents=True)
        guest_keys.make(var / "guest_key")
        self.var = var
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        socket = f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}"
        configured = os.environ.get("DATABASE_URL", "").rsplit("/", 1)[0] + f"/{database['NAME']}"
        self.environment = {
            **os.environ,
            "DATABASE_URL": configured if database["PASSWORD"] or database["PORT"] else socket,
            "SECRET_KEY": "for this bench",
            "CREDENTIAL_KEYS": "one key for this bench that is long enough to be one",
            "BROKER_URL": "filesystem://",
            "GOVCLOUD_VAR": str(var),
            "OS_CLIENT_CONFIG_FILE": str(clouds),
            "LOG_LEVEL": "WARNING",
            **settings,
        }

    def start(self, name: str, *, concurrency: int) -> None:
        self._run(
            name,
            "worker",
            "-n",
            f"{name}@bench",
            "-c",
            str(concurrency),
            "--without-mingle",
            "--without-gossip",
        )
        wait(lambda: "ready." in (self.var / f"{name}.log").read_text(), seconds=60)

    def start_beat(self) -> None:
        self._run("beat", "beat", "--pidfile=")

    def _run(self, name: str, *command: str) -> None:
        with (self.var / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "govcloud", *command, "--loglevel", "INFO"],
                env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def ring(self) -> None:
        """The bell that the web process rings after it has written an order; this process has a broker of its own."""
        folder = str(self.var / "broker" / "queue")
        options = {
            "data_folder_in": folder,
            "data_folder_out": folder,
            "control_folder": str(self.var / "broker" / "control"),
        }
        with Connection("filesystem://", transport_options=options) as broker:
            tasks.ring.apply_async(connection=broker, ignore_result=True)

    def kill(self, name: str) -> None:
        """SIGKILL to it and its children at once."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)


def wait(until: Callable[[], bool], *, seconds: float, every: float = 0.02) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(every)
