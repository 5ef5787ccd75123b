"""Cases with cards, raised by the sweep itself."""

from datetime import datetime, timedelta
from typing import Any

from govcloud.approvals import services as approvals
from govcloud.approvals.models import Case
from govcloud.supervision import services
from govcloud.supervision.models import SupervisionCard
from tests.factories.approvals import Chain, case_of, chain, current_stage

YEAR = timedelta(days=365)


def decided_by_chain(
    case: Case, people: Chain, *, at: datetime, verb: str = "approve", opinion: str = ""
) -> Case:
    """The current stage decided by who holds its role in the chain."""
    stage = current_stage(case)
    return approvals.decide(
        case=case, verb=verb, opinion=opinion, revision_hash=case.revision_hash, actor=people.of(stage.role), at=at
    )  # fmt: skip


def overdue(people: Chain | None = None, *, at: datetime, **how: Any) -> Case:
    """A case whose first step and whole way have got their red cards."""
    case = case_of(people or chain(), at=at - timedelta(days=30), **how)
    services.sweep(at=at)
    return case


def cards(case: Case) -> list[tuple[str, str, str | None]]:
    rows = SupervisionCard.objects.filter(case=case).order_by("pk")
    return [(card.colour, card.cause, card.stage.code if card.stage else None) for card in rows]
