# Joined to files/block_devices.py: what is on the disks that a run asks for, and what is wrong with it.
# argv: the role's data_disks as JSON. Prints a list of the same length.

import json
import os
import re
import shutil
import sys

LONGEST_LABEL = {"ext4": 16, "xfs": 12}
# Less than this at the end of a disk no file system can use (an ext4 group's tables, an xfs allocation group).
SLACK = 16 * MIB
HEADER = 64 * MIB  # of an encrypted volume, at most
# Directories that a guest needs as they are.
KEPT = (
    "bin",
    "boot",
    "dev",
    "etc",
    "home",
    "lib",
    "lib64",
    "proc",
    "root",
    "run",
    "sbin",
    "sys",
    "tmp",
    "usr",
    "var",
)


def find(disk: dict, taken: set) -> str | None:
    """The device of a disk: by the volume's serial, by the label, by its name, and last as the only one it can be."""
    volume = disk.get("volume_id")
    device = of_volume(volume) if volume else None
    if device:
        return device
    for candidate in names():
        if number(candidate) not in taken and filesystem(candidate)[1] == disk["label"]:
            return candidate
    named = disk.get("device")
    if named:
        return named if number(named) and number(named) not in taken and size(named) else None
    return the_only_blank(taken)


def the_only_blank(taken: set) -> str | None:
    """The one blank disk of a guest whose disks tell no serial; None when there are several to choose from."""
    free = [device for device in names() if number(device) not in taken and not serial(device)]
    blank = [device for device in free if is_blank(device)]
    return blank[0] if len(blank) == 1 else None


def wrong_with(disk: dict) -> str:
    """What makes a request unusable before any device is looked at; empty when nothing does."""
    kind = disk.get("filesystem", "ext4")
    if kind not in LONGEST_LABEL:
        return f"file systems of type {kind} are not made here"
    if (
        not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", disk["label"])
        or len(disk["label"]) > LONGEST_LABEL[kind]
    ):
        return f"not usable as a label on {kind}: {disk['label']}"
    if disk.get("state", "mounted") == "unmounted":
        return ""
    point = disk.get("mount_point", "")
    if not re.fullmatch(r"(/[A-Za-z0-9][A-Za-z0-9._-]*)+", point) or point[1:] in KEPT:
        return f"not usable as a mount point: {point}"
    return ""


def wrong_on(disk: dict, found: dict, device: str) -> str:
    """What stands on a device that must not be touched, or in a directory that must not be hidden; empty when nothing does."""
    kind, label, point = found["filesystem"], found["label_found"], disk["mount_point"]
    if not found["blank"] and not kind:
        return f"{device} holds data that is no ext4 or xfs file system; it is left alone"
    if kind and label != disk["label"]:
        return (
            f"{device} holds a {kind} file system labelled '{label}', not '{disk['label']}'; it is left alone"
        )
    if found["blank"] and not found["mkfs"]:
        return f"the guest has no mkfs.{disk.get('filesystem', 'ext4')}"
    if found["mounted_at"] and point not in found["mounted_at"]:
        return f"{device} is mounted at {found['mounted_at'][0]}, not at {point}"
    if not found["mounted_at"] and os.path.isdir(point) and os.listdir(point):
        return f"{point} is not empty; mounting there would hide what it holds"
    return ""


def too_small(disk: dict, device: str) -> str:
    """A disk that has not the size yet that its volume has; empty when it has.

    The cloud calls a volume extended before the hypervisor has told the guest, and an SCSI disk is looked at anew only when
    somebody asks for that. What is a little smaller is encrypted: the key's header takes its room.
    """
    least = disk.get("at_least_bytes", 0) - HEADER
    if size(device) < least:
        rescan(device)
    if size(device) < least:
        return (
            f"{device} has {size(device)} bytes here, and not the {disk['at_least_bytes']} of its volume yet"
        )
    return ""


def rescan(device: str) -> None:
    """Have the kernel ask an SCSI disk for its size; others tell of it themselves."""
    try:
        with open(f"/sys/class/block/{os.path.basename(device)}/device/rescan", "w") as file:
            file.write("1")
    except OSError:
        return


def look(disk: dict, taken: set) -> dict:
    """What is known of one disk; `taken` collects the devices of the disks before it."""
    found = {
        "label": disk["label"],
        "device": None,
        "blank": False,
        "grow": False,
        "problem": wrong_with(disk),
    }
    found.update(filesystem="", label_found="", device_bytes=0, mounted_at=[], mkfs=None)
    device = None if found["problem"] else find(disk, taken)
    wanted = disk.get("state", "mounted") == "mounted"
    if device is None:
        if wanted and not found["problem"]:
            found["problem"] = (
                f"no disk found for {disk['label']} (volume {disk.get('volume_id')}, {disk.get('device')})"
            )
        return found
    taken.add(number(device))
    found["device"] = device
    short = too_small(disk, device) if wanted else ""
    found.update(state_of(disk, device))
    if wanted:
        found["problem"] = wrong_on(disk, found, device) or short
    elif found["label_found"] != disk["label"]:
        # Another file system: not ours to unmount.
        found["mounted_at"] = []
    return found


def state_of(disk: dict, device: str) -> dict:
    """What is on a device now."""
    kind, label, inside = filesystem(device)
    whole = size(device)
    return {
        "filesystem": kind,
        "label_found": label,
        "device_bytes": whole,
        "blank": not kind and is_blank(device),
        "grow": bool(kind) and inside + SLACK < whole,
        "mounted_at": mounts().get(number(device), []),
        "mkfs": shutil.which("mkfs." + disk.get("filesystem", "ext4")),
    }


if __name__ == "__main__":
    os.environ["PATH"] = PATH
    claimed: set = set()
    print(json.dumps([look(disk, claimed) for disk in json.loads(sys.argv[1])]))
