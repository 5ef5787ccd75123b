"""Rules about extending leases: what can be, for how long, and until when at most."""

from collections.abc import Iterator
from datetime import datetime

from django.utils import formats, timezone
from django.utils.translation import gettext_lazy as _

from govcloud.errors import Conflict, DomainError, Invalid
from govcloud.inventory import leases
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import ResourceKind
from govcloud.orders.changes import RenewLine
from govcloud.orders.rules.of_items import LEASE_MONTHS, LeaseOutOfRange
from govcloud.orders.rules.standing import Numbered


class NotLet(Invalid):
    code = "no-lease"
    message = _("“%(name)s” has no lease that could be extended: it stays until it is released.")


class LeaseOver(Conflict):
    code = "lease-over"
    message = _("“%(name)s” is %(status)s: its lease cannot be extended any more.")


class FollowsItsServer(Invalid):
    code = "lease-follows-server"
    message = _("“%(name)s” goes by the lease of its server: extend the lease of “%(server)s”.")


class LeaseTooLong(Invalid):
    code = "lease-too-long"
    message = _(
        "The lease of “%(name)s” runs until %(end)s. Extended so far it would end on %(wanted)s; the latest possible end is "
        "%(latest)s, a year from now."
    )


def check(order: Numbered) -> Iterator[DomainError]:
    for pointer, line in order.of(RenewLine):
        yield from _extendable(line, f"{pointer}/target")
        yield from _until(line, f"{pointer}/lease_months", at=order.now.at)


def _extendable(line: RenewLine, pointer: str) -> Iterator[DomainError]:
    target, here = line.target, (pointer,)
    if target.status in {Status.RELEASING, Status.RELEASED}:
        yield LeaseOver(name=target.name, status=Status(target.status).label, pointers=here)
    server = target.volume.server if target.kind == ResourceKind.VOLUME else None
    if server is not None:
        yield FollowsItsServer(name=target.name, server=server.resource.name, pointers=here)
    elif target.lease_end is None:
        yield NotLet(name=target.name, pointers=here)


def _until(line: RenewLine, pointer: str, *, at: datetime) -> Iterator[DomainError]:
    months, end = line.lease_months, line.target.lease_end
    if months not in LEASE_MONTHS:
        yield LeaseOutOfRange(months=months, pointers=(pointer,))
    elif end is not None:
        wanted, latest = leases.extended(end, months=months, at=at), leases.latest_end(at=at)
        if wanted > latest:
            yield LeaseTooLong(
                name=line.target.name,
                end=_day(end),
                wanted=_day(wanted),
                latest=_day(latest),
                pointers=(pointer,),
            )


def _day(at: datetime) -> str:
    return formats.date_format(timezone.localtime(at), "DATE_FORMAT")
