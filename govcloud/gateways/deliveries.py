"""Files that leave the machine: into a directory (of another machine, mounted), or by SFTP.

A file appears under its name whole or not at all, and what arrived is compared with what was sent.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

SECONDS = 120.0  # that a delivery by SFTP may take
PART = ".part"


class NotDelivered(Exception):
    """The file has not arrived, as far as we know; deliver it again."""


@dataclass(frozen=True, slots=True)
class Sftp:
    """``key_file`` and ``known_hosts`` are paths of files as OpenSSH writes them; hosts that are not known are refused."""

    host: str
    port: int
    user: str
    directory: PurePosixPath
    key_file: str
    known_hosts: str


Destination = Path | Sftp


def destination(text: str, *, key_file: str = "", known_hosts: str = "") -> Destination:
    """Where ``/srv/audit`` or ``sftp://user@host:22/audit`` leads. Raises ValueError for anything else, and for a password in it."""
    parts = urlsplit(text)
    if parts.scheme == "":
        path = Path(text)
        if not path.is_absolute():
            raise ValueError(f"{text}: an absolute path is needed")
        return path
    if parts.scheme != "sftp" or not parts.hostname or not parts.username:
        raise ValueError("an absolute path or sftp://user@host[:port]/directory is needed")
    if parts.password:
        raise ValueError("no password in the address: keys open it")
    if not key_file or not known_hosts:
        raise ValueError("SFTP needs a key file and a file of known hosts")
    return Sftp(
        parts.hostname, parts.port or 22, unquote(parts.username), PurePosixPath(unquote(parts.path) or "."),
        key_file, known_hosts,
    )  # fmt: skip


def described(to: Destination) -> str:
    """For people: without the key."""
    match to:
        case Sftp():
            return f"sftp://{to.user}@{to.host}:{to.port}{to.directory}"
        case _:
            return str(to)


@contextlib.contextmanager
def spooled(name: str) -> Iterator[Path]:
    """A path of that name to write to, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="govcloud-delivery-") as directory:
        yield Path(directory) / name


def deliver(path: Path, *, to: Destination) -> None:
    """Raises NotDelivered."""
    import asyncssh  # noqa: PLC0415  slow to load, and few processes ever deliver anything

    try:
        match to:
            case Sftp():
                _run(path, to)
            case _:
                _copy(path, to)
    except (OSError, asyncssh.Error, TimeoutError) as error:
        raise NotDelivered(f"{path.name} to {described(to)}: {type(error).__name__}: {error}") from error


def _run(path: Path, to: Sftp) -> None:
    """In a thread of its own: the caller's may have an event loop already."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(lambda: asyncio.run(asyncio.wait_for(_send(path, to), SECONDS))).result()


def _copy(path: Path, directory: Path) -> None:
    """Written beside its place, down to the disk, and put there in one go."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = directory / f"{path.name}{PART}"
    with path.open("rb") as source, part.open("wb") as target:
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
    _compare(path, part.read_bytes())
    part.replace(directory / path.name)


async def _send(path: Path, to: Sftp) -> None:
    import asyncssh  # noqa: PLC0415  as above

    connection = await asyncssh.connect(
        to.host, to.port, username=to.user, client_keys=[to.key_file], known_hosts=to.known_hosts, config=[],
        agent_path=None,
    )  # fmt: skip
    async with connection, connection.start_sftp_client() as sftp:
        final = str(to.directory / path.name)
        part = f"{final}{PART}"
        await sftp.put(str(path), part)
        async with sftp.open(part, "rb") as arrived:
            _compare(path, await arrived.read())
        await sftp.posix_rename(part, final)


def _compare(path: Path, arrived: bytes | str) -> None:
    content = arrived.encode() if isinstance(arrived, str) else arrived
    if hashlib.sha256(content).digest() != hashlib.sha256(path.read_bytes()).digest():
        raise OSError("what arrived is not what was sent")
