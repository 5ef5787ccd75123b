"""What is kept encrypted at rest (clouds' credentials, people's particulars): with authentication, bound to the row that it
belongs to, under keys that can be replaced.

``CREDENTIAL_KEYS`` lists keys newest first: the first seals, every one opens. A sealed text carries the fingerprint of
its key, so nothing is tried out. Purpose and uuid are authenticated with it: what is copied to another row does not open.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeVar
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db.models import Model, QuerySet

NONCE, TAG = 12, 16  # bytes

M = TypeVar("M", bound=Model)


class Unreadable(Exception):
    """What is stored cannot be opened; the message says why and holds nothing of it."""


class Sealing(Protocol):
    """An authenticated cipher: ``opened`` raises InvalidTag for anything but what ``sealed`` made."""

    key_bytes: int

    def sealed(self, key: bytes, nonce: bytes, plain: bytes, bound_to: bytes) -> bytes: ...

    def opened(self, key: bytes, nonce: bytes, sealed: bytes, bound_to: bytes) -> bytes: ...


class SM4:
    """GB/T 32907 in Galois/counter mode."""

    key_bytes = 16

    def sealed(self, key: bytes, nonce: bytes, plain: bytes, bound_to: bytes) -> bytes:
        encryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(bound_to)
        return encryptor.update(plain) + encryptor.finalize() + encryptor.tag

    def opened(self, key: bytes, nonce: bytes, sealed: bytes, bound_to: bytes) -> bytes:
        if len(sealed) < TAG:
            raise InvalidTag
        decryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce, sealed[-TAG:])).decryptor()
        decryptor.authenticate_additional_data(bound_to)
        return decryptor.update(sealed[:-TAG]) + decryptor.finalize()


class AES256:
    key_bytes = 32

    def sealed(self, key: bytes, nonce: bytes, plain: bytes, bound_to: bytes) -> bytes:
        return AESGCM(key).encrypt(nonce, plain, bound_to)

    def opened(self, key: bytes, nonce: bytes, sealed: bytes, bound_to: bytes) -> bytes:
        return AESGCM(key).decrypt(nonce, sealed, bound_to)


CIPHERS: Mapping[str, Sealing] = {"sm4-gcm": SM4(), "aes-256-gcm": AES256()}


@dataclass(frozen=True, slots=True)
class Sealed:
    algorithm: str
    key: str
    content: bytes


def seal(document: Mapping[str, Any], *, purpose: str, owner: UUID) -> Sealed:
    """The document for this purpose of this row alone, under the newest key."""
    algorithm, secret = settings.CREDENTIAL_CIPHER, settings.CREDENTIAL_KEYS[0]
    nonce = os.urandom(NONCE)
    plain = json.dumps(document, ensure_ascii=False).encode()
    key = _key(secret, purpose, algorithm)
    content = CIPHERS[algorithm].sealed(key, nonce, plain, _bound_to(purpose, owner, algorithm))
    return Sealed(algorithm, fingerprint(secret), nonce + content)


def opened(sealed: Sealed, *, purpose: str, owner: UUID) -> dict[str, Any]:
    """What was sealed for the purpose of the row. Raises Unreadable."""
    secret = next((each for each in settings.CREDENTIAL_KEYS if fingerprint(each) == sealed.key), None)
    if secret is None:
        raise Unreadable(f"they are encrypted with the key {sealed.key}, which CREDENTIAL_KEYS does not have")
    nonce, content = sealed.content[:NONCE], sealed.content[NONCE:]
    algorithm = sealed.algorithm
    try:
        key = _key(secret, purpose, algorithm)
        plain = CIPHERS[algorithm].opened(key, nonce, content, _bound_to(purpose, owner, algorithm))
    except (InvalidTag, KeyError, ValueError) as error:
        raise Unreadable("they are not what was stored here: somebody changed or moved the row") from error
    document: dict[str, Any] = json.loads(plain)
    return document


def to_seal_anew(rows: QuerySet[Any]) -> list[int]:
    """Primary keys of the sealed rows that are not under the newest key and the chosen cipher."""
    old = rows.exclude(key=fingerprint(settings.CREDENTIAL_KEYS[0]), algorithm=settings.CREDENTIAL_CIPHER)
    return list(old.order_by("pk").values_list("pk", flat=True))


def without_their_key(rows: QuerySet[M]) -> QuerySet[M]:
    """The sealed rows whose key is not here."""
    return rows.exclude(key__in=[fingerprint(secret) for secret in settings.CREDENTIAL_KEYS])


def fingerprint(secret: str) -> str:
    """What a key is known by, whatever it is used for; tells nothing of the key."""
    return hashlib.sha256(_derived(secret, b"cloud credentials fingerprint", 32)).hexdigest()[:16]


def _key(secret: str, purpose: str, algorithm: str) -> bytes:
    return _derived(secret, f"{purpose} {algorithm}".encode(), CIPHERS[algorithm].key_bytes)


@lru_cache(maxsize=64)
def _derived(secret: str, use: bytes, length: int) -> bytes:
    info = b"govcloud " + use
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(secret.encode())


def _bound_to(purpose: str, owner: UUID, algorithm: str) -> bytes:
    return f"govcloud {purpose} {algorithm} {owner}".encode()
