"""The tree under every guest's root: a small system drawn from the machine's own, without anything private in it.

/usr is the machine's (each guest lays its own changes over it); /etc is made of what is public in the machine's; /root, /home,
/var, /opt and /srv start empty.
"""

import os
import pwd
import shutil
import stat
from pathlib import Path

_EDITION = "1"
"""Raised when this module builds a different tree, so that a kept state gets the new one."""

_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_DIRECTORIES = [
    "boot",
    "dev",
    "etc",
    "home",
    "media",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "srv",
    "sys",
    "tmp",
    "usr",
    "var",
    "var/cache",
    "var/lib",
    "var/lib/dpkg",
    "var/lib/misc",
    "var/log",
    "var/mail",
    "var/opt",
    "var/spool",
    "var/tmp",
    "etc/cron.d",
    "etc/cron.daily",
    "etc/default",
    "etc/logrotate.d",
    "etc/modprobe.d",
    "etc/profile.d",
    "etc/ssh",
    "etc/ssh/sshd_config.d",
    "etc/sudoers.d",
    "etc/sysctl.d",
    "etc/systemd",
    "etc/systemd/system",
    "etc/apt",
    "etc/security",
    "etc/pam.d",
]
_PUBLIC = [
    "adduser.conf",
    "alternatives",
    "bash.bashrc",
    "debian_version",
    "default/useradd",
    "deluser.conf",
    "environment",
    "issue",
    "issue.net",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "login.defs",
    "lsb-release",
    "mke2fs.conf",
    "os-release",
    "pam.conf",
    "pam.d",
    "profile",
    "security",
    "services",
    "protocols",
    "shells",
    "skel",
    "timezone",
    "localtime",
    "xattr.conf",
]
_FILES = {
    "etc/fstab": "",
    "etc/group": "",
    "etc/hostname": "guest\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/motd": "",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\ngshadow: files\nhosts: files\nservices: files\n",
    "etc/resolv.conf": "",
    "etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n",
    "root/.profile": "[ -f ~/.bashrc ] && . ~/.bashrc\n",
    "root/.bashrc": "PS1='\\u@\\h:\\w\\$ '\n",
}
_LAST_SYSTEM_UID = 999
_NOBODY = 65534


def build(path: Path, *, machine: Path = Path("/")) -> Path:
    """The base tree at `path`, made anew unless this edition is there already."""
    marker = path.with_suffix(".edition")
    if marker.exists() and marker.read_text() == _EDITION:
        return path
    if path.exists():
        shutil.rmtree(path)
    for name in _DIRECTORIES:
        (path / name).mkdir(parents=True, exist_ok=True)
    for name in _PUBLIC:
        _copy_public(machine / "etc" / name, path / "etc" / name)
    for name, text in _FILES.items():
        (path / name).write_text(text)
    _accounts(path / "etc")
    _link_directories(path, machine)
    _copy_public(machine / "var/lib/dpkg/status", path / "var/lib/dpkg/status")
    (path / "root").chmod(0o700)
    for name in ("tmp", "var/tmp"):
        (path / name).chmod(0o1777)
    marker.write_text(_EDITION)
    return path


def separate_directories(machine: Path = Path("/")) -> list[str]:
    """Directories of programs and libraries that are not links into /usr (an unmerged system)."""
    return [name for name in _LINKS if (machine / name).is_dir() and not (machine / name).is_symlink()]


def _link_directories(path: Path, machine: Path) -> None:
    for name in _LINKS:
        if (machine / name).is_symlink():
            (path / name).symlink_to((machine / name).readlink())
        elif (machine / name).is_dir():
            (path / name).mkdir()
    for name, target in (("var/run", "/run"), ("var/lock", "/run/lock")):
        (path / name).symlink_to(target)


def _copy_public(source: Path, target: Path) -> None:
    """Copy what everybody may read, links as links; skip the rest."""
    if not source.exists() and not source.is_symlink():
        return
    if source.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        if source.stat().st_mode & stat.S_IXOTH:
            for inner in sorted(source.iterdir()):
                _copy_public(inner, target / inner.name)
    elif source.is_file() and source.stat().st_mode & stat.S_IROTH:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def _accounts(etc: Path) -> None:
    """System accounts under the machine's numbers, all without a password; nobody else's."""
    rows = [row for row in pwd.getpwall() if row.pw_uid <= _LAST_SYSTEM_UID or row.pw_uid == _NOBODY]
    passwd = [f"{r.pw_name}:x:{r.pw_uid}:{r.pw_gid}:{r.pw_gecos}:{r.pw_dir}:{r.pw_shell}" for r in rows]
    (etc / "passwd").write_text("\n".join(passwd) + "\n")
    (etc / "shadow").write_text("".join(f"{row.pw_name}:*:19700:0:99999:7:::\n" for row in rows))
    groups = [line.split(":") for line in Path("/etc/group").read_text().splitlines()]
    kept = [g for g in groups if len(g) >= 3 and (int(g[2]) <= _LAST_SYSTEM_UID or int(g[2]) == _NOBODY)]
    (etc / "group").write_text("".join(f"{name}:x:{number}:\n" for name, _, number, *_ in kept))
    (etc / "gshadow").write_text("".join(f"{group[0]}:*::\n" for group in kept))
    for name in ("shadow", "gshadow"):
        (etc / name).chmod(0o640)
    for name in ("subuid", "subgid"):
        (etc / name).write_text("")
