"""The story of an order as its audit events tell it, in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.audit.models import Event, Outcome
from govcloud.orders.models import Order

TELLINGS: Mapping[str, str | Promise] = {
    "order.drafted": _("Draft made"),
    "order.revised": _("Draft changed"),
    "order.submitted": _("Submitted for approval"),
    "attachment.added": _("File added"),
    "attachment.removed": _("File removed"),
    "order.returned": _("Returned for correction"),
    "order.rejected": _("Rejected"),
    "order.withdrawn": _("Withdrawn"),
    "order.placed": _("Place decided"),
    "order.placement_waits": _("No cloud can take it now; waiting"),
    "order.placement_called_off": _("No place is looked for any more"),
    "order.fulfilling": _("Approved; building began"),
    "order.fulfilled": _("Everything delivered"),
    "order.cancelled": _("Cancelled"),
    "order.reassigned": _("Order reassigned"),
    "case.reassigned": _("Applicant changed"),
    "case.decided": _("Decided"),
    "case.fulfilment_begun": _("Building has a limit"),
    "case.confirmation_asked": _("The department is asked to confirm"),
    "case.confirmed": _("Confirmed by the department"),
    "case.defects_reported": _("Defects reported"),
    "case.remedied": _("Defects mended"),
    "case.delegated": _("Delegated"),
    "case.reviewer_added": _("Reviewer added"),
    "case.seat_freed": _("Part of a step open to its role"),
    "case.seat_released": _("A signature no longer asked for, as who was to give it decides here no more"),
    "case.reminded": _("Reminded"),
    "consultation.asked": _("Opinion asked for"),
    "consultation.answered": _("Opinion given"),
    "consultation.waived": _("Done without an opinion"),
    "case.withdrawn": _("Withdrawn"),
    "operation.started": _("Work in the cloud began"),
    "operation.running": _("Work in the cloud taken up again"),
    "operation.parked": _("Waiting for an administrator of the cloud centre"),
    "operation.undoing": _("Called off: what it has done is being taken back"),
    "operation.undone": _("Called off: what it had done has been taken back"),
    "operation.retried": _("Tried again"),
    "operation.abandoned": _("Called off once more"),
    "operation.units_abandoned": _("A part of it was called off"),
    "operation.done": _("Work in the cloud finished"),
    "resource.built": _("Built"),
    "resource.in_service": _("Handed over; billing began"),
    "resource.changing": _("Change began"),
    "resource.action_called_off": _("What was asked for directly called off"),
    "resource.active": _("In use again"),
    "resource.renewed": _("Lease extended"),
    "resource.suspended": _("Suspended, because the lease has ended"),
    "resource.releasing": _("Release began"),
    "resource.released": _("Released"),
    "resource.renamed": _("Renamed"),
    "volume.resized": _("Enlarged"),
    "volume.reclassed": _("Moved to another storage class"),
    "volume.restored": _("Put back to a snapshot"),
    "volume.recovered": _("A recovery point was written over it"),
    "volume.wiped": _("Deleted and wiped"),
    "snapshot.taken": _("Snapshot taken"),
    "snapshot.deleted": _("Snapshot deleted"),
    "snapshot.lost": _("Snapshot lost"),
    "container.requoted": _("New quota kept"),
    "container.wiped": _("Deleted with all it held"),
    "credential.secret_asked": _("Secret of a credential asked for"),
    "credential.secret_drawn": _("Secret of a credential drawn"),
    "resource.taken_over": _("Taken over as it was built outside"),
    "server.resized": _("New flavor kept"),
    "server.rebuilt": _("System written anew"),
    "server.rebuild_failed": _("System could not be written anew"),
    "server.guest_key_replaced": _("The centre's key replaced"),
    "server.login_keys_replaced": _("Login keys replaced"),
    "server.console_opened": _("Console opened"),
    "lease.notified": _("Told of the end of the lease"),
    "lease.reclaim_postponed": _("Taking back put off"),
    "network.connected": _("Connected to the outside"),
    "network.disconnected": _("Disconnected from the outside"),
    "security_rule.added": _("Opened by a rule"),
    "security_rule.removed": _("A rule taken away"),
    "security_rule.made_again": _("A rule that was missing restored"),
    "floating_address.given": _("Floating address given"),
    "floating_address.moved": _("Floating address moved here"),
    "floating_address.made_again": _("Floating address that was missing restored"),
    "floating_address.released": _("Floating address given back"),
    "quota.granted": _("Limit of the quota set"),
    "quota.fell_back": _("Limit of the quota fell back, as its time is over"),
    "temporaryraise.replaced": _("Temporary raise replaced by another limit"),
    "usage.opened": _("Metering began"),
    "usage.changed": _("Metered by the new size"),
    "usage.closed": _("Metering ended"),
    "backup_plan.opened": _("Backup plan began"),
    "backup_plan.ended": _("Backup plan ended"),
    "backup_plan.covered": _("Backed up by plan from now on"),
    "backup_plan.uncovered": _("No longer backed up by plan"),
    "recovery_point.recorded": _("Backed up"),
    "recovery_point.expired": _("Recovery point deleted"),
    "recovery_point.lost": _("Recovery point lost"),
    "recovery_point.found": _("Recovery point there again"),
    "statement.billed": _("Billed"),
    "statement.issued": _("Statement issued"),
    "statement.confirmed": _("Statement confirmed"),
    "statement.disputed": _("Statement disputed"),
}
"""Audit verbs and what a person reads for them."""

DECISIONS: Mapping[str, str | Promise] = {
    "approve_with_conditions": _("Approved with conditions"),
    "approved": _("Approved"),
    "returned": _("Returned for correction"),
    "rejected": _("Rejected"),
}
"""What was decided, by the verb where it says more than the status that the decided stage has from then on."""

ACTORS: Mapping[str, str | Promise] = {
    "system:engine": _("the cloud centre, automatically"),
    "system:fulfilment": _("the cloud centre, automatically"),
    "system:leases": _("the cloud centre, automatically"),
    "system:metering": _("metering"),
    "system:supervision": _("the cloud centre, automatically"),
    "system:approvals": _("a rule of the approval flow"),
    "system:signatures": _("the cloud centre, automatically"),
    "system:backup-scheduler": _("the backup plan"),
    "system:quota": _("the cloud centre, automatically"),
    "system:attachments": _("the cloud centre, automatically"),
    "system:demo": _("demo data"),
}
"""Parts of the system, by their audit reference, as people call them."""

SILENT = frozenset(
    {
        "order.in_approval",  # "order.submitted" of the same moment says it
        "case.opened",
        "case.open",
        "case.returned",  # the order's own event says these
        "case.rejected",
        "case.approved",
        "case.withdrawn",
        "temporaryraise.ended",  # "quota.fell_back" of the same moment says it
    }
)
EVENTS_READ = 500
"""An order's trail is some dozens of events; one with more is read to its end through the API."""

NAMED = 10
"""Of the things (and requests) of one line, so many are told; the trail itself and the API have them all."""

TOGETHER = timedelta(minutes=1)
"""Events of one kind by one actor within this time are told in one line."""


@dataclass(slots=True)
class Told:
    """One line: when it began, who, what in words, and the things it happened to."""

    at: datetime
    actor: str | Promise
    actor_ref: str
    words: str | Promise
    refused: bool
    reason: str
    verb: str
    subjects: list[str] = field(default_factory=list)
    request_ids: set[str] = field(default_factory=set)

    @property
    def named(self) -> list[str]:
        return self.subjects[:NAMED]

    @property
    def further(self) -> int:
        """How many more things it happened to."""
        return len(self.subjects) - len(self.named)

    @property
    def first_requests(self) -> list[str]:
        return sorted(self.request_ids)[:NAMED]

    def takes(self, event: Event) -> bool:
        """Whether the next older event belongs on this line."""
        same = (self.verb, self.actor_ref, self.refused) == (event.verb, event.actor, _refused(event))
        return same and not (self.reason or event.reason) and self.at - event.at <= TOGETHER


def trail(order: Order, *, stages: Mapping[str, str]) -> list[Told]:
    """The order's events, the latest first; ``stages`` are the names of its stages by code. One query."""
    told: list[Told] = []
    for event in Event.objects.filter(thread=order.uuid).order_by("-id")[:EVENTS_READ]:
        if event.verb in SILENT and not _refused(event):
            continue
        if not told or not told[-1].takes(event):
            told.append(_line(event))
        line = told[-1]
        line.at = event.at
        line.request_ids |= {event.request_id} - {""}
        subject = stages.get(event.after.get("stage", ""), "") or event.subject_label
        if subject not in ("", order.number, *line.subjects):
            line.subjects.insert(0, subject)
    return told


def _line(event: Event) -> Told:
    words = TELLINGS.get(event.verb, event.verb)
    if event.verb == "case.decided" and not _refused(event):
        decided = event.after.get("verb", ""), event.after.get("status", "")
        words = next((DECISIONS[each] for each in decided if each in DECISIONS), words)
    actor = ACTORS.get(event.actor, event.actor_name)
    return Told(event.at, actor, event.actor, words, _refused(event), event.reason, event.verb)


def _refused(event: Event) -> bool:
    return event.outcome == Outcome.REFUSED
