"""The few system calls Python 3.11 has no name for: name spaces, mounts, parent-death signals, capabilities."""

import ctypes
import fcntl
import os
import platform
import socket
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "loongarch64": 41, "riscv64": 41, "ppc64le": 203}
_SIOCSIFFLAGS = 0x8914
_IFF_UP_RUNNING = 0x41

# What an administrator of a guest has no business with on the machine below: modules, clock, reboot, raw I/O, kernel log.
_DROPPED_CAPABILITIES = (16, 17, 22, 25, 28, 30, 32, 33, 34, 35, 36)

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_SECCOMP_RET_ALLOW = 0x7FFF0000
_SECCOMP_RET_ERRNO = 0x00050000
_BPF_LOAD, _BPF_EQUAL, _BPF_RETURN = 0x20, 0x15, 0x06
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "loongarch64": 0xC0000102, "riscv64": 0xC00000F3}
_CHOWN_CALLS = {"x86_64": (92, 93, 94, 260)}
_CHOWN_CALLS_ELSEWHERE = (54, 55)

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the name spaces named by `flags` for new ones."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount."""
    arguments = [text.encode() if text else None for text in (source, target, kind)]
    _check(
        _libc.mount(*arguments, ctypes.c_ulong(flags), options.encode() if options else None),
        f"mount {target}",
    )


def bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Show `source` at `target` as well."""
    mount(source, target, flags=MS_BIND)
    if read_only:
        mount("", target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY)


def pivot_to(root: str) -> None:
    """Make `root` (a mount point) the root and let go of the old one."""
    os.chdir(root)
    _check(_libc.syscall(_PIVOT_ROOT[platform.machine()], b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", MNT_DETACH), "umount the old root")
    os.chdir("/")


def sync_file_system(path: str) -> None:
    """Write back what the file system at `path` still holds in memory."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _check(_libc.syncfs(descriptor), "syncfs")
    finally:
        os.close(descriptor)


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process a signal when its parent ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "prctl")


def become_root_of_own_user_space(uid: int, gid: int) -> None:
    """Map the invisible root of a fresh user name space to the ordinary user who made it."""
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"0 {uid} 1")
    _write("/proc/self/gid_map", f"0 {gid} 1")


def drop_dangerous_capabilities() -> None:
    """Take from this process and its children, for good, what could reach the machine below."""
    for capability in _DROPPED_CAPABILITIES:
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def pretend_changes_of_owner() -> None:
    """Let every chown of this process and its children succeed without an effect.

    A name space of an ordinary user has one account; without this, giving a file to another would fail with EINVAL and a
    playbook with it. The file stays root's.
    """
    machine = platform.machine()
    if machine not in _AUDIT_ARCH:
        return
    calls = _CHOWN_CALLS.get(machine, _CHOWN_CALLS_ELSEWHERE)
    program = [
        (_BPF_LOAD, 0, 0, 4),
        (_BPF_EQUAL, 0, len(calls) + 1, _AUDIT_ARCH[machine]),
        (_BPF_LOAD, 0, 0, 0),
    ]
    program += [(_BPF_EQUAL, len(calls) - place, 0, call) for place, call in enumerate(calls)]
    program += [(_BPF_RETURN, 0, 0, _SECCOMP_RET_ALLOW), (_BPF_RETURN, 0, 0, _SECCOMP_RET_ERRNO)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    header = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code))
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0), "seccomp")


def bring_up_loopback() -> None:
    """Switch the name space's `lo` on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP_RUNNING))


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123 - /proc takes one plain write
        file.write(text)
