"""A system's place in a cloud: its Keystone project, our access to it, its quotas, our key."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from govcloud.clouds import guest_keys
from govcloud.gateways.openstack import errors
from govcloud.gateways.openstack.models import QuotaUse
from govcloud.gateways.openstack.quotas import Quotas
from govcloud.inventory import services as inventory
from govcloud.inventory.models import Project
from govcloud.provisioning import demand
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds.base import Gone, Kind, Landing, Made, Ready, Setting, Sight

MEMBER = "member"  # the least role with which resources can be made in a project


class OwnProjectKind(Kind):
    """A Keystone project of a system's own on a cloud. It stays when an order is undone: it is the system's, not the order's."""

    landing = Landing.LOCKED  # by its name, unique within the domain

    def called(self, context: Context) -> str:
        raise NotImplementedError

    def description(self, context: Context) -> str:
        raise NotImplementedError

    def find(self, context: Context) -> str | None:
        project = context.cloud.identity.find_project(
            name=self.called(context), domain_id=context.cloud_row.domain_id
        )
        return project.id if project else None

    def create(self, context: Context) -> Made:
        found = self.find(context)  # a later order of the same system finds the project of the first
        if found is not None:
            return Made(found)
        project = context.cloud.identity.create_project(
            name=self.called(context),
            description=self.description(context),
            domain_id=context.cloud_row.domain_id,
        )
        return Made(project.id)

    def look(self, context: Context, external_id: str) -> Sight:
        if context.step.desired == "absent":
            return Gone()
        context.cloud.identity.get_project(external_id)
        return Ready()

    def remove(self, context: Context, external_id: str) -> None:
        """It stays."""


class ProjectKind(OwnProjectKind):
    name = "project"
    title = _("Setting up the system's space")
    removal_title = _("Removing the system's space")

    def called(self, context: Context) -> str:
        system = context.operation.system
        return f"gc-{system.code}-{str(system.uuid)[:8]}"

    def description(self, context: Context) -> str:
        system = context.operation.system
        return f"{system.code} {system.name}"

    def find(self, context: Context) -> str | None:
        recorded = Project.objects.filter(system=context.operation.system, cloud=context.cloud_row).first()
        if recorded is not None:
            return recorded.external_id  # it may have been taken over, under a name of its own
        return super().find(context)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        inventory.record_project(
            system=context.operation.system, cloud=context.cloud_row, external_id=context.step.external_id
        )


class AccessKind(Setting):
    """Our own user's role on the project: what we do there, we do scoped to it."""

    name = "access"
    title = _("Setting up the system's space")
    removal_title = _("Removing the system's space")

    def create(self, context: Context) -> Made:
        cloud = context.cloud
        role = cloud.identity.find_role(name=MEMBER)
        if role is None:
            raise errors.Misconfigured(f"the cloud has no role {MEMBER!r}", service="identity")
        cloud.identity.grant_role(project_id=context.project_id, role_id=role, user_id=cloud.user_id)
        return Made(role, {})


class KeypairKind(Kind):
    """Our public key, registered once per cloud (keypairs belong to users, not to projects)."""

    name = "keypair"
    title = _("Setting up the system's space")
    removal_title = _("Removing the system's space")
    landing = Landing.LOCKED  # by its name, unique per user

    def find(self, context: Context) -> str | None:
        key = context.project.compute.find_keypair(guest_keys.current().name)
        return key.name if key else None

    def create(self, context: Context) -> Made:
        return Made(register_key(context), {})

    def look(self, context: Context, external_id: str) -> Sight:  # noqa: ARG002
        return Gone() if context.step.desired == "absent" else Ready()

    def remove(self, context: Context, external_id: str) -> None:
        """It stays: other systems' servers are made with it."""


def register_key(context: Context) -> str:
    """The name under which the cloud has our public key, registered now if it is not there."""
    key, compute = guest_keys.current(), context.project.compute
    found = compute.find_keypair(key.name) or compute.create_keypair(name=key.name, public_key=key.public)
    return found.name


Limits = Mapping[str, int | None]
"""By name as the cloud calls them; ``None`` where there is none."""


class QuotaKind(Setting):
    """The cloud's own limits for the project, set to what the system has been granted and no more.

    Called off, they are set anew once what they made room for is gone: to what is granted still.
    """

    title = _("Setting the limits that were approved")
    removal_title = _("Setting the limits to what is left")
    follows_granted = True

    def limits(self, granted: demand.Demand) -> Mapping[str, int]:
        raise NotImplementedError

    def read(self, quotas: Quotas, project_id: str) -> Mapping[str, QuotaUse]:
        """All of the service, limits that we do not set included."""
        raise NotImplementedError

    def write(self, quotas: Quotas, project_id: str, limits: Limits) -> None:
        """Exactly these. Raises ``Refused`` where the cloud takes no limit below what is there."""
        raise NotImplementedError

    def set(self, context: Context, limits: Limits) -> None:
        """These, or where the cloud takes no less what is there.

        Cinder and Neutron take no limit below what is there: an operator may have restored a backup or made a router by hand,
        and what was deleted a moment ago may be counted still.
        """
        quotas, project = context.cloud.quotas, context.project_id
        try:
            self.write(quotas, project, limits)
        except errors.Refused:
            used = {name: row.used + row.reserved for name, row in self.read(quotas, project).items()}
            least = {
                name: limit if limit is None else max(limit, used.get(name, limit))
                for name, limit in limits.items()
            }
            if least == limits:
                raise
            self.write(quotas, project, least)

    def in_force(self, context: Context) -> dict[str, int | None]:
        """Those of the limits that the cloud has now which are ours to set."""
        now = self.read(context.cloud.quotas, context.project_id)
        return {name: now[name].limit for name in self.limits(demand.Demand()) if name in now}

    def find(self, context: Context) -> str | None:
        """Whether an earlier request has had its effect does not matter: they are set again, higher or lower."""
        return context.project_id if context.step.desired == "absent" else None

    def create(self, context: Context) -> Made:
        return Made(context.project_id, {"limits": self._set_to_granted(context)})

    def look(self, context: Context, external_id: str) -> Sight:  # noqa: ARG002
        if context.step.desired == "present":
            return Ready()
        return Gone() if context.step.outputs.get("left") == self._granted(context) else Ready()

    def remove(self, context: Context, external_id: str) -> None:  # noqa: ARG002
        context.remember({"left": self._set_to_granted(context)})

    def _set_to_granted(self, context: Context) -> dict[str, int]:
        """Set until what has been granted is what was set: another order's limits may have overtaken ours meanwhile.

        Whoever writes last looks once more, so two orders of one system at once leave the newer figures.
        """
        limits = None
        while limits != (granted := self._granted(context)):
            context.keep()
            self.set(context, granted)
            limits = granted
        return dict(granted)

    def _granted(self, context: Context) -> Mapping[str, int]:
        return self.limits(demand.of(system=context.operation.system, cloud=context.cloud_row))


class ComputeQuotaKind(QuotaKind):
    name = "compute_quota"

    def limits(self, granted: demand.Demand) -> Mapping[str, int]:
        return {"instances": granted.servers, "cores": granted.vcpus, "ram": granted.memory_mib}

    def read(self, quotas: Quotas, project_id: str) -> Mapping[str, QuotaUse]:
        return quotas.compute(project_id)

    def write(self, quotas: Quotas, project_id: str, limits: Limits) -> None:
        quotas.set_compute(project_id, limits)


class VolumeQuotaKind(QuotaKind):
    name = "volume_quota"

    def limits(self, granted: demand.Demand) -> Mapping[str, int]:
        return {
            "volumes": granted.volumes,
            "gigabytes": granted.volume_gib,
            "snapshots": granted.snapshots,
            "backups": granted.backups,
            "backup_gigabytes": granted.backup_gib,
        }

    def read(self, quotas: Quotas, project_id: str) -> Mapping[str, QuotaUse]:
        return quotas.volume(project_id)

    def write(self, quotas: Quotas, project_id: str, limits: Limits) -> None:
        quotas.set_volume(project_id, limits)


class NetworkQuotaKind(QuotaKind):
    name = "network_quota"

    def limits(self, granted: demand.Demand) -> Mapping[str, int]:
        networks = granted.networks
        return {
            "network": networks,
            "subnet": networks + granted.other_subnets,
            "port": granted.servers
            + granted.further_interfaces
            + networks * 4  # each network has ports of its own: DHCP, metadata, a router
            + granted.other_ports,
            "security_group": networks + 1 + granted.other_security_groups,  # one is Neutron's own
            "security_group_rule": (networks + 1) * 10 + granted.rules + granted.other_security_group_rules,
            "router": networks + granted.other_routers,  # each may be connected to the outside
            "floatingip": granted.addresses + granted.other_addresses,
        }

    def read(self, quotas: Quotas, project_id: str) -> Mapping[str, QuotaUse]:
        return quotas.network(project_id)

    def write(self, quotas: Quotas, project_id: str, limits: Limits) -> None:
        quotas.set_network(project_id, limits)


LIMITS: Mapping[str, QuotaKind] = {
    "compute": ComputeQuotaKind(),
    "volume": VolumeQuotaKind(),
    "network": NetworkQuotaKind(),
}
"""By the service whose limits they set."""


def limits_of(quotas: Quotas, project_id: str) -> dict[str, Mapping[str, QuotaUse]]:
    """What the cloud has now, by service: three requests. Raises ``CloudError``."""
    return {service: kind.read(quotas, project_id) for service, kind in LIMITS.items()}
