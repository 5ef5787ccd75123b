"""Who can enter a server: the public SSH keys of the department's own administrators.

Our own key stays what it is: it is not the department's, and is used by playbooks only. The account is made by the playbook;
without a key there is no account.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization.ssh import SSHPublicKeyTypes, load_ssh_public_key
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.errors import Conflict, DomainError, Invalid, Invalids
from govcloud.inventory.models import Guest, LoginKey, Power, Resource, ResourceKind
from govcloud.provisioning.actions.base import NO_KEY, Action
from govcloud.provisioning.services import StepSpec
from tenants.models import Role

MOST_KEYS = 20
LONGEST_KEY = 4_000  # characters
LEAST_RSA_BITS = 3072


class NoPublicKey(Invalid):
    """Nothing of what was sent is told again: it may have been a private key."""

    code = "no-public-key"
    message = _("This is not a public SSH key of one line, as in a .pub file.")


class WeakKey(Invalid):
    code = "weak-key"
    message = _("This key is too weak: take Ed25519, ECDSA, or RSA of at least %(bits)s bits.")


class KeyTwice(Invalid):
    code = "key-twice"
    message = _("This key is in the list more than once.")


class TooManyKeys(Invalid):
    code = "too-many-keys"
    message = _("A server takes at most %(most)s login keys.")


class KeysChanged(Conflict):
    """A key that somebody took away meanwhile would be let in again."""

    code = "login-keys-changed"
    message = _("The list has changed since you read it. Compare yours with the present one first.")


@dataclass(frozen=True, slots=True)
class LoginKeys:
    """``mark`` is that of the list that was read (``mark_of``); None takes any."""

    keys: tuple[str, ...]
    mark: str | None = None


class SetLoginKeys(Action[LoginKeys]):
    """The whole list: keys that it does not name are taken away, and with the last of them the account."""

    name = "set-login-keys"
    title = _("set who can log in")
    resource_kind = ResourceKind.SERVER
    sensitive = True
    leaves_it_as_ordered = True
    roles = (Role.APPLICANT, Role.CLOUD_ADMIN)

    def refusal(self, resource: Resource) -> Promise | None:
        if resource.server.guest == Guest.UNMANAGED:
            return NO_KEY
        return _("it is stopped") if resource.server.power == Power.STOPPED else None

    def check(self, resource: Resource, parameters: LoginKeys) -> None:
        if parameters.mark is not None and parameters.mark != mark_of(keys_of(resource)):
            raise KeysChanged
        if len(parameters.keys) > MOST_KEYS:
            raise TooManyKeys(most=MOST_KEYS, pointers=("/keys",))
        errors: list[DomainError] = []
        seen: set[str] = set()
        for position, key in enumerate(parameters.keys):
            refused = _refused(key, seen, f"/keys/{position}")
            errors += [refused] if refused else []
        if errors:
            raise Invalids(errors)

    def plan(self, resource: Resource, parameters: LoginKeys, *, key: str) -> list[StepSpec]:
        keys = {fingerprint(each): _one_line(each) for each in parameters.keys}
        state = {"server": str(resource.unit), "volumes": [], "keys": keys}
        return [
            StepSpec(
                key=f"{key}:login_keys", kind="login_keys", label=resource.name, unit=resource.unit, desired_state=state
            )
        ]  # fmt: skip


def keys_of(server: Resource) -> list[LoginKey]:
    """The public keys that are let in to a server."""
    return list(LoginKey.objects.filter(server=server.pk)[:MOST_KEYS])


def mark_of(keys: Iterable[LoginKey]) -> str:
    """Tells a list from all others, in whatever order."""
    return hashlib.sha256(" ".join(sorted(key.fingerprint for key in keys)).encode()).hexdigest()[:16]


def fingerprint(key: str) -> str:
    """As OpenSSH shows it. Raises ValueError for what is no key."""
    try:
        blob = base64.b64decode(key.split()[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise ValueError("no public key") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def is_public_key(text: str) -> bool:
    """Whether it is one, weak or not, and can be shown: anything else may be a private key."""
    return _loaded(text) is not None


def _one_line(key: str) -> str:
    return " ".join(key.split())


def _loaded(key: str) -> SSHPublicKeyTypes | None:
    """None for what is no public key of one line. A private key behind it would pass for its comment, and be kept."""
    line = key.strip()
    if len(line) > LONGEST_KEY or len(line.splitlines()) != 1 or "PRIVATE KEY" in line.upper():
        return None
    try:
        fingerprint(line)
        return load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None


def _refused(key: str, seen: set[str], pointer: str) -> DomainError | None:
    """Why this key cannot be taken; notes its fingerprint otherwise."""
    public = _loaded(key)
    if public is None:
        return NoPublicKey(pointers=(pointer,))
    weak = isinstance(public, RSAPublicKey) and public.key_size < LEAST_RSA_BITS
    if weak or isinstance(public, DSAPublicKey):
        return WeakKey(bits=LEAST_RSA_BITS, pointers=(pointer,))
    mark = fingerprint(key)
    if mark in seen:
        return KeyTwice(pointers=(pointer,))
    seen.add(mark)
    return None
