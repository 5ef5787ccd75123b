"""One row of a sheet as a unit or a system: entered if it is new, else changed where it differs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.ciphers import Unreadable
from govcloud.errors import Conflict, Invalid
from govcloud.organisation import systems, units
from govcloud.organisation.columns import SYSTEM_SHEET, UNIT_SHEET, Column
from govcloud.organisation.reading import Row
from govcloud.quotas import services as quotas
from tenants import connections, owners
from tenants.models import Connection, Department, Division, NetworkZone, System
from tenants.naming import name_of
from tenants.owners import Owner
from tenants.services import register_department, register_system

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
    message = _("There is no administrative division with the code “%(given)s”.")


class OfAnotherUnit(Conflict):
    code = "system-of-another-unit"
    message = _("The system is registered for another department (%(department)s): a sheet does not move it.")


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """``known`` are the units that the sheets name, by credit code; new ones join it as they are entered."""

    known: dict[str, Department]
    divisions: dict[str, Division]
    actor: audit.Actor
    at: datetime

    @classmethod
    def all(cls, rows: Iterable[Row], *, actor: audit.Actor, at: datetime) -> "UnitEntry":
        named = {row.values.get(name) for row in rows for name in NAME_UNITS} - {None}
        known = Department.objects.filter(credit_code__in=named).select_related("division", "parent")
        divisions = {division.code: division for division in Division.objects.all()}
        return cls({unit.credit_code: unit for unit in known}, divisions, actor, at)

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
            division=self._division(values["division"]),
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
        if fields & {"name", "name_en", "division"}:
            columns = {name: values[name] or "" for name in fields & {"name", "name_en"}}
            if "division" in fields:
                columns["division"] = self._division(values["division"])
            unit = units.change(
                department=unit, changes=columns, expected_version=unit.version, actor=self.actor, at=self.at
            )
        if "parent" in fields:
            unit = units.move(department=unit, parent=above, reason=REASON, actor=self.actor, at=self.at)
        if "connection" in fields:
            connections.change(
                department=unit, to=values["connection"], reason=REASON, actor=self.actor, at=self.at
            )
        return told

    def _division(self, code: str) -> Division:
        if code not in self.divisions:
            raise NoSuchDivision(given=code, pointers=("/division",))
        return self.divisions[code]


@dataclass(frozen=True, slots=True)
class SystemEntry:
    """``known`` are the systems that the sheet names, by code; ``units`` grows while the sheet of units is entered."""

    known: Mapping[str, System]
    units: Mapping[str, Department]
    actor: audit.Actor
    at: datetime

    @classmethod
    def all(
        cls, rows: Iterable[Row], units: Mapping[str, Department], *, actor: audit.Actor, at: datetime
    ) -> "SystemEntry":
        codes = {row.key for row in rows if row.form is SYSTEM_SHEET}
        known = System.objects.filter(code__in=codes)
        known = known.select_related("department", "authority", "sealed_owner")
        return cls({system.code: system for system in known}, units, actor, at)

    def enter(self, row: Row) -> Changes | None:
        """What changes of a system that is known; None for a new one. Raises what registering and changing does."""
        department = _unit(self.units, row.values["department"], "/department")
        authority = row.values.get("authority")
        in_charge = _unit(self.units, authority, "/authority") if authority else None
        system = self.known.get(row.key)
        if system is None:
            self._register(row, department, in_charge)
            return None
        if system.department_id != department.pk:
            raise OfAnotherUnit(department=name_of(system.department), pointers=("/department",))
        return self._changed(system, row, in_charge)

    def _register(self, row: Row, department: Department, authority: Department | None) -> None:
        values = row.values
        register_system(
            department=department,
            code=row.key,
            name=values["name"] or "",
            name_en=values.get("name_en") or "",
            mlps_level=values["mlps_level"],
            filing_number=values.get("filing_number") or "",
            cryptography_assessed_on=values.get("cryptography_assessed_on"),
            zone=values.get("zone") or NetworkZone.PUBLIC,
            dr_level=1 if values.get("dr_level") is None else values["dr_level"],
            data_class=values.get("data_class") or "",
            service_scope=values.get("service_scope") or "",
            authority=authority,
            owner=_owner(values, Owner()),
            actor=self.actor,
            at=self.at,
        )

    def _changed(self, system: System, row: Row, authority: Department | None) -> Changes:
        values = row.values
        owner_before = _owner_before(system)
        owner = _owner(values, owner_before)
        before = values_of(system, owner_before)
        told = _differences(SYSTEM_SHEET.columns, before, values)
        fields = {name for name, _before, _after in told}
        changes = {
            name: values[name] if values[name] is not None or name == "cryptography_assessed_on" else ""
            for name in fields & set(systems.EDITABLE)
        }
        if "authority" in fields:
            changes["authority"] = authority
        if told:
            systems.change(
                system=system,
                changes=changes,
                owner=owner if owner != owner_before else None,
                expected_version=system.version,
                actor=self.actor,
                at=self.at,
            )
        return told


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
