"""The clouds' own limits of a system's projects, beside what they have to leave room for.

They follow what has been ordered and not the department's quota: a project has room for what was granted to its system and no
more. So a new quota changes nothing there by itself; the next order under it does.
"""

from dataclasses import dataclass

import structlog

from govcloud.catalog.models import Cloud
from govcloud.clouds import access
from govcloud.gateways.openstack.errors import CloudError
from govcloud.inventory.models import Project
from govcloud.provisioning import demand
from govcloud.provisioning.capacity import PATIENCE
from govcloud.provisioning.kinds.tenancy import LIMITS, limits_of
from tenants.models import System

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CloudLimit:
    """One limit by the service's own name: ``expected`` is what we set it to. A ``limit`` of None is unlimited."""

    service: str
    name: str
    expected: int
    limit: int | None
    used: int

    @property
    def agrees(self) -> bool:
        return self.limit == self.expected


@dataclass(frozen=True, slots=True)
class ProjectLimits:
    """Those of one project; ``limits`` is None when the cloud does not answer."""

    cloud: Cloud
    project: str
    limits: tuple[CloudLimit, ...] | None


def of_system(system: System) -> list[ProjectLimits]:
    """Asked of the clouds now: three requests for each project. One that does not answer hides no other."""
    projects = Project.objects.filter(system=system).select_related("cloud", "system").order_by("cloud__code")
    return [ProjectLimits(each.cloud, each.external_id, _limits(each)) for each in projects]


def _limits(project: Project) -> tuple[CloudLimit, ...] | None:
    granted = demand.of(system=project.system, cloud=project.cloud)
    try:
        found = limits_of(access.connect(cloud=project.cloud, timeout=PATIENCE).quotas, project.external_id)
    except CloudError as error:
        log.warning(
            "limits unknown", cloud=project.cloud.code, project=project.external_id, reason=str(error)
        )
        return None
    return tuple(
        CloudLimit(service, name, expected, found[service][name].limit, found[service][name].used)
        for service, kind in LIMITS.items()
        for name, expected in kind.limits(granted).items()
        if name in found[service]
    )
