"""Block devices as a guest sees them, read from the devices themselves. Standard library only; run on the guest.

Put before a role's own script on Python's standard input. Superblocks are read directly: a minimal guest has neither udev nor
its links by label and serial, and its block devices may not stand in /sys.
"""

import glob
import json
import os
import re
import shutil
import stat
import struct
import sys

MIB = 1 << 20
SERIAL_LENGTH = 20  # of a volume's id, as virtio and SCSI disks show it


def text(path):
    try:
        with open(path, errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def number(path):
    """The kernel's number of a block device, None for anything else."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISBLK(status.st_mode):
        return None
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


def names():
    """Disks and partitions, one path for each device number; a disk's usual name before any other of the same number."""
    listed = sorted(glob.glob("/dev/[vsh]d[a-z]*") + glob.glob("/dev/xvd[a-z]*") + glob.glob("/dev/nvme*n*"))
    rows = [line.split() for line in text("/proc/partitions").splitlines()[2:]]
    listed += [f"/dev/{row[3]}" for row in rows if not re.match(r"(ram|zram|sr|fd|nbd)\d", row[3])]
    found = {}
    for name in listed:
        key = number(name)
        if key and key not in found and size(name):
            found[key] = name
    return list(found.values())


def size(device):
    """Bytes; 0 for a device without a medium (an unused loop device)."""
    try:
        descriptor = os.open(device, os.O_RDONLY)
    except OSError:
        return 0
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)


def read(device, offset, length):
    with open(device, "rb") as file:
        file.seek(offset)
        return file.read(length)


def is_blank(device):
    """Whether the first and last MiB hold nothing but zeros: every file system and partition table leaves traces there."""
    last = max(0, size(device) - MIB)
    return not any(read(device, 0, MIB)) and not any(read(device, last, MIB))


def filesystem(device):
    """(type, label, bytes) from the superblock: ext4 and xfs, ("", "", 0) for anything else."""
    head = read(device, 0, 4096)
    if head[:4] == b"XFSB":
        block, blocks = struct.unpack_from(">IQ", head, 4)
        return "xfs", word(head[108:120]), block * blocks
    sb = head[1024:2048]
    if len(sb) == 1024 and sb[56:58] == b"\x53\xef":
        low, = struct.unpack_from("<I", sb, 4)
        scale, = struct.unpack_from("<I", sb, 24)
        incompatible, = struct.unpack_from("<I", sb, 96)
        high, = struct.unpack_from("<I", sb, 0x150)
        blocks = low + ((high << 32) if incompatible & 0x80 else 0)
        return "ext4", word(sb[120:136]), blocks * (1024 << scale)
    return "", "", 0


def word(raw):
    return raw.split(b"\0")[0].decode(errors="replace")


def mounts():
    """Mount points by device number; only whole file systems, not bind mounts of a part."""
    found = {}
    for line in text("/proc/self/mountinfo").splitlines():
        fields = line.split()
        if fields[3] == "/":
            point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
            found.setdefault(fields[2], []).append(point)
    return found


def serial(device):
    """What the hypervisor says of a disk: for OpenStack the first characters of the volume's id."""
    key = number(device)
    shown = [text(f"/sys/dev/block/{key}/serial"), text(f"/sys/dev/block/{key}/device/serial")]
    shown.append(text(f"/sys/dev/block/{key}/device/vpd_pg80").lstrip("\0"))
    return " ".join(part for part in shown if part)


def of_volume(volume_id):
    """The disk that is this volume, or None when no disk says so."""
    wanted = volume_id[:SERIAL_LENGTH]
    for link in glob.glob(f"/dev/disk/by-id/*{wanted}*"):
        if number(link) and "-part" not in link:
            return os.path.realpath(link)
    for device in names():
        if wanted in serial(device):
            return device
    return None
