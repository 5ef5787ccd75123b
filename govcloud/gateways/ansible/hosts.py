"""What Ansible needs to know of a guest, and the inventory made of it."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ADDRESS = re.compile(r"[A-Za-z0-9:][A-Za-z0-9:._%-]{0,254}")
_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A guest as Ansible reaches it.

    `private_key` is PEM text; it is written to a 0600 file for the length of the run, as are `other_keys`, which are tried in
    their order where it is refused (a guest closes the connection after a few: `MaxAuthTries`). `proxy_command` is an SSH ProxyCommand
    (`%h` and `%p` are filled by SSH). `host_keys` are public keys (`ssh-ed25519 AAAA...`) seen before: when given, a guest
    that shows another one is refused; when empty the first key is accepted and returned in `RunResult.host_keys`.
    """

    name: str
    address: str
    user: str
    private_key: str = field(repr=False)
    other_keys: tuple[str, ...] = field(default=(), repr=False)
    proxy_command: str | None = None
    port: int = 22
    become: bool = True
    python: str = "/usr/bin/python3"
    host_keys: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse what SSH would read as an option or a second line (ValueError)."""
        for value, pattern in ((self.name, _NAME), (self.address, _ADDRESS), (self.user, _USER)):
            if not pattern.fullmatch(value):
                raise ValueError(f"not usable as a host's name, address or user: {value!r}")
        if self.proxy_command and ("\n" in self.proxy_command or "\0" in self.proxy_command):
            raise ValueError("a proxy command is one line")
        if any("\n" in key for key in self.host_keys):
            raise ValueError("a host key is one line")

    @property
    def private_keys(self) -> tuple[str, ...]:
        """All of them, the one that is tried first in front."""
        return (self.private_key, *self.other_keys)


def inventory(
    hosts: Sequence[Host], *, keys: Mapping[str, Sequence[Path]], known_hosts: Path
) -> dict[str, Any]:
    """The inventory as Ansible's YAML plugin reads it; `keys` maps a host's name to the files of its private keys."""
    return {
        "all": {"hosts": {host.name: _host_variables(host, keys[host.name], known_hosts) for host in hosts}}
    }


def known_host_lines(hosts: Sequence[Host]) -> list[str]:
    """Lines of a known_hosts file; a guest stands there under its name, because addresses are used again."""
    return [f"{host.name} {key.strip()}" for host in hosts for key in host.host_keys]


def host_keys_seen(known_hosts: str) -> dict[str, tuple[str, ...]]:
    """The keys that SSH wrote to known_hosts during the run, by host."""
    seen: dict[str, tuple[str, ...]] = {}
    for line in known_hosts.splitlines():
        name, _, key = line.partition(" ")
        if key and not name.startswith("#"):
            seen[name] = (*seen.get(name, ()), key.strip())
    return seen


def _host_variables(host: Host, keys: Sequence[Path], known_hosts: Path) -> dict[str, Any]:
    return {
        **host.variables,
        "ansible_host": host.address,
        "ansible_port": host.port,
        "ansible_user": host.user,
        "ansible_become": host.become,
        "ansible_python_interpreter": host.python,
        "ansible_ssh_private_key_file": str(keys[0]),
        "ansible_ssh_common_args": _ssh_arguments(host, keys[1:], known_hosts),
    }


def _ssh_arguments(host: Host, other_keys: Sequence[Path], known_hosts: Path) -> str:
    """Ansible puts these behind its own, so SSH tries `other_keys` after the key that Ansible was told of."""
    options = {
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "HostKeyAlias": host.name,
        "UserKnownHostsFile": str(known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes" if host.host_keys else "accept-new",
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "4",
    }
    if host.proxy_command:
        options["ProxyCommand"] = host.proxy_command
    # -F none: neither the worker's nor the machine's own SSH settings decide how a guest is reached.
    settings = [f"{name}={value}" for name, value in options.items()]
    settings += [f'IdentityFile="{key}"' for key in other_keys]
    return shlex.join(["-F", "none", *(part for setting in settings for part in ("-o", setting))])
