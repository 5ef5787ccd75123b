

# --- what is on the disks that a run asks for

LONGEST_LABEL = {"ext4": 16, "xfs": 12}
# Less than this at the end of a disk no file system can use (an ext4 group's tables, an xfs allocation group).
SLACK = 16 * MIB
KEPT = ("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var")


def find(disk, taken):
    """The device of a disk: by the volume's serial, by the label, and last by its name."""
    volume = disk.get("volume_id")
    device = volume and of_volume(volume)
    if device:
        return device
    for candidate in names():
        if number(candidate) not in taken and filesystem(candidate)[1] == disk["label"]:
            return candidate
    named = disk.get("device")
    return named if named and number(named) and number(named) not in taken and size(named) else None


def wrong_with(disk):
    """What makes a request unusable before any device is looked at."""
    kind = disk.get("filesystem", "ext4")
    if kind not in LONGEST_LABEL:
        return f"file systems of type {kind} are not made here"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", disk["label"]) or len(disk["label"]) > LONGEST_LABEL[kind]:
        return f"not usable as a label on {kind}: {disk['label']}"
    point = disk.get("mount_point", "")
    if disk.get("state", "mounted") == "unmounted":
        return ""
    if not re.fullmatch(r"(/[A-Za-z0-9][A-Za-z0-9._-]*)+", point) or point in KEPT:
        return f"not usable as a mount point: {point}"
    return ""


def wrong_on(disk, found, device):
    """What stands on a device that must not be touched or hidden."""
    kind, label = found["filesystem"], found["label_found"]
    if not found["blank"] and not kind:
        return f"{device} holds data that is no ext4 or xfs file system; it is left alone"
    if kind and label != disk["label"]:
        return f"{device} holds a {kind} file system labelled '{label}', not '{disk['label']}'; it is left alone"
    if found["blank"] and not found["mkfs"]:
        return f"the guest has no mkfs.{disk.get('filesystem', 'ext4')}"
    point = disk["mount_point"]
    if found["mounted_at"] and point not in found["mounted_at"]:
        return f"{device} is mounted at {found['mounted_at'][0]}, not at {point}"
    if not found["mounted_at"] and os.path.isdir(point) and os.listdir(point):
        return f"{point} is not empty; mounting there would hide what it holds"
    return ""


def look(disk, taken):
    wanted = disk.get("state", "mounted")
    found = {"label": disk["label"], "device": None, "problem": wrong_with(disk), "blank": False, "grow": False}
    found.update(mounted_at=[], filesystem="", label_found="", device_bytes=0)
    device = None if found["problem"] else find(disk, taken)
    if device is None:
        if wanted == "mounted" and not found["problem"]:
            found["problem"] = f"no disk found for {disk['label']} (volume {disk.get('volume_id')}, {disk.get('device')})"
        return found
    taken.add(number(device))
    kind, label, inside = filesystem(device)
    found.update(device=device, filesystem=kind, label_found=label, device_bytes=size(device))
    found["blank"] = not kind and is_blank(device)
    found["mkfs"] = shutil.which("mkfs." + disk.get("filesystem", "ext4"))
    found["mounted_at"] = mounts().get(number(device), [])
    found["grow"] = bool(kind) and inside + SLACK < found["device_bytes"]
    if wanted == "mounted":
        found["problem"] = wrong_on(disk, found, device)
    elif label != disk["label"]:
        found["mounted_at"] = []
    return found


if __name__ == "__main__":
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    claimed = set()
    print(json.dumps([look(disk, claimed) for disk in json.loads(sys.argv[1])]))
