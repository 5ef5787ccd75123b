"""Rules about the system an order is for (GB/T 22239, and the centre's own)."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from govcloud.errors import DomainError, Invalid
from govcloud.orders.rules.standing import Numbered
from tenants.models import Connection
from tenants.naming import name_of
from tenants.services import PLATFORM_LEVEL


class NotConnected(Invalid):
    code = "department-not-connected"
    message = _(
        "%(department)s is not connected to the extranet yet. Ask the service desk for an access work order first; "
        "servers can be ordered when it is done."
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


def check(order: Numbered) -> Iterator[DomainError]:
    """Giving back is always allowed, whatever the system lacks; and quota is the department's."""
    if order.only_releases or order.only_limits:
        return
    system = order.system
    level, here = system.mlps_level, ("/system",)
    if system.department.connection != Connection.CONNECTED:
        yield NotConnected(department=name_of(system.department), pointers=here)
    if level > PLATFORM_LEVEL:
        yield AboveThePlatform(level=level, platform=PLATFORM_LEVEL, pointers=here)
    if level >= 2 and not system.filing_number:
        yield FilingNumberMissing(level=level, pointers=here)
    assessed_on = system.cryptography_assessed_on
    if level >= 3 and (assessed_on is None or assessed_on > order.now.today):
        yield CryptographyNotAssessed(level=level, pointers=here)
