"""Rules about the system an order is for (GB/T 22239, and the centre's own)."""

from collections.abc import Iterator
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from govcloud.errors import DomainError, Invalid
from govcloud.orders.rules.standing import Numbered
from tenants.models import Connection, System
from tenants.naming import name_of
from tenants.services import PLATFORM_LEVEL


class NotConnected(Invalid):
    code = "department-not-connected"
    message = _(
        "%(department)s is not connected to the extranet yet. Its applicants and approvers ask for the connection on the "
        "page of the unit; servers can be ordered once it is made."
    )


class AboveThePlatform(Invalid):
    code = "mlps-level-above-platform"
    message = _(
        "The system is of MLPS level %(level)s; this platform is filed at level %(platform)s and takes no higher."
    )


class FilingNumberMissing(Invalid):
    code = "filing-number-missing"
    message = _(
        "A system of MLPS level %(level)s needs its filing number before anything can be ordered for it."
    )


class CryptographyNotAssessed(Invalid):
    code = "cryptography-not-assessed"
    message = _(
        "A system of MLPS level %(level)s needs its cryptography assessment first: one that has been made, with its date."
    )


class NotInService(Invalid):
    code = "system-not-in-service"
    message = _("The system has been retired; nothing can be ordered for it any more.")


def check(order: Numbered) -> Iterator[DomainError]:
    """Giving back is always allowed, whatever the system lacks; and quota is the department's."""
    if order.only_releases or order.only_limits:
        return
    system, here = order.system, ("/system",)
    if system.retired_at is not None or system.department.closed_at is not None:
        yield NotInService(pointers=here)
    if system.department.connection != Connection.CONNECTED:
        yield NotConnected(department=name_of(system.department), pointers=here)
    if system.mlps_level > PLATFORM_LEVEL:
        yield AboveThePlatform(level=system.mlps_level, platform=PLATFORM_LEVEL, pointers=here)
    for error in requirements(system, at=order.now.at):
        error.pointers = here
        yield error


def requirements(system: System, *, at: datetime) -> Iterator[DomainError]:
    """What a system must have for its MLPS level before anything of it stands, each with the pointer of the system's field."""
    level, assessed_on = system.mlps_level, system.cryptography_assessed_on
    if level >= 2 and not system.filing_number:
        yield FilingNumberMissing(level=level, pointers=("/filing_number",))
    today = timezone.localdate(at, timezone.get_default_timezone())
    if level >= 3 and (assessed_on is None or assessed_on > today):
        yield CryptographyNotAssessed(level=level, pointers=("/cryptography_assessed_on",))
