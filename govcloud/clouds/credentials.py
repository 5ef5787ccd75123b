"""Storing what a cloud is signed in to with, reading it back for the gateway, and sealing it anew under another key."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from cryptography import x509
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud import ciphers
from govcloud.audit import services as audit
from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.clouds import sealing
from govcloud.clouds.models import CloudCredential
from govcloud.clouds.services import ProfileAndCredentials, locked
from govcloud.errors import DomainError, Invalid, Invalids

SERVICES: Final = ("identity", "compute", "network", "block-storage", "image", "placement", "object-store")
INTERFACES: Final = ("public", "internal", "admin")


class BadAddress(Invalid):
    code = "bad-service-address"
    message = _("This is no address of a service: it begins with http:// or https://.")


class NamesAUser(Invalid):
    """The address itself is in no message: there may be a password in it."""

    code = "user-in-service-address"
    message = _("Leave the user and the password out of the address: they have fields of their own.")


class BadCertificate(Invalid):
    code = "bad-certificate"
    message = _("This holds no certificate in PEM form.")


class UnknownCloudService(Invalid):
    code = "unknown-cloud-service"
    message = _("“%(given)s” is no service of a cloud; known are: %(known)s.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialDraft:
    """A user's, with a password. ``endpoint_overrides`` are addresses by service, where the catalogue's lead nowhere."""

    auth_url: str
    username: str
    password: str = field(repr=False)
    project_name: str
    user_domain_name: str = "Default"
    project_domain_name: str = "Default"
    region_name: str = ""
    interface: str = "public"
    ca_certificate: str = ""
    endpoint_overrides: Mapping[str, str] = field(default_factory=dict)


def store(
    *, cloud: Cloud, draft: CredentialDraft, expected_version: int, actor: audit.Actor, at: datetime
) -> Cloud:
    """Keep what the cloud is signed in to with, encrypted; sessions opened before are not used again.

    Nothing of it is told to anybody, the audit trail included. Raises Invalids with all that is wrong,
    ProfileAndCredentials, CloudRetired and CloudChanged.
    """
    errors = list(_wrong(draft))
    if errors:
        raise Invalids(errors)
    with transaction.atomic():
        cloud = locked(cloud, expected_version=expected_version)
        if cloud.profile:
            raise ProfileAndCredentials
        sealed = sealing.seal(_settings(draft), cloud=cloud.uuid)
        kept, fresh = CloudCredential.objects.update_or_create(
            cloud=cloud,
            defaults={
                "algorithm": sealed.algorithm, "key": sealed.key, "sealed": sealed.content,
                "stamp": uuid4(), "stored_at": at,
            },
        )  # fmt: skip
        cloud.version += 1
        cloud.save(update_fields=["version"])
        audit.record(
            actor=actor, verb="cloud.credentials_stored", subject=cloud, at=at,
            after={"replaces_others": not fresh, "key": kept.key, "algorithm": kept.algorithm},
        )  # fmt: skip
    return cloud


def _wrong(draft: CredentialDraft) -> Iterator[DomainError]:
    yield from _wrong_with(draft.auth_url, "/auth_url")
    for service, address in draft.endpoint_overrides.items():
        pointer = f"/endpoint_overrides/{service}"
        if service not in SERVICES:
            yield UnknownCloudService(given=service, known=_(", ").join(SERVICES), pointers=(pointer,))
        else:
            yield from _wrong_with(address, pointer)
    if draft.ca_certificate:
        try:
            x509.load_pem_x509_certificates(draft.ca_certificate.encode())
        except ValueError:
            yield BadCertificate(pointers=("/ca_certificate",))


def _wrong_with(address: str, pointer: str) -> Iterator[DomainError]:
    if names_a_user(address):
        yield NamesAUser(pointers=(pointer,))
    elif not _is_address(address):
        yield BadAddress(pointers=(pointer,))


def names_a_user(address: str) -> bool:
    """Whether there may be a password in it, also where it is no address: "user:password@host"."""
    return "@" in address


def _is_address(given: str) -> bool:
    try:
        parts = urlsplit(given)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def _settings(draft: CredentialDraft) -> dict[str, Any]:
    """As an entry of clouds.yaml has them."""
    entry: dict[str, Any] = {
        "auth_type": "password",
        "auth": {
            "auth_url": draft.auth_url,
            "username": draft.username,
            "password": draft.password,
            "project_name": draft.project_name,
            "user_domain_name": draft.user_domain_name,
            "project_domain_name": draft.project_domain_name,
        },
        "interface": draft.interface,
        "identity_api_version": "3",
    }
    if draft.region_name:
        entry["region_name"] = draft.region_name
    if draft.ca_certificate:
        entry["cacert"] = draft.ca_certificate
    for service, address in draft.endpoint_overrides.items():
        entry[f"{service.replace('-', '_')}_endpoint_override"] = address
    return entry


def settings_of(credential: CloudCredential, *, cloud: Cloud) -> dict[str, Any]:
    """What was stored, for the gateway alone. Raises sealing.Unreadable."""
    content = bytes(credential.sealed)
    return sealing.opened(sealing.Sealed(credential.algorithm, credential.key, content), cloud=cloud.uuid)


def unreadable() -> list[str]:
    """Codes of the clouds in use whose credentials are under a key that is not here."""
    in_use = CloudCredential.objects.filter(cloud__status=CloudStatus.ENABLED)
    foreign = ciphers.without_their_key(in_use).order_by("cloud__code")
    return list(foreign.values_list("cloud__code", flat=True))


def to_rotate() -> list[int]:
    """Primary keys of the credentials that are not under the newest key and the chosen cipher."""
    return ciphers.to_seal_anew(CloudCredential.objects.all())


def rotate(*, key: int, actor: audit.Actor, at: datetime) -> Cloud:
    """Seal one cloud's credentials under the newest key. What is inside stays, and so do the sessions.

    Raises sealing.Unreadable.
    """
    with transaction.atomic():
        row = CloudCredential.objects.select_for_update(of=("self",)).select_related("cloud").get(pk=key)
        before = {"key": row.key, "algorithm": row.algorithm}
        sealed = sealing.seal(settings_of(row, cloud=row.cloud), cloud=row.cloud.uuid)
        row.algorithm, row.key, row.sealed = sealed.algorithm, sealed.key, sealed.content
        row.save(update_fields=["algorithm", "key", "sealed"])
        audit.record(
            actor=actor, verb="cloud.credentials_rotated", subject=row.cloud, at=at, before=before,
            after={"key": row.key, "algorithm": row.algorithm},
        )  # fmt: skip
    return row.cloud
