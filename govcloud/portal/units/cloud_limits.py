"""What the clouds themselves let a system's projects have, beside what was granted to it. Asked of the clouds for the page."""

from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_GET

from govcloud import clock
from govcloud.portal import deeds
from govcloud.portal.units.systems import found_system
from govcloud.provisioning import project_limits
from govcloud.provisioning.policies import LIMIT_READERS

if TYPE_CHECKING:
    from tenants.models import User

WORDS = {
    "instances": _("Servers"),
    "cores": _("vCPUs"),
    "ram": _("Memory, MiB"),
    "volumes": _("Volumes"),
    "gigabytes": _("Volumes and snapshots, GiB"),
    "snapshots": _("Snapshots"),
    "backups": pgettext_lazy("counted", "Backups"),
    "backup_gigabytes": _("Backups, GiB"),
    "network": _("Networks"),
    "subnet": _("Subnets"),
    "port": _("Ports"),
    "security_group": _("Security groups"),
    "security_group_rule": _("Rules of security groups"),
    "router": _("Routers"),
    "floatingip": _("Floating addresses"),
}
"""What is limited, by the services' own names."""


@require_GET
@login_required
def limits(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """By cloud; one that does not answer says so and hides no other."""
    actor, at = cast("User", request.user), clock.now()
    found = found_system(uuid, actor, at=at)
    deeds.admitted(request, *LIMIT_READERS)
    projects = [
        (each, [(WORDS.get(one.name, one.name), one) for one in each.limits or ()])
        for each in project_limits.of_system(found)
    ]
    return render(request, "portal/unit/cloud_limits.html", {"system": found, "projects": projects, "at": at})
