"""What a direct action has to say for itself, and the table of actions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.inventory.models import Resource, ResourceKind
from govcloud.provisioning.services import StepSpec
from tenants.models import Role, User


@dataclass(frozen=True, slots=True)
class Nothing:
    """The parameters of an action that needs none."""


P = TypeVar("P")

NO_KEY = _("it was taken over with its guest, which does not have our key")
BROKEN = _("writing its system anew has failed. Have it written once more, or order its release")


class Action(Generic[P]):
    """Something that can be done to a resource of one kind.

    ``roles`` may do it: unit roles in the department of the resource's system (or above), the centre's everywhere.
    """

    name: ClassVar[str]  # in the API and in audit events
    title: ClassVar[Promise]  # in plain words, an imperative: "stop the server"
    resource_kind: ClassVar[ResourceKind]
    roles: ClassVar[tuple[Role, ...]]
    sensitive: ClassVar[bool] = False  # lets somebody in or loses data: asked for with a second factor only
    for_the_centre: ClassVar[bool] = False  # upkeep of the centre's own: departments are not told of it
    puts_right: ClassVar[bool] = False  # is what a server takes whose system could not be written anew
    leaves_it_as_ordered: ClassVar[bool] = (
        False  # an order that is being decided on is about the same thing afterwards
    )

    def refusal(self, resource: Resource) -> str | Promise | None:
        """Why the resource, which nothing else has in hand, cannot take this action in its present state; else None."""
        raise NotImplementedError

    def in_vain(self, resource: Resource) -> str | Promise | None:  # noqa: ARG002
        """Why ``check`` would refuse whatever could be asked for now, so that nobody is offered it; None where it depends on that."""
        return None

    def lock(self, resource: Resource) -> None:
        """Lock what the action claims besides the resource; before the resource itself, as orders do."""

    def check(self, resource: Resource, parameters: P) -> None:
        """Rules about the parameters. Raises ``Invalid`` with pointers to the fields."""

    def with_it(self, resource: Resource, parameters: P) -> Sequence[int]:  # noqa: ARG002
        """Primary keys of what the operation has in hand besides the resource: nothing else is done with it meanwhile."""
        return ()

    def begin(
        self, resource: Resource, parameters: P, steps: Sequence[StepSpec], *, actor: User, at: datetime
    ) -> None:
        """Write down in our own tables what the operation begins with (quota held), in the transaction that starts it."""

    def plan(self, resource: Resource, parameters: P, *, key: str) -> list[StepSpec]:
        """The steps. ``key`` begins the key of each; what has to be reserved in our own tables is reserved here."""
        raise NotImplementedError


_ACTIONS: dict[str, Action[Any]] = {}


def register(*actions: Action[Any]) -> None:
    """Enter actions in the table; called from the AppConfig of the package that has them."""
    for action in actions:
        _ACTIONS[action.name] = action


def actions() -> Mapping[str, Action[Any]]:
    return _ACTIONS


_TITLES: dict[str, Promise | str] = {}


def register_titles(titles: Mapping[str, Promise | str]) -> None:
    """Enter the titles of what has a resource in hand as an action has, and is none: nobody can ask for it by its name."""
    _TITLES.update(titles)


def title_of(name: str) -> str:
    """Of what an operation was recorded with, in plain words; the name itself of what is not done any more."""
    action = _ACTIONS.get(name)
    return str(action.title if action is not None else _TITLES.get(name, name))


def actions_of(kind: str) -> Iterator[Action[Any]]:
    """Those that a kind of resource can take in some state, in the order in which they were registered."""
    return (action for action in _ACTIONS.values() if action.resource_kind == kind)


_CLAIMS: list[Callable[[Resource], str | None]] = []


def register_claim(claim: Callable[[Resource], str | None]) -> None:
    """Enter a look at whether something else is about to change or release a resource: it answers with the reason, or None."""
    _CLAIMS.append(claim)


def claimed(resource: Resource) -> str | None:
    return next(filter(None, (claim(resource) for claim in _CLAIMS)), None)
