"""The guests of one cloud: which can run here, which run now, and what is plugged into them.

A guest starts when somebody first reaches for its server, not before: three hundred servers cost nothing until they are used.
Above the limit the one unused for longest makes room; what it wrote stays on its disk.
"""

import contextlib
import os
import shutil
import stat
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from govcloud.sandbox.guests import base, kernel, loops
from govcloud.sandbox.guests.disks import Disks, Place
from govcloud.sandbox.guests.spawner import GuestOrder, Spawner, SpawnError
from govcloud.sandbox.store import Row

LIVE_GUESTS = 12
"""How many guests run at once unless the entry point says otherwise."""

_SERIAL = 20
_PROBE = "probe"


@dataclass(frozen=True)
class Plug:
    """A data volume of a server: its id, size in GB, and device name in the guest."""

    volume_id: str
    gigabytes: int
    device: str


@dataclass(frozen=True)
class Wanted:
    """A server as its guest needs to know it. `disk` is where its root's changes are kept."""

    server_id: str
    hostname: str
    disk: Place
    keys: list[str]
    plugs: list[Plug]


@dataclass
class _Guest:
    socket: str
    pid: int
    used_at: float
    sessions: int = 0
    devices: dict[str, loops.LoopDevice] = field(default_factory=dict)


def _mount_points(pid: int, device: str) -> list[str]:
    """Where a guest has mounted a device."""
    lines = [line.split() for line in Path(f"/proc/{pid}/mounts").read_text().splitlines()]
    return [words[1] for words in lines if words[0] == device]


class Unreachable(Exception):
    """There is no guest to reach, and why."""


class Fleet:
    """Guests by server. Its methods may be called from any thread."""

    def __init__(self, directory: Path, *, enabled: bool, live: int = LIVE_GUESTS) -> None:
        self.disks = Disks(directory / "disks")
        self.mode = "none"
        self.reason = "switched off"
        self._directory = directory
        self._live = live
        self._lock = threading.RLock()
        self._guests: dict[str, _Guest] = {}
        self._spawner: Spawner | None = None
        if enabled:
            self._prepare()

    def _prepare(self) -> None:
        for name in ("run", "guests/root", "disks"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        for stale in (self._directory / "run").iterdir():
            stale.unlink()
        loops.sweep(self._directory / "disks")
        base.build(self._directory / "guests" / "base")
        spawner = Spawner(self._directory, ended=self._forget)
        try:
            spawner.wait_until_ready()
            spawner.start(GuestOrder(_PROBE, _PROBE, f"disks/{_PROBE}", _PROBE))
            spawner.stop(_PROBE)
        except SpawnError as error:
            spawner.close()
            self.reason = str(error)
            return
        finally:
            self.disks.remove((_PROBE,))
        self._spawner = spawner
        self.mode, self.reason = self._block_devices()

    def _block_devices(self) -> tuple[str, str]:
        """Whether attached volumes can be block devices in a guest."""
        if os.geteuid() != 0:
            return "no-block-devices", "block devices need root"
        path = self._directory / "disks" / _PROBE
        try:
            path.touch()
            os.truncate(path, 1 << 20)
            loops.LoopDevice(path).release()
        except OSError as error:
            return "no-block-devices", f"no loop device: {error}"
        finally:
            path.unlink(missing_ok=True)
        return "full", ""

    def reach(self, wanted: Wanted) -> str:
        """The name of the socket of a server's guest, started if need be; call `leave` when done with it.

        Raises:
            Unreachable: when guests cannot run here, or this one does not start.

        """
        with self._lock:
            guest = self._guests.get(wanted.server_id) or self._start(wanted)
            guest.sessions += 1
            guest.used_at = time.monotonic()
            return guest.socket

    def leave(self, server_id: str) -> None:
        """A session is over."""
        with self._lock:
            if guest := self._guests.get(server_id):
                guest.sessions -= 1
                guest.used_at = time.monotonic()

    def _start(self, wanted: Wanted) -> _Guest:
        if self._spawner is None:
            raise Unreachable(f"guests cannot run here: {self.reason}")
        self._make_room()
        name = wanted.server_id.replace("-", "")[:16]
        changes = str(Path("disks").joinpath(*wanted.disk) / "root")
        try:
            pid = self._spawner.start(
                GuestOrder(wanted.server_id, wanted.hostname, changes, name, wanted.keys)
            )
        except SpawnError as error:
            raise Unreachable(str(error)) from error
        guest = self._guests[wanted.server_id] = _Guest(name, pid, time.monotonic())
        for plug in wanted.plugs:
            self._plug(guest, plug)
        return guest

    def _make_room(self) -> None:
        idle = sorted((g.used_at, server_id) for server_id, g in self._guests.items() if g.sessions == 0)
        while len(self._guests) >= self._live and idle:
            self.stop(idle.pop(0)[1])

    def stop(self, server_id: str) -> None:
        """End a server's guest, if it runs; its disk stays."""
        with self._lock:
            guest = self._guests.pop(server_id, None)
            if guest is None or self._spawner is None:
                return
            with contextlib.suppress(SpawnError):
                self._spawner.stop(server_id)
            self._clear(guest)

    def _forget(self, server_id: str, pid: int) -> None:
        """A guest ended by itself (it was switched off from inside, or killed); one started since stays."""
        with self._lock:
            guest = self._guests.get(server_id)
            if guest is not None and guest.pid == pid:
                del self._guests[server_id]
                self._clear(guest)

    def _clear(self, guest: _Guest) -> None:
        for device in guest.devices.values():
            device.release()
        (self._directory / "run" / guest.socket).unlink(missing_ok=True)

    def attach(self, server_id: str, plug: Plug) -> None:
        """Show a volume inside a running guest; one that does not run sees it at its next start."""
        with self._lock:
            if guest := self._guests.get(server_id):
                self._plug(guest, plug)

    def _plug(self, guest: _Guest, plug: Plug) -> None:
        if self.mode != "full" or plug.device in guest.devices:
            return
        device = loops.LoopDevice(self.disks.resize(plug.volume_id, plug.gigabytes))
        guest.devices[plug.device] = device
        inside = Path(f"/proc/{guest.pid}/root")
        node = inside / plug.device.lstrip("/")
        os.mknod(node, stat.S_IFBLK | 0o660, device.number)
        links = inside / "dev/disk/by-id"
        links.mkdir(parents=True, exist_ok=True)
        link = links / f"virtio-{plug.volume_id[:_SERIAL]}"
        link.unlink(missing_ok=True)
        link.symlink_to(f"../../{node.name}")

    def detach(self, server_id: str, plug: Plug) -> None:
        """Take a volume out of a running guest; a file system still mounted there is unmounted."""
        with self._lock:
            guest = self._guests.get(server_id)
            device = guest.devices.pop(plug.device, None) if guest else None
            if guest is None or device is None:
                return
            command = [
                "nsenter",
                "--target",
                str(guest.pid),
                "--mount",
                "--pid",
                "umount",
                "--all-targets",
                "--lazy",
                plug.device,
            ]
            subprocess.run(command, check=False, capture_output=True)
            inside = Path(f"/proc/{guest.pid}/root")
            (inside / plug.device.lstrip("/")).unlink(missing_ok=True)
            (inside / f"dev/disk/by-id/virtio-{plug.volume_id[:_SERIAL]}").unlink(missing_ok=True)
            device.release()

    def extend(self, volume_id: str, gigabytes: int) -> None:
        """Let a running guest see a volume's new size."""
        with self._lock:
            if self.mode != "full" or not self.disks.path(("volume", volume_id)).exists():
                return
            path = self.disks.resize(volume_id, gigabytes)
            for guest in self._guests.values():
                for device in guest.devices.values():
                    if device.path == path:
                        device.grow()

    def copy(self, source: Place, target: Place) -> None:
        """Make the target's disk hold what the source's holds now, what a running guest has not written back included."""
        with self._lock:
            if source[0] == "volume":
                self._write_back(self.disks.path(source) / "data.img")
            self.disks.copy(source, target)

    def _write_back(self, image: Path) -> None:
        for guest in self._guests.values():
            for name, device in guest.devices.items():
                if device.path == image:
                    for point in _mount_points(guest.pid, name):
                        kernel.sync_file_system(f"/proc/{guest.pid}/root{point}")

    def console(self, server: Row) -> str:
        """What the server's guest printed, and the prompt it would show."""
        log = self._directory / "run" / f"{server['id'].replace('-', '')[:16]}.log"
        printed = log.read_text(errors="replace") if log.exists() else ""
        return f"{printed}\n{server['hostname']} login: "

    def close(self) -> None:
        """End every guest and let go of every device."""
        with self._lock:
            for server_id in list(self._guests):
                self.stop(server_id)
            if self._spawner is not None:
                self._spawner.close()
            shutil.rmtree(self._directory / "run", ignore_errors=True)
