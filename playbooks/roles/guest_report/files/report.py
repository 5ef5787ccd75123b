# Joined to files/block_devices.py: what a guest is, and how it stands to the baseline. Nothing is changed.
# argv: the level's rules (mlps_rules) as JSON. Prints one object.

import glob
import json
import os
import re
import shutil
import sys


def lines(path: str) -> list[str]:
    """A settings file's lines without comments."""
    return [
        line.strip() for line in text(path).splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]


def settings(paths: list[str], separator: str | None = None, *, first_counts: bool = False) -> dict[str, str]:
    """Lower-case keyword to value over settings files; the last value counts, or the first (as in sshd's)."""
    found: dict[str, str] = {}
    for path in paths:
        for line in lines(path):
            key, *value = (part.strip() for part in line.split(separator, 1))
            if not first_counts or key.lower() not in found:
                found[key.lower()] = value[0] if value else ""
    return found


def figure(found: dict[str, str], key: str) -> int:
    """The number a setting begins with; 0 when it is not set."""
    digits = re.match(r"\d+", found.get(key, ""))
    return int(digits[0]) if digits else 0


def os_release() -> dict[str, str]:
    """The distribution's id, version and name."""
    pairs = dict(line.split("=", 1) for line in lines("/etc/os-release") if "=" in line)
    return {key.lower(): pairs.get(key, "").strip('"') for key in ("ID", "VERSION_ID", "PRETTY_NAME")}


def memory_bytes() -> int:
    """All memory the kernel has."""
    found = re.search(r"MemTotal:\s+(\d+) kB", text("/proc/meminfo"))
    return int(found[1]) * 1024 if found else 0


def listening() -> list[dict]:
    """Ports that take connections from outside the guest."""
    ports = set()
    for table, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in text(f"/proc/net/{table}").splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].split(":")
            loopback = address.endswith("0100007F") or address == "00000000000000000000000001000000"
            if fields[3] == state and not loopback:
                ports.add((table[:3], int(port, 16)))
    return [{"protocol": protocol, "port": port} for protocol, port in sorted(ports)]


def disks() -> list[dict]:
    """File systems with a label, and whatever is mounted from a disk."""
    mounted = mounts()
    found = []
    for device in names():
        kind, label, inside = filesystem(device)
        points = mounted.get(number(device), [])
        if label or points:
            found.append(
                {
                    "device": device,
                    "label": label,
                    "filesystem": kind,
                    "bytes": size(device),
                    "filesystem_bytes": inside,
                    "mounted_at": points,
                }
            )
    return found


def module_installed(name: str) -> bool:
    """Whether PAM has a module."""
    return any(
        glob.glob(f"{folder}/security/{name}") for folder in ("/lib/*", "/lib", "/lib64", "/usr/lib/*")
    )


def module_used(name: str) -> bool:
    """Whether PAM's shared stack calls a module."""
    stacks = [*glob.glob("/etc/pam.d/common-*"), "/etc/pam.d/system-auth"]
    return any(name in line for stack in stacks for line in lines(stack))


def ssh_checks(rules: dict) -> list[tuple]:
    """The SSH server's settings; in its files the first value counts."""
    drop_ins = sorted(glob.glob("/etc/ssh/sshd_config.d/*.conf"))
    ssh = settings([*drop_ins, "/etc/ssh/sshd_config"], first_counts=True)
    passwords, root, empty = (
        ssh.get(key, "") for key in ("passwordauthentication", "permitrootlogin", "permitemptypasswords")
    )
    safe_for_root = ("no", "prohibit-password", "forced-commands-only")
    return [
        ("ssh-passwords", "8.1.4.1 c", rules["ssh_passwords"] or passwords == "no", passwords),
        ("ssh-root-login", "8.1.4.2 b", root in safe_for_root, root),
        ("ssh-empty-passwords", "8.1.4.1 a", empty in ("", "no"), empty),
    ]


def password_checks(rules: dict) -> list[tuple]:
    """Quality and age of passwords."""
    drop_ins = sorted(glob.glob("/etc/security/pwquality.conf.d/*.conf"))
    quality = settings(["/etc/security/pwquality.conf", *drop_ins], "=")
    length, classes = figure(quality, "minlen"), figure(quality, "minclass")
    days = figure(settings(["/etc/login.defs"]), "pass_max_days")
    return [
        ("password-length", "8.1.4.1 a", length >= rules["password_min_length"], length),
        ("password-classes", "8.1.4.1 a", classes >= rules["password_min_classes"], classes),
        ("password-quality-enforced", "8.1.4.1 a", module_installed("pam_pwquality.so"), "pam_pwquality"),
        ("password-age", "8.1.4.1 a", 0 < days <= rules["password_max_days"], days),
    ]


def session_checks(rules: dict) -> list[tuple]:
    """Lock-out after failures, idle shells, the banner."""
    deny = figure(settings(["/etc/security/faillock.conf"], "="), "deny")
    idle = figure(settings(["/etc/profile.d/50-govcloud-session.sh"], "="), "tmout")
    banner = text("/etc/issue.net")
    tells_the_system = re.search(r"debian|linux|ubuntu|kylin|euler|release|\\[rsmv]", banner, re.IGNORECASE)
    return [
        ("lock-out-rule", "8.1.4.1 b", 0 < deny <= rules["login_failures"], deny),
        ("lock-out-enforced", "8.1.4.1 b", module_used("pam_faillock.so"), "pam_faillock"),
        ("idle-sessions", "8.1.4.1 b", 0 < idle <= rules["session_idle_seconds"], idle),
        ("banner", "8.1.4.2 b", bool(banner) and not tells_the_system, banner.split("\n")[0][:80]),
    ]


def record_checks(rules: dict) -> list[tuple]:
    """What the guest records, how long it keeps it, and whether its clock is right."""
    rules_file = text("/etc/audit/rules.d/50-govcloud.rules")
    kept = figure(settings(sorted(glob.glob("/etc/systemd/journald.conf.d/*.conf")), "="), "maxretentionsec")
    servers = [
        *glob.glob("/etc/chrony/sources.d/*.sources"),
        *glob.glob("/etc/systemd/timesyncd.conf.d/*.conf"),
    ]
    return [
        ("audit-rules", "8.1.4.3 a", "-k identity" in rules_file, f"{len(rules_file.splitlines())} lines"),
        ("audit-enforced", "8.1.4.3 d", bool(shutil.which("auditd")), "auditd"),
        ("log-retention", "8.1.4.3 c", kept >= rules["log_retention_days"], kept),
        ("time-servers", "8.1.4.3 b", bool(servers), ", ".join(servers)),
    ]


def report(rules: dict) -> dict:
    """Everything, in the shape that the role documents."""
    parts = (ssh_checks, password_checks, session_checks, record_checks)
    held = [
        {"check": name, "clause": clause, "passed": bool(passed), "found": str(found)}
        for part in parts
        for name, clause, passed, found in part(rules)
    ]
    return {
        "hostname": os.uname().nodename,
        "os": os_release(),
        "kernel": os.uname().release,
        "cpus": len(os.sched_getaffinity(0)),
        "memory_bytes": memory_bytes(),
        "disks": disks(),
        "listening": listening(),
        "baseline": {"passed": sum(check["passed"] for check in held), "total": len(held), "checks": held},
    }


if __name__ == "__main__":
    os.environ["PATH"] = PATH
    print(json.dumps(report(json.loads(sys.argv[1]))))
