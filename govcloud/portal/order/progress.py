"""What is being done in the cloud for an order, one line per server, in plain words while it happens."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from govcloud.catalog.models import Kind
from govcloud.orders.models import Action, Order, Unit
from govcloud.portal.listing import Choice
from govcloud.portal.order.items import ICONS
from govcloud.portal.order.parts import STATES, Asked, Part
from govcloud.portal.templatetags.portal import named
from govcloud.provisioning import by_hand
from govcloud.provisioning.kinds.base import deed_of
from govcloud.provisioning.lifecycle import FINISHED, StepState
from govcloud.provisioning.models import CloudCall, OperationKind, Step

UNDER_WAY = frozenset({StepState.UNKNOWN, StepState.SETTLING, StepState.REPLACING, StepState.REMOVING})
MAXIMUM = datetime.max.replace(tzinfo=UTC)
FEW = 10
"""Of so many groups all steps are on the page, to be opened; of more only those of the one that was asked for."""

REQUEST_IDS = 5
"""So many of a step's calls, the last ones, are shown to a cloud administrator."""


@dataclass(frozen=True, slots=True)
class Doing:
    """One step. ``left`` is what the department has to do since it was skipped, if anything. ``row`` is given to cloud administrators
    only: kind, the cloud's own words and request ids.
    """

    title: str
    about: str
    state: str
    label: str
    called_off: bool = False
    left: str = ""
    row: Any = None


@dataclass(slots=True)
class Group:
    """Everything that is done for one server (or network, or backup allowance), and how far it is.

    ``key`` is the same at every look, so that what somebody opened stays open wherever it stands on the page; ``address`` is
    where its steps are shown, if they are not here. What ``stands`` is only changed or renewed, and there whatever becomes of that.
    """

    key: str
    name: str
    kind: str
    icon: str
    stands: bool = False
    steps: list[Doing] = field(default_factory=list)
    address: str = ""

    @property
    def finished(self) -> int:
        return sum(step.state in FINISHED for step in self.steps)

    @property
    def percent(self) -> int:
        """A step under way counts as half done."""
        halves = sum(2 if s.state in FINISHED else s.state in UNDER_WAY for s in self.steps)
        return halves * 100 // (2 * len(self.steps))

    @property
    def state(self) -> str:
        states = {step.state for step in self.steps}
        if StepState.PARKED in states:
            return StepState.PARKED
        if states <= FINISHED:
            return StepState.GONE if StepState.GONE in states else StepState.DONE
        return StepState.WAITING if states <= {StepState.WAITING, StepState.DUE} else StepState.SETTLING

    @property
    def now(self) -> Doing | None:
        """The step to tell of: one that waits for a person, else one under way, else the next."""
        unfinished = [step for step in self.steps if step.state not in FINISHED]
        for wanted in ({StepState.PARKED}, UNDER_WAY, {StepState.DUE}):
            for step in unfinished:
                if step.state in wanted:
                    return step
        return unfinished[0] if unfinished else None

    @property
    def label(self) -> str:
        called_off = self.stands or any(step.called_off for step in self.steps)
        return _("taken back") if called_off and self.state == StepState.GONE else _label(self.state)


@dataclass(frozen=True, slots=True)
class Progress:
    groups: list[Group]

    @property
    def finished(self) -> int:
        return sum(group.finished for group in self.groups)

    @property
    def total(self) -> int:
        return sum(len(group.steps) for group in self.groups)

    @property
    def percent(self) -> int:
        return sum(group.percent * len(group.steps) for group in self.groups) // max(1, self.total)

    @property
    def held_up(self) -> int:
        """How many steps wait for an administrator."""
        return sum(step.state == StepState.PARKED for group in self.groups for step in group.steps)

    @property
    def left(self) -> list[Doing]:
        """What is left to the department, by what it is about."""
        return [step for group in self.groups for step in group.steps if step.left]

    def shown(self, asked: Asked) -> Part:
        """Those in the state that was asked for. Where there are many, those come first that somebody may have to look at,
        and the steps are shown of one of them.
        """
        groups = [group for group in self.groups if asked.state in {"", group.state}]
        if self.many:
            groups.sort(key=lambda group: STATES.index(StepState(group.state)))
            for group in groups:
                if group.key != asked.group:
                    group.address = asked.address(to=f"group-{group.key}", group=group.key)
        return asked.part("progress", groups)

    @property
    def many(self) -> bool:
        return len(self.groups) > FEW

    def states(self, asked: Asked) -> list[Choice]:
        """All of them, then those in each state that one is in or that was asked for, with how many there are."""
        counts = Counter(group.state for group in self.groups)
        labels = {state: {group.label for group in self.groups if group.state == state} for state in STATES}
        views = [
            (state.value, " / ".join(sorted(labels[state])) or _label(state), counts[state])
            for state in STATES
        ]
        return [
            Choice(
                value,
                label,
                asked.address(to="progress-heading", state=value, progress=""),
                count,
                asked.state == value,
            )
            for value, label, count in [("", _("all of them"), len(self.groups)), *views]
            if count or asked.state == value
        ]


def _label(state: str) -> str:
    words = {
        StepState.PARKED: _("held up"),
        StepState.GONE: _("removed"),
        StepState.DONE: _("done"),
        StepState.WAITING: _("about to start"),
    }
    return words.get(StepState(state), _("in progress"))


def progress(order: Order, *, technical: bool) -> Progress:
    """How far the cloud is with an order; ``technical`` adds what only a cloud administrator reads. One query."""
    groups: dict[Any, Group] = {}
    for step in _steps(order, technical=technical):
        group = groups.setdefault(step.group, _group(step))
        group.steps.append(_doing(step, order, technical=technical))
    return Progress(list(groups.values()))


def _steps(order: Order, *, technical: bool) -> Iterable[Any]:
    """Steps of building, changing and releasing, and of the first backups, which the delivery waits for."""
    unit = Unit.objects.filter(uuid=OuterRef("unit"))
    later = Q(operation__kind=OperationKind.BACKUP, operation__created_at__gt=order.finished_at or MAXIMUM)
    steps: QuerySet[Step] = (
        Step.objects.filter(~later, operation__thread=order.uuid)
        .annotate(
            operation_kind=F("operation__kind"),
            group=Subquery(unit.values("server__uuid")[:1]),
            group_name=Subquery(unit.values("server__name")[:1]),
            unit_name=Subquery(unit.values("name")[:1]),
            unit_kind=Subquery(unit.values("item__kind")[:1]),
            unit_action=Subquery(unit.values("item__action")[:1]),
        )
        .order_by("operation_id", "position")
    )
    if technical:
        calls = CloudCall.objects.filter(step=OuterRef("pk")).exclude(request_id="").order_by("-id")
        steps = steps.annotate(request_ids=ArraySubquery(calls.values("request_id")[:REQUEST_IDS]))
    rows: list[Any] = list(steps)
    for step in rows:
        step.group = step.group or (step.unit if step.unit_kind else step.operation_kind)
    return rows


def _group(step: Any) -> Group:
    """The group a step opens: its server's, its own thing's, that of the backups, or of what all of them need."""
    key = str(step.group)
    if step.group == OperationKind.BACKUP:
        return Group(key, _("First backup"), _("of every volume"), "archive")
    if _shared(step):
        return Group(key, _("Preparation"), _("for all of them"), "stack-2")
    kind = Kind(step.unit_kind)
    stands = step.unit_action in {Action.CHANGE, Action.RENEW}
    return Group(key, step.group_name or step.unit_name, str(kind.label), ICONS[kind], stands)


def _shared(step: Any) -> bool:
    """Whether a step is for all that is built and not for one thing of it."""
    return not step.unit_kind and step.group != OperationKind.BACKUP


def _doing(step: Any, order: Order, *, technical: bool) -> Doing:
    """What all of an order's things need is about its system, whatever the cloud calls it."""
    return Doing(
        title=deed_of(step),
        about=named(order.system) if _shared(step) else step.label,
        state=step.state,
        label=step.state_label,
        called_off=step.called_off_at is not None,
        left=by_hand.left_by(kind=step.kind, reason=step.outputs.get("reason")),
        row=step if technical else None,
    )
