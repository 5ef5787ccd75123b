"""What the engine asks of a kind of step, and the table of kinds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from govcloud.provisioning.context import Context
from govcloud.provisioning.lifecycle import Desired
from govcloud.provisioning.models import Step
from tenants.naming import name_of

GIVEN_UP_FOR = "given_up_for"
"""Of a step's outputs: why what it did was not taken back, though it was called off. Kept when the step is gone."""


class Landing(StrEnum):
    """What a second request does while the first one's outcome is not known.

    ``repeatable``: the same request again has the same effect (a PUT, an idempotent playbook). ``locked``: the cloud
    lets one of them win, by a name, an address or a volume that only one can have. ``open``: both may take effect, so
    the first must have had its time to land, and not be found, before the second is sent.
    """

    REPEATABLE = "repeatable"
    LOCKED = "locked"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Made:
    """A request was accepted. With ``outputs`` the thing is finished already and nobody needs to look."""

    external_id: str
    outputs: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Cannot be done here, and need not be: the reason is shown to people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing was asked for: something else of ours has to end first, however long that takes."""

    reason: str


@dataclass(frozen=True, slots=True)
class Moving:
    """The cloud works on it. ``after`` is when to look again, if not as usual.

    ``progressed``: part of what is asked for piece by piece is done, so its kind's patience begins anew. ``reason`` is what it
    waits for, where there is more to tell than that it does. ``seen`` is the cloud's own word for where it stands, told once it has
    taken too long.
    """

    after: timedelta | None = None
    progressed: bool = False
    reason: str = ""
    seen: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Ready:
    outputs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """It came out unusable; ``reason`` is the cloud's own words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no such thing (any more)."""


Sight = Moving | Ready | Broken | Gone


class StepFailed(Exception):
    """It was tried and did not work; the message is for administrators. Counts as an attempt."""


class OutOfReach(StepFailed):
    """Trying again does not help before a person has changed something in the cloud."""


class Kind:
    """A kind of thing a step makes present or absent. Every method makes at most a few calls and never waits."""

    name: ClassVar[str]
    title: ClassVar[Promise]  # in plain words, for departments
    removal_title: ClassVar[Promise | None] = None
    """The same of a step that makes it absent; None where that is no deed of its own."""
    landing: ClassVar[Landing] = Landing.OPEN
    generations: ClassVar[int] = (
        1  # how often it may be built anew after coming out broken, the first included
    )
    asked_again_on_retry: ClassVar[bool] = (
        False  # a retry of what broke sends the request anew: there is nothing to clear away before
    )
    takes_a_place: ClassVar[bool] = (
        False  # counts among those that a cloud builds at a time (Cloud.build_width)
    )
    follows_granted: ClassVar[bool] = (
        False  # sets what has been granted together: to be done anew when a part of it is called off
    )
    in_guest: ClassVar[bool] = False  # keeps its worker busy for as long as a playbook runs
    patience: ClassVar[timedelta] = timedelta(
        minutes=30
    )  # how long it may be on its way before a person is asked

    def find(self, context: Context) -> str | None:
        """The id of what an earlier request of this step made, by the mark it carries; None if there is none (yet).

        Raises ``NotFound`` where what it is of (a server, a volume) is not there.
        """
        raise NotImplementedError

    def create(self, context: Context) -> Made | Skipped | Moving | Waiting:
        """Send the one request that makes it. Moving: not possible yet, ask again. Raises ``CloudError``, StepFailed."""
        raise NotImplementedError

    def look(self, context: Context, external_id: str) -> Sight:
        """See how far it is."""
        raise NotImplementedError

    def remove(self, context: Context, external_id: str) -> None:
        """Send the request that takes it down. Called again until ``look`` says Gone: must bear repetition."""
        raise NotImplementedError

    def record(self, context: Context, outputs: dict[str, Any]) -> None:
        """Note in our own tables that it is present; in the transaction that finishes the step."""

    def forget(self, context: Context) -> None:
        """Note in our own tables that it is absent; in the transaction that finishes the step."""


class Setting(Kind):
    """A kind that sets something to a value: sending it again is harmless, and there is nothing to take down."""

    landing = Landing.REPEATABLE

    def find(self, context: Context) -> str | None:  # noqa: ARG002
        return None

    def look(self, context: Context, external_id: str) -> Sight:  # noqa: ARG002
        return Gone() if context.step.desired == "absent" else Ready()

    def remove(self, context: Context, external_id: str) -> None:
        """Nothing was made that would have to go."""


_KINDS: dict[str, Kind] = {}


def register(*kinds: Kind) -> None:
    """Enter kinds in the table; called from the AppConfig of the package that has them."""
    for kind in kinds:
        _KINDS[kind.name] = kind


def kind_of(name: str) -> Kind:
    return _KINDS[name]


def title_of(name: str) -> str:
    """The kind's plain words; a step of a kind that this release no longer has is still shown."""
    return str(_KINDS[name].title) if name in _KINDS else _("work in the cloud")


class Deed(Protocol):
    """A step, as far as it says what is done."""

    @property
    def kind(self) -> str: ...

    @property
    def desired(self) -> str: ...


def deed_of(step: Deed) -> str:
    """What a step does, in plain words: it builds, or takes down what was released or called off."""
    if step.desired == Desired.PRESENT:
        return title_of(step.kind)
    removal = _KINDS[step.kind].removal_title if step.kind in _KINDS else None
    return str(removal) if removal is not None else _("Taking back: %(deed)s") % {"deed": title_of(step.kind)}


def about(step: Step) -> str:
    """What it is done to: the name of a server or a volume; of what all things of a system need, that of the system."""
    system = step.operation.system
    return str(name_of(system)) if step.unit == system.uuid else step.label


def kinds() -> Mapping[str, Kind]:
    return _KINDS
