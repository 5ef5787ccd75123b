"""An order before it is submitted, read once: what it would cost, take and need, and what keeps it from being submitted."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.services import PlannedStage
from govcloud.audit.refusals import kept
from govcloud.errors import Conflict, DomainError
from govcloud.orders import services, stored
from govcloud.orders.lines import Line
from govcloud.orders.models import Attachment, Order, OrderItem
from govcloud.orders.quotes import Quote, quote_lines
from govcloud.orders.submission import errors_in, locked
from govcloud.quotas.services import QuotaEffect
from tenants.models import User


class FilesChanged(Conflict):
    code = "files-changed"
    message = _("Files have been added to the order or taken out of it since you read it.")


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What an order that can be edited would cost and take, and who would have to approve it.

    ``refusal`` is why there is no price or no route.
    """

    items: Sequence[OrderItem]
    lines: Sequence[Line]
    effect: Sequence[QuotaEffect]
    quote: Quote | None = None
    route: Sequence[PlannedStage] = ()
    refusal: DomainError | None = None

    @property
    def trouble(self) -> str:
        """The refusal in words, in the language active now; empty if there is none."""
        return self.refusal.detail if self.refusal is not None else ""


def reckon(*, order: Order, at: datetime) -> Reckoning:
    """By the tariff, the quota and the flow of the moment, with the items read once."""
    items = stored.items_of(order)
    lines = stored.lines_of(items)
    effect = services.effect_of(order, lines)
    quote = None
    try:
        quote = quote_lines(lines=lines, at=at)
        fits = all(one.fits for one in effect)
        route = services.route_of(order, lines, monthly_total=quote.monthly_total, within_quota=fits, at=at)
    except DomainError as refusal:
        return Reckoning(items, lines, effect, quote, refusal=refusal)
    return Reckoning(items, lines, effect, quote, route)


def obstacles(*, order: Order, reckoned: Reckoning, at: datetime) -> list[DomainError]:
    """What ``submit`` would refuse the order for, as things stand; but for the quota, which the effect tells."""
    return errors_in(order, reckoned.items, reckoned.lines, at=at)


def files_of(order: Order) -> list[Attachment]:
    """The files that would be frozen with it, the first one first."""
    return list(Attachment.objects.in_the_order().filter(order=order).select_related("added_by"))


def digest_of(files: Sequence[Attachment]) -> str:
    """SHA-256, hex, of which files they are; empty for none. A file never changes, so its id tells what is in it."""
    if not files:
        return ""
    return hashlib.sha256("\n".join(sorted(str(file.uuid) for file in files)).encode()).hexdigest()


def submit_as_read(
    *, order: Order, expected_version: int | None, expected_files: str | None, actor: User, at: datetime
) -> Order:
    """Submit the order if nobody has changed it since it was read, nor its files, of which ``digest_of`` told.

    None: whatever it is. Raises what ``submit`` raises, StaleVersion and FilesChanged.
    """
    with kept(), transaction.atomic():
        services.require_version(locked(order), expected_version)
        if expected_files is not None and digest_of(files_of(order)) != expected_files:
            raise FilesChanged
        return services.submit(order=order, actor=actor, at=at)
