"""The secret of a container's credential: drawn by the department, shown once, kept nowhere.

Drawing one sets a new password in the cloud, so that the one before is good no more: issuing and rotating are the same. A
secret whose answer was lost is drawn again.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit.refusals import refuse
from govcloud.clouds import access
from govcloud.clouds.refusals import CredentialsRefused
from govcloud.errors import Conflict
from govcloud.gateways.openstack import errors
from govcloud.inventory import containers
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import ContainerCredential, Project, Resource
from govcloud.provisioning.consoles import CloudDoesNotAnswer, not_answered
from tenants.access import entry
from tenants.models import Role, User
from tenants.policies import require

ROLES = (Role.APPLICANT,)
"""Who may draw one: the department's own, and nobody who operates the centre."""

DRAWN_IN = frozenset({Status.ACTIVE, Status.CHANGING})
"""States of the container: a secret that has leaked is replaced while an operation of the container waits for a person."""

PATIENCE = 10.0  # seconds of each request: somebody waits for the answer


class CredentialGone(Conflict):
    code = "credential-gone"
    message = _("The credential “%(name)s” has been revoked, or its container is being released.")


@dataclass(frozen=True, slots=True)
class Drawn:
    """All that a client of the object store needs; ``storage_url`` is the container's own address."""

    auth_url: str
    user_id: str
    user_name: str
    project_id: str
    storage_url: str
    container: str
    secret: str = field(repr=False)


def new_secret() -> str:
    """Of 32 random bytes, with what rules about passwords use to ask for: both cases, a digit, a sign."""
    return f"Gc1-{secrets.token_urlsafe(32)}"


def draw(*, credential: ContainerCredential, actor: User, at: datetime) -> Drawn:
    """Set a new secret in the cloud and tell it, this once. That it was asked for is committed first.

    Raises RoleMissing, SecondFactorNeeded, SecondFactorUnconfirmed, CredentialGone, CredentialsRefused and CloudDoesNotAnswer;
    after the last it may have been changed all the same.
    """
    resource = credential.container.resource
    require(actor, *ROLES, at=at, department=resource.system.department)
    entry.require_second_factor(actor)
    with transaction.atomic():
        containers.note_drawing(credential=_in_force(credential, resource), actor=actor, at=at)
    try:
        with transaction.atomic():
            row = _in_force(credential, resource)
            containers.note_secret(credential=row, actor=actor, at=at)
            return _drawn(row)
    except (CloudDoesNotAnswer, CredentialsRefused) as error:
        refuse(
            actor=actor,
            verb="credential.secret_drawn",
            subject=credential,
            at=at,
            thread=resource.thread,
            reason=error.code,
        )
        raise


def _in_force(credential: ContainerCredential, resource: Resource) -> ContainerCredential:
    """Its row, locked: two who draw at once do so one after the other."""
    row = ContainerCredential.objects.select_for_update(of=("self",)).get(pk=credential.pk)
    if row.revoked_at is not None or resource.status not in DRAWN_IN:
        raise CredentialGone(name=row.name)
    return row


def _drawn(credential: ContainerCredential) -> Drawn:
    try:
        return _set(credential, new_secret())
    except errors.NotFound as error:
        raise CredentialGone(name=credential.name) from error
    except errors.CloudError as error:
        raise not_answered(credential.container.resource.cloud, error) from error


def _set(credential: ContainerCredential, secret: str) -> Drawn:
    """The address is asked for first: once the secret is set, nothing may come between it and its owner."""
    resource = credential.container.resource
    project = Project.objects.filter(system=resource.system_id, cloud=resource.cloud_id).first()
    if project is None:
        raise CredentialGone(name=credential.name)
    ours = access.connect(cloud=resource.cloud, project_id=project.external_id, timeout=PATIENCE)
    operators = access.connect(cloud=resource.cloud, timeout=PATIENCE)
    drawn = Drawn(
        auth_url=operators.auth_url,
        user_id=credential.user_id,
        user_name=credential.user_name,
        project_id=credential.project_id,
        storage_url=ours.objects.url(resource.external_id),
        container=resource.external_id,
        secret=secret,
    )
    operators.identity.set_password(credential.user_id, secret)
    return drawn
