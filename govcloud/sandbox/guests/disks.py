"""What is on volumes, snapshots and backups: one directory each, copied and removed with its owner.

A directory holds `data.img` (a sparse file, the block device of an attached volume) and `root/` (what a guest changed in
its root). Either may be missing: a volume nobody wrote to has no directory at all.
"""

import os
import shutil
import subprocess
from pathlib import Path

Place = tuple[str, ...]
"""Kind (`volume`, `snapshot`, `backup`, `server`) and id."""


class Disks:
    """The directories under one root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, place: Place) -> Path:
        """The directory of a place, whether it exists or not."""
        return self._root.joinpath(*place)

    def copy(self, source: Place, target: Place) -> None:
        """Make the target hold what the source holds now; holes stay holes, white-outs and attributes stay."""
        self.remove(target)
        if not self.path(source).exists():
            return
        self.path(target).parent.mkdir(parents=True, exist_ok=True)
        command = [
            "cp",
            "-a",
            "--sparse=always",
            "--reflink=auto",
            "--",
            str(self.path(source)),
            str(self.path(target)),
        ]
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)

    def remove(self, place: Place) -> None:
        """Wipe a place; a missing one is no error."""
        path = self.path(place)
        if path.exists():
            _open_up(path)
            shutil.rmtree(path)

    def resize(self, volume_id: str, gigabytes: int) -> Path:
        """The volume's sparse file at the given size, made when it is missing; never shrunk."""
        path = self.path(("volume", volume_id)) / "data.img"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            if file.tell() < gigabytes << 30:
                file.truncate(gigabytes << 30)
        return path


def _open_up(path: Path) -> None:
    """Give ourselves back the directories an overlay keeps closed (`work/work` has mode 000)."""
    for directory, names, _ in os.walk(path):
        for name in names:
            inner = os.path.join(directory, name)  # noqa: PTH118 - a tree of thousands of entries
            if not os.path.islink(inner):  # noqa: PTH114 - as above
                os.chmod(inner, 0o700)  # noqa: PTH101 - as above
