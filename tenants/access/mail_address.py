"""Where a person's notices go by mail: an address counts once a link that was sent there has been opened."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud import ciphers
from govcloud.audit import services as audit
from govcloud.audit.models import Event
from govcloud.audit.refusals import refuse
from govcloud.errors import Conflict, Invalid
from tenants.models import User
from tenants.owners import LONGEST_MAIL, MAIL, BadMail, masked_mail, quoted

GOOD_FOR = timedelta(days=1)
MOST_IN_AN_HOUR = 5
ASKED = "user.mail_address_asked"
CHANGED = "user.mail_address_changed"
PURPOSE = "mail address"


class MailAddressElsewhere(Invalid):
    code = "mail-address-elsewhere"
    message = _("Notices are sent to addresses of %(domains)s only.")


class TooManyMails(Conflict):
    code = "too-many-mails"
    message = _("Several links were sent within the hour. Look for them, or try again later.")


class LinkSpent(Conflict):
    code = "mail-link-spent"
    message = _("This link is no longer good, or is another person's. Ask for another.")


def ask(*, user: User, address: str, at: datetime) -> str:
    """Have an address that somebody wants to use checked; returns what the link to it holds, good for a day.

    It is sealed, so that no log has the address, and of use to this user alone, until their address is another one. Raises BadMail, MailAddressElsewhere and TooManyMails.
    """
    if len(address) > LONGEST_MAIL or not address.isascii() or not MAIL.fullmatch(address):
        raise BadMail(given=quoted(address), pointers=("/address",))
    domain = address.rpartition("@")[2].lower()
    if settings.MAIL_DOMAINS and not any(_within(domain, each) for each in settings.MAIL_DOMAINS):
        raise MailAddressElsewhere(domains=_(", ").join(settings.MAIL_DOMAINS), pointers=("/address",))
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        events = Event.objects.filter(subject_id=user.uuid, verb=ASKED, at__gt=at - timedelta(hours=1))
        if events.count() >= MOST_IN_AN_HOUR:
            raise TooManyMails
        audit.record(
            actor=user, verb=ASKED, subject=user, at=at, after={"mail_address": masked_mail(address)}
        )
    told = {"address": address, "was": user.email, "until": (at + GOOD_FOR).isoformat()}
    sealed = ciphers.seal(told, purpose=PURPOSE, owner=user.uuid)
    return f"{sealed.algorithm}.{sealed.key}.{urlsafe_b64encode(sealed.content).decode()}"


def asked_for(*, user: User, link: str, at: datetime) -> str:
    """The address that a link is to confirm. Raises LinkSpent."""
    try:
        algorithm, key, content = link.split(".")
        sealed = ciphers.Sealed(algorithm, key, urlsafe_b64decode(content))
        told = ciphers.opened(sealed, purpose=PURPOSE, owner=user.uuid)
    except (ValueError, ciphers.Unreadable) as error:
        raise LinkSpent from error
    if told["was"] != user.email or datetime.fromisoformat(told["until"]) < at:
        raise LinkSpent
    return str(told["address"])


def take(*, user: User, link: str, at: datetime) -> None:
    """Send notices to the address of the link from now on. Raises LinkSpent."""
    try:
        with transaction.atomic():
            locked = User.objects.select_for_update().get(pk=user.pk)
            _change(locked, asked_for(user=locked, link=link, at=at), at=at)
    except LinkSpent:
        refuse(actor=user, verb=CHANGED, subject=user, at=at, reason=LinkSpent.code)
        raise


def give_up(*, user: User, at: datetime) -> None:
    """Have nothing sent by mail any more."""
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=user.pk)
        if locked.email:
            _change(locked, "", at=at)


def _change(user: User, address: str, *, at: datetime) -> None:
    before, user.email = user.email, address
    user.save(update_fields=["email"])
    audit.record(
        actor=user,
        verb=CHANGED,
        subject=user,
        at=at,
        before={"mail_address": masked_mail(before)},
        after={"mail_address": masked_mail(address)},
    )


def _within(domain: str, allowed: str) -> bool:
    return domain == allowed or domain.endswith(f".{allowed}")
