"""The engine: claims a due step by lease and fence, does one thing for it, and writes down what it saw.

The order of events that makes it exact: the intent is committed, then the cloud is called, then the id it answered is
stored by compare-and-swap. Whoever dies in between leaves an intent behind, and whoever comes next looks before acting.
Every write checks the fence, so a worker that lost its lease, or wakes after it, changes nothing.
"""

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F

from govcloud.clouds import maintenance
from govcloud.gateways import openstack
from govcloud.gateways.openstack import errors
from govcloud.provisioning import completion, places, queue, traffic
from govcloud.provisioning.context import TAKEN_BACK_AGAIN, Context
from govcloud.provisioning.kinds.base import (
    GIVEN_UP_FOR,
    Broken,
    Gone,
    Kind,
    Landing,
    Moving,
    OutOfReach,
    Ready,
    Sight,
    Skipped,
    StepFailed,
    Waiting,
    kind_of,
)
from govcloud.provisioning.lifecycle import Desired, StepState
from govcloud.provisioning.models import Step
from govcloud.provisioning.queue import Claim

log = structlog.get_logger(__name__)

LONGEST_PAUSE = timedelta(seconds=60)  # between two tries while the cloud does not answer
VANISHED = "it has vanished from the cloud"
KEPT = (GIVEN_UP_FOR, TAKEN_BACK_AGAIN)  # of the outputs of what was taken back
OVER_QUOTA_TRIES = 5  # within which what a lost request has made comes into sight, a minute at the usual pace


class LeaseLost(Exception):
    """Another worker has claimed the step since; what we know of it is not to be written."""


def advance(held: Claim, *, clock: Callable[[], datetime]) -> None:
    """Do one thing for a claimed step and release it. A fault of ours is written to the step like one of the cloud's."""
    visit = Visit(held, clock)
    exchanges: list[openstack.Exchange] = []
    try:
        with openstack.recording(exchanges.append), openstack.guarding(visit.still_mine):
            visit.run()
    except LeaseLost:
        log.warning("lease lost", step=held.step.key, fence=held.fence)
    except Exception as error:  # the task's edge: a step that cannot be run must not take its worker along
        log.exception("step failed", step=held.step.key)
        with contextlib.suppress(LeaseLost):
            visit.trouble(f"{type(error).__name__}: {error}", counts=True)
    finally:
        traffic.note(step=held.step, exchanges=exchanges, at=clock())


def run_due(*, clock: Callable[[], datetime], most: int | None = None, worker: str = "") -> int:
    """Claim and advance until nothing is due, or so many steps have been visited; returns how many were."""
    visited = 0
    while most is None or visited < most:
        held = queue.claim(at=clock(), worker=worker)
        if held is None:
            break
        advance(held, clock=clock)
        visited += 1
    return visited


class Visit:
    """One visit of one worker to one step."""

    def __init__(self, held: Claim, clock: Callable[[], datetime]) -> None:
        self.step, self.fence, self.clock = held.step, held.fence, clock
        self.context = Context(
            step=held.step,
            at=clock(),
            clock=clock,
            heartbeat=self.heartbeat,
            write_outputs=lambda outputs: self.update(outputs=outputs),
        )

    @cached_property
    def kind(self) -> Kind:
        """Looked up when it is needed: a kind that this worker does not know yet is the step's trouble, not the worker's."""
        return kind_of(self.step.kind)

    # -- what is done

    def run(self) -> None:
        try:
            if self.step.desired == Desired.ABSENT:
                self._make_absent()
            elif self.step.state == StepState.REPLACING:
                self._clear_away()
            else:
                self._make_present()
        except errors.CloudError as error:
            self._cloud_said_no(error)
        except OutOfReach as reason:
            self.park(str(reason))
        except StepFailed as failure:
            self.trouble(str(failure), counts=True)

    def _make_present(self) -> None:
        step = self.step
        if step.external_id:
            self._seen(self._look())
        elif step.intent_at is None:
            if self._may_begin():
                self._create(fresh=True)
        else:
            self._look_up()

    def _look_up(self) -> None:
        """An earlier request may have taken effect: adopt what it made, or find that it made nothing.

        Or find that the server or volume that it was to be of has gone.
        """
        try:
            found = self.kind.find(self.context)
        except errors.NotFound:
            self._gone()
            return
        if found is not None:
            self._adopt(found)
            return
        open_ended = self.kind.landing is Landing.OPEN
        if open_ended:
            if not self._never_landed(StepState.UNKNOWN):
                return
            self._intend()
        elif self.kind.landing is Landing.LOCKED:
            self.update(missed_at=self.clock())  # the one before may land once nothing is in its way
        self._create(fresh=open_ended)

    def _may_begin(self) -> bool:
        """Commit the intent; or look again later when the cloud has as much to build as it is to have at a time."""
        if not self.kind.takes_a_place:
            self._intend()
            return True
        with transaction.atomic():
            free = places.take(self.step)
            if free:
                self._intend()
        if not free:
            self.write(state=StepState.DUE, next_run_at=self.clock() + places.LATER, last_error="")
        return free

    def _never_landed(self, state: StepState) -> bool:
        """Whether a request of which nothing is found has had its time to land, and is missed by two looks since.

        One list may leave out what is there (a page, a cell, a replica): two, some time apart, are believed. Else the step is
        released in ``state``, to be looked at again.
        """
        at, missed, sent = self.clock(), self.step.missed_at, self.step.intent_at
        if sent is not None and at < sent + settings.STEP_SETTLE:
            self.write(state=state, next_run_at=at + settings.STEP_POLL * 5)
            return False
        if sent is not None and missed is not None and missed < sent + settings.STEP_SETTLE:
            missed = None  # noted before it was sent again, or too early: no look of those two
        again = (missed or at) + settings.STEP_SETTLE / 2
        if missed is not None and at >= again:
            return True
        self.write(state=state, missed_at=missed or at, next_run_at=again)
        return False

    def _intend(self) -> None:
        self.update(intent_at=self.clock(), missed_at=None)

    def _create(self, *, fresh: bool) -> None:
        """Send the request. ``fresh``: no earlier one of this generation can still take effect."""
        began = self.step.intent_at
        try:
            made = self.kind.create(self.context)
        except errors.CloudError as error:
            if fresh and not error.effect_unknown and not isinstance(error, errors.Conflict):
                self.update(intent_at=None)  # no request has had an effect: nothing to look for later
            raise
        if isinstance(made, Moving):
            if self.kind.landing is Landing.REPEATABLE and began is not None and not made.progressed:
                self.update(intent_at=began)  # a request at every look must not begin the patience anew
            self._wait(StepState.SETTLING, made.after, made.reason, seen=made.seen)
            return
        if isinstance(made, Waiting):
            later = self.clock() + settings.STEP_POLL * 2
            self.write(state=StepState.DUE, intent_at=None, next_run_at=later, last_error=made.reason)
            return
        if isinstance(made, Skipped):
            self.finish(StepState.SKIPPED, {"reason": made.reason})
            return
        if made.outputs is None:
            self._adopt(made.external_id)
        else:
            self.finish(StepState.DONE, made.outputs, external_id=made.external_id)

    def _adopt(self, external_id: str) -> None:
        """Store the id, unless the step has got one already: then ours is not the one that counts."""
        self._owned(Step.objects.filter(external_id=""), external_id=external_id)
        self.step.external_id = external_id
        self._seen(self._look())  # much is ready at once

    def _look(self) -> Sight:
        """What asks for more than the thing itself may hear that the server or volume that it is of has gone: so has it, then."""
        try:
            return self.kind.look(self.context, self.step.external_id)
        except errors.NotFound:
            return Gone()

    def _seen(self, sight: Sight) -> None:
        match sight:
            case Ready(outputs):
                self.finish(StepState.DONE, outputs)
            case Moving():
                self._wait(StepState.SETTLING, sight.after, sight.reason, seen=sight.seen)
            case Broken(reason):
                self._broken(reason)
            case Gone():
                self._gone()

    def _gone(self) -> None:
        """What was made a moment ago may not be seen everywhere yet; what was there for longer has vanished."""
        intent = self.step.intent_at
        if intent is not None and self.clock() < intent + settings.STEP_SETTLE:
            self._wait(StepState.SETTLING if self.step.external_id else StepState.UNKNOWN)
        elif self.step.external_id:
            self._broken(VANISHED)
        else:
            self.park(VANISHED, broken_at=self.clock())  # nothing is known that could be cleared away

    def _wait(
        self, state: StepState, after: timedelta | None = None, reason: str = "", *, seen: str = ""
    ) -> None:
        """Look again later; or ask a person when it has been on its way for longer than its kind ever takes."""
        at = self.clock()
        going_down = state in {StepState.REMOVING, StepState.REPLACING}
        asked = [self.step.started_at] if going_down else [self.step.intent_at, self.step.started_at]
        since = max((moment for moment in asked if moment), default=at)
        cloud, patience = self.step.operation.cloud_id, self.kind.patience
        if at - since > patience and maintenance.worked(cloud, since=since, at=at) > patience:
            waited = f"still {StepState(state).label} after {self.kind.patience}"
            self.park(": ".join(filter(None, (waited, reason or seen))))
            return
        self.write(state=state, next_run_at=at + (after or next_look(at - since)), last_error=reason)

    def _broken(self, reason: str) -> None:
        if self.step.generation >= self.kind.generations:
            self.park(reason, broken_at=self.clock())
            return
        log.warning("built anew", step=self.step.key, generation=self.step.generation, reason=reason)
        at = self.clock()
        self.write(state=StepState.REPLACING, last_error=reason, started_at=at, next_run_at=at)

    def _clear_away(self) -> None:
        """Take down what came out broken, wait until it is gone, and start the next generation."""
        if self._keeps_one_out():
            return
        if self._taken_down():
            self.write(
                state=StepState.DUE, external_id="", intent_at=None, attempts=0,
                generation=F("generation") + 1, next_run_at=self.clock(), started_at=self.clock(),
            )  # fmt: skip

    def _make_absent(self) -> None:
        step = self.step
        if not step.external_id and step.intent_at is not None:
            found = self._find_to_take_down()
            if found is not None:
                self._owned(Step.objects.filter(external_id=""), external_id=found)
                step.external_id = found
            elif self.kind.landing is not Landing.REPEATABLE and not self._never_landed(StepState.REMOVING):
                return  # what somebody sent before we were told to undo it may still land
        if step.external_id and self._keeps_one_out():
            return
        if not step.external_id or self._taken_down():
            kept = {name: step.outputs[name] for name in KEPT if name in step.outputs}
            self.finish(StepState.GONE, kept)

    def _find_to_take_down(self) -> str | None:
        """With the server or volume that it is of everything of it has gone."""
        try:
            return self.kind.find(self.context)
        except errors.NotFound:
            return None

    def _keeps_one_out(self) -> bool:
        """Whether what is to go was asked for twice a moment ago: while it stands, the cloud refuses the request that was lost.

        Then the step is released, and nothing is taken down before that one has had its time to land.
        """
        missed = self.context.missed_at(self.step.kind) if self.kind.landing is Landing.LOCKED else None
        if missed is None or self.clock() >= missed + settings.STEP_SETTLE:
            return False
        self.write(next_run_at=missed + settings.STEP_SETTLE)
        return True

    def _taken_down(self) -> bool:
        """Ask for its removal as often as needed; True once the cloud has confirmed that it is gone."""
        state = StepState.REPLACING if self.step.state == StepState.REPLACING else StepState.REMOVING
        if self.step.state != state:
            self.update(state=state, started_at=self.clock())
        sight = self._look()
        if isinstance(sight, Gone):
            return True
        with contextlib.suppress(errors.NotFound):
            self.kind.remove(self.context, self.step.external_id)
        self._wait(state, seen=_standing(sight))
        return False

    # -- what goes wrong

    def _cloud_said_no(self, error: errors.CloudError) -> None:
        match error:
            case errors.Refused() if self._may_have_won_before(tries=1):
                self.trouble(str(error), counts=True, state=StepState.UNKNOWN)
            case errors.OverQuota() if self._may_have_won_before(tries=OVER_QUOTA_TRIES):
                self.trouble(str(error), counts=True, state=StepState.UNKNOWN)
            case errors.OverQuota() | errors.Refused() | errors.Misconfigured():
                self.park(str(error))  # it will be refused again: a person must change something
            case errors.RateLimited(retry_after=seconds):
                self.trouble(str(error), counts=False, pause=timedelta(seconds=seconds))
            case errors.Unreachable() | errors.Unavailable():
                self.trouble(str(error), counts=False)  # the cloud's trouble, however long it takes
            case _:
                # refused credentials are waited for as well: once others are stored, it goes on with a look
                unknown = self.step.intent_at is not None and not self.step.external_id
                counts = not isinstance(error, errors.Unauthorized)
                self.trouble(str(error), counts=counts, state=StepState.UNKNOWN if unknown else None)

    def _may_have_won_before(self, *, tries: int) -> bool:
        """Whether a refusal may be of our own earlier request's making (a subnet that overlaps the one it made, the last server
        that the quota has room for).
        """
        sent = self.step.intent_at is not None and not self.step.external_id
        return sent and self.kind.landing is Landing.LOCKED and self.step.attempts < tries

    def trouble(
        self, reason: str, *, counts: bool, state: StepState | None = None, pause: timedelta | None = None
    ) -> None:
        """Note what went wrong and try again later; park the step when it has gone wrong too often."""
        attempts = self.step.attempts + counts
        if attempts >= settings.STEP_ATTEMPTS:
            self.park(reason)
            return
        at = self.clock()
        if pause is None:
            tried_for = at - (self.step.started_at or at)
            grown = settings.STEP_POLL * 2**attempts if counts else max(settings.STEP_POLL * 2, tried_for / 4)
            pause = min(grown, LONGEST_PAUSE)
        self.write(
            last_error=reason,
            attempts=attempts,
            next_run_at=at + pause,
            **({"state": state} if state else {}),
        )

    # -- what is written

    def park(self, reason: str, *, broken_at: datetime | None = None) -> None:
        with transaction.atomic():
            completion.lock(self.step.operation)
            self.write(state=StepState.PARKED, last_error=reason, next_run_at=None, broken_at=broken_at)
            completion.parked(self.step, reason=reason, at=self.clock())

    def finish(self, state: StepState, outputs: dict[str, Any], **columns: Any) -> None:
        """Finish the step, note its effect in our own tables and wake who waited for it: all in one transaction."""
        self.context.at = at = self.clock()
        with transaction.atomic():
            completion.lock(self.step.operation)
            columns |= {
                "state": state,
                "outputs": outputs,
                "finished_at": at,
                "next_run_at": None,
                "last_error": "",
            }
            self.write(**columns)
            if state == StepState.DONE:
                self.kind.record(self.context, outputs)
            elif state == StepState.GONE:
                self.kind.forget(self.context)
            completion.finished(self.step, at=at)

    def write(self, **columns: Any) -> None:
        """Write to the step and release it. Raises LeaseLost."""
        self.update(**columns, lease_until=None)
        if columns.get("next_run_at"):
            completion.ring_at(columns["next_run_at"] - self.clock())

    def update(self, **columns: Any) -> None:
        """Write to the step and keep it. Raises LeaseLost."""
        self._owned(Step.objects.all(), **columns)
        for name, value in columns.items():
            setattr(self.step, name, value)

    def _owned(self, steps: Any, **columns: Any) -> None:
        if not steps.filter(pk=self.step.pk, fence=self.fence).update(**columns):
            raise LeaseLost

    def still_mine(self) -> None:
        """Directly before a request that changes the cloud. Raises LeaseLost: somebody else may be sending it, or undoing it.

        The time in which the request may land begins now: looking for what it needs may have taken longer than that,
        and a request that is sent again starts anew.
        """
        sent = {}
        if self.step.desired == Desired.PRESENT and not self.step.external_id:
            sent["intent_at"] = self.clock()
        if not self.heartbeat(**sent):
            raise LeaseLost
        self.step.intent_at = sent.get("intent_at", self.step.intent_at)

    def heartbeat(self, **columns: Any) -> bool:
        """Renew the lease in the middle of long work; False when the step is not ours any more."""
        until = self.clock() + settings.STEP_LEASE
        return bool(
            Step.objects.filter(pk=self.step.pk, fence=self.fence).update(lease_until=until, **columns)
        )


def _standing(sight: Sight) -> str:
    """Where what is to go stands, for the people who are asked why it does not."""
    match sight:
        case Moving():
            return sight.reason or sight.seen
        case Broken(reason):
            return reason
        case _:
            return ""


def next_look(waited: timedelta) -> timedelta:
    """A tenth of the time it has been on its way: seen a twentieth too late on average, and rarely asked for if it takes long."""
    return min(max(waited / 10, settings.STEP_POLL / 4), settings.STEP_POLL * 10)
