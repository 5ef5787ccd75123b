"""A form of several groups of fields: what was typed into it, what that means, and what is wrong, each at its field."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.audit import watching
from govcloud.errors import DomainError, Invalid, Invalids
from govcloud.portal import deeds
from govcloud.portal.writing.fields import Field, Unreadable
from govcloud.portal.writing.offers import Option
from govcloud.portal.writing.slots import Shown

TOO_LONG = _("At most %(most)s characters.")
NO_CODE = _("Only the letters a–z and A–Z, digits, - and _ are possible.")
AS_TYPED = frozenset({"password", "long"})
"""Types of fields of which blanks at the ends belong to what was typed."""
PLACE = re.compile(r"/?([^/]+)/([0-9]+)((?:/.*)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Fields under one heading; ``key`` is put before theirs: "zones/public" makes "zones/public/address_pool".

    Where nothing is typed into any of ``left_out_without`` the whole group is left out; empty: it never is.
    """

    label: str | Promise
    fields: tuple[Field, ...]
    key: str = ""
    hint: str | Promise = ""
    left_out_without: tuple[str, ...] = ()

    def name(self, each: Field) -> str:
        return f"{self.key}/{each.key}" if self.key else each.key


@dataclass
class Form:
    """``options`` are those of its lists, by name. ``values`` are as typed, by whole keys; passwords are never shown again.

    Nor is anything else in which a field sees a secret.
    """

    groups: Sequence[Group]
    options: Mapping[str, Sequence[Option]]
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)
    general: list[str] = field(default_factory=list)
    status: int = 200
    """Of the page that shows it."""

    def read(self, request: HttpRequest) -> "Form":
        """Take in what was sent."""
        for _group, key, each in self._all():
            typed = request.POST.get(_id(key), "").replace("\0", "")
            self.values[key] = typed if each.type in AS_TYPED else typed.strip()
        return self

    def parsed(self) -> dict[str, dict[str, Any]] | None:
        """By the group's key, what its fields mean, without what was left out; None if something is wrong, told at the fields."""
        found: dict[str, dict[str, Any]] = {}
        for group in self.groups:
            if self._left_out(group):
                continue
            into = found.setdefault(group.key, {})
            for each in group.fields:
                into[each.key] = self._meant(group.name(each), each)
        if not self.wrong:
            return found
        watching.note(code=Invalid.code)
        self.status = 422
        return None

    def tell(self, refusal: DomainError, *, field: str = "") -> None:
        """What a service refused, at the fields that it names; ``field`` is one that its pointers cannot name."""
        self.status = deeds.status_of(refusal)
        for error in refusal.errors if isinstance(refusal, Invalids) else [refusal]:
            keys = [field] if field else [key for key in map(self._key_at, error.pointers) if key]
            for key in keys:
                self.errors.setdefault(key, []).append(error.detail)
            if not keys:
                self.general.append(error.detail)

    @property
    def wrong(self) -> bool:
        return bool(self.errors or self.general)

    @property
    def shown(self) -> list[tuple[Group, list[Shown]]]:
        shown = {key: self._shown(key, each) for _group, key, each in self._all()}
        return [(group, [shown[group.name(each)] for each in group.fields]) for group in self.groups]

    def _all(self) -> Iterator[tuple[Group, str, Field]]:
        for group in self.groups:
            for each in group.fields:
                yield group, group.name(each), each

    def _left_out(self, group: Group) -> bool:
        names = [f"{group.key}/{name}" for name in group.left_out_without]
        return bool(names) and not any(self.values.get(name) for name in names)

    def _meant(self, key: str, each: Field) -> Any:
        typed = self.values.get(key, "")
        try:
            meant = each.parsed(_within(typed, each.longest))
        except Unreadable as wrong:
            self.errors.setdefault(key, []).append(str(wrong.said))
            return None
        return "" if meant is None else meant

    def _key_at(self, pointer: str) -> str:
        """The field that a service means: its lists have only the groups that were not left out, in their order."""
        key, found = pointer.removeprefix("/"), PLACE.fullmatch(pointer)
        listed = [g for g in self.groups if found and g.key.startswith(f"{found[1]}/")]
        if found and listed:
            sent = [group for group in listed if not self._left_out(group)]
            if int(found[2]) >= len(sent):
                return ""
            group = sent[int(found[2])]
            key = f"{group.key}{found[3]}" if found[3] else group.name(group.fields[0])
        return key if any(key == each for _group, each, _field in self._all()) else ""

    def _shown(self, key: str, each: Field) -> Shown:
        value = self.values.get(key, each.default)
        if each.type == "password" or each.is_secret(value):
            value = ""
        options = list(self.options.get(each.options, ())) if each.options else []
        return Shown(_id(key), each, value, options, self.errors.get(key, []))


def _within(typed: str, most: int) -> str:
    """Raises Unreadable."""
    if len(typed) > most:
        raise Unreadable(TOO_LONG % {"most": f"{most:,}"})
    return typed


def _id(key: str) -> str:
    return key.replace("/", "-")


def slug(typed: str) -> str:
    """A code of ours. Raises Unreadable."""
    try:
        validate_slug(typed)
    except ValidationError:
        raise Unreadable(NO_CODE) from None
    return typed
