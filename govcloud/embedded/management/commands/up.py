import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from rich.console import Console

from govcloud.embedded import installation, postgres
from govcloud.embedded.supervisor import NotReadyError, Supervisor
from govcloud.gateways import openstack

console = Console(highlight=False)
SANDBOX = "sandbox"


class Command(BaseCommand):
    help = (
        "Start an embedded installation: database, sandbox cloud, worker, scheduler and web server under one supervisor. "
        "Ctrl-C stops all of them; the data stay. OS_CLOUD names another cloud of clouds.yaml to build on."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="of the web server; 0 takes a free one")
        parser.add_argument(
            "--cloud-port", type=int, default=0, help="of the sandbox cloud; 0 takes a free one"
        )
        parser.add_argument("--workers", type=int, default=4, help="processes of the worker")
        parser.add_argument("--story", action="store_true", help="play the story once everything is up")
        parser.add_argument(
            "--leave", action="store_true", help="stop after the story instead of staying open"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError("DATABASE_URL is set: run the parts as services; see README.md.")
        if postgres.is_running(settings.VAR_DIR):
            raise CommandError(f"An installation is running already on {settings.VAR_DIR}.")
        told: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _frame: told.append(received))
        supervisor = Supervisor(say=console.print)
        try:
            failed = self._run(supervisor, told, options)
        except NotReadyError as error:
            raise CommandError(str(error)) from error
        finally:
            connections.close_all()
            with console.status("Stopping"):
                supervisor.stop()
            console.print("Everything is stopped; the data stay in", str(settings.VAR_DIR))
        if failed:
            sys.exit(1)

    def _run(self, supervisor: Supervisor, told: list[int], options: dict[str, Any]) -> bool:
        cloud = os.environ.get("OS_CLOUD") or SANDBOX
        port, url = _port(options["port"])
        os.environ.setdefault("PORTAL_URL", url)  # of those who write mail with links, started from here
        began = time.monotonic()
        with console.status("Starting") as status:
            status.update("Starting the database")
            installation.prepare()
            supervisor.start(installation.database())
            postgres.ensure_database(settings.VAR_DIR)
            if cloud == SANDBOX:
                status.update("Starting the sandbox cloud")
                supervisor.start(installation.sandbox(_remembered_port(options["cloud_port"])))
            status.update("Bringing the database up to date")
            call_command("migrate", verbosity=0)
            status.update("Loading the demo data")
            call_command("load_demo", cloud=cloud, verbosity=0)
            connections.close_all()
            status.update("Starting worker, scheduler and web server")
            supervisor.start(
                installation.worker(options["workers"]), installation.beat(), installation.web(port)
            )
        console.print(f"Everything is up after {time.monotonic() - began:.1f} s.")
        _warn_of(cloud)
        failed = options["story"] and not told and self._story(supervisor, url, told) != 0
        if not (options["leave"] or told):
            call_command("load_demo", cloud=cloud, show_logins=True, url=url)
            console.print(f"[bold]The portal is open at {url}/[/bold]   Ctrl-C stops everything.")
            while not told:
                supervisor.tend()
                time.sleep(0.5)
        return bool(failed)

    def _story(self, supervisor: Supervisor, url: str, told: list[int]) -> int:
        """Play the story as a client of its own, over HTTP; give up on it when told to stop."""
        manage = Path(settings.BASE_DIR) / "manage.py"
        process = subprocess.Popen(
            [sys.executable, str(manage), "story", "--url", url], start_new_session=True
        )
        while process.poll() is None:
            if told:
                process.terminate()
            supervisor.tend()
            time.sleep(0.2)
        return process.returncode


def _port(wanted: int) -> tuple[int, str]:
    try:
        port = installation.free_port(wanted)
    except OSError as error:
        raise CommandError(
            f"Port {wanted} is taken; choose another with --port ({error.strerror})."
        ) from error
    return port, f"http://127.0.0.1:{port}"


def _remembered_port(wanted: int) -> int:
    """The sandbox's port of last time if it is still free: what it told its clients stays true."""
    note = Path(settings.VAR_DIR) / "sandbox" / "port"
    if not wanted and note.exists():
        try:
            return installation.free_port(int(note.read_text()))
        except OSError:
            console.print("The sandbox cloud's port of last time is taken; it takes another one.")
    port = installation.free_port(wanted)
    note.write_text(str(port))
    return port


def _warn_of(cloud: str) -> None:
    """Say so when the cloud cannot be used: the portal works, and approved orders wait for it."""
    found = openstack.health(cloud=cloud)
    if not found.ok:
        where = f" ({found.service})" if found.service else ""
        console.print(
            f"[bold yellow]The cloud {cloud!r} cannot be used now: {found.state}{where}.[/] {found.detail}\n"
            "Orders can be made and approved; what is approved waits and is built once the cloud answers."
        )
