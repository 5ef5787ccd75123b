"""Sending what is due: claimed by lease and fence, tried once, and written down; again later with growing pauses.

At least once: who dies between the mail server's (or the webhook's) yes and our own commit leaves the delivery due, and
the next one sends it again under the same id.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext, ngettext

from govcloud.audit import services as audit
from govcloud.gateways import mail
from govcloud.gateways import webhooks as calls
from govcloud.notifications import keeping, payloads, services
from govcloud.notifications.kinds import Kind
from govcloud.notifications.lifecycle import DeliveryState, WebhookStatus
from govcloud.notifications.models import Attempt, Channel, Delivery, Webhook
from govcloud.notifications.texts import told_to
from tenants.models import Role, User

log = structlog.get_logger(__name__)
SENDER = audit.SystemActor("notifications")

LEASE = timedelta(minutes=5)  # longer than a mail or a call can take by their time-outs
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Tried:
    """How a try ended; ``final``: it would end so again."""

    succeeded: bool
    milliseconds: int = 0
    status: int | None = None
    detail: str = ""
    final: bool = False


def claim(*, at: datetime) -> Delivery | None:
    """Take the delivery that has been due longest and that nobody holds; None when there is none."""
    with transaction.atomic():
        held = (
            Delivery.objects.due(at=at)
            .select_for_update(skip_locked=True, of=("self",))
            .select_related("person", "webhook__department", "webhook__keeper", "notice__department")
            .order_by("next_run_at", "pk")
            .first()
        )
        if held is None:
            return None
        held.fence += 1
        held.lease_until = at + LEASE
        held.save(update_fields=["fence", "lease_until"])
    return held


def run_due(*, clock: Callable[[], datetime], most: int | None = None) -> int:
    """Claim and try until nothing is due, or so many have been tried; returns how many were."""
    tried = 0
    while most is None or tried < most:
        held = claim(at=clock())
        if held is None:
            break
        advance(held, clock=clock)
        tried += 1
    return tried


def advance(held: Delivery, *, clock: Callable[[], datetime]) -> None:
    """Try a claimed delivery once and write down what came of it. A fault of ours counts like one of theirs."""
    at = clock()
    try:
        if held.webhook is not None and keeping.disable_unkept([held.webhook], at=at):
            return  # given up with all else that was on its way there
        outcome = _send(held, at=at)
    except Exception as error:  # the task's edge: one that cannot be sent must not take the others along
        log.exception("not sent", delivery=str(held.uuid))
        outcome = Tried(succeeded=False, detail=f"{type(error).__name__}")
    settle(held, outcome, asked_at=at, at=clock())


def _send(held: Delivery, *, at: datetime) -> Tried:
    if held.channel == Channel.WEBHOOK:
        return _call(held, at=at)
    return _mail(held)


# -- mail


def _mail(held: Delivery) -> Tried:
    person = held.person
    if person is None or not person.email or not person.is_active:
        return Tried(succeeded=False, detail="this person has no address any more", final=True)
    subject, text = mail_of(held, person)
    try:
        mail.send(
            to=person.email, subject=subject, text=text, message_id=str(held.uuid), language=person.language
        )
    except mail.MailRefused as refused:
        return Tried(succeeded=False, status=refused.code, detail=refused.detail, final=refused.permanent)
    return Tried(succeeded=True)


def mail_of(held: Delivery, person: User) -> tuple[str, str]:
    """Subject and text in the person's language: of the one message, or of all that the digest has gathered."""
    messages = list(held.messages.select_related("notice").order_by("pk"))
    parts = [(told_to(message, language=person.language), message.uuid) for message in messages]
    with translation.override(person.language):
        if held.channel == Channel.DIGEST:
            subject = ngettext("%(count)s notice", "%(count)s notices", len(parts)) % {"count": len(parts)}
        else:
            subject = parts[0][0].title
        lines = [f"{one.title}\n\n{one.text}\n\n{_address(uuid)}" for one, uuid in parts]
        foot = gettext("You can choose on the page “Notices” what comes by mail.")
        sender = gettext("Government cloud centre")
    rule = "\n\n" + "-" * 40 + "\n\n"
    return f"[{sender}] {subject}", rule.join(lines) + f"\n\n-- \n{foot}\n"


def _address(uuid: object) -> str:
    return f"{settings.PORTAL_URL}/inbox/{uuid}/"


# -- webhooks


def _call(held: Delivery, *, at: datetime) -> Tried:
    webhook, notice = held.webhook, held.notice
    if webhook is None or notice is None:
        raise ValueError(f"delivery {held.pk} names no webhook and no notice")
    if webhook.status != WebhookStatus.ACTIVE:
        return Tried(succeeded=False, detail="the webhook is disabled", final=True)
    body = payloads.body_of(notice)
    headers = payloads.headers_of(webhook, notice, body=body, at=at)
    try:
        answer = calls.post(webhook.url, body=body, headers=headers)
    except (calls.AddressRefused, calls.NotDelivered) as trouble:
        return Tried(succeeded=False, detail=str(trouble))
    taken = 200 <= answer.status < 300
    return Tried(taken, answer.milliseconds, answer.status, "" if taken else answer.body)


# -- what came of it


def settle(held: Delivery, outcome: Tried, *, asked_at: datetime, at: datetime) -> bool:
    """Write the try down and release the delivery; False (and nothing written) if somebody else has claimed it since."""
    with transaction.atomic():
        if held.webhook_id is not None:  # first, as who switches it off does
            Webhook.objects.select_for_update().get(pk=held.webhook_id)
        mine = Delivery.objects.filter(pk=held.pk, fence=held.fence, state=DeliveryState.DUE)
        row = mine.select_for_update().first()
        if row is None:
            log.warning("lease lost", delivery=str(held.uuid), fence=held.fence)
            return False
        Attempt.objects.create(
            delivery=row, at=asked_at, succeeded=outcome.succeeded, status_code=outcome.status,
            milliseconds=outcome.milliseconds, detail=outcome.detail.replace("\0", "")[:500],
        )  # fmt: skip
        if not outcome.succeeded:  # without the server's words: they may name people
            log.warning("not delivered", delivery=str(row.uuid), channel=row.channel, status=outcome.status)
        row.attempts_made += 1
        row.lease_until = None
        too_old = at >= row.created_at + settings.NOTICES_GIVEN_UP_AFTER
        if outcome.succeeded or outcome.final or too_old:
            row.state = DeliveryState.DELIVERED if outcome.succeeded else DeliveryState.GIVEN_UP
            row.next_run_at, row.finished_at = None, at
        else:
            row.next_run_at = at + pause_after(row.attempts_made)
        row.save()
        if row.webhook_id is not None and not (outcome.final and not outcome.succeeded):
            _note(row.webhook_id, outcome, at=at)
    return True


def pause_after(attempts: int) -> timedelta:
    doublings = min(attempts - 1, 12)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def _note(webhook_pk: int, outcome: Tried, *, at: datetime) -> None:
    """How the webhook does. One that has failed for too long is disabled, and those who keep it are told."""
    webhook = Webhook.objects.select_for_update().get(pk=webhook_pk)
    if outcome.succeeded:
        webhook.failures, webhook.failing_since, webhook.rests_until = 0, None, None
    else:
        webhook.failures += 1
        webhook.failing_since = webhook.failing_since or at
        webhook.rests_until = at + pause_after(webhook.failures)
    webhook.save(update_fields=["failures", "failing_since", "rests_until"])
    since = webhook.failing_since
    if since is not None and at >= since + settings.NOTICES_GIVEN_UP_AFTER:
        _disable(webhook, since=since, at=at)


def _disable(webhook: Webhook, *, since: datetime, at: datetime) -> None:
    if webhook.status != WebhookStatus.ACTIVE:
        return
    keeping.disable(webhook, actor=SENDER, at=at, reason="nothing could be delivered for too long")
    services.post(
        kind=Kind.WEBHOOK_DISABLED, subject=webhook,
        facts={"name": webhook.name, "since_at": since, "action": ""},
        people=[webhook.keeper_id], roles=[Role.SYSTEM_ADMIN], at=at,
    )  # fmt: skip
