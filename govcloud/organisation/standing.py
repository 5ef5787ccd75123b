"""What of a unit or a system is open or standing, counted."""

from dataclasses import asdict, dataclass

from django.db.models import Q
from django.utils.translation import gettext, ngettext

from govcloud.inventory.models import Resource
from govcloud.orders.lifecycle import EDITABLE, OPEN
from govcloud.orders.models import Order
from govcloud.provisioning.lifecycle import OperationStatus
from govcloud.provisioning.models import Operation
from tenants.models import Department, System

OVER = (OperationStatus.DONE, OperationStatus.UNDONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    units: int = 0
    systems: int = 0
    resources: int
    orders: int
    operations: int

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    def told(self) -> str:
        """In the reader's language, what there is of it."""
        words = (
            (self.units, ngettext("%(count)s subordinate unit", "%(count)s subordinate units", self.units)),
            (self.systems, ngettext("%(count)s system", "%(count)s systems", self.systems)),
            (self.resources, ngettext("%(count)s resource", "%(count)s resources", self.resources)),
            (self.orders, ngettext("%(count)s open order", "%(count)s open orders", self.orders)),
            (self.operations, ngettext("%(count)s operation", "%(count)s operations", self.operations)),
        )
        return gettext(", ").join(text % {"count": count} for count, text in words if count)


def of_system(system: System) -> Standing:
    return Standing(**_counted(Q(pk=system.pk)))


def of_unit(department: Department) -> Standing:
    """Of the unit itself; what is below it counts as units."""
    return Standing(
        units=department.children.filter(closed_at=None).count(),
        systems=department.systems.filter(retired_at=None).count(),
        **_counted(Q(department=department)),
    )


def _counted(which: Q) -> dict[str, int]:
    systems = System.objects.filter(which).values("pk")
    return {
        "resources": Resource.objects.filter(system__in=systems, released_at=None).count(),
        "orders": Order.objects.filter(system__in=systems, status__in=EDITABLE | OPEN).count(),
        "operations": Operation.objects.filter(system__in=systems).exclude(status__in=OVER).count(),
    }
