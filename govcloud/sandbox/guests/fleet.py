"""The guests of one cloud."""

from pathlib import Path

from govcloud.sandbox.guests.disks import Disks
from govcloud.sandbox.store import Row


class Fleet:
    """Guests that run, by server."""

    def __init__(self, directory: Path, *, enabled: bool) -> None:
        self.disks = Disks(directory / "disks")
        self.mode = "none"
        self.reason = "not asked for" if not enabled else ""

    def stop(self, server_id: str) -> None:
        """End a guest."""

    def attach(self, server_id: str, volume_id: str, device: str) -> None:
        """Show a volume inside a running guest."""

    def detach(self, server_id: str, volume_id: str, device: str) -> None:
        """Take a volume out of a running guest."""

    def extend(self, volume: Row) -> None:
        """Let a running guest see a volume's new size."""

    def console(self, server: Row) -> str:
        """What a guest printed."""
        return f"{server['hostname']} login: "
