"""The key with which Ansible enters guests. The clouds are given its public half only."""

import hashlib
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class GuestKey:
    """``name`` is what the key is registered under in a cloud: another key has another name."""

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
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)


def guest_key() -> GuestKey:
    """The key of ``GUEST_KEY_FILE``. Raises ImproperlyConfigured when it cannot be read."""
    return _read(settings.GUEST_KEY_FILE)


@cache
def _read(path: Path) -> GuestKey:
    try:
        pem = path.read_bytes()
        private = serialization.load_ssh_private_key(pem, password=None)
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"GUEST_KEY_FILE {path}: {error}") from error
    public = (
        private.public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode()
    )
    return GuestKey(f"govcloud-{hashlib.sha256(public.encode()).hexdigest()[:12]}", public, pem.decode())
