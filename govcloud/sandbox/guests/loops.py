"""Loop devices: a sparse file as a block device, by ioctl.

Every device is set to clear itself: it is gone when its last user is, so a killed sandbox leaves none behind. `sweep` takes
away what an older kernel or an unlucky moment might have left.
"""

import contextlib
import fcntl
import os
import struct
import time
from pathlib import Path

_LOOP_SET_FD = 0x4C00
_LOOP_CLR_FD = 0x4C01
_LOOP_SET_STATUS64 = 0x4C04
_LOOP_SET_CAPACITY = 0x4C07
_LOOP_CTL_GET_FREE = 0x4C82
_AUTOCLEAR = 4
_STATUS = "QQQQQIIII64s64s32sQQ"
_ATTEMPTS = 20
_CLEARING_SECONDS = 5.0


class LoopDevice:
    """A block device over a file; it lives as long as this object's descriptor or somebody's mount."""

    def __init__(self, path: Path) -> None:
        """Attach the file to a free device.

        Raises:
            OSError: when the machine has no loop devices for us.

        """
        self.path = path
        self._descriptor, self.device = _attach(path)

    @property
    def number(self) -> int:
        """The device number, for a node in a guest's /dev."""
        return self.device.stat().st_rdev

    def grow(self) -> None:
        """Take over the file's new size."""
        fcntl.ioctl(self._descriptor, _LOOP_SET_CAPACITY)

    def release(self) -> None:
        """Let go of the device and wait until it is free: its file must not be on two devices at once."""
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._descriptor, _LOOP_CLR_FD)
        os.close(self._descriptor)
        backing = Path("/sys/block") / self.device.name / "loop" / "backing_file"
        deadline = time.monotonic() + _CLEARING_SECONDS
        while backing.exists() and time.monotonic() < deadline:
            time.sleep(0.01)


def _attach(path: Path) -> tuple[int, Path]:
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(_ATTEMPTS):
            with open("/dev/loop-control", "rb") as control:  # noqa: PTH123 - a device, not a file
                number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
            device = Path(f"/dev/loop{number}")
            descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(descriptor, _LOOP_SET_FD, file)
            except OSError:
                os.close(descriptor)  # somebody else was quicker
                continue
            name = os.fsencode(path)[-63:]
            status = struct.pack(_STATUS, 0, 0, 0, 0, 0, 0, 0, 0, _AUTOCLEAR, name, b"", b"", 0, 0)
            fcntl.ioctl(descriptor, _LOOP_SET_STATUS64, status)
            return descriptor, device
    finally:
        os.close(file)
    raise OSError("no free loop device")


def sweep(directory: Path) -> None:
    """Clear every loop device over a file below `directory`."""
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if Path(backing.read_text().strip().removesuffix(" (deleted)")).is_relative_to(directory):
                descriptor = os.open(Path("/dev") / backing.parents[1].name, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.ioctl(descriptor, _LOOP_CLR_FD)
                finally:
                    os.close(descriptor)
