"""What people do with an order: draft, revise, submit, decide, withdraw; and what it would cost, take and need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.approvals import services as approvals
from govcloud.approvals.lifecycle import StageStatus
from govcloud.approvals.models import APPROVING
from govcloud.approvals.services import PlannedStage
from govcloud.audit import services as audit
from govcloud.audit.refusals import kept, refuse
from govcloud.catalog.models import Kind, Offering
from govcloud.errors import Conflict, DomainError, Invalid, Invalids
from govcloud.lifecycle import transition
from govcloud.orders import granting, stored
from govcloud.orders.changes import LimitLine
from govcloud.orders.drafts import ItemDraft
from govcloud.orders.following import follow, let_go
from govcloud.orders.lifecycle import EDITABLE, Status
from govcloud.orders.lines import Line, freed_by, quota_of
from govcloud.orders.matter import matter_of
from govcloud.orders.models import Order
from govcloud.orders.numbering import next_number
from govcloud.orders.quotes import Quote, frozen_quote, quote_lines
from govcloud.orders.resolution import resolve
from govcloud.orders.revisions import described
from govcloud.orders.rules import catalogued, check, offered, standing
from govcloud.orders.submission import NotEditable, locked, require_editable, submit
from govcloud.quotas import services as quotas
from govcloud.quotas.limits import Foreseen, foresee, refusals
from govcloud.quotas.services import QuotaEffect
from tenants.models import Role, System, User
from tenants.policies import require

__all__ = [
    "NotEditable",
    "decide",
    "draft",
    "effect",
    "limits",
    "quote",
    "revise",
    "submit",
    "withdraw",
]

MOST_ITEMS = 50
LONGEST_REASON = 500
"""Characters of why an order is withdrawn."""


class ClassifiedWork(Invalid):
    """Nothing of what was sent is stored; the refusal is audited without any of it."""

    code = "classified-work"
    message = _("Classified work must not be entered here. Nothing of what you sent has been stored.")


class WithdrawalUnexplained(Invalid):
    """A draft, which nobody has seen, needs no reason."""

    code = "withdrawal-unexplained"
    message = _("Give a reason of at most %(most)s characters.")


class TitleMissing(Invalid):
    code = "title-missing"
    message = _("An order needs a title of at most %(most)s characters.")


class NothingOrdered(Invalid):
    code = "nothing-ordered"
    message = _("An order needs at least one item.")


class TooManyItems(Invalid):
    code = "too-many-items"
    message = _("An order can have at most %(most)s items; this one has %(items)s.")


class StaleVersion(Conflict):
    code = "stale-version"
    message = _("The order has been changed since you read it: it is at version %(version)s now.")
    status: ClassVar = 412  # Precondition Failed


class NotInApproval(Conflict):
    code = "order-not-in-approval"
    message = _("The order is %(status)s; there is nothing to decide.")


def draft(
    *,
    system: System,
    title: str,
    justification: str,
    declares_classified: bool,
    items: Sequence[ItemDraft],
    actor: User,
    at: datetime,
    urgency: str = "",
) -> Order:
    """Write down a new order for a system; ``urgency`` is why it is urgent, if it is.

    Raises Invalids with everything that is wrong, ClassifiedWork, or RoleMissing for anybody but an applicant of the
    system's department.
    """
    require(actor, Role.APPLICANT, at=at, department=system.department)
    refuse_classified(declared=declares_classified, actor=actor, at=at)
    lines, offerings = _judged(system, title, items, order=None, at=at)
    with transaction.atomic():
        order = Order.objects.create(
            number=next_number(at=at),
            system=system,
            title=title.strip(),
            justification=justification.strip(),
            urgency=urgency.strip(),
            applicant=actor,
            writers=[actor.pk],
            created_at=at,
        )
        stored.write(order=order, lines=lines, offerings=offerings)
        _tell(order, "order.drafted", actor=actor, at=at, after=_told(order, lines))
    return order


def revise(
    *,
    order: Order,
    title: str,
    justification: str,
    declares_classified: bool,
    items: Sequence[ItemDraft],
    expected_version: int,
    actor: User,
    at: datetime,
    urgency: str = "",
) -> Order:
    """Replace the content of a draft, or of an order that was returned for correction.

    Raises what ``draft`` raises, NotEditable, and StaleVersion when somebody else changed it since it was read.
    """
    require(actor, Role.APPLICANT, at=at, department=order.system.department)
    refuse_classified(declared=declares_classified, actor=actor, at=at)
    with transaction.atomic():
        order = locked(order)
        require_editable(order)
        require_version(order, expected_version)
        before = _told(order, stored.lines_of(stored.items_of(order)))
        lines, offerings = _judged(order.system, title, items, order=order, at=at)
        order.items.all().delete()
        stored.write(order=order, lines=lines, offerings=offerings)
        order.title, order.justification = title.strip(), justification.strip()
        order.urgency = urgency.strip()
        order.version += 1
        order.written_by(actor)
        order.save(update_fields=["title", "justification", "urgency", "version", "writers"])
        _tell(order, "order.revised", actor=actor, at=at, before=before, after=_told(order, lines))
    return order


def quote(*, order: Order, at: datetime) -> Quote:
    """Of a draft: by the tariff of the moment. Once submitted: as it was frozen."""
    if order.status in EDITABLE:
        return quote_lines(lines=_lines(order), at=at)
    if order.monthly_total is None:  # withdrawn before it was ever submitted
        return quote_lines(lines=_lines(order), at=order.created_at)
    return frozen_quote(order, monthly_total=order.monthly_total)


def effect(*, order: Order, at: datetime) -> list[QuotaEffect]:  # noqa: ARG001  asked for as its sisters are
    """What the order takes of the quota of its department and of those above, before it is held or while it is.

    An order that takes nothing shows what it will give back. Empty once the order is past approval: what it took is in
    the accounts then.
    """
    if order.status not in EDITABLE | {Status.IN_APPROVAL}:
        return []
    return effect_now(order, _lines(order))


def effect_now(order: Order, lines: Sequence[Line]) -> list[QuotaEffect]:
    """Of an order that is not decided yet, with the lines it has; what it holds itself is counted once."""
    effects = effect_of(order, lines)
    untouched = order.status in EDITABLE or not quota_of(lines)
    return effects if untouched else [_without_its_hold(one) for one in effects]


def effect_of(order: Order, lines: Sequence[Line]) -> list[QuotaEffect]:
    """What the lines take, or give back if they take nothing, on top of what is held and used now."""
    return quotas.effect(department=order.system.department, amounts=quota_of(lines) or freed_by(lines))


@dataclass(frozen=True, slots=True)
class LimitEffect(Foreseen):
    """What an order asks of one limit of its department, and whether the tree of units leaves it."""

    asked: int
    until: date | None
    fits: bool


def limits(*, order: Order, at: datetime) -> list[LimitEffect]:  # noqa: ARG001  asked for as its sisters are
    """What an order for quota asks for, as the tree is now; empty for any other, and once it is decided."""
    if order.status not in EDITABLE | {Status.IN_APPROVAL}:
        return []
    items = [item for item in stored.items_of(order) if item.kind == Kind.QUOTA]
    return limits_of(order, stored.lines_of(items)) if items else []


def limits_of(order: Order, lines: Sequence[Line]) -> list[LimitEffect]:
    """Of the lines that ask for a limit, as the tree is now."""
    asked = [line for line in lines if isinstance(line, LimitLine)]
    if not asked:
        return []
    now = foresee(department=order.system.department, dimensions=[line.dimension for line in asked])
    return [_limit_effect(now[line.dimension], line) for line in asked]


def _limit_effect(now: Foreseen, line: LimitLine) -> LimitEffect:
    as_seen = (line.before, line.lasting_before) == (now.limit, now.lasting)
    fits = as_seen and not any(refusals(now, line.limit))
    figures = {each.name: getattr(now, each.name) for each in fields(now)}
    return LimitEffect(**figures, asked=line.limit, until=line.until, fits=fits)


def route_of(
    order: Order, lines: Sequence[Line], *, monthly_total: Decimal, within_quota: bool, at: datetime
) -> list[PlannedStage]:
    """Who will have to approve an order with these lines at this price, and by when if it were submitted now. Raises NoFlow."""
    matter = matter_of(
        system=order.system,
        lines=lines,
        monthly_total=monthly_total,
        within_quota=within_quota,
        priority=order.priority,
    )
    return approvals.preview(
        department=order.system.department,
        applicant=order.applicant,
        writers=order.writers,
        matter=matter,
        at=at,
        case=order.case,
    )


def decide(
    *,
    order: Order,
    verb: str,
    opinion: str,
    revision_hash: str,
    actor: User,
    at: datetime,
    stage: str = "",
) -> Order:
    """Decide the order's current stage; the last approval starts fulfilment in the same transaction.

    ``stage`` is the code of the stage the decider looked at; left out, the one that is current on entry is meant.
    Raises what approvals.decide raises, NotInApproval, and TimeIsOver for an approval, at whatever stage, of what was asked for
    until a day that is over.
    """
    seen = stage or _current_stage(order)  # before we wait for anybody else who decides
    with kept(), transaction.atomic():
        order = locked(order)
        if order.status != Status.IN_APPROVAL or order.case is None:
            raise NotInApproval(status=Status(order.status).label)
        order.case = case = approvals.decide(
            case=order.case,
            verb=verb,
            opinion=opinion,
            revision_hash=revision_hash,
            actor=actor,
            at=at,
            stage=seen,
        )
        late = granting.too_late(order, at=at) if verb in APPROVING else None
        if late is not None:
            raise late
        follow(order, case, reason=opinion, actor=actor, at=at)
    return order


def _current_stage(order: Order) -> str:
    if order.case is None:
        return ""
    current = order.case.stages.filter(status=StageStatus.CURRENT)
    return current.values_list("code", flat=True).first() or ""


def withdraw(
    *, order: Order, reason: str, actor: User, at: datetime, expected_version: int | None = None
) -> Order:
    """Take back a draft, or for a reason an order that nobody has decided for good; what it held is free again.

    Raises WithdrawalUnexplained, WrongState once it is being built, StaleVersion when somebody changed it since it was read (None: whatever it
    is), and RoleMissing for anybody but an applicant of the department.
    """
    with kept(), transaction.atomic():
        order = locked(order)
        require(actor, Role.APPLICANT, at=at, department=order.system.department)
        require_version(order, expected_version)
        reason = reason.strip()
        submitted = order.status in {Status.IN_APPROVAL, Status.RETURNED}
        if (submitted and not reason) or len(reason) > LONGEST_REASON:
            raise WithdrawalUnexplained(most=LONGEST_REASON, pointers=("/reason",))
        case = order.case
        transition(
            order, Status.WITHDRAWN, actor=actor, at=at, reason=reason, thread=order.uuid, finished_at=at
        )
        if case is not None:
            approvals.withdraw(case=case, actor=actor, at=at, reason=reason)
            let_go(order, at=at)
    return order


def require_version(order: Order, expected: int | None) -> None:
    """Raises StaleVersion unless the order, which is locked, is as it was read; None is whatever it is."""
    if expected is not None and order.version != expected:
        raise StaleVersion(version=order.version)


def _judged(
    system: System, title: str, drafts: Sequence[ItemDraft], *, order: Order | None, at: datetime
) -> tuple[list[Line], Mapping[str, Offering]]:
    """The lines of the drafts, and the offerings they are written under. Raises Invalids with all that is wrong."""
    errors: list[DomainError] = []
    if not 1 <= len(title.strip()) <= 120:
        errors.append(TitleMissing(most=120, pointers=("/title",)))
    if not drafts:
        errors.append(NothingOrdered(pointers=("/items",)))
    if len(drafts) > MOST_ITEMS:
        raise Invalids([*errors, TooManyItems(most=MOST_ITEMS, items=len(drafts), pointers=("/items",))])
    found = resolve(system=system, drafts=drafts)
    lines = [line for _position, line in found.lines]
    catalogue = catalogued()
    now = standing(system=system, lines=lines, order=order, offerings=offered(catalogue), at=at)
    errors += [*found.errors, *check(system=system, lines=found.lines, now=now, unresolved=found.unresolved)]
    if errors:
        raise Invalids(errors)
    return lines, catalogue


def refuse_classified(*, declared: bool, actor: User, at: datetime) -> None:
    """Raises ClassifiedWork, audited, for declared work; an edge asks before it reads anything else of what was sent."""
    if declared:
        refuse(actor=actor, verb="order.classified", subject=None, at=at, reason=ClassifiedWork.code)
        raise ClassifiedWork(pointers=("/declares_classified",))


def _lines(order: Order) -> list[Line]:
    return stored.lines_of(stored.items_of(order))


def _without_its_hold(one: QuotaEffect) -> QuotaEffect:
    """As it was before the order's own hold, which the account has already counted."""
    after = one.after - one.takes
    return replace(one, held=one.held - one.takes, after=after, fits=one.limit is None or after <= one.limit)


def _told(order: Order, lines: Sequence[Line]) -> dict[str, Any]:
    """An order's content for the audit trail."""
    told = {"title": order.title, "version": order.version, "items": [described(line) for line in lines]}
    return {**told, "urgency": order.urgency} if order.urgency else told


def _tell(
    order: Order,
    verb: str,
    *,
    actor: User,
    at: datetime,
    after: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
) -> None:
    audit.record(actor=actor, verb=verb, subject=order, at=at, thread=order.uuid, before=before, after=after)
