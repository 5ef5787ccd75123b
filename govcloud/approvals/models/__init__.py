"""Flow definitions as versioned data, the cases that run on them, and the people who take part in deciding."""

from govcloud.approvals.models.cases import (
    APPROVING,
    Case,
    CaseStage,
    Decision,
    Seat,
    SeatOrigin,
    SeatStatus,
    Verb,
)
from govcloud.approvals.models.confirmations import Answer, Confirmation
from govcloud.approvals.models.flows import (
    CaseKind,
    FlowVersion,
    MatterAction,
    Priority,
    Quorum,
    Quota,
    Sizes,
    Stage,
)
from govcloud.approvals.models.people import Absence, Consultation, Manner, Reminder

__all__ = [
    "APPROVING",
    "Absence",
    "Answer",
    "Case",
    "CaseKind",
    "CaseStage",
    "Confirmation",
    "Consultation",
    "Decision",
    "FlowVersion",
    "Manner",
    "MatterAction",
    "Priority",
    "Quorum",
    "Quota",
    "Reminder",
    "Seat",
    "SeatOrigin",
    "SeatStatus",
    "Sizes",
    "Stage",
    "Verb",
]
