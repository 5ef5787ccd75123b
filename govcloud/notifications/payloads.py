"""What a webhook is sent, and how it can tell that it comes from us: after the Standard Webhooks specification.

The id is the notice's, the same at every try; the signature is over id, time and body.
"""

import base64
import hashlib
import hmac
import json
import secrets as randomness
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder

from govcloud import ciphers
from govcloud.notifications.models import Notice, Webhook
from govcloud.notifications.texts import told

PREFIX: Final = "whsec_"
PURPOSE: Final = "webhook secret"


def new_secret() -> str:
    return PREFIX + base64.b64encode(randomness.token_bytes(32)).decode()


def seal(webhook: Webhook, secret: str) -> None:
    """Put the secret into the row, encrypted and bound to it."""
    sealed = ciphers.seal({"secret": secret}, purpose=PURPOSE, owner=webhook.uuid)
    webhook.algorithm, webhook.key, webhook.sealed = sealed.algorithm, sealed.key, sealed.content


def secret_of(webhook: Webhook) -> str:
    """Raises ciphers.Unreadable."""
    kept = ciphers.Sealed(webhook.algorithm, webhook.key, bytes(webhook.sealed))
    return str(ciphers.opened(kept, purpose=PURPOSE, owner=webhook.uuid)["secret"])


def seal_anew() -> int:
    """Put secrets under the newest key of CREDENTIAL_KEYS; returns how many were under another."""
    newest = ciphers.fingerprint(settings.CREDENTIAL_KEYS[0])
    old = list(Webhook.objects.exclude(key=newest).select_for_update(skip_locked=True))
    for webhook in old:
        seal(webhook, secret_of(webhook))
        webhook.save(update_fields=["algorithm", "key", "sealed"])
    return len(old)


def body_of(notice: Notice) -> bytes:
    """The same bytes at every try."""
    words = {language: told(notice, language=language) for language, _name in settings.LANGUAGES}
    payload: dict[str, Any] = {
        "id": notice.uuid,
        "type": notice.kind,
        "timestamp": notice.created_at,
        "data": {
            "department": notice.department.uuid if notice.department else None,
            "subject_type": notice.subject_type,
            "subject": notice.subject_id,
            "thread": notice.thread,
            "facts": notice.facts,
            "title": {language: each.title for language, each in words.items()},
            "text": {language: each.text for language, each in words.items()},
        },
    }
    return json.dumps(payload, ensure_ascii=False, cls=DjangoJSONEncoder, sort_keys=True).encode()


def headers_of(webhook: Webhook, notice: Notice, *, body: bytes, at: datetime) -> dict[str, str]:
    identifier, moment = str(notice.uuid), str(int(at.timestamp()))
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "govcloud-webhooks/1",
        "webhook-id": identifier,
        "webhook-timestamp": moment,
        "webhook-signature": signature(secret_of(webhook), identifier, moment, body),
    }


def signature(secret: str, identifier: str, moment: str, body: bytes) -> str:
    """``v1,`` and the HMAC-SHA256 of ``<id>.<timestamp>.<body>`` in base64."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.new(key, f"{identifier}.{moment}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
