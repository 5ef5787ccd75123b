"""A person's mail address: the link that proves it is sent there, and nowhere shown."""

from datetime import datetime
from uuid import uuid4

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from govcloud.errors import Unavailable
from govcloud.gateways import mail
from tenants.access import mail_address
from tenants.models import User


class MailNotSent(Unavailable):
    code = "mail-not-sent"
    message = _("The mail server did not take the mail with the link. Check the address, or try again later.")


def ask(*, user: User, address: str, at: datetime) -> None:
    """Send the link to the address. Raises what ``mail_address.ask`` raises, and MailNotSent."""
    address = address.strip()
    link = mail_address.ask(user=user, address=address, at=at)
    with translation.override(user.language):
        subject = gettext("Confirm your mail address")
        text = gettext(
            "%(name)s,\n\nopen this link while you are signed in, and notices of the government cloud centre come to this address:\n\n"
            "%(link)s\n\nIt is good for a day. If you have not asked for it, do nothing."
        ) % {"name": user, "link": settings.PORTAL_URL + reverse("portal:mail-confirmation", args=[link])}
    try:
        mail.send(to=address, subject=subject, text=text, message_id=str(uuid4()), language=user.language)
    except mail.MailRefused as refused:
        raise MailNotSent from refused
