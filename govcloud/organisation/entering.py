"""One row of a sheet as a division, a unit or a system: entered if it is new, else changed where it differs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import copy
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.ciphers import Unreadable
from govcloud.errors import Conflict, DomainError, Invalid, Invalids
from govcloud.organisation import connecting, divisions, systems, units
from govcloud.organisation.columns import DIVISION_SHEET, SYSTEM_SHEET, UNIT_SHEET, Column
from govcloud.organisation.reading import Row
from govcloud.quotas import services as quotas
from tenants import owners
from tenants.models import Connection, Department, Division, NetworkZone, System
from tenants.naming import name_of
from tenants.owners import Owner
from tenants.services import (
    checked_credit_code,
    register_department,
    register_system,
    wrong_names,
    wrong_with,
)

REASON: Final = "import"
"""Of moves and connections that a sheet brings about, in the audit trail."""

NAME_UNITS: Final = ("credit_code", "parent", "department", "authority")
"""Fields with the credit code of a unit."""

Changes = list[tuple[str, str, str]]
"""Field, before, after."""


class UnknownUnit(Invalid):
    code = "unknown-unit"
    message = _(
        "There is no unit with the credit code “%(given)s”: it is not registered, and no row of this file that could be taken in has it."
    )


class NoSuchDivision(Invalid):
    code = "no-such-division"
    message = _(
        "There is no administrative division with the code “%(given)s”: it is not registered, and no row of this file that could be taken in has it."
    )


class OfAnotherUnit(Conflict):
    code = "system-of-another-unit"
    message = _("The system is registered for another department (%(department)s): a sheet does not move it.")


@dataclass(frozen=True, slots=True)
class DivisionEntry:
    """``known`` are all divisions, by code; new ones join it as they are entered. ``coming`` are the codes of all rows."""

    known: dict[str, Division]
    coming: AbstractSet[str]
    actor: audit.Actor
    at: datetime

    @classmethod
    def all(cls, rows: Iterable[Row], *, actor: audit.Actor, at: datetime) -> "DivisionEntry":
        coming = {row.key for row in rows if row.form is DIVISION_SHEET}
        return cls({division.code: division for division in Division.objects.all()}, coming, actor, at)

    def wrong(self, row: Row) -> list[DomainError]:
        """What is wrong with the row by itself, but for cells that could not be read."""
        return _of_what_is_read(row, divisions.wrong_with(code=row.key, **_names(row)))

    def may_name(self, code: str) -> bool:
        """Whether there is such a division, or a row for one."""
        return code in self.known or code in self.coming

    def named(self, code: str) -> Division:
        """Raises NoSuchDivision."""
        if code not in self.known:
            raise NoSuchDivision(given=code, pointers=("/division",))
        return self.known[code]

    def enter(self, row: Row) -> Changes | None:
        """What changes of a division that is known; None for a new one."""
        names, division = _names(row), self.known.get(row.key)
        if division is None:
            self.known[row.key] = divisions.enter(code=row.key, **names, actor=self.actor, at=self.at)
            return None
        told = _differences(
            DIVISION_SHEET.columns, {name: getattr(division, name) for name in names}, row.values
        )
        if told:
            given = {name: names[name] if name in row.values else getattr(division, name) for name in names}
            divisions.rename(division=division, **given, actor=self.actor, at=self.at)
        return told


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """``known`` are the units that the sheets name, by credit code; new ones join it as they are entered. ``coming`` are the
    credit codes of all rows of units.
    """

    known: dict[str, Department]
    coming: AbstractSet[str]
    divisions: DivisionEntry
    actor: audit.Actor
    at: datetime

    @classmethod
    def all(
        cls, rows: Iterable[Row], divisions: DivisionEntry, *, actor: audit.Actor, at: datetime
    ) -> "UnitEntry":
        named = {row.values.get(name) for row in rows for name in NAME_UNITS} - {None}
        known = Department.objects.filter(credit_code__in=named).select_related("division", "parent")
        coming = {row.key for row in rows if row.form is UNIT_SHEET}
        return cls({unit.credit_code: unit for unit in known}, coming, divisions, actor, at)

    def wrong(self, row: Row) -> list[DomainError]:
        """What is wrong with the row by itself, but for cells that could not be read."""
        values = row.values
        division, parent = values.get("division"), values.get("parent")
        errors = wrong_names(**_names(row))
        if row.key not in self.known:
            errors += checked_credit_code(row.key)[1]
        if division and not self.divisions.may_name(division):
            errors.append(NoSuchDivision(given=division, pointers=("/division",)))
        if parent and not self.may_name(parent):
            errors.append(UnknownUnit(given=parent, pointers=("/parent",)))
        return _of_what_is_read(row, errors)

    def may_name(self, code: str) -> bool:
        """Whether there is such a unit, or a row for one."""
        return code in self.known or code in self.coming

    def rows_above(self, rows: Sequence[Row]) -> dict[str, str | None]:
        """By credit code, of which row the unit stands next above each once all are entered, before any of them is.

        Between the two may be units that have no row: they stay where they are.
        """
        ids = {key for unit in self.known.values() for key in unit.ancestor_ids}
        codes = dict(Department.objects.filter(pk__in=ids).values_list("pk", "credit_code"))
        given = {row.key for row in rows}
        return {
            row.key: next((code for code in self._upward(self._above(row), codes) if code in given), None)
            for row in rows
        }

    def _above(self, row: Row) -> str | None:
        """Credit code of the unit above, once the row is entered."""
        unit = self.known.get(row.key)
        if unit is not None and "parent" not in row.values:
            return unit.parent.credit_code if unit.parent else None
        return row.values.get("parent")

    def _upward(self, code: str | None, codes: Mapping[int, str]) -> Iterator[str]:
        """The unit and those above it, as they stand now."""
        if code is None:
            return
        yield code
        if code in self.known:
            yield from (codes[key] for key in reversed(self.known[code].ancestor_ids[:-1]))

    def enter(self, row: Row) -> Changes | None:
        """What changes of a unit that is known; None for a new one. Raises what registering and changing does."""
        unit = self.known.get(row.key)
        if unit is None:
            self.known[row.key] = self._register(row)
            return None
        return self._changed(unit, row)

    def _register(self, row: Row) -> Department:
        values = row.values
        parent = values.get("parent")
        unit = register_department(
            name=values["name"] or "",
            name_en=values.get("name_en") or "",
            credit_code=row.key,
            division=self.divisions.named(values["division"]),
            parent=_unit(self.known, parent, "/parent") if parent else None,
            connection_status=values.get("connection") or Connection.NOT_CONNECTED,
            actor=self.actor,
            at=self.at,
        )
        quotas.open_accounts(department=unit, limits={}, actor=self.actor, at=self.at)
        return unit

    def _changed(self, unit: Department, row: Row) -> Changes:
        values, parent = row.values, row.values.get("parent")
        above = _unit(self.known, parent, "/parent") if parent else None
        before = {
            "name": unit.name,
            "name_en": unit.name_en,
            "division": unit.division.code,
            "parent": unit.parent.credit_code if unit.parent else None,
            "connection": unit.connection,
        }
        told = _differences(UNIT_SHEET.columns, before, values)
        fields = {name for name, _before, _after in told}
        refused: list[DomainError] = []
        for deed in self._deeds(unit, row, fields, above):
            try:
                with transaction.atomic():
                    deed()
            except DomainError as error:  # what is refused of one does not hide what is wrong with another
                refused.append(error)
        if refused:
            raise Invalids(refused)
        return told

    def _deeds(
        self, unit: Department, row: Row, fields: AbstractSet[str], above: Department | None
    ) -> Iterator[Callable[[], object]]:
        values, actor, at = row.values, self.actor, self.at
        if fields & {"name", "name_en", "division"}:
            columns = {name: values[name] or "" for name in fields & {"name", "name_en"}}
            if "division" in fields:
                columns["division"] = self.divisions.named(values["division"])
            yield lambda: units.change(
                department=unit, changes=columns, expected_version=unit.version, actor=actor, at=at
            )
        if "parent" in fields:
            yield lambda: units.move(department=unit, parent=above, reason=REASON, actor=actor, at=at)
        if "connection" in fields:
            yield lambda: connecting.change(
                department=unit, to=values["connection"], reason=REASON, actor=actor, at=at
            )


@dataclass(frozen=True, slots=True)
class SystemEntry:
    """``known`` are the systems that the sheet names, by code."""

    known: Mapping[str, System]
    units: UnitEntry
    actor: audit.Actor
    at: datetime

    @classmethod
    def all(cls, rows: Iterable[Row], units: UnitEntry, *, actor: audit.Actor, at: datetime) -> "SystemEntry":
        codes = {row.key for row in rows if row.form is SYSTEM_SHEET}
        known = System.objects.filter(code__in=codes)
        known = known.select_related("department", "authority", "sealed_owner")
        return cls({system.code: system for system in known}, units, actor, at)

    def wrong(self, row: Row) -> list[DomainError]:
        """What is wrong with the row by itself, but for cells that could not be read."""
        named = {name: row.values.get(name) for name in ("department", "authority")}
        errors: list[DomainError] = [
            UnknownUnit(given=code, pointers=(f"/{name}",))
            for name, code in named.items()
            if code and not self.units.may_name(code)
        ]
        system = self.known.get(row.key)
        if system is None:
            errors += wrong_with(System(**self._columns(row)), at=self.at)
            errors += owners.wrong_with(_owner(row.values, Owner()))
        elif named["department"] not in (None, system.department.credit_code):
            errors.append(OfAnotherUnit(department=name_of(system.department), pointers=("/department",)))
        else:
            errors += self._wrong_changes(system, row)
        return _of_what_is_read(row, errors)

    def _wrong_changes(self, system: System, row: Row) -> Iterator[DomainError]:
        """Of what the row would change; what the system is already, it may stay."""
        values = {name: value for name, value in row.values.items() if name not in row.unread}
        owner = _owner_before(system)
        told = _differences(SYSTEM_SHEET.columns, values_of(system, owner), values)
        fields = {name for name, _before, _after in told}
        changed = copy(system)
        for name, value in _changes(fields, values).items():
            setattr(changed, name, value)
        for error in (*wrong_with(changed, at=self.at), *owners.wrong_with(_owner(values, owner))):
            if field_of(error) in fields:
                yield error

    def enter(self, row: Row) -> Changes | None:
        """What changes of a system that is known; None for a new one. Raises what registering and changing does."""
        department = _unit(self.units.known, row.values["department"], "/department")
        authority = row.values.get("authority")
        in_charge = _unit(self.units.known, authority, "/authority") if authority else None
        system = self.known.get(row.key)
        if system is None:
            self._register(row, department, in_charge)
            return None
        if system.department_id != department.pk:
            raise OfAnotherUnit(department=name_of(system.department), pointers=("/department",))
        return self._changed(system, row, in_charge)

    def _register(self, row: Row, department: Department, authority: Department | None) -> None:
        register_system(
            department=department,
            authority=authority,
            owner=_owner(row.values, Owner()),
            actor=self.actor,
            at=self.at,
            **self._columns(row),
        )

    def _columns(self, row: Row) -> dict[str, Any]:
        """Of a new system; for a level that is not there, the lowest."""
        values = row.values
        return {
            "code": row.key,
            "name": (values["name"] or "").strip(),
            "name_en": (values.get("name_en") or "").strip(),
            "mlps_level": 1 if values["mlps_level"] is None else values["mlps_level"],
            "filing_number": (values.get("filing_number") or "").strip(),
            "cryptography_assessed_on": values.get("cryptography_assessed_on"),
            "zone": values.get("zone") or NetworkZone.PUBLIC,
            "dr_level": 1 if values.get("dr_level") is None else values["dr_level"],
            "data_class": values.get("data_class") or "",
            "service_scope": values.get("service_scope") or "",
        }

    def _changed(self, system: System, row: Row, authority: Department | None) -> Changes:
        values = row.values
        owner_before = _owner_before(system)
        owner = _owner(values, owner_before)
        before = values_of(system, owner_before)
        told = _differences(SYSTEM_SHEET.columns, before, values)
        fields = {name for name, _before, _after in told}
        changes = _changes(fields, values)
        if "authority" in fields:
            changes["authority"] = authority
        if told:
            self._change(system, changes, owner if owner != owner_before else None)
        return told

    def _change(self, system: System, changes: dict[str, Any], owner: Owner | None) -> None:
        """Raises Invalids of all that is refused: what is refused of one field is left out, to see what is of the others."""
        refused: list[DomainError] = []
        while True:
            try:
                with transaction.atomic():
                    systems.change(
                        system=system, changes=changes, owner=owner, expected_version=system.version,
                        actor=self.actor, at=self.at,
                    )  # fmt: skip
                break
            except DomainError as error:
                found = error.errors if isinstance(error, Invalids) else [error]
                refused += found
                about = {field_of(each) for each in found} & changes.keys()
                if not about:
                    break
                changes = {name: value for name, value in changes.items() if name not in about}
        if refused:
            raise Invalids(refused)


def _names(row: Row) -> dict[str, str]:
    return {name: (row.values.get(name) or "").strip() for name in ("name", "name_en")}


def _changes(fields: AbstractSet[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """As ``systems.change`` takes them; an empty text is one, a date that is not there is none."""
    return {
        name: values[name] if values[name] is not None or name == "cryptography_assessed_on" else ""
        for name in fields & set(systems.EDITABLE) - {"authority"}
    }


def field_of(error: DomainError) -> str:
    """The field that an error points at; empty for none."""
    return error.pointers[0].strip("/").replace("/", "_") if error.pointers else ""


def _of_what_is_read(row: Row, errors: Iterable[DomainError]) -> list[DomainError]:
    """A cell that could not be read has been told already."""
    return [error for error in errors if field_of(error) not in row.unread]


def values_of(system: System, owner: Owner) -> dict[str, Any]:
    """A system as a row of the sheet has it."""
    plain = {column.field: getattr(system, column.field, None) for column in SYSTEM_SHEET.columns}
    return plain | {
        "department": system.department.credit_code,
        "authority": system.authority.credit_code if system.authority else None,
        **{f"owner_{name}": value for name, value in asdict(owner).items()},
    }


def _unit(known: Mapping[str, Department], code: str, pointer: str) -> Department:
    if code not in known:
        raise UnknownUnit(given=code, pointers=(pointer,))
    return known[code]


def _differences(columns: Sequence[Column], before: Mapping[str, Any], values: Mapping[str, Any]) -> Changes:
    """Of the columns that the file has. An empty cell empties what may be empty, and else leaves it."""
    told: Changes = []
    for column in columns:
        name = column.field
        if name not in values or name not in before:
            continue
        old, new = before[name], values[name]
        if (new is None and not column.clears) or (old or None) == (new or None):
            continue
        told.append((name, _shown(column, old), _shown(column, new)))
    return told


def _shown(column: Column, value: Any) -> str:
    if value in (None, ""):
        return ""
    if column.personal:
        return "***"
    return column.word(value) if column.choices is not None else str(value)


def _owner_before(system: System) -> Owner:
    row = getattr(system, "sealed_owner", None)
    try:
        return owners.opened(row, system) if row is not None else Owner()
    except Unreadable:
        return Owner()


def _owner(values: Mapping[str, Any], before: Owner) -> Owner:
    """As the file says; of what it has no column for, as it was."""
    given = {
        name: values[f"owner_{name}"] or "" if f"owner_{name}" in values else old
        for name, old in asdict(before).items()
    }
    return Owner(**given)
