"""Administrative divisions (行政区划, GB/T 2260) as an installation knows them: entered and renamed, never taken away."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Conflict, DomainError, Invalid, Invalids
from tenants.models import Division
from tenants.services import NameMissing, NameTooLong

CODE: Final = re.compile(r"[1-9]\d{5}")
LEVELS: Final = (2, 4)
"""How many digits a region and a city have of their own; the rest of their six are zeros."""


LONGEST: Final = {"name": 80, "name_en": 120}


class NotADivisionCode(Invalid):
    code = "not-a-division-code"
    message = _("“%(given)s” is no code of an administrative division: six digits, as GB/T 2260 has them.")


class DivisionKnown(Conflict):
    code = "division-known"
    message = _("The division %(given)s has been entered meanwhile.")


def above(code: str, known: Mapping[str, Division]) -> Division | None:
    """The nearest of those known that a division belongs to: its city, else its region; None for none of them.

    Counties that stand directly below a region (469001) have codes of a city that there is not.
    """
    for digits in reversed(LEVELS):
        upper = code[:digits].ljust(6, "0")
        if upper != code and upper in known:
            return known[upper]
    return None


def wrong_with(*, code: str, name: str, name_en: str) -> list[DomainError]:
    errors: list[DomainError] = []
    if not CODE.fullmatch(code):
        errors.append(NotADivisionCode(given=code, pointers=("/code",)))
    if not name:
        errors.append(NameMissing(pointers=("/name",)))
    for field, given in (("name", name), ("name_en", name_en)):
        if len(given) > LONGEST[field]:
            errors.append(NameTooLong(most=LONGEST[field], pointers=(f"/{field}",)))
    return errors


def enter(*, code: str, name: str, name_en: str, actor: audit.Actor, at: datetime) -> Division:
    """Enter a division that is not there yet, above those that belong to it. Raises Invalids, and DivisionKnown when somebody was quicker."""
    if errors := wrong_with(code=code, name=name, name_en=name_en):
        raise Invalids(errors)
    with transaction.atomic():
        kin = {each.code: each for each in Division.objects.filter(code__startswith=code[: LEVELS[0]])}
        division = Division(code=code, name=name, name_en=name_en, parent=above(code, kin))
        try:
            with transaction.atomic():
                division.save(force_insert=True)
        except IntegrityError as error:
            raise DivisionKnown(given=code, pointers=("/code",)) from error
        known = {**kin, code: division}
        below = [each.pk for each in kin.values() if above(each.code, known) == division]
        Division.objects.filter(pk__in=below).update(parent=division)
        audit.record(
            actor=actor, verb="division.registered", subject=None, at=at, label=code, after={"name": name, "name_en": name_en},
        )  # fmt: skip
    return division


def rename(*, division: Division, name: str, name_en: str, actor: audit.Actor, at: datetime) -> None:
    """Raises Invalids."""
    if errors := wrong_with(code=division.code, name=name, name_en=name_en):
        raise Invalids(errors)
    before, after = {"name": division.name, "name_en": division.name_en}, {"name": name, "name_en": name_en}
    with transaction.atomic():
        division.name, division.name_en = name, name_en
        division.save(update_fields=["name", "name_en"])
        audit.record(
            actor=actor, verb="division.changed", subject=None, at=at, label=division.code,
            before=before, after=after,
        )  # fmt: skip
