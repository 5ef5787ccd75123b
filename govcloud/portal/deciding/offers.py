"""What a reader can do about an order's case now: decide, hand over, answer, remind."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from govcloud.approvals import policies
from govcloud.approvals.lifecycle import ConsultationStatus, StageStatus, Status
from govcloud.approvals.models import Case, CaseStage, Consultation, Seat
from govcloud.approvals.policies import Turn
from govcloud.approvals.reminders import may_remind, rests_until
from govcloud.approvals.signable import Need, need_of
from tenants.models import User


@dataclass(frozen=True, slots=True)
class Offer:
    """``turn`` is the seat the reader may sign, ``need`` what an approval of it would leave to nobody; ``given`` are seats they, or a substitute for them, gave to others who have not signed yet; ``asked`` the
    opinions that they are asked for, ``asking`` those that keep a stage of theirs or that they asked for. ``reminds_from`` is when it can
    be reminded again, while it has been of late.
    """

    stage: CaseStage | None = None
    turn: Turn | None = None
    need: Need | None = None
    given: list[Seat] = field(default_factory=list)
    asked: list[Consultation] = field(default_factory=list)
    asking: list[Consultation] = field(default_factory=list)
    reminds: bool = False
    reminds_from: datetime | None = None

    @property
    def decides(self) -> bool:
        """Whether there is something for the page on which is decided."""
        return bool(self.turn or self.given or self.asking)


def offer(case: Case | None, stages: Sequence[CaseStage], actor: User, *, at: datetime) -> Offer:
    """Nothing once the case is not being decided any more. ``stages`` are those of ``order.flow.stages_of``."""
    if case is None or case.status != Status.OPEN:
        return Offer()
    present = [stage for stage in stages if stage.revision == case.revision]
    stage = next((stage for stage in present if stage.status == StageStatus.CURRENT), None)
    if stage is None:
        return Offer()  # somebody took the last decision between the two looks
    turn = policies.turn_of(case, present, actor=actor, at=at)
    asked = Consultation.objects.filter(stage=stage, status=ConsultationStatus.ASKED)
    opinions = list(asked.select_related("asked_by", "person")) if stage.consulted else []  # type: ignore[attr-defined]
    return Offer(
        stage=stage,
        turn=turn,
        need=need_of(turn, present, actor=actor, at=at) if turn else None,
        given=policies.given_by(actor, [stage], at=at),
        asked=[one for one in opinions if one.person_id == actor.pk],
        asking=[one for one in opinions if turn is not None or one.asked_by_id == actor.pk],
        reminds=may_remind(case, actor=actor, at=at),
        reminds_from=rests_until(stage.reminded_at, at=at),  # type: ignore[attr-defined]
    )
