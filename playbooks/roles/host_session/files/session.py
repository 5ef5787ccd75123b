"""Opens or closes a run's session on a guest: its lock, and what the guest has. Standard library only.

    session.py open OWNER TTL_SECONDS WAIT_SECONDS     prints what the guest has, as JSON; 75 when another run holds the lock
    session.py close OWNER

The lock is a file that names its owner and when it lapses, in seconds since boot: a run that died frees the guest by itself,
and a run that is started again under its old name goes on at once. A guard file makes looking and writing one step.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time

FOLDER = "/run/govcloud"
LOCK = FOLDER + "/session.json"
LOCKED = 75  # EX_TEMPFAIL


def boot():
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Guard:
    """Held for the moment of looking at the lock and changing it."""

    def __enter__(self):
        os.makedirs(FOLDER, mode=0o700, exist_ok=True)
        self.file = open(FOLDER + "/guard", "w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *exception):
        self.file.close()


def holder():
    """The lock's record while it is in force."""
    try:
        with open(LOCK) as file:
            record = json.load(file)
    except (FileNotFoundError, ValueError):
        return None
    in_force = record.get("boot") == boot() and now() < record.get("until", 0)
    return record if in_force else None


def take(owner, ttl):
    """Take the lock, or say who has it."""
    with Guard():
        other = holder()
        if other and other["owner"] != owner:
            return other
        record = {"owner": owner, "boot": boot(), "since": now(), "until": now() + ttl}
        with open(LOCK + ".new", "w") as file:
            json.dump(record, file)
        os.replace(LOCK + ".new", LOCK)
        return None


def release(owner):
    """Give the lock back if it is ours; whether it was."""
    with Guard():
        mine = holder()
        if mine and mine["owner"] == owner:
            os.unlink(LOCK)
            return True
        return False


def quietly(*command):
    try:
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def text(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def guest():
    """What decides how the roles apply: a service manager, an SSH server, time and audit daemons, PAM's tools."""
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    sshd = shutil.which("sshd")
    words = [line.split() for line in text("/etc/ssh/sshd_config").splitlines()]
    modules = [folder for folder in ("/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/lib", "/usr/lib")]
    return {
        "systemd": os.path.isdir("/run/systemd/system"),
        "sshd": sshd,
        "sshd_config_valid": bool(sshd) and quietly(sshd, "-t"),
        "sshd_reads_drop_ins": any(w[:1] == ["Include"] and "sshd_config.d" in " ".join(w) for w in words),
        "sshd_pid_file": "/run/sshd.pid" if os.path.exists("/run/sshd.pid") else None,
        "chronyd": bool(shutil.which("chronyd")),
        "timesyncd": os.path.exists("/lib/systemd/systemd-timesyncd"),
        "augenrules": shutil.which("augenrules"),
        "pam_auth_update": shutil.which("pam-auth-update") if os.access("/usr/share/pam-configs", os.W_OK) else None,
        "pam_faillock": any(os.path.exists(m + "/security/pam_faillock.so") for m in modules),
        "pam_locks_out": "pam_faillock.so" in text("/etc/pam.d/common-auth"),
        "visudo": shutil.which("visudo"),
    }


def main(verb, owner, ttl="600", wait="0"):
    if verb == "close":
        print(json.dumps({"released": release(owner)}))
        return 0
    give_up = now() + float(wait)
    while other := take(owner, float(ttl)):
        if now() >= give_up:
            left = int(other["until"] - now())
            print(f"the guest is locked by run {other['owner']}, for {left} s more at most", file=sys.stderr)
            return LOCKED
        time.sleep(1)
    print(json.dumps(guest()))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
