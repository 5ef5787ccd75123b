

# --- what a guest is, and how it stands to the baseline; nothing is changed

def lines(path):
    return [line for line in text(path).splitlines() if line.strip() and not line.lstrip().startswith("#")]


def keywords(paths, separator=None, first_counts=False):
    """Lower-case keyword to value over settings files; the last value counts, or the first (sshd)."""
    found = {}
    for path in paths:
        for line in lines(path):
            parts = [part.strip() for part in line.strip().split(separator, 1)]
            key, value = parts[0].lower(), parts[1] if len(parts) > 1 else ""
            if not first_counts or key not in found:
                found[key] = value
    return found


def number_in(settings, key, default):
    try:
        return int(settings.get(key, default))
    except ValueError:
        return default


def os_release():
    pairs = dict(line.split("=", 1) for line in lines("/etc/os-release") if "=" in line)
    return {key.lower(): pairs.get(key, "").strip('"') for key in ("ID", "VERSION_ID", "PRETTY_NAME")}


def memory_bytes():
    found = re.search(r"MemTotal:\s+(\d+) kB", text("/proc/meminfo"))
    return int(found[1]) * 1024 if found else 0


def listening():
    """Ports that accept connections from outside the guest: [{protocol, port}]."""
    ports = set()
    for protocol, path, state in (("tcp", "tcp", "0A"), ("tcp", "tcp6", "0A"), ("udp", "udp", "07"), ("udp", "udp6", "07")):
        for line in text(f"/proc/net/{path}").splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].split(":")
            loopback = address in ("0100007F", "00000000000000000000000001000000") or address.endswith("0100007F")
            if fields[3] == state and not loopback:
                ports.add((protocol, int(port, 16)))
    return [{"protocol": protocol, "port": port} for protocol, port in sorted(ports)]


def disks():
    mounted = mounts()
    found = []
    for device in names():
        kind, label, inside = filesystem(device)
        if label or mounted.get(number(device)):
            at = mounted.get(number(device), [])
            found.append({"device": device, "label": label, "filesystem": kind, "bytes": size(device),
                          "filesystem_bytes": inside, "mounted_at": at})
    return found


def sshd():
    dropped = sorted(glob.glob("/etc/ssh/sshd_config.d/*.conf"))
    return keywords([*dropped, "/etc/ssh/sshd_config"], first_counts=True)


def pam(module):
    return any(module in line for path in glob.glob("/etc/pam.d/common-*") + ["/etc/pam.d/system-auth"] for line in lines(path))


def module_installed(name):
    return any(glob.glob(pattern + "/security/" + name) for pattern in ("/lib/*", "/lib", "/lib64", "/usr/lib/*"))


def checks(rules):
    """(name, clause, whether it holds, what was found) for every rule of the baseline."""
    ssh, quality = sshd(), keywords(["/etc/security/pwquality.conf", *sorted(glob.glob("/etc/security/pwquality.conf.d/*.conf"))], "=")
    lock, age = keywords(["/etc/security/faillock.conf"], "="), keywords(["/etc/login.defs"])
    shell = text("/etc/profile.d/50-govcloud-session.sh")
    idle = int((re.search(r"^\s*TMOUT=(\d+)", shell, re.MULTILINE) or [0, 0])[1])
    audit, banner = text("/etc/audit/rules.d/50-govcloud.rules"), text("/etc/issue.net")
    journal = keywords(sorted(glob.glob("/etc/systemd/journald.conf.d/*.conf")), "=")
    kept = int(re.sub(r"\D", "", journal.get("maxretentionsec", "")) or 0)
    time_servers = [*glob.glob("/etc/chrony/sources.d/*.sources"), *glob.glob("/etc/systemd/timesyncd.conf.d/*.conf")]
    passwords = ssh.get("passwordauthentication", "yes")
    return [
        ("ssh-passwords", "8.1.4.1 c", rules["ssh_passwords"] or passwords == "no", passwords),
        ("ssh-root-login", "8.1.4.2", ssh.get("permitrootlogin", "") in ("no", "prohibit-password", "forced-commands-only"), ssh.get("permitrootlogin", "")),
        ("ssh-empty-passwords", "8.1.4.1 a", ssh.get("permitemptypasswords", "no") == "no", ssh.get("permitemptypasswords", "no")),
        ("password-length", "8.1.4.1 a", number_in(quality, "minlen", 0) >= rules["password_min_length"], quality.get("minlen", "")),
        ("password-classes", "8.1.4.1 a", number_in(quality, "minclass", 0) >= rules["password_min_classes"], quality.get("minclass", "")),
        ("password-quality-enforced", "8.1.4.1 a", module_installed("pam_pwquality.so"), "libpam-pwquality"),
        ("password-age", "8.1.4.1 a", 0 < number_in(age, "pass_max_days", 99999) <= rules["password_max_days"], age.get("pass_max_days", "")),
        ("lock-out-rule", "8.1.4.1 b", 0 < number_in(lock, "deny", 0) <= rules["login_failures"], lock.get("deny", "")),
        ("lock-out-enforced", "8.1.4.1 b", pam("pam_faillock.so"), "pam_faillock"),
        ("idle-sessions", "8.1.4.1 b", 0 < idle <= rules["session_idle_seconds"], str(idle)),
        ("audit-rules", "8.1.4.3 a", "-k identity" in audit, "50-govcloud.rules" if audit else ""),
        ("audit-enforced", "8.1.4.3 d", bool(shutil.which("auditd")), "auditd"),
        ("log-retention", "8.1.4.3 c", kept >= rules["log_retention_days"], str(kept)),
        ("time-servers", "8.1.4.3 b", bool(time_servers), ", ".join(time_servers)),
        ("banner", "8.1.4.2", bool(banner) and "Debian" not in banner and "Linux" not in banner, banner.split("\n")[0][:80]),
    ]


def report(rules):
    held = [{"check": name, "clause": clause, "passed": bool(passed), "found": found} for name, clause, passed, found in checks(rules)]
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
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    print(json.dumps(report(json.loads(sys.argv[1]))))
