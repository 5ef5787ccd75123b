import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from govcloud.embedded import postgres


class Command(BaseCommand):
    help = "Run the embedded PostgreSQL in the foreground, for development; Ctrl-C stops it."
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError("DATABASE_URL is set: there is no embedded database to run.")
        if postgres.is_running(settings.VAR_DIR):
            raise CommandError("The embedded database is running already.")
        process = postgres.start(settings.VAR_DIR)
        self.stdout.write(f"PostgreSQL listens on {postgres.socket_directory(settings.VAR_DIR)}")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            process.wait()
        except KeyboardInterrupt:
            postgres.stop(process)
