"""Registering who may ask: departments and their systems. (The roles that people hold: ``tenants.roles``.)"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from stdnum.cn import uscc
from stdnum.exceptions import ValidationError

from govcloud.audit import services as audit
from govcloud.errors import Conflict, DomainError, Invalid, Invalids
from tenants import owners
from tenants.models import (
    Connection,
    DataClass,
    Department,
    Division,
    NetworkZone,
    ServiceScope,
    System,
)
from tenants.naming import name_of
from tenants.owners import Owner

Row = TypeVar("Row", Department, System)

PLATFORM_LEVEL = 3
"""The MLPS level (GB/T 22240) the platform itself is filed at: it takes no system above it."""

DR_LEVELS = range(1, 7)  # GB/T 20988
FILING_NUMBER = re.compile(r"\d{6}-\d{5}-\d{5}")
"""As public security offices issue them: division code, unit, and year with a running number (450100-00021-26003)."""

LONGEST_NAME, LONGEST_ENGLISH_NAME = 120, 160
CODE = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")


class BadCreditCode(Invalid):
    code = "bad-credit-code"
    message = _(
        "“%(given)s” is not a unified social credit code (GB 32100): 18 characters with a right check character."
    )


class CreditCodeTaken(Conflict):
    code = "credit-code-taken"
    message = _("A department with the credit code %(given)s is registered already.")


class NameMissing(Invalid):
    code = "name-missing"
    message = _("A name is needed.")


class LevelNotTaken(Invalid):
    code = "mlps-level-not-taken"
    message = _("This platform takes systems of MLPS level 1 to %(platform)s, not %(given)s.")


class DRLevelUnknown(Invalid):
    code = "dr-level-unknown"
    message = _("GB/T 20988 has DR levels 1 to 6, not %(given)s.")


class BadFilingNumber(Invalid):
    code = "bad-filing-number"
    message = _("“%(given)s” is not a filing number: it reads like 450100-00021-26003.")


class AssessedInFuture(Invalid):
    code = "cryptography-assessed-in-future"
    message = _("The cryptography assessment is dated %(given)s, which is still to come.")


class BadSystemCode(Invalid):
    code = "bad-system-code"
    message = _("“%(given)s” cannot be a code: use lower-case letters, digits and hyphens, a letter first.")


class SystemCodeTaken(Conflict):
    code = "system-code-taken"
    message = _("A system with the code %(given)s is registered already.")


class UnknownZone(Invalid):
    code = "unknown-zone"
    message = _("There is no network zone “%(given)s”.")


class UnknownDataClass(Invalid):
    code = "unknown-data-class"
    message = _("There is no class of data “%(given)s”; known are: %(known)s.")


class UnknownScope(Invalid):
    code = "unknown-service-scope"
    message = _("There is no scope of service “%(given)s”; known are: %(known)s.")


class NameTooLong(Invalid):
    code = "name-too-long"
    message = _("A name has at most %(most)s characters.")


class UnitClosed(Conflict):
    code = "unit-closed"
    message = _("%(department)s has been closed: nothing can be added to it or changed about it any more.")


class SystemRetired(Conflict):
    code = "system-retired"
    message = _("%(system)s has been retired: nothing can be changed about it or come to it any more.")


def register_department(
    *,
    name: str,
    credit_code: str,
    division: Division,
    actor: audit.Actor,
    at: datetime,
    parent: Department | None = None,
    name_en: str = "",
    connection_status: str = Connection.NOT_CONNECTED,
) -> Department:
    """Add a department, below ``parent`` if one is given. The caller opens its quota accounts.

    Raises Invalids with everything that is wrong, and CreditCodeTaken if that is all.
    """
    credit_code, errors = checked_credit_code(credit_code)
    errors = [*wrong_names(name.strip(), name_en.strip()), *errors]
    taken = CreditCodeTaken(given=credit_code, pointers=("/credit_code",))
    if errors:
        known = Department.objects.filter(credit_code=credit_code).exists()
        raise Invalids([*errors, taken] if known else errors)
    with transaction.atomic():
        above = open_unit(parent, pointer="/parent").path if parent else "/"
        key = _next_key(Department)
        department = Department(
            pk=key,
            name=name.strip(),
            name_en=name_en.strip(),
            credit_code=credit_code,
            division=division,
            parent=parent,
            path=f"{above}{key}/",
            connection=connection_status,
            created_at=at,
        )
        after = {"credit_code": credit_code, "division": division.code, "connection": connection_status}
        return _insert(department, taken=taken, verb="department.registered", actor=actor, at=at, after=after)


def open_unit(department: Department, *, pointer: str) -> Department:
    """As it is now, locked: it is neither moved nor closed before the transaction ends. Raises UnitClosed."""
    current = Department.objects.select_for_update(no_key=True).get(pk=department.pk)
    if current.closed_at is not None:
        raise UnitClosed(department=name_of(current), pointers=(pointer,))
    return current


def checked_credit_code(given: str) -> tuple[str, list[DomainError]]:
    """The code as it is kept, and what is wrong with it."""
    try:
        return uscc.validate(given), []
    except ValidationError:
        return given, [BadCreditCode(given=given, pointers=("/credit_code",))]


def wrong_names(name: str, name_en: str) -> list[DomainError]:
    errors: list[DomainError] = []
    if not name:
        errors.append(NameMissing(pointers=("/name",)))
    if len(name) > LONGEST_NAME:
        errors.append(NameTooLong(most=LONGEST_NAME, pointers=("/name",)))
    if len(name_en) > LONGEST_ENGLISH_NAME:
        errors.append(NameTooLong(most=LONGEST_ENGLISH_NAME, pointers=("/name_en",)))
    return errors


def register_system(
    *,
    department: Department,
    code: str,
    name: str,
    mlps_level: int,
    actor: audit.Actor,
    at: datetime,
    zone: str = NetworkZone.PUBLIC,
    dr_level: int = 1,
    filing_number: str = "",
    cryptography_assessed_on: date | None = None,
    name_en: str = "",
    data_class: str = "",
    service_scope: str = "",
    authority: Department | None = None,
    owner: Owner | None = None,
) -> System:
    """Add an application system of a department.

    A filing number may follow later: orders ask for it (from level 2 on), registration only that it reads like one.
    Raises Invalids with everything that is wrong, UnitClosed, and SystemCodeTaken if that is all.
    """
    system = System(
        department=department,
        code=code,
        name=name.strip(),
        name_en=name_en.strip(),
        mlps_level=mlps_level,
        filing_number=filing_number.strip(),
        cryptography_assessed_on=cryptography_assessed_on,
        zone=zone,
        dr_level=dr_level,
        data_class=data_class,
        service_scope=service_scope,
        authority=authority,
        created_at=at,
    )
    return _registered(system, owner or Owner(), actor=actor, at=at)


def _registered(system: System, owner: Owner, *, actor: audit.Actor, at: datetime) -> System:
    errors = [*wrong_with(system, at=at), *owners.wrong_with(owner)]
    taken = SystemCodeTaken(given=system.code, pointers=("/code",))
    if errors:
        known = System.objects.filter(code=system.code).exists()
        raise Invalids([*errors, taken] if known else errors)
    with transaction.atomic():
        open_unit(system.department, pointer="/department")
        if system.authority is not None:
            open_unit(system.authority, pointer="/authority")
        after = {name: getattr(system, name) for name in ("code", "mlps_level", "zone", "dr_level")}
        _insert(system, taken=taken, verb="system.registered", actor=actor, at=at, after=after)
        if owner:
            owners.sealed_row(system, owner).save(force_insert=True)
    return system


def require_in_service(system: System) -> None:
    """Raises SystemRetired."""
    if system.retired_at is not None:
        raise SystemRetired(system=name_of(system))


def wrong_with(system: System, *, at: datetime) -> list[DomainError]:
    """What no system may be, whether it is being registered or changed."""
    errors: list[DomainError] = []
    if not CODE.fullmatch(system.code):
        errors.append(BadSystemCode(given=system.code, pointers=("/code",)))
    errors += wrong_names(system.name, system.name_en)
    if not 1 <= system.mlps_level <= PLATFORM_LEVEL:
        errors.append(
            LevelNotTaken(given=system.mlps_level, platform=PLATFORM_LEVEL, pointers=("/mlps_level",))
        )
    if system.dr_level not in DR_LEVELS:
        errors.append(DRLevelUnknown(given=system.dr_level, pointers=("/dr_level",)))
    if system.filing_number and not FILING_NUMBER.fullmatch(system.filing_number):
        errors.append(BadFilingNumber(given=system.filing_number, pointers=("/filing_number",)))
    return [*errors, *_unknown_words(system), *_assessed_in_future(system, at=at)]


def _unknown_words(system: System) -> Iterator[DomainError]:
    if system.zone not in NetworkZone.values:
        yield UnknownZone(given=system.zone, pointers=("/zone",))
    if system.data_class and system.data_class not in DataClass.values:
        known = _(", ").join(DataClass.values)
        yield UnknownDataClass(given=system.data_class, known=known, pointers=("/data_class",))
    if system.service_scope and system.service_scope not in ServiceScope.values:
        known = _(", ").join(ServiceScope.values)
        yield UnknownScope(given=system.service_scope, known=known, pointers=("/service_scope",))


def _assessed_in_future(system: System, *, at: datetime) -> Iterator[DomainError]:
    assessed_on = system.cryptography_assessed_on
    if assessed_on is not None and assessed_on > timezone.localdate(at, timezone.get_default_timezone()):
        yield AssessedInFuture(given=assessed_on.isoformat(), pointers=("/cryptography_assessed_on",))


def _insert(
    row: Row, *, taken: Conflict, verb: str, actor: audit.Actor, at: datetime, after: Mapping[str, Any]
) -> Row:
    """Write the row and its audit event; the database decides whether its code is taken."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError as error:
            raise taken from error
        audit.record(actor=actor, verb=verb, subject=row, at=at, after=after)
    return row


def _next_key(model: type[Department]) -> int:
    """The key of the next row, drawn beforehand because the row's path holds it."""
    table = model._meta.db_table  # noqa: SLF001
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [table])
        (key,) = cursor.fetchone()
    return int(key)
