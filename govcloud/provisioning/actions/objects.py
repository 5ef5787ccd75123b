"""Who reaches an object container from outside: credentials issued and revoked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.errors import Conflict, Invalid
from govcloud.inventory import containers
from govcloud.inventory.models import Access, ContainerCredential, Resource, ResourceKind
from govcloud.provisioning.actions.base import Action
from govcloud.provisioning.lifecycle import Desired
from govcloud.provisioning.services import StepSpec
from tenants.models import Role, User

MOST_CREDENTIALS = 20
"""Of one container: their ids, twice 65 characters each, have to fit into a header of 8 KiB."""


class BadCredentialName(Invalid):
    code = "bad-credential-name"
    message = _(
        "A credential needs a name of 1 to 40 characters that no other credential of the container has."
    )


class NoSuchCredential(Invalid):
    code = "no-such-credential"
    message = _("The container has no credential with the id %(credential)s.")


class ContainerReadOnly(Conflict):
    code = "container-read-only"
    message = _("“%(name)s” is under a legal hold: nobody can be let in to write.")


@dataclass(frozen=True, slots=True)
class NewCredential:
    name: str
    access: str  # inventory.models.Access


@dataclass(frozen=True, slots=True)
class OfCredential:
    credential: UUID


class IssueCredential(Action[NewCredential]):
    name = "issue-credential"
    title = _("issue a credential for the container")
    resource_kind = ResourceKind.CONTAINER
    roles = (Role.APPLICANT,)
    leaves_it_as_ordered = True

    def refusal(self, resource: Resource) -> str | Promise | None:
        if len(_in_force(resource)) >= MOST_CREDENTIALS:
            return _("it has %(most)s credentials") % {"most": MOST_CREDENTIALS}
        return None

    def check(self, resource: Resource, parameters: NewCredential) -> None:
        """Raises BadCredentialName and ContainerReadOnly."""
        name = parameters.name.strip()
        if not 1 <= len(name) <= 40 or name in {each.name for each in _in_force(resource)}:
            raise BadCredentialName(pointers=("/name",))
        if parameters.access == Access.WRITE and containers.frozen(resource.container):
            raise ContainerReadOnly(name=resource.name, pointers=("/access",))

    def begin(
        self, resource: Resource, parameters: NewCredential, steps: Sequence[StepSpec], *, actor: User, at: datetime
    ) -> None:  # fmt: skip
        del resource, parameters, at
        user = next(step for step in steps if step.kind == "credential_user")
        user.desired_state["issued_by"] = str(actor.uuid)

    def plan(self, resource: Resource, parameters: NewCredential, *, key: str) -> list[StepSpec]:
        """A place to sign in, the user, and only then the container's door."""
        unit, label = uuid4(), parameters.name.strip()
        state = {"container": str(resource.unit), "access": Access(parameters.access).value}
        steps: list[StepSpec] = []
        for kind in ("credential_project", "credential_user", "credential_access"):
            needs = tuple(step.key for step in steps[-1:])
            steps.append(
                StepSpec(
                    key=f"{key}:{kind}", kind=kind, label=label, unit=unit, desired_state=dict(state), needs=needs
                )
            )  # fmt: skip
        return steps


class RevokeCredential(Action[OfCredential]):
    name = "revoke-credential"
    title = _("revoke a credential of the container")
    resource_kind = ResourceKind.CONTAINER
    roles = (Role.APPLICANT, Role.CLOUD_ADMIN)
    leaves_it_as_ordered = True

    def refusal(self, resource: Resource) -> str | Promise | None:
        return None if _in_force(resource) else _("it has no credential")

    def check(self, resource: Resource, parameters: OfCredential) -> None:
        _credential(resource, parameters)

    def plan(self, resource: Resource, parameters: OfCredential, *, key: str) -> list[StepSpec]:
        """Shut out of the container first, then its user deleted."""
        credential, unit = _credential(resource, parameters), uuid4()
        shut = shut_out([credential], container=resource, unit=unit, key=f"{key}:credential_access")
        gone = user_gone(credential, unit=unit, key=f"{key}:credential_user", needs=(shut.key,))
        return [shut, gone]


def shut_out(
    credentials: Sequence[ContainerCredential], *, container: Resource, unit: UUID, key: str, needs: tuple[str, ...] = ()
) -> StepSpec:  # fmt: skip
    """These are let into the container no more."""
    without = [str(credential.unit) for credential in credentials]
    return StepSpec(
        key=key, kind="credential_access", label=container.name, unit=unit, desired=Desired.ABSENT, needs=needs,
        external_id=container.external_id, desired_state={"container": str(container.unit), "without": without},
    )  # fmt: skip


def frozen(container: Resource, *, unit: UUID) -> StepSpec:
    """Nobody may write into it any more; planned when the hold is recorded, which is what the step goes by."""
    return StepSpec(
        key=f"{unit}:container_freeze", kind="container_freeze", label=container.name, unit=unit, desired=Desired.ABSENT,
        external_id=container.external_id, desired_state={"container": str(container.unit), "without": []},
    )  # fmt: skip


def thawed(container: Resource, *, unit: UUID) -> StepSpec:
    """Everybody may again what their credentials say."""
    return StepSpec(
        key=f"{unit}:container_thaw", kind="container_thaw", label=container.name, unit=unit,
        desired_state={"container": str(container.unit)},
    )  # fmt: skip


def user_gone(
    credential: ContainerCredential, *, unit: UUID, key: str, needs: tuple[str, ...] = ()
) -> StepSpec:
    """Its user deleted, and with it every token."""
    return StepSpec(
        key=key, kind="credential_user", label=credential.name, unit=unit, desired=Desired.ABSENT, needs=needs,
        external_id=credential.user_id, desired_state={"credential": str(credential.unit)},
    )  # fmt: skip


def _in_force(resource: Resource) -> list[ContainerCredential]:
    return list(resource.container.credentials.in_force().order_by("issued_at", "pk"))


def _credential(resource: Resource, parameters: OfCredential) -> ContainerCredential:
    """Raises NoSuchCredential."""
    found = next((each for each in _in_force(resource) if each.uuid == parameters.credential), None)
    if found is None:
        raise NoSuchCredential(credential=parameters.credential, pointers=("/credential",))
    return found
