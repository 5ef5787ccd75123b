"""A cloud of one kind of thing, with faults by script, for tests of the engine itself."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from django.utils.translation import gettext_lazy as _

from govcloud.gateways.openstack import errors
from govcloud.gateways.openstack.recording import ask_guards
from govcloud.provisioning import services
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds.base import Broken, Gone, Kind, Landing, Made, Moving, Ready, Sight
from govcloud.provisioning.models import Operation, OperationKind, Step
from govcloud.provisioning.services import StepSpec
from tests.factories.catalog import CloudFactory
from tests.factories.tenants import SystemFactory, UserFactory

UNKNOWN = errors.OutcomeUnknown("no answer came", service="compute")
UNREACHABLE = errors.Unreachable("connection refused", service="compute")
OVER_QUOTA = errors.OverQuota("Quota exceeded for cores", service="compute", status=403)


class WorkerDied(BaseException):
    """What a SIGKILL looks like from inside one process: nothing after it runs."""


@dataclass
class Things:
    """The things that exist in the cloud: id -> (mark, status)."""

    there: dict[str, tuple[str, str]] = field(default_factory=dict)
    before: deque[BaseException] = field(default_factory=deque)  # raised before a create takes effect
    after: deque[BaseException] = field(default_factory=deque)  # raised after it
    born: deque[str] = field(default_factory=deque)  # statuses of what is created next
    created: int = 0
    removed: list[str] = field(default_factory=list)
    hidden: bool = False  # a list that lags: find() sees nothing
    removal_refused: bool = False
    owner_is_there: bool = True  # what the things are of
    meanwhile: Callable[[], object] = lambda: None  # what happens between a worker's decision and its request
    outputs: dict[str, str] | None = None  # answered by a create that needs no second look

    def marked(self, mark: str) -> list[str]:
        return [identifier for identifier, (owner, _status) in self.there.items() if owner == mark]


class ThingKind(Kind):
    name = "thing"
    title = _("Building a thing")
    generations = 2

    def __init__(self, things: Things) -> None:
        self.things = things

    def find(self, context: Context) -> str | None:
        found = [] if self.things.hidden else self.things.marked(context.mark)
        return found[0] if found else None

    def create(self, context: Context) -> Made:
        if self.things.before:
            raise self.things.before.popleft()
        self.things.meanwhile()
        ask_guards()  # as the gateway does before every changing request
        if self.landing is Landing.LOCKED and self.things.marked(context.mark):
            raise errors.Conflict("taken", service="compute", status=409)
        self.things.created += 1
        identifier = f"thing-{self.things.created}"
        self.things.there[identifier] = (
            context.mark,
            self.things.born.popleft() if self.things.born else "ok",
        )
        if self.things.after:
            raise self.things.after.popleft()
        return Made(identifier, self.things.outputs)

    def look(self, context: Context, external_id: str) -> Sight:  # noqa: ARG002
        if external_id not in self.things.there:
            return Gone()
        status = self.things.there[external_id][1]
        return {
            "ok": Ready({"id": external_id}),
            "busy": Moving(),
            "error": Broken("No valid host was found"),
        }[status]

    def remove(self, context: Context, external_id: str) -> None:  # noqa: ARG002
        if self.things.removal_refused:
            raise errors.Conflict("still in use", service="compute", status=409)
        self.things.removed.append(external_id)
        del self.things.there[external_id]


class LockedThingKind(ThingKind):
    name = "locked_thing"
    landing = Landing.LOCKED


@dataclass
class Clock:
    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def later(self, **passed: float) -> None:
        self.now += timedelta(**passed)


def operation(at: datetime, *chain: str, kind: str = "thing", split: bool = False) -> Operation:
    """An operation whose steps need one another in turn; with ``split`` the last needs all the others at once."""
    system, cloud = SystemFactory(), CloudFactory()
    units = {name: uuid4() for name in chain}

    def needs(position: int) -> tuple[str, ...]:
        if split:
            return tuple(f"{units[n]}:{kind}" for n in chain[:-1]) if position == len(chain) - 1 else ()
        return (f"{units[chain[position - 1]]}:{kind}",) if position else ()

    steps = [
        StepSpec(key=f"{units[name]}:{kind}", kind=kind, label=name, unit=units[name], needs=needs(position))
        for position, name in enumerate(chain)
    ]
    return services.start(
        kind=OperationKind.DELIVER, reason="GC-2026-000001", thread=uuid4(), system=system, cloud=cloud, steps=steps,
        actor=UserFactory(), at=at,
    )  # fmt: skip


def step(started: Operation, name: str) -> Step:
    return Step.objects.get(operation=started, label=name)
