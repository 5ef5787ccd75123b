"""An order before it is submitted, read once: what it would cost, take and need, and what keeps it from being submitted."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Self

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.services import PlannedStage
from govcloud.errors import Conflict, DomainError
from govcloud.orders import revisions, services, stored
from govcloud.orders.changes import LimitLine
from govcloud.orders.lines import Line
from govcloud.orders.models import Attachment, Order, OrderItem
from govcloud.orders.quotes import Quote, quote_lines
from govcloud.orders.submission import AsRead, errors_in
from govcloud.quotas.services import QuotaEffect
from tenants.models import User


class FilesChanged(Conflict):
    code = "files-changed"
    message = _("Files have been added to the order or taken out of it since you read it.")


class ItemsChanged(Conflict):
    code = "order-items-changed"
    message = _(
        "What the order is about has changed since you read it: %(names)s. Look at it once more before you submit it."
    )


class PriceChanged(Conflict):
    code = "order-price-changed"
    message = _(
        "Prices have changed since you read the order: it was ¥%(before)s a month, and is ¥%(now)s now."
    )


class FrozenOtherwise(Conflict):
    code = "order-frozen-otherwise"
    message = _(
        "Something that is frozen with the order, such as the name or the level of its system, has changed since you read it."
    )


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of what an order that can be edited would be frozen as, in parts, so that it can be told what has changed.

    ``about`` is that of all but items, prices and files; ``total`` the price of a month.
    """

    about: str
    items: tuple[str, ...]
    prices: str
    total: str

    @classmethod
    def of(cls, order: Order, lines: Sequence[Line], quote: Quote) -> Self:
        content = dict(revisions.content_of(order=order, number=0, lines=lines, quote=quote))
        items, prices = content.pop("items"), content.pop("quote")
        return cls(_short(content), tuple(map(_short, items)), _short(prices), prices["monthly_total"])

    @classmethod
    def read(cls, text: str) -> Self:
        """Of what ``str`` wrote; of anything else it is that of nothing."""
        found = FINGERPRINT.fullmatch(text)
        if found is None:
            return cls("", (), "", "0")
        return cls(found["about"], tuple(found["items"].split("-")), found["prices"], found["total"])

    def __str__(self) -> str:
        return f"{self.about}:{self.prices}:{self.total}:{'-'.join(self.items)}"

    def require(self, now: "Fingerprint", lines: Sequence[Line]) -> None:
        """That it is still so. Raises FrozenOtherwise, ItemsChanged and PriceChanged."""
        if self.about != now.about or len(self.items) != len(now.items):
            raise FrozenOtherwise
        changed = [
            line for line, was, of_now in zip(lines, self.items, now.items, strict=True) if was != of_now
        ]
        if changed:
            raise ItemsChanged(names=gettext(", ").join(_called(line) for line in changed))
        if self.prices != now.prices:
            raise PriceChanged(before=_yuan(self.total), now=_yuan(now.total))


FINGERPRINT = re.compile(
    r"(?P<about>[0-9a-f]{16}):(?P<prices>[0-9a-f]{16}):(?P<total>-?[0-9]{1,12}(?:\.[0-9]{1,6})?):"
    r"(?P<items>[0-9a-f]{16}(?:-[0-9a-f]{16})*)",
    re.ASCII,
)


def _short(content: object) -> str:
    """Enough to tell a change by: nobody gains anything from two orders that read alike."""
    return revisions.digest({"content": content})[:16]


def _called(line: Line) -> str:
    return str(line.dimension.label) if isinstance(line, LimitLine) else line.name


def _yuan(amount: str) -> str:
    return f"{Decimal(amount):,.2f}"


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


def fingerprint_of(order: Order, reckoned: Reckoning) -> str:
    """Of what it would be frozen as; empty while it has no price, since then it cannot be."""
    if reckoned.quote is None:
        return ""
    return str(Fingerprint.of(order, reckoned.lines, reckoned.quote))


@dataclass(frozen=True, slots=True)
class Seen(AsRead):
    """What was read of the order, as ``submit_as_read`` is told it."""

    version: int | None
    files: str | None
    fingerprint: str | None

    def require_order(self, order: Order) -> None:
        services.require_version(order, self.version)
        if self.files is not None and digest_of(files_of(order)) != self.files:
            raise FilesChanged

    def require_content(self, order: Order, lines: Sequence[Line], quote: Quote) -> None:
        if self.fingerprint is not None:
            Fingerprint.read(self.fingerprint).require(Fingerprint.of(order, lines, quote), lines)


def submit_as_read(
    *,
    order: Order,
    expected_version: int | None,
    expected_files: str | None,
    expected: str | None = None,
    actor: User,
    at: datetime,
) -> Order:
    """Submit the order if it would be frozen as it was read.

    Nobody has changed it since, nor its files, of which ``digest_of`` told, nor has anything else that it is about or its price
    become another (``fingerprint_of``). None: whatever it is. Raises what ``submit`` raises, StaleVersion, FilesChanged,
    FrozenOtherwise, ItemsChanged and PriceChanged.
    """
    seen = Seen(expected_version, expected_files, expected)
    return services.submit(order=order, actor=actor, at=at, as_read=seen)
