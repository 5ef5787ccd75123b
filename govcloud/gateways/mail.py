"""Sending one mail over SMTP, as ``EMAIL_*`` of the settings say."""

import smtplib
from dataclasses import dataclass
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMessage, get_connection


@dataclass(frozen=True, slots=True)
class MailRefused(Exception):
    """The server said no. ``permanent``: it will say the same again (RFC 5321, replies of 500 and above)."""

    code: int | None
    detail: str
    permanent: bool


def send(*, to: str, subject: str, text: str, message_id: str, language: str) -> None:
    """Hand one plain-text mail to the server. Raises MailRefused.

    ``message_id`` is the same whenever the same mail is sent again, so that who receives it twice can tell.
    """
    _name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    headers = {
        "Message-ID": f"<{message_id}@{address.rpartition('@')[2]}>",
        "Auto-Submitted": "auto-generated",  # RFC 3834: no out-of-office note comes back
        "Content-Language": language,
    }
    mail = EmailMessage(subject=" ".join(subject.split()), body=text, to=[to], headers=headers)
    mail.connection = get_connection(fail_silently=False)
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as refused:
        code, answer = next(iter(refused.recipients.values()))
        raise MailRefused(code, _words(answer), permanent=code >= 500) from refused
    except smtplib.SMTPSenderRefused as refused:
        raise MailRefused(refused.smtp_code, _words(refused.smtp_error), permanent=False) from refused
    except smtplib.SMTPResponseException as refused:
        permanent = isinstance(refused, smtplib.SMTPDataError) and refused.smtp_code >= 500
        raise MailRefused(refused.smtp_code, _words(refused.smtp_error), permanent=permanent) from refused
    except (OSError, smtplib.SMTPException) as trouble:
        raise MailRefused(None, f"{type(trouble).__name__}: {trouble}", permanent=False) from trouble


def _words(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer
