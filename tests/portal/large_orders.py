"""An order of as many servers as a test wants, for the pages that have to bear it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from govcloud.audit import services as audit
from govcloud.catalog.models import Kind
from govcloud.orders.models import Order, QuoteLine
from govcloud.orders.services import MOST_ITEMS
from govcloud.provisioning.lifecycle import StepState
from tests.portal.scenes import QUOTE, STEPS, Cast, begun, server_item, server_steps, submitted


def many_building(people: Cast, *, servers: int = 100, at: datetime) -> Order:
    """As many items as an order may have, with so many servers in all: the first half is done, two are under way, the next
    needs a person, the others wait. Each has its prices and its events, minutes apart.
    """
    order = submitted(people, decided=4, at=at)
    order.items.exclude(kind=Kind.NETWORK).delete()
    operation, revision = begun(order, people, at=at), order.revisions.get()
    for number in range(1, MOST_ITEMS):
        server_item(order, number, f"part-{number}", people.catalogue)
        for place, code in enumerate(("block_sas_gb", "block_ssd_gb", "memory_gb", "vcpu")):
            QuoteLine.objects.create(
                revision=revision, position=len(QUOTE) + 4 * number + place, item_position=number,
                meter=people.catalogue.meters[code], quantity=8, per_month=Decimal(46), amount=Decimal(368),
            )  # fmt: skip
    items = list(order.items.filter(kind=Kind.SERVER).order_by("position"))
    for number in range(servers):
        finished = len(STEPS) if number < servers // 2 else 3 if number < servers // 2 + 3 else 0
        server = f"app-{number + 1}"
        server_steps(operation, items[number % len(items)], server, finished=finished, at=at)
        for minutes, verb in enumerate(("resource.built", "usage.opened", "resource.in_service")):
            happened(order, verb, [server], at=at + timedelta(minutes=4 * number + minutes))
    last = f"app-{servers // 2 + 3}-data-1"
    operation.steps.filter(label=last, state=StepState.SETTLING).update(
        state=StepState.PARKED, last_error="No valid host was found", attempts=8
    )
    return order


def happened(order: Order, verb: str, things: Sequence[str], *, at: datetime) -> None:
    """The engine did it to each of them, at the same moment."""
    entries = [audit.Entry(order.system, {}, label=thing, thread=order.uuid) for thing in things]
    with transaction.atomic():
        audit.record_many(actor=audit.SystemActor("engine"), verb=verb, entries=entries, at=at)
