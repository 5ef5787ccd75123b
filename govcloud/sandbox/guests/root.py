"""The root of one guest: an overlay of the base tree, an overlay of /usr, and private /proc, /dev, /run and /tmp."""

import os
import stat
from pathlib import Path

from govcloud.sandbox.guests import kernel
from govcloud.sandbox.guests.base import separate_directories

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_KERNEL_SWITCHES = ("sys", "sysrq-trigger", "irq", "bus")
_HIDDEN = ("kcore", "keys", "timer_list")


def enter(state: Path, changes: Path, *, unprivileged: bool) -> None:
    """Mount the guest's root and make it this process's root. Runs in the guest's own name spaces.

    `changes` is where the guest's own files live; it is kept from boot to boot. Paths are resolved from `state`, so that no
    path appears in a mount option.
    """
    kernel.mount("", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    os.chdir(state)
    root = Path("guests/root")
    _overlay("guests/base", changes.relative_to(state) / "root", root, unprivileged=unprivileged)
    for name in ["usr", *separate_directories()]:
        _overlay(f"/{name}", changes.relative_to(state) / name, root / name, unprivileged=unprivileged)
    _local(changes, root)
    _special(root, unprivileged=unprivileged)
    kernel.pivot_to(str(root))


def _overlay(lower: str, changes: Path, target: Path, *, unprivileged: bool) -> None:
    upper, work = changes / "upper", changes / "work"
    upper.mkdir(parents=True, exist_ok=True)
    work.mkdir(exist_ok=True)
    if not any(upper.iterdir()):
        upper.chmod(stat.S_IMODE(os.stat(lower).st_mode))  # noqa: PTH116 - lower may be the machine's own
    options = f"lowerdir={lower},upperdir={upper},workdir={work}" + (",userxattr" if unprivileged else "")
    kernel.mount("overlay", str(target), "overlay", options=options)


def _local(changes: Path, root: Path) -> None:
    """/usr/local is the guest's own: the machine's may hold anything."""
    local = changes / "local"
    for name in ("bin", "etc", "lib", "sbin", "share"):
        (local / name).mkdir(parents=True, exist_ok=True)
    if (root / "usr/local").is_dir():
        kernel.bind(str(local), str(root / "usr/local"))


def _special(root: Path, *, unprivileged: bool) -> None:
    kernel.mount("proc", f"{root}/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    kernel.mount("tmpfs", f"{root}/dev", "tmpfs", kernel.MS_NOSUID, "mode=755,size=1m")
    for name in _DEVICES:
        (root / "dev" / name).touch()
        kernel.bind(f"/dev/{name}", f"{root}/dev/{name}")
    (root / "dev/pts").mkdir()
    kernel.mount(
        "devpts", f"{root}/dev/pts", "devpts", kernel.MS_NOSUID, "newinstance,ptmxmode=0666,mode=620"
    )
    (root / "dev/shm").mkdir()
    for path, options in (("dev/shm", "mode=1777"), ("run", "mode=755"), ("tmp", "mode=1777")):
        kernel.mount("tmpfs", f"{root}/{path}", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)
    (root / "run/lock").mkdir(mode=0o1777)
    links = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
    for name, target in links.items():
        (root / "dev" / name).symlink_to(target)
    if not unprivileged:
        _guard_kernel(root / "proc")


def _guard_kernel(proc: Path) -> None:
    """Real root in a guest may not turn the machine's switches."""
    for name in _KERNEL_SWITCHES:
        if (proc / name).exists():
            kernel.bind(str(proc / name), str(proc / name), read_only=True)
    for name in _HIDDEN:
        if (proc / name).exists():
            kernel.bind("/dev/null", str(proc / name))
