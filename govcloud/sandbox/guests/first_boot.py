"""What cloud-init would do at the first boot of a server: host name, host keys, the administrator's authorized keys."""

import os
import socket
from pathlib import Path

import asyncssh

_INSTANCE = Path("/var/lib/cloud/instance-id")
_HOST_KEY = Path("/etc/ssh/ssh_host_ed25519_key")
_AUTHORIZED = Path("/root/.ssh/authorized_keys")


def prepare(*, server_id: str, hostname: str, keys: list[str]) -> asyncssh.SSHKey:
    """Set the guest up, inside it. A disk that comes to a new server (a restore, a clone) gets that server's keys.

    Returns:
        The guest's host key.

    """
    socket.sethostname(hostname)
    if not _INSTANCE.exists() or _INSTANCE.read_text().strip() != server_id:
        _new_instance(server_id, hostname, keys)
    return asyncssh.read_private_key(str(_HOST_KEY))


def _new_instance(server_id: str, hostname: str, keys: list[str]) -> None:
    Path("/etc/hostname").write_text(hostname + "\n")
    Path("/etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {hostname}\n")
    _AUTHORIZED.parent.mkdir(mode=0o700, exist_ok=True)
    known = _AUTHORIZED.read_text().splitlines() if _AUTHORIZED.exists() else []
    _AUTHORIZED.write_text("".join(f"{line}\n" for line in dict.fromkeys([*known, *keys])))
    _AUTHORIZED.chmod(0o600)
    key = asyncssh.generate_private_key("ssh-ed25519", comment=f"root@{hostname}")
    _HOST_KEY.unlink(missing_ok=True)
    descriptor = os.open(_HOST_KEY, os.O_CREAT | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.export_private_key("openssh"))
    _HOST_KEY.with_suffix(".pub").write_bytes(key.export_public_key())
    _INSTANCE.parent.mkdir(parents=True, exist_ok=True)
    _INSTANCE.write_text(server_id + "\n")
