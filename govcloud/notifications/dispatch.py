"""From notices to what goes out: mail and digests by each person's choice, and a call for each webhook that wants to know."""

from collections.abc import Collection, Sequence
from datetime import datetime, time

from django.db import transaction
from django.utils import timezone

from govcloud.alone import alone
from govcloud.calendars import services as calendars
from govcloud.notifications import audience, keeping
from govcloud.notifications.kinds import KINDS, SENT_OUTSIDE, Kind, Way
from govcloud.notifications.lifecycle import DeliveryState, WebhookStatus
from govcloud.notifications.models import (
    Channel,
    Delivery,
    KindPreference,
    Message,
    Notice,
    Preference,
    Webhook,
)

BATCH = 200
ALONE = 0x676F_6E6F  # the advisory lock of whoever dispatches


def dispatch(*, at: datetime) -> int:
    """Dispatch what waits for it, a batch at a time; returns how many notices. Whoever comes meanwhile leaves it to us."""
    done = 0
    while count := _dispatch(at=at):
        done += count
        if count < BATCH:
            break
    return done


@transaction.atomic
def _dispatch(*, at: datetime) -> int:
    if not alone(ALONE):
        return 0
    waiting = Notice.objects.filter(dispatched_at=None, kind__in=Kind.values)  # others are for newer workers
    notices = list(waiting.select_related("department").order_by("id")[:BATCH])
    if notices:
        _mail(_messages(notices, at=at), at=at)
        _call(notices, at=at)
        Notice.objects.filter(pk__in=[notice.pk for notice in notices]).update(dispatched_at=at)
    return len(notices)


def _messages(notices: Sequence[Notice], *, at: datetime) -> list[Message]:
    """Into the inboxes, but for who does not want the kind at all."""
    people = audience.of(notices, at=at)
    wishes = _wishes({each.person.pk for found in people.values() for each in found})
    messages = [
        Message(
            notice=notice,
            person=each.person,
            on_behalf_of=[person.audit_name for person in each.on_behalf_of],
            created_at=notice.created_at,
        )
        for notice in notices
        for each in people[notice.pk]
        if wishes.get((each.person.pk, notice.kind)) != Way.NOT
    ]
    return Message.objects.bulk_create(messages)


def _wishes(people: Collection[int]) -> dict[tuple[int, str], str]:
    """The way that a person (by key) has chosen for a kind."""
    chosen = KindPreference.objects.filter(person__in=people).values_list("person", "kind", "way")
    return {(person, kind): way for person, kind, way in chosen}


# -- mail


def _mail(messages: Sequence[Message], *, at: datetime) -> None:
    """A mail of its own for each message, or a place in the person's next digest."""
    wanted = _wanting_mail(messages)
    people = {message.person_id for message in wanted}
    hours = dict(
        Preference.objects.filter(person__in=people, digest_hour__isnull=False).values_list(
            "person", "digest_hour"
        )
    )
    at_once = [message for message in wanted if message.person_id not in hours]
    for message in at_once:
        message.delivery = Delivery(
            channel=Channel.MAIL, person=message.person, next_run_at=at, created_at=at
        )
    Delivery.objects.bulk_create(message.delivery for message in at_once if message.delivery)
    digests = _digests(hours, at=at)
    for message in wanted:
        if message.person_id in hours:
            message.delivery = digests[message.person_id]
    Message.objects.bulk_update(wanted, ["delivery"])


def _wanting_mail(messages: Sequence[Message]) -> list[Message]:
    wishes = _wishes({message.person_id for message in messages})

    def way(message: Message) -> str:
        kind = Kind(message.notice.kind)
        return wishes.get((message.person_id, kind), KINDS[kind].usual)

    return [message for message in messages if message.person.email and way(message) == Way.MAIL]


def _digests(hours: dict[int, int | None], *, at: datetime) -> dict[int | None, Delivery]:
    """The digest that each person waits for, begun if there is none. One that a worker has claimed is closed."""
    waiting = {
        digest.person_id: digest
        for digest in Delivery.objects.select_for_update(skip_locked=True).filter(
            channel=Channel.DIGEST,
            state=DeliveryState.DUE,
            person__in=hours,
            attempts_made=0,
            lease_until=None,
            next_run_at__gt=at,
        )
    }
    begun = [
        Delivery(
            channel=Channel.DIGEST, person_id=person, next_run_at=digest_time(hour, at=at), created_at=at
        )
        for person, hour in hours.items()
        if person not in waiting and hour is not None
    ]
    Delivery.objects.bulk_create(begun)
    return waiting | {digest.person_id: digest for digest in begun}


def digest_time(hour: int, *, at: datetime) -> datetime:
    """The next such hour of a working day, by the installation's wall clock."""
    zone = timezone.get_default_timezone()
    today = at.astimezone(zone).date()
    moment = datetime.combine(today, time(hour), zone)
    if moment > at and calendars.is_working(today):
        return moment
    due = calendars.due_after(start=datetime.combine(today, time(12), zone), working_days=1)
    return datetime.combine(due.astimezone(zone).date(), time(hour), zone)


# -- webhooks


def _call(notices: Sequence[Notice], *, at: datetime) -> None:
    """A call for each webhook in use that wants the kind, whose department the event is of, and that somebody answers for."""
    webhooks = Webhook.objects.filter(status=WebhookStatus.ACTIVE).select_related("department", "keeper")
    wanted = [(webhook, notice) for webhook in webhooks for notice in notices if concerns(webhook, notice)]
    unkept = keeping.disable_unkept({webhook.pk: webhook for webhook, _notice in wanted}.values(), at=at)
    Delivery.objects.bulk_create(
        Delivery(channel=Channel.WEBHOOK, webhook=webhook, notice=notice, next_run_at=at, created_at=at)
        for webhook, notice in wanted
        if webhook.pk not in unkept
    )


def concerns(webhook: Webhook, notice: Notice) -> bool:
    if notice.kind not in SENT_OUTSIDE or (webhook.kinds and notice.kind not in webhook.kinds):
        return False
    if webhook.department is None:
        return True
    return notice.department is not None and notice.department.path.startswith(webhook.department.path)


def forget(*, before: datetime) -> int:
    """Let go of calls of webhooks and their log, ended before the instant; returns how many."""
    old = Delivery.objects.filter(channel=Channel.WEBHOOK, finished_at__lt=before)
    return old.delete()[1].get("notifications.Delivery", 0)
