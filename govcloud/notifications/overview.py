"""How what goes out is doing, for operators. Read from the database when it is asked for: three statements."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q

from govcloud.notifications.lifecycle import DeliveryState, WebhookStatus
from govcloud.notifications.models import Channel, Delivery, Notice, Webhook


@dataclass(frozen=True, slots=True)
class Queue:
    due: int
    age_seconds: float
    """Of the one that has been due longest."""


@dataclass(frozen=True, slots=True)
class Seen:
    channels: Mapping[str, Queue]
    to_dispatch: int
    failing_webhooks: int
    disabled_webhooks: int


def seen(*, at: datetime) -> Seen:
    waiting = (
        Delivery.objects.filter(state=DeliveryState.DUE, next_run_at__lte=at)
        .order_by()
        .values_list("channel")
        .annotate(Count("pk"), Min("next_run_at"))
    )
    due = {channel: Queue(count, (at - oldest).total_seconds()) for channel, count, oldest in waiting}
    active = Q(status=WebhookStatus.ACTIVE)
    webhooks = Webhook.objects.aggregate(
        failing=Count("pk", filter=active & Q(failures__gt=0)), disabled=Count("pk", filter=~active)
    )
    return Seen(
        channels={channel: due.get(channel, Queue(0, 0.0)) for channel in Channel.values},
        to_dispatch=Notice.objects.filter(dispatched_at=None).count(),
        failing_webhooks=webhooks["failing"],
        disabled_webhooks=webhooks["disabled"],
    )
