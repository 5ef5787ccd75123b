"""The centre's keys, with which playbooks enter guests. The clouds and the guests are given public halves only.

The first key is that of ``GUEST_KEY_FILE``. Once it was replaced, keys are rows (``models.GuestKey``), whose private halves
are sealed as clouds' credentials are: every worker has them at once, and the file is not read any more.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from govcloud import ciphers
from govcloud.alone import one_after_another
from govcloud.audit import services as audit
from govcloud.clouds.models import GuestKey

PURPOSE: Final = "keys of guests"
OFFERED: Final = 3  # SSH servers close a connection after a few keys that they do not know
TURN: Final = 10.0  # seconds
ALONE: Final = 0x676F_6B65  # the advisory lock of whoever makes or destroys one


@dataclass(frozen=True, slots=True)
class PublicHalf:
    """``name`` is what the key is registered under in a cloud: another key has another name."""

    name: str
    public: str


@dataclass(frozen=True, slots=True)
class Pair:
    """``private`` is PEM text."""

    name: str
    public: str
    private: str = field(repr=False)


def make(path: Path) -> None:
    """Write a new private key, for its owner alone, unless there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(_generated().private)


def current() -> PublicHalf:
    """The key that guests are to let in. Raises ImproperlyConfigured when it is the file's, which cannot be read."""
    row = latest()
    if row is not None:
        return PublicHalf(row.name, row.public_key)
    pair = of_file()
    return PublicHalf(pair.name, pair.public)


def latest() -> GuestKey | None:
    """The current key's row; None while the first key has not been replaced."""
    return GuestKey.objects.order_by("-pk").first()


def of_file() -> Pair:
    """The key of ``GUEST_KEY_FILE``. Raises ImproperlyConfigured when it cannot be read."""
    path: Path = settings.GUEST_KEY_FILE
    try:
        found = path.stat()
        return _read(path, found.st_ino, found.st_mtime_ns)
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"GUEST_KEY_FILE {path}: {error}") from error


def ways_in(known: str, *, at: datetime) -> list[str]:
    """Private halves to try on a guest, the first first: that of the key that it is ``known`` to let in, the newest, others.

    Where there are more than can be offered, the others take turns with the time: what was recorded may not be what is so.
    Raises ImproperlyConfigured, and ``ciphers.Unreadable`` when none of them opens.
    """
    rows = list(GuestKey.objects.exclude(sealed=None).order_by("-pk"))
    if not rows:
        return [of_file().private]
    first = sorted(rows, key=lambda row: (row.name != known, row != rows[0]))
    fixed, others = first[: OFFERED - 1], first[OFFERED - 1 :]
    turn = int(at.timestamp() // TURN) % max(len(others), 1)
    return _opened([*fixed, *others[turn:], *others[:turn]])[:OFFERED]


def _opened(rows: Sequence[GuestKey]) -> list[str]:
    """Those that can be opened here. Raises ``ciphers.Unreadable`` when it is none."""
    found, missed = [], None
    for row in rows:
        try:
            found.append(opened(row))
        except ciphers.Unreadable as error:
            missed = error
    if not found and missed is not None:
        raise missed
    return found


def opened(row: GuestKey) -> str:
    """The private half. Raises ``ciphers.Unreadable``, and LookupError when it was destroyed."""
    if row.sealed is None:
        raise LookupError(f"the private half of {row.name} was destroyed")
    sealed = ciphers.Sealed(row.algorithm, row.key, bytes(row.sealed))
    return str(ciphers.opened(sealed, purpose=PURPOSE, owner=row.uuid)["private"])


def replace(*, actor: audit.Actor, at: datetime) -> GuestKey:
    """Make a new key and let it be the current one; the one before is kept, to enter guests that do not know the new one yet.

    Raises ImproperlyConfigured when the one before is the file's, which cannot be read.
    """
    with transaction.atomic():
        one_after_another(ALONE)
        before = latest() or _stored(of_file(), at=at)
        row = _stored(_generated(), at=at)
        audit.record(
            actor=actor, verb="guest_key.replaced", subject=row, at=at,
            before={"name": before.name}, after={"name": row.name},
        )  # fmt: skip
    return row


def destroy_before(current: GuestKey, *, actor: audit.Actor, at: datetime) -> list[GuestKey]:
    """Destroy the private halves of all before this one; the public ones stay known, to be taken out of guests where they turn up."""
    with transaction.atomic():
        rows = kept_before(current)
        for row in rows:
            row.algorithm, row.key, row.sealed = "", "", None
            row.save(update_fields=["algorithm", "key", "sealed"])
            audit.record(
                actor=actor, verb="guest_key.destroyed", subject=row, at=at, after={"name": row.name}
            )
    return rows


def kept_before(current: GuestKey) -> list[GuestKey]:
    """Those before this one whose private halves are kept, the newest first."""
    return list(GuestKey.objects.exclude(sealed=None).filter(pk__lt=current.pk).order_by("-pk"))


def unreadable() -> list[str]:
    """Names of those that are sealed with what is not here."""
    foreign = ciphers.without_their_key(GuestKey.objects.exclude(sealed=None))
    return list(foreign.order_by("-pk").values_list("name", flat=True))


def to_seal_anew() -> list[int]:
    """Primary keys of those that are not under the newest of ``CREDENTIAL_KEYS`` and the chosen cipher."""
    return ciphers.to_seal_anew(GuestKey.objects.exclude(sealed=None))


@transaction.atomic
def seal_anew(*, key: int) -> None:
    """Seal one anew under the newest key; what is inside stays. Raises ``ciphers.Unreadable``."""
    row = GuestKey.objects.select_for_update().get(pk=key)
    if row.sealed is not None:  # nobody has destroyed it meanwhile
        _seal(row, opened(row))
        row.save(update_fields=["algorithm", "key", "sealed"])


def _stored(pair: Pair, *, at: datetime) -> GuestKey:
    row = GuestKey(name=pair.name, public_key=pair.public, stored_at=at)
    _seal(row, pair.private)
    row.save(force_insert=True)
    return row


def _seal(row: GuestKey, private: str) -> None:
    sealed = ciphers.seal({"private": private}, purpose=PURPOSE, owner=row.uuid)
    row.algorithm, row.key, row.sealed = sealed.algorithm, sealed.key, sealed.content


def _generated() -> Pair:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return _pair(pem)


@lru_cache(maxsize=4)
def _read(path: Path, inode: int, changed: int) -> Pair:  # noqa: ARG001  another file has others
    return _pair(path.read_bytes())


def _pair(pem: bytes) -> Pair:
    half = serialization.load_ssh_private_key(pem, password=None).public_key()
    public = half.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    return Pair(f"govcloud-{hashlib.sha256(public.encode()).hexdigest()[:12]}", public, pem.decode())
