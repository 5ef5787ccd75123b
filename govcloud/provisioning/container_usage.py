"""What a container holds, as the cloud counts it: looked at when somebody asks. Billing goes by what was ordered."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from govcloud.clouds import access
from govcloud.errors import Conflict
from govcloud.gateways.openstack import errors
from govcloud.inventory import containers
from govcloud.inventory.models import Project, Resource, ResourceKind
from govcloud.provisioning.consoles import not_answered
from tenants.models import Role, User
from tenants.policies import require

ROLES = (Role.APPLICANT, Role.CLOUD_ADMIN, Role.FINANCE)
PATIENCE = 10.0  # seconds: somebody waits for the answer


class NothingToCount(Conflict):
    code = "nothing-to-count"
    message = _("“%(name)s” is no object container that stands.")


def count(*, resource: Resource, actor: User, at: datetime) -> None:
    """Raises RoleMissing, NothingToCount, CloudDoesNotAnswer and CredentialsRefused."""
    require(actor, *ROLES, at=at, department=resource.system.department)
    project = Project.objects.filter(system=resource.system_id, cloud=resource.cloud_id).first()
    if resource.kind != ResourceKind.CONTAINER or resource.released_at is not None or project is None:
        raise NothingToCount(name=resource.name)
    try:
        cloud = access.connect(cloud=resource.cloud, project_id=project.external_id, timeout=PATIENCE)
        seen = cloud.objects.get_container(resource.external_id)
    except errors.NotFound as error:
        raise NothingToCount(name=resource.name) from error
    except errors.CloudError as error:
        raise not_answered(resource.cloud, error) from error
    containers.count(
        container=resource.container, bytes_used=seen.bytes_used, objects_held=seen.objects, at=at
    )
