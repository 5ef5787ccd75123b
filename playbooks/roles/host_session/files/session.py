"""Opens or closes a run's session on a guest: its lock, and what the guest has. Standard library only.

    session.py open OWNER TTL_SECONDS WAIT_SECONDS     prints what the guest has, and whether a run was broken off, as JSON;
                                                       75 when another run holds the lock
    session.py close OWNER

The lock is a file that names its owner and when it lapses, in seconds since boot: a run that died frees the guest by itself,
and a run that is started again under its old name goes on at once. A guard file makes looking and writing one step.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import shutil
import subprocess
import sys
import time
from typing import Any, Iterator

FOLDER = "/run/govcloud"
LOCK = FOLDER + "/session.json"
LOCKED = 75  # EX_TEMPFAIL


def boot() -> str:
    """The name of the current boot; a lock does not outlive it, even where /run does."""
    return text("/proc/sys/kernel/random/boot_id").strip()


def now() -> float:
    """Seconds since boot: nobody sets this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@contextlib.contextmanager
def guard() -> Iterator[None]:
    """Held for the moment of looking at the lock and changing it."""
    os.makedirs(FOLDER, mode=0o700, exist_ok=True)
    with open(FOLDER + "/guard", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def holder() -> dict[str, Any] | None:
    """The lock's record while it is in force."""
    try:
        record = json.loads(text(LOCK) or "{}")
    except ValueError:
        return None
    in_force = record.get("boot") == boot() and now() < record.get("until", 0)
    return record if in_force else None


def left_open() -> bool:
    """Whether a run of this boot took the lock and has not given it back: what it wrote may not be in force."""
    try:
        return bool(json.loads(text(LOCK) or "{}").get("boot") == boot())
    except ValueError:
        return True


def take(owner: str, ttl: float) -> dict[str, Any] | None:
    """Take the lock, or say who has it."""
    with guard():
        other = holder()
        if other and other["owner"] != owner:
            return other
        record = {"owner": owner, "boot": boot(), "until": now() + ttl}
        with open(LOCK + ".new", "w") as file:
            json.dump(record, file)
        os.replace(LOCK + ".new", LOCK)
        return None


def release(owner: str) -> bool:
    """Give the lock back if it is ours; whether it was."""
    with guard():
        mine = holder()
        if mine and mine["owner"] == owner:
            os.unlink(LOCK)
            return True
        return False


def succeeds(*command: str) -> bool:
    """Whether a command says that all is well, within seconds."""
    try:
        return subprocess.run(command, check=False, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def text(path: str) -> str:
    """A small file's text, empty when it cannot be read."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def guest() -> dict[str, Any]:
    """What decides how the roles apply: a service manager, an SSH server, time and audit daemons, PAM's tools."""
    sshd = shutil.which("sshd")
    words = [line.split() for line in text("/etc/ssh/sshd_config").splitlines()]
    profiles_writable = os.access("/usr/share/pam-configs", os.W_OK)
    modules = [
        found for folder in ("/lib/*", "/lib", "/lib64") for found in glob.glob(folder + "/security/pam_*.so")
    ]
    return {
        "systemd": os.path.isdir("/run/systemd/system"),
        "sshd": sshd,
        "sshd_config_valid": bool(sshd) and succeeds(sshd, "-t"),
        "sshd_reads_drop_ins": any(w[:1] == ["Include"] and "sshd_config.d" in " ".join(w) for w in words),
        "sshd_pid_file": "/run/sshd.pid" if os.path.exists("/run/sshd.pid") else None,
        "chronyd": bool(shutil.which("chronyd")),
        "timesyncd": os.path.exists("/lib/systemd/systemd-timesyncd"),
        "augenrules": shutil.which("augenrules"),
        "pam_auth_update": shutil.which("pam-auth-update") if profiles_writable else None,
        "pam_faillock": any(module.endswith("/pam_faillock.so") for module in modules),
        "pam_locks_out": "pam_faillock.so" in text("/etc/pam.d/common-auth"),
        "visudo": shutil.which("visudo"),
    }


def main(verb: str, owner: str, ttl: str = "600", wait: str = "0") -> int:
    """Open or close; the exit status."""
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    if verb == "close":
        print(json.dumps({"released": release(owner)}))
        return 0
    give_up = now() + float(wait)
    interrupted = left_open()
    while other := take(owner, float(ttl)):
        if now() >= give_up:
            left = int(other["until"] - now())
            print(f"the guest is locked by run {other['owner']}, for {left} s more at most", file=sys.stderr)
            return LOCKED
        time.sleep(1)
        interrupted = left_open()
    print(json.dumps({**guest(), "interrupted": interrupted}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
