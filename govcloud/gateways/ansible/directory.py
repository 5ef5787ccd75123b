"""A run's private directory: what Ansible is given, as files nobody else can read, and its removal."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from govcloud.gateways.ansible.hosts import Host, inventory, known_host_lines

_CONTROL_LINK = "control"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Paths of one attempt at a run. `control` holds SSH's sockets: a short path, they allow about 100 characters."""

    path: Path
    control: Path

    @classmethod
    def at(cls, path: Path) -> "RunDirectory":
        """The directory of an attempt that has begun, by its path."""
        return cls(path=path, control=(path / _CONTROL_LINK).resolve())

    @property
    def inventory(self) -> Path:
        """The inventory file."""
        return self.path / "inventory" / "hosts.yml"

    @property
    def known_hosts(self) -> Path:
        """Where SSH finds and notes the guests' public keys."""
        return self.path / "known_hosts"

    @property
    def home(self) -> Path:
        """HOME of everything in the run."""
        return self.path / "home"

    @property
    def temporary(self) -> Path:
        """TMPDIR of everything in the run."""
        return self.path / "tmp"

    @property
    def log(self) -> Path:
        """What the child wrote to its standard output and error."""
        return self.path / "child.log"

    @property
    def specification(self) -> Path:
        """What the child is asked to do; the child removes it once read."""
        return self.path / "run.json"

    def artifact(self, ident: str, name: str) -> Path:
        """A file that ansible-runner writes about the run (`rc`, `status`)."""
        return self.path / "artifacts" / ident / name


@contextmanager
def opened(*, parent: Path, ident: str) -> Iterator[RunDirectory]:
    """A fresh 0700 directory for one attempt, removed with everything in it at the end."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix=_prefix(ident), dir=parent.resolve()))
    control = Path(tempfile.mkdtemp(prefix="gc-", dir="/tmp"))
    try:
        (path / _CONTROL_LINK).symlink_to(control)
        directory = RunDirectory(path=path, control=control)
        for folder in (directory.home, directory.temporary, path / "keys", path / "env", path / "inventory"):
            folder.mkdir(mode=0o700)
        yield directory
    finally:
        shutil.rmtree(path, ignore_errors=True)
        shutil.rmtree(control, ignore_errors=True)


def left_behind(*, parent: Path, ident: str) -> list[RunDirectory]:
    """Directories of earlier attempts at the same run whose worker died before it could remove them."""
    if not parent.is_dir():
        return []
    return [
        RunDirectory.at(path)
        for path in sorted(parent.resolve().glob(f"{_prefix(ident)}*"))
        if (path / _CONTROL_LINK).is_symlink()
    ]


def untouched(*, parent: Path, seconds: float) -> list[RunDirectory]:
    """Directories of attempts at any run that have been as they are for so long."""
    latest = time.time() - seconds
    found: list[RunDirectory] = []
    for path in parent.resolve().glob("run-*~*"):
        with suppress(FileNotFoundError):  # its own worker has just removed it
            if (path / _CONTROL_LINK).is_symlink() and path.stat().st_mtime < latest:
                found.append(RunDirectory.at(path))
    return found


def remove(directory: RunDirectory) -> None:
    """Remove an earlier attempt's files, keys included."""
    shutil.rmtree(directory.path, ignore_errors=True)
    if directory.control.parent == Path("/tmp") and directory.control.name.startswith("gc-"):  # noqa: S108
        shutil.rmtree(directory.control, ignore_errors=True)


def write_inputs(directory: RunDirectory, *, hosts: Sequence[Host], variables: Mapping[str, Any]) -> None:
    """Write inventory, keys, known hosts and variables.

    Variables go by file: on a command line every user of the machine could read them. Values are marked `!unsafe`
    where they hold a brace, so that a name somebody typed into a form is never evaluated as a template.
    """
    keys = {
        host.name: [directory.path / "keys" / f"{host.name}~{n}" for n in range(len(host.private_keys))]
        for host in hosts
    }
    for host in hosts:
        for path, key in zip(keys[host.name], host.private_keys, strict=True):
            write_private(path, key.strip() + "\n")
    write_private(directory.known_hosts, "".join(f"{line}\n" for line in known_host_lines(hosts)))
    write_private(directory.inventory, _yaml(inventory(hosts, keys=keys, known_hosts=directory.known_hosts)))
    write_private(directory.path / "env" / "extravars", _yaml(dict(variables)))
    # ansible-runner reads its settings from a file only. No copy of the output is kept; events are taken as they come.
    settings = {"pexpect_timeout": 1, "suppress_output_file": True, "suppress_ansible_output": True}
    write_private(directory.path / "env" / "settings", json.dumps(settings))


def write_private(path: Path, text: str) -> None:
    """Create `path` (it must not exist) readable by its owner only, from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _prefix(ident: str) -> str:
    return f"run-{ident}~"


class _UntrustedDumper(yaml.SafeDumper):
    """Writes texts that could be a template as `!unsafe`, and never an anchor."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("!unsafe" if "{" in text else "tag:yaml.org,2002:str", str(text))


_UntrustedDumper.add_representer(str, _represent_text)
_UntrustedDumper.add_multi_representer(str, _represent_text)


def _yaml(value: dict[str, Any]) -> str:
    return yaml.dump(value, Dumper=_UntrustedDumper, allow_unicode=True, sort_keys=False)
