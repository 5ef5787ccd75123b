"""The register of divisions, units and systems as a workbook that can be read back: what is in service, with its owners in full."""

from datetime import datetime

from django.db import transaction

from govcloud.audit import services as audit
from govcloud.organisation import writing
from govcloud.organisation.columns import DIVISION_SHEET, SYSTEM_SHEET, UNIT_SHEET
from govcloud.organisation.entering import values_of
from tenants import owners
from tenants.models import Department, Division, System


@transaction.atomic
def workbook(*, actor: audit.Actor, at: datetime) -> bytes:
    """For those who keep the register; that somebody took it out is told. Raises OwnerUnreadable."""
    divisions = list(Division.objects.order_by("code").values("code", "name", "name_en"))
    units = list(Department.objects.open().select_related("division", "parent").order_by("path"))
    systems = list(
        System.objects.filter(retired_at=None)
        .select_related("department", "authority", "sealed_owner")
        .order_by("department__path", "code")
    )
    audit.record(
        actor=actor, verb="units.exported", subject=None, at=at,
        after={"units": len(units), "systems": len(systems)},
    )  # fmt: skip
    rows = [
        {
            "credit_code": unit.credit_code,
            "name": unit.name,
            "name_en": unit.name_en,
            "division": unit.division.code,
            "parent": unit.parent.credit_code if unit.parent else None,
            "connection": unit.connection,
        }
        for unit in units
    ]
    of_systems = [values_of(system, owners.owner_of(system)) for system in systems]
    return writing.written(
        [(DIVISION_SHEET, divisions), (UNIT_SHEET, rows), (SYSTEM_SHEET, of_systems)], notes=True
    )
