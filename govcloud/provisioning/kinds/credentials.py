"""Users of the cloud's own that reach one container each.

A user signs in to a project that holds nothing, with a role that makes no operator of an object store; a container's access
list names the two together. So there is nothing that it could reach but that container (decision 10). It is made with a
password that nobody knows; the department draws its secret by itself (``provisioning.container_secrets``).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from govcloud.gateways.openstack import errors
from govcloud.inventory import containers
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Access, Container
from govcloud.provisioning.container_secrets import new_secret
from govcloud.provisioning.context import ENGINE, Context
from govcloud.provisioning.kinds.base import Gone, Kind, Landing, Made, Moving, Ready, Sight, Skipped
from govcloud.provisioning.kinds.tenancy import OwnProjectKind
from govcloud.provisioning.lifecycle import Desired
from govcloud.provisioning.models import Step
from tenants.models import User

ROLE = "reader"  # it reads nothing: its project holds nothing
UNANSWERED = "unanswered_until"
"""In the outputs of a step: until when a list that it sent, and of which no answer came, may still land."""


class CredentialProjectKind(OwnProjectKind):
    """Where the users of a system's containers sign in."""

    name = "credential_project"
    title = _("Setting up access to the object storage")
    removal_title = _("Withdrawing access to the object storage")

    def called(self, context: Context) -> str:
        system = context.operation.system
        return f"gc-access-{system.code}-{str(system.uuid)[:8]}"

    def description(self, context: Context) -> str:
        return f"access to the object containers of {context.operation.system.code}; holds nothing"


class CredentialUserKind(Kind):
    name = "credential_user"
    title = _("Setting up access to the object storage")
    removal_title = _("Withdrawing access to the object storage")
    landing = Landing.LOCKED  # by its name, unique within the domain

    def find(self, context: Context) -> str | None:
        found = context.cloud.identity.find_user(name=context.mark, domain_id=context.cloud_row.domain_id)
        return found.id if found else None

    def create(self, context: Context) -> Made:
        user = context.cloud.identity.create_user(
            name=context.mark,
            password=new_secret(),
            description=f"{context.operation.system.code} {context.step.label}",
            domain_id=context.cloud_row.domain_id,
        )
        return Made(user.id)

    def look(self, context: Context, external_id: str) -> Sight:
        identity = context.cloud.identity
        try:
            user = identity.get_user(external_id)
        except errors.NotFound:
            return Gone()
        if context.step.desired == "absent":
            return Ready()
        role = identity.find_role(name=ROLE)
        if role is None:
            raise errors.Misconfigured(f"the cloud has no role {ROLE!r}", service="identity")
        project = context.sibling("credential_project").external_id
        identity.grant_role(project_id=project, role_id=role, user_id=external_id)
        return Ready({"user_name": user.name, "project_id": project})

    def remove(self, context: Context, external_id: str) -> None:
        context.cloud.identity.delete_user(external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:
        state = context.state
        containers.issue(
            container=context.resource(state["container"]).container,
            unit=context.step.unit,
            name=context.step.label,
            access=Access(state["access"]),
            user=(context.step.external_id, outputs["user_name"]),
            project_id=outputs["project_id"],
            issued_by=User.objects.get(uuid=state["issued_by"]),
            actor=ENGINE,
            at=context.at,
        )

    def forget(self, context: Context) -> None:
        """Of the credential that a revocation names, else of the step's own."""
        unit = UUID(context.state.get("credential", str(context.step.unit)))
        containers.revoke(unit=unit, actor=ENGINE, at=context.at)


class CredentialAccessKind(Kind):
    """A container's access list as our records have it: with this credential, or without those that are to be absent.

    It shuts out at once, which deleting a user does not: Swift goes on taking tokens for minutes. The whole list is sent: what
    was added by hand goes. A legal hold changes it beside what the container is in hand for; so whatever sends it sends the
    same, and none ends while an older list, of any of them, may still land.
    """

    name = "credential_access"
    title = _("Letting in those who have access")
    removal_title = _("Shutting out those who had access")
    landing = Landing.LOCKED

    def find(self, context: Context) -> str | None:
        """Called off, what is not as it shall be is what an earlier request has made of it."""
        absent = context.step.desired == "absent"
        try:
            return self._name(context) if self._as_wanted(context) != absent else None
        except errors.NotFound:
            return None

    def create(self, context: Context) -> Made | Skipped | Moving:
        self._set(context)
        return Made(self._name(context))

    def look(self, context: Context, external_id: str) -> Sight:  # noqa: ARG002
        may_change = self._unanswered(context)  # before the look: what lands in between is seen at the next
        try:
            as_wanted = self._as_wanted(context)
        except errors.NotFound:
            return Gone()
        if context.step.desired == "absent":
            return Gone() if as_wanted and not may_change else Ready()
        if not as_wanted:
            self._set(context)
        return Moving() if may_change else Ready()

    def remove(self, context: Context, external_id: str) -> None:  # noqa: ARG002
        if not self._as_wanted(context):
            self._set(context)

    def _set(self, context: Context) -> None:
        """Send the list; that it may land later is committed before, and taken back once an answer has come."""
        read, write = self._lists(context)
        before = context.step.outputs.get(UNANSWERED)
        context.remember({UNANSWERED: _landed_by(context)})
        try:
            context.project.objects.set_access(self._name(context), read=sorted(read), write=sorted(write))
        except errors.CloudError as error:
            context.remember({UNANSWERED: _landed_by(context) if error.effect_unknown else before})
            raise
        context.remember({UNANSWERED: before})

    def _unanswered(self, context: Context) -> bool:
        """Whether a list that any step sent for the container may still land."""
        sent = self._steps(context).filter(kind__in=_LISTS).values_list(f"outputs__{UNANSWERED}", flat=True)
        return any(until and datetime.fromisoformat(until) > context.clock() for until in sent)

    def _as_wanted(self, context: Context) -> bool:
        seen = context.project.objects.get_container(self._name(context))
        return (seen.read, seen.write) == self._lists(context)

    def _lists(self, context: Context) -> tuple[frozenset[str], frozenset[str]]:
        """Who may read and who may write, but for whom any step shuts out: they are in force until their users are gone."""
        shut_out = self._steps(context).filter(kind=CredentialAccessKind.name, desired=Desired.ABSENT)
        without = {
            each
            for unit, state in shut_out.values_list("unit", "desired_state")
            for each in state.get("without", [str(unit)])
        }
        return containers.let_in(self._container(context), without=without)

    def _steps(self, context: Context) -> QuerySet[Step]:
        """All that were ever about the container."""
        return Step.objects.filter(
            operation__system=context.operation.system_id, desired_state__container=context.state["container"]
        )

    def _container(self, context: Context) -> Container:
        return context.resource(context.state["container"]).container

    def _name(self, context: Context) -> str:
        return self._container(context).resource.external_id


class ContainerFreezeKind(CredentialAccessKind):
    """The same list, of a container that has come under a legal hold; a step to be absent, so that nobody can abandon it."""

    name = "container_freeze"
    title = _("Making the object storage read-only")
    removal_title = _("Making the object storage writable again")


class ContainerThawKind(CredentialAccessKind):
    """The same list, once the hold has been lifted: everybody may again what their credentials say."""

    name = "container_thaw"
    title = _("Making the object storage writable again")
    removal_title = _("Making the object storage read-only")

    def create(self, context: Context) -> Made | Skipped | Moving:
        status = self._container(context).resource.status
        if status in {Status.RELEASING, Status.RELEASED}:
            if self._unanswered(context):
                return Moving()  # its release shuts everybody out, and must know of what may still land
            return Skipped("it is being released, and nobody is let in any more")
        try:
            return super().create(context)
        except errors.NotFound:
            return Skipped("the cloud does not have it any more")

    def look(self, context: Context, external_id: str) -> Sight:
        sight = super().look(context, external_id)
        gone_before = isinstance(sight, Gone) and context.step.desired != Desired.ABSENT
        return Ready() if gone_before else sight  # nobody writes into what has been released meanwhile


_LISTS = (CredentialAccessKind.name, ContainerFreezeKind.name, ContainerThawKind.name)


def _landed_by(context: Context) -> str:
    """When what is sent now has landed, or does not land any more."""
    return (context.clock() + settings.STEP_SETTLE).isoformat()
