"""Block devices as a guest sees them, read from the devices themselves. Standard library only; run on the guest.

Put before a role's own script on Python's standard input. Superblocks are read directly: a minimal guest has neither udev nor
its links by label and serial, and its block devices may not stand in /sys.
"""

from __future__ import annotations

import glob
import os
import re
import stat
import struct

MIB = 1 << 20
SERIAL_LENGTH = 20  # of a volume's id, as virtio and SCSI disks show it
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def text(path: str) -> str:
    """A small file's text, empty when it cannot be read."""
    try:
        with open(path, errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def number(path: str) -> str | None:
    """The kernel's number of a block device (`major:minor`), None for anything else."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISBLK(status.st_mode):
        return None
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


def names() -> list[str]:
    """Disks and partitions, one path for each device number; a disk's usual name before any other of the same number."""
    listed = sorted(glob.glob("/dev/[vsh]d[a-z]*") + glob.glob("/dev/xvd[a-z]*") + glob.glob("/dev/nvme*n*"))
    rows = [line.split() for line in text("/proc/partitions").splitlines()[2:]]
    listed += [f"/dev/{row[3]}" for row in rows if not re.match(r"(ram|zram|sr|fd|nbd)\d", row[3])]
    found: dict[str, str] = {}
    for name in listed:
        key = number(name)
        if key and key not in found and size(name):
            found[key] = name
    return list(found.values())


def size(device: str) -> int:
    """Bytes; 0 for a device without a medium (an unused loop device)."""
    try:
        descriptor = os.open(device, os.O_RDONLY)
    except OSError:
        return 0
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)


def read(device: str, offset: int, length: int) -> bytes:
    """A piece of a device."""
    with open(device, "rb") as file:
        file.seek(offset)
        return file.read(length)


def is_blank(device: str) -> bool:
    """Whether the first and last MiB hold nothing but zeros: every file system and partition table leaves traces there."""
    last = max(0, size(device) - MIB)
    return not any(read(device, 0, MIB)) and not any(read(device, last, MIB))


def filesystem(device: str) -> tuple[str, str, int]:
    """(type, label, bytes) from the superblock: ext4 and xfs, ("", "", 0) for anything else."""
    head = read(device, 0, 4096)
    if head[:4] == b"XFSB":
        block, blocks = struct.unpack_from(">IQ", head, 4)
        return "xfs", word(head[108:120]), block * blocks
    superblock = head[1024:2048]
    if len(superblock) == 1024 and superblock[56:58] == b"\x53\xef":
        return "ext4", word(superblock[120:136]), ext4_bytes(superblock)
    return "", "", 0


def ext4_bytes(superblock: bytes) -> int:
    """The size that an ext4 superblock tells; the upper half of the count is there with the 64bit feature only."""
    (low,) = struct.unpack_from("<I", superblock, 4)
    (scale,) = struct.unpack_from("<I", superblock, 24)
    (incompatible,) = struct.unpack_from("<I", superblock, 96)
    (high,) = struct.unpack_from("<I", superblock, 0x150)
    blocks = low + ((high << 32) if incompatible & 0x80 else 0)
    return int(blocks * (1024 << scale))


def word(raw: bytes) -> str:
    """A text that ends at the first zero byte."""
    return raw.split(b"\0")[0].decode(errors="replace")


def mounts() -> dict[str, list[str]]:
    """Mount points by device number; only whole file systems, not bind mounts of a part."""
    found: dict[str, list[str]] = {}
    for line in text("/proc/self/mountinfo").splitlines():
        fields = line.split()
        if fields[3] == "/":
            point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
            found.setdefault(fields[2], []).append(point)
    return found


def serial(device: str) -> str:
    """What the hypervisor says of a disk: for OpenStack the first characters of the volume's id."""
    folder = f"/sys/dev/block/{number(device)}"
    shown = (text(f"{folder}/{name}") for name in ("serial", "device/serial", "device/vpd_pg80"))
    return " ".join(part for part in shown if part)


def of_volume(volume_id: str) -> str | None:
    """The disk that is this volume, or None when no disk says so."""
    wanted = volume_id[:SERIAL_LENGTH]
    for link in glob.glob(f"/dev/disk/by-id/*{glob.escape(wanted)}*"):
        if number(link) and "-part" not in link:
            return os.path.realpath(link)
    return next((device for device in names() if wanted in serial(device)), None)
