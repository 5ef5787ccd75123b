"""The screen of a server in a browser: a link that is good for minutes, for whoever has it.

The cloud makes the link and lets it expire (Nova's ``[consoleauth] token_ttl``, ten minutes unless its operators say
otherwise). It is a secret: it is answered and not kept, logged or told to anybody else.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.catalog.models import Cloud
from govcloud.clouds import access
from govcloud.clouds.refusals import CredentialsRefused
from govcloud.errors import Conflict, Unavailable
from govcloud.gateways.openstack import errors
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Power, Project, Resource, ResourceKind
from tenants.access import entry
from tenants.models import Role, User
from tenants.policies import require

ROLES = (Role.APPLICANT, Role.CLOUD_ADMIN)
OPENED_IN = frozenset({Status.ACTIVE, Status.CHANGING})
"""Also while something else has the server in hand: that is when it is needed."""
PATIENCE = 10.0  # seconds: somebody waits for the page


class NoConsole(Conflict):
    code = "no-console"
    message = _("“%(name)s” has no console now: only a running server has one.")


class ConsolesNotOffered(Conflict):
    code = "consoles-not-offered"
    message = _("The cloud of “%(name)s” offers no consoles.")


class CloudDoesNotAnswer(Unavailable):
    code = "cloud-does-not-answer"
    message = _("The cloud does not answer. Try again in a moment.")


def not_answered(cloud: Cloud, error: errors.CloudError) -> CloudDoesNotAnswer | CredentialsRefused:
    """For somebody in front of a page: trying again in a moment helps, or only an administrator does."""
    if isinstance(error, errors.Unauthorized) and not error.effect_unknown:
        return CredentialsRefused(cloud=cloud.code)
    return CloudDoesNotAnswer()


def open_console(*, resource: Resource, actor: User, at: datetime) -> str:
    """A fresh link to the server's screen.

    Raises RoleMissing, SecondFactorNeeded, SecondFactorUnconfirmed, NoConsole, ConsolesNotOffered, CloudDoesNotAnswer and
    CredentialsRefused.
    """
    require(actor, *ROLES, at=at, department=resource.system.department)
    entry.require_second_factor(actor)
    here = resource.kind == ResourceKind.SERVER and resource.status in OPENED_IN
    project = Project.objects.filter(system=resource.system, cloud=resource.cloud).first()
    if not here or project is None or resource.server.power != Power.RUNNING:
        raise NoConsole(name=resource.name)
    with transaction.atomic():
        audit.record(
            actor=actor, verb="server.console_opened", subject=resource, at=at, thread=resource.thread
        )
        return _link(project, resource)


def _link(project: Project, resource: Resource) -> str:
    try:
        cloud = access.connect(cloud=resource.cloud, project_id=project.external_id, timeout=PATIENCE)
        return cloud.compute.console_url(resource.external_id)
    except (errors.Conflict, errors.NotFound) as error:
        raise NoConsole(name=resource.name) from error
    except errors.Refused as error:
        raise ConsolesNotOffered(name=resource.name) from error
    except errors.CloudError as error:
        raise not_answered(resource.cloud, error) from error
