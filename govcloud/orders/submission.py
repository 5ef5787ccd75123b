"""Submitting an order: in one transaction its content is frozen and hashed, quota held, and the case opened."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, prefetch_related_objects
from django.utils.translation import gettext_lazy as _

from govcloud.approvals import automatic
from govcloud.approvals import services as approvals
from govcloud.approvals.models import Case
from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from govcloud.errors import Conflict, DomainError, Invalids
from govcloud.lifecycle import transition
from govcloud.orders import granting, stored
from govcloud.orders.following import follow
from govcloud.orders.lifecycle import EDITABLE, Status
from govcloud.orders.lines import Line, quota_of
from govcloud.orders.matter import matter_of
from govcloud.orders.models import Attachment, Order, OrderItem, Revision, Unit
from govcloud.orders.parts import Part
from govcloud.orders.quotes import Quote, quote_lines
from govcloud.orders.revisions import freeze
from govcloud.orders.rules import check, standing
from govcloud.quotas import services as quotas
from govcloud.quotas.services import Hold, QuotaExceeded
from tenants.models import Role, User
from tenants.policies import require

SUBJECT_KIND = "order"
"""The name under which approvals know orders."""


class NotEditable(Conflict):
    code = "order-not-editable"
    message = _(
        "The order is %(status)s; only a draft, or an order returned for correction, can be changed or submitted."
    )


class AsRead:
    """What somebody who submits an order may still refuse it for: here it is for nothing, whatever it says by now."""

    def require_order(self, order: Order) -> None:
        """Sees the order, which is locked, before anything else is asked of it."""

    def require_content(self, order: Order, lines: Sequence[Line], quote: Quote) -> None:
        """Sees the very lines and prices that are frozen."""


WHATEVER_IT_SAYS = AsRead()


def submit(*, order: Order, actor: User, at: datetime, as_read: AsRead = WHATEVER_IT_SAYS) -> Order:
    """Ask for approval of the order as it stands, if it is ``as_read``.

    Raises Invalids when a rule is broken by now (a flavor retired since the draft), QuotaExceeded, NotEditable when
    it is submitted already (of two at once one wins), and RoleMissing for anybody but an applicant of the department.
    """
    try:
        with transaction.atomic():
            return _submit(order, as_read, actor=actor, at=at)
    except QuotaExceeded as error:
        refuse(
            actor=actor, verb="order.submitted", subject=order, at=at, thread=order.uuid, reason=error.code
        )
        raise


def _submit(order: Order, as_read: AsRead, *, actor: User, at: datetime) -> Order:
    order = locked(order)
    as_read.require_order(order)
    require(actor, Role.APPLICANT, at=at, department=order.system.department)
    require_editable(order)
    prefetch_related_objects([order], stored.along())
    items = stored.items_of(order)
    lines = stored.lines_of(items)
    errors = errors_in(order, items, lines, at=at)
    if errors:
        raise Invalids(errors)
    _hold(order, _plan(items, lines), at=at)
    quote = quote_lines(lines=lines, at=at)
    as_read.require_content(order, lines, quote)
    files = list(Attachment.objects.in_the_order().filter(order=order))
    vars(order)["has_files"] = bool(files)  # what was noted while it waited for the lock may be of before
    revision = freeze(order=order, lines=lines, quote=quote, files=files, actor=actor, at=at)
    case = _open_case(order, lines, revision, actor=actor, at=at)
    frozen = {
        "revision": revision.number,
        "digest": revision.digest,
        "monthly_total": quote.monthly_total,
        "holds": quota_of(lines),
    }
    transition(
        order, Status.IN_APPROVAL, actor=actor, at=at, thread=order.uuid,
        submitted_at=at, monthly_total=quote.monthly_total, case=case,
        also_told={"order.submitted": audit.Entry(order, frozen, thread=order.uuid)},
    )  # fmt: skip
    follow(
        order, case, reason="", actor=automatic.RULE, at=at
    )  # where rules alone decide, it goes on at once
    return order


def errors_in(
    order: Order, items: Sequence[OrderItem], lines: Sequence[Line], *, at: datetime
) -> list[DomainError]:
    """What is wrong by now with an order that was right when it was written."""
    offerings = {item.kind: item.offering for item in items if item.offering.retired_at is None}
    now = standing(system=order.system, lines=lines, order=order, offerings=offerings, at=at)
    return check(system=order.system, lines=list(enumerate(lines)), now=now)


def require_editable(order: Order) -> None:
    """Raises NotEditable unless the order, which is locked, is a draft or was returned."""
    if order.status not in EDITABLE:
        raise NotEditable(status=Status(order.status).label)


def locked(order: Order) -> Order:
    """The order as it is now, for this transaction alone.

    Its system is locked as well: names and resources are claimed per system, and two orders could claim the same.
    """
    rows = Order.objects.select_for_update(of=("self", "system"), no_key=True)
    noted = granting.with_last_day_noted(with_files_noted(rows))
    return noted.select_related("system__department", "applicant", "case").get(pk=order.pk)


def with_files_noted(rows: QuerySet[Order]) -> QuerySet[Order]:
    """Adds ``has_files``, so that an order without files costs no statement for them."""
    return rows.annotate(has_files=Exists(Attachment.objects.in_the_order().filter(order=OuterRef("pk"))))


def _plan(items: Sequence[OrderItem], lines: Sequence[Line]) -> list[tuple[Unit, Part]]:
    """One unit for each resource that will be built, changed or released."""
    planned = [
        (Unit(item=item, position=position, name=part.name, resource=part.resource), part)
        for item, line in zip(items, lines, strict=True)
        for position, part in enumerate(line.parts())
    ]
    by_place = {(unit.item_id, unit.position): unit for unit, _part in planned}
    specs = {item.pk: list(item.volumes.all()) for item in items}
    for unit, part in planned:
        if part.volume is not None:
            unit.volume = specs[unit.item_id][part.volume]
    Unit.objects.bulk_create(unit for unit, part in planned if part.server is None)
    for unit, part in planned:
        if part.server is not None:
            unit.server = by_place[unit.item_id, part.server]
    Unit.objects.bulk_create(unit for unit, part in planned if part.server is not None)
    return planned


def _hold(order: Order, planned: Sequence[tuple[Unit, Part]], *, at: datetime) -> None:
    """Each unit's part under the unit's own id, so that each can be used or given back by itself."""
    holds = [Hold(source=unit.uuid, amounts=part.amounts) for unit, part in planned if part.amounts]
    if holds:
        quotas.hold(department=order.system.department, holds=holds, at=at, new=True)


def _open_case(order: Order, lines: Sequence[Line], revision: Revision, *, actor: User, at: datetime) -> Case:
    return approvals.open_case(
        matter=matter_of(
            system=order.system,
            lines=lines,
            monthly_total=revision.monthly_total,
            within_quota=True,
            priority=order.priority,
        ),
        subject_kind=SUBJECT_KIND,
        subject_id=order.uuid,
        label=f"{order.number} {order.title}",
        department=order.system.department,
        applicant=order.applicant,
        submitted_by=actor,
        writers=order.writers,
        revision=revision.number,
        revision_hash=revision.digest,
        thread=order.uuid,
        at=at,
        first=order.case is None,
    )
