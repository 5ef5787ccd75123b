"""Who answers for a system: personal data, encrypted at rest, masked wherever nobody needs them whole."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud import ciphers
from govcloud.ciphers import Sealed, Unreadable
from govcloud.errors import DomainError, Invalid, Unavailable
from tenants.models import System, SystemOwner

PURPOSE = "system owners"
TELEPHONE = re.compile(r"\+?\d[\d -]{4,18}\d")
MAIL = re.compile(r"[^@\s*]+@[^@\s*]+\.[^@\s*]+")
LONGEST_NAME, LONGEST_MAIL = 80, 254
MASK = "*"


class BadTelephone(Invalid):
    code = "bad-telephone"
    message = _(
        "“%(given)s” is no telephone number: 6 to 20 digits, spaces and hyphens, a + in front at most."
    )


class BadMail(Invalid):
    code = "bad-mail-address"
    message = _("“%(given)s” is no mail address.")


class BadOwnerName(Invalid):
    code = "bad-owner-name"
    message = _("The owner's name has at most %(most)s characters and none that masks it.")


class OwnerNameMissing(Invalid):
    code = "owner-name-missing"
    message = _("Say who the owner is: a telephone number or a mail address alone is nobody.")


class OwnerUnreadable(Unavailable):
    code = "owner-unreadable"
    message = _(
        "Who answers for this system cannot be read at present: the key it was encrypted with is not here. Ask the system administrator."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Nothing of it is told in logs or in the audit trail."""

    name: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    email: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return any((self.name, self.phone, self.email))

    @property
    def masked(self) -> "Owner":
        """Enough to recognise somebody one knows: 张*, 138****5678, z***@example.org."""
        return Owner(
            name=self.name and self.name[0] + MASK * max(1, len(self.name) - 1),
            phone=self.phone and _middle_masked(self.phone),
            email=masked_mail(self.email),
        )


def masked_mail(address: str) -> str:
    """z***@example.org"""
    account, _at, domain = address.partition("@")
    return address and f"{account[:1]}***@{domain}"


def _middle_masked(phone: str) -> str:
    """The last four digits, and the first three of a number that has more than seven."""
    shown = 3 if len(phone) > 7 else 0
    return f"{phone[:shown]}****{phone[-4:]}" if len(phone) > 4 else "****"


def wrong_with(owner: Owner) -> Iterator[DomainError]:
    if owner and not owner.name:
        yield OwnerNameMissing(pointers=("/owner/name",))
    if len(owner.name) > LONGEST_NAME or MASK in owner.name:
        yield BadOwnerName(most=LONGEST_NAME, pointers=("/owner/name",))
    if owner.phone and not TELEPHONE.fullmatch(owner.phone):
        yield BadTelephone(given=quoted(owner.phone), pointers=("/owner/phone",))
    if owner.email and (len(owner.email) > LONGEST_MAIL or not MAIL.fullmatch(owner.email)):
        yield BadMail(given=quoted(owner.email), pointers=("/owner/email",))


def quoted(given: str) -> str:
    return given if len(given) <= 40 else f"{given[:40]}…"


def keep(system: System, owner: Owner) -> bool:
    """Write down whose the system is; whether that changed anything. The caller has locked the system and tells of it."""
    before = SystemOwner.objects.filter(system=system).first()
    try:
        if (opened(before, system) if before else Owner()) == owner:
            return False
    except Unreadable:
        pass  # what cannot be read any more is replaced
    if not owner:
        SystemOwner.objects.filter(system=system).delete()
        return True
    sealed = ciphers.seal(asdict(owner), purpose=PURPOSE, owner=system.uuid)
    columns = {"algorithm": sealed.algorithm, "key": sealed.key, "sealed": sealed.content}
    SystemOwner.objects.update_or_create(system=system, defaults=columns)
    return True


def sealed_row(system: System, owner: Owner) -> SystemOwner:
    """As it is kept, for whoever writes many at once."""
    sealed = ciphers.seal(asdict(owner), purpose=PURPOSE, owner=system.uuid)
    return SystemOwner(system=system, algorithm=sealed.algorithm, key=sealed.key, sealed=sealed.content)


def opened(row: SystemOwner, system: System) -> Owner:
    """Raises ciphers.Unreadable."""
    sealed = Sealed(row.algorithm, row.key, bytes(row.sealed))
    return Owner(**ciphers.opened(sealed, purpose=PURPOSE, owner=system.uuid))


def owner_of(system: System) -> Owner:
    """For those who need it; lists select ``sealed_owner`` with the system. Raises OwnerUnreadable."""
    row: SystemOwner | None = getattr(system, "sealed_owner", None)
    try:
        return opened(row, system) if row is not None else Owner()
    except Unreadable as unreadable:
        raise OwnerUnreadable from unreadable


def masked_owner_of(system: System) -> Owner:
    """For everybody who may see the system; what cannot be read is masked whole."""
    try:
        return owner_of(system).masked
    except OwnerUnreadable:
        return Owner(name="****")


def to_rotate() -> list[int]:
    """Primary keys of those that are not under the newest key and the chosen cipher."""
    return ciphers.to_seal_anew(SystemOwner.objects.all())


@transaction.atomic
def rotate(*, key: int) -> None:
    """Seal one anew under the newest key; what is inside stays. Raises ciphers.Unreadable."""
    row = SystemOwner.objects.select_for_update(of=("self",)).select_related("system").get(pk=key)
    fresh = sealed_row(row.system, opened(row, row.system))
    row.algorithm, row.key, row.sealed = fresh.algorithm, fresh.key, fresh.sealed
    row.save(update_fields=["algorithm", "key", "sealed"])
