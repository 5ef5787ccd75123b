"""The forms of what asks for several things: read, refused at the field, and shown again as they were typed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from govcloud.errors import DomainError
from govcloud.inventory.models import Access, Protocol
from govcloud.portal.deeds import Refused, status_of
from govcloud.portal.reading import number_in
from govcloud.portal.seen import id_or_nobody
from govcloud.portal.writing.fields import (
    LONGEST,
    Field,
    Unreadable,
    an_id,
    choice,
    number,
    one_of,
    text,
)
from govcloud.portal.writing.offers import Option
from govcloud.portal.writing.slots import Shown
from govcloud.provisioning.actions.base import Action
from govcloud.provisioning.actions.interfaces import OnNetwork
from govcloud.provisioning.actions.objects import NewCredential, OfCredential
from govcloud.provisioning.actions.requests import Possibility
from govcloud.provisioning.actions.rules import NewRule, OfRule

LAST_PORT = 65_535
NO_PORT = _("Give one port, a number from 1 to 65535; for ports that do not follow each other, a rule each.")
SEE_THE_FIELD = _("Nothing has been done yet: please look at what is marked below.")


@dataclass(frozen=True, slots=True)
class Form:
    """``makes`` the action's parameters of the fields' values, by their keys."""

    fields: tuple[Field, ...]
    makes: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """What was typed into the fields of one form, and what is wrong with it, both by the fields' keys."""

    values: Mapping[str, str]
    wrong: dict[str, list[str]] = field(default_factory=dict)

    def refused(self, refusal: DomainError) -> Refused:
        """Told at the field that it is about; above the page where there is none."""
        keys = {pointer.removeprefix("/") for pointer in refusal.pointers} & self.values.keys()
        for key in keys:
            self.wrong.setdefault(key, []).append(refusal.detail)
        return Refused(str(SEE_THE_FIELD) if keys else refusal.detail, status_of(refusal))


@dataclass(frozen=True, slots=True)
class Formed:
    """A form as the page has it; ``refusal`` is why it has none now, empty when it has one.

    What was typed when it was refused is shown all the same: the refusal may be over in a minute.
    """

    action: Action[Any]
    refusal: str
    fields: Sequence[Shown] = ()
    open: bool = False


def _rule(
    *, protocol: Protocol, remote: str | None, network: UUID | None, description: str | None, **ports: int | None
) -> NewRule:  # fmt: skip
    return NewRule(
        protocol=protocol.value, remote=remote or "", network=network, description=description or "", **ports
    )


def _credential(*, name: str, access: Access) -> NewCredential:
    return NewCredential(name=name, access=access.value)


def a_port(typed: str) -> int:
    """One number of digits alone: "22,80" is two of them and no number. Raises Unreadable."""
    port = number_in(typed, most=LAST_PORT)
    if not port:
        raise Unreadable(NO_PORT)
    return port


FORMS: Mapping[str, Form] = {
    "add-rule": Form(
        (
            choice("protocol", _("Protocol"), "protocols", read=one_of(Protocol)),
            number("port_min", _("First port"), read=a_port, optional=True, hint=_("Left out: all ports.")),
            number(
                "port_max", _("Last port"), read=a_port, optional=True, hint=_("Left out: the first one alone."),
            ),
            choice("network", _("From a network of the system"), "networks", read=an_id, optional=True),
            text(
                "remote", _("Or from a range of addresses"), optional=True,
                hint=_("Such as 10.20.0.0/16. Everybody is 0.0.0.0/0."),
            ),
            text("description", _("What it is for"), optional=True),
        ),
        _rule,
    ),
    "add-interface": Form((choice("network", _("Network"), "networks", read=an_id),), OnNetwork),
    "issue-credential": Form(
        (
            text("name", _("Name"), hint=_("What it is for; at most 40 characters.")),
            choice("access", _("Access"), "access", read=one_of(Access)),
        ),
        _credential,
    ),
}  # fmt: skip

OF_A_ROW: Mapping[str, Callable[[str], Any]] = {
    "remove-rule": lambda given: OfRule(rule=id_or_nobody(given)),
    "remove-interface": lambda given: OnNetwork(id_or_nobody(given)),
    "revoke-credential": lambda given: OfCredential(id_or_nobody(given)),
}
"""The actions that have a button in each row of a list, with what they make of the row's id."""


def read(action: str, posted: QueryDict) -> Sent:
    typed = ((each.key, posted.get(_id(action, each), "")) for each in FORMS[action].fields)
    return Sent({key: value.replace("\0", "").strip()[:LONGEST] for key, value in typed})


def parameters(action: str, sent: Sent) -> Any:
    """What the action takes; None after telling at the fields why there is nothing."""
    given: dict[str, Any] = {}
    for each in FORMS[action].fields:
        try:
            given[each.key] = each.parsed(sent.values[each.key])
        except Unreadable as error:
            sent.wrong[each.key] = [str(error.said)]
    return None if sent.wrong else FORMS[action].makes(**given)


def formed(
    possibility: Possibility, options: Mapping[str, Sequence[Option]], sent: Mapping[str, Sent]
) -> Formed:
    """``options`` are those of its lists by their names; ``sent`` what was refused just now, by action."""
    typed = sent.get(possibility.action.name)
    if possibility.refusal and typed is None:
        return Formed(possibility.action, possibility.refusal)
    fields = _shown(possibility.action.name, options, typed or Sent({}))
    return Formed(possibility.action, possibility.refusal, list(fields), open=typed is not None)


def _shown(action: str, options: Mapping[str, Sequence[Option]], sent: Sent) -> Iterator[Shown]:
    first = next((each.key for each in FORMS[action].fields if each.key in sent.wrong), None)
    for each in FORMS[action].fields:
        yield Shown(
            _id(action, each),
            each,
            sent.values.get(each.key, ""),
            list(options.get(each.options, ())),
            sent.wrong.get(each.key, []),
            first=each.key == first,
        )


def _id(action: str, asked: Field) -> str:
    """Of its element, and its name."""
    return f"{action}-{asked.key}"
