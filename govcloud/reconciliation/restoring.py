"""Setting something in the cloud back to the record, one respect at a time: how each is asked for."""

from collections.abc import Callable, Mapping

from django.db.models import Q

from govcloud.gateways.openstack import Cloud
from govcloud.inventory.models import Address, FloatingAddress, Network, Resource
from govcloud.provisioning.context import mark_of
from govcloud.provisioning.kinds.compute import UNIT
from govcloud.provisioning.kinds.network import let_in_what_it_is_for, tags_for
from govcloud.reconciliation.subjects.base import marked
from govcloud.reconciliation.vocabulary import Field, SubjectKind

Restore = Callable[[Cloud, Resource, str], None]
"""Given the cloud as the system's project sees it, the record it is about, and the id of the thing in the cloud."""


def _server_name(cloud: Cloud, resource: Resource, external_id: str) -> None:
    cloud.compute.rename_server(external_id, name=resource.name)


def _server_tags(cloud: Cloud, resource: Resource, external_id: str) -> None:
    has = cloud.compute.get_server(external_id).tags
    cloud.compute.set_tags(external_id, _without_marks(has) | set(_tags(resource)))


def _power(cloud: Cloud, resource: Resource, external_id: str) -> None:
    act = cloud.compute.start_server if resource.server.power == "running" else cloud.compute.stop_server
    act(external_id)


def _volume_name(cloud: Cloud, resource: Resource, external_id: str) -> None:
    cloud.volumes.rename_volume(external_id, name=resource.name)


def _volume_mark(cloud: Cloud, resource: Resource, external_id: str) -> None:
    marks = {UNIT: str(resource.unit), "govcloud_system": resource.system.code}
    cloud.volumes.set_metadata(external_id, marks)


def _attachment(cloud: Cloud, resource: Resource, external_id: str) -> None:
    """One request at a time: let go where it should not be, then attach where it should."""
    server = resource.volume.server
    wanted = server.resource.external_id if server is not None else ""
    elsewhere = [each for each in cloud.volumes.get_volume(external_id).attached_to if each != wanted]
    if elsewhere:
        cloud.compute.detach_volume(elsewhere[0], volume_id=external_id)
    elif wanted:
        cloud.compute.attach_volume(wanted, volume_id=external_id)


def _port_tags(cloud: Cloud, resource: Resource, external_id: str) -> None:
    given, has = _address(resource, external_id), cloud.network.get_port(external_id).tags
    tags = tags_for(unit=given.marked_after, system=resource.system, thread=resource.thread)
    cloud.network.set_tags(collection="ports", resource_id=external_id, tags=_without_marks(has) | set(tags))


def _plugged_in(cloud: Cloud, resource: Resource, external_id: str) -> None:
    cloud.compute.add_interface(resource.external_id, port_id=external_id)


def _port_address(cloud: Cloud, resource: Resource, external_id: str) -> None:
    given = _address(resource, external_id)
    subnet_id = Network.objects.get(resource__unit=given.block.unit).subnet_id
    cloud.network.set_port_address(external_id, subnet_id=subnet_id, fixed_ip=given.address)


def _port_groups(cloud: Cloud, resource: Resource, external_id: str) -> None:
    given = _address(resource, external_id)
    group = Network.objects.get(resource__unit=given.block.unit).security_group_id
    wanted = [group] if given.security_groups is None else given.security_groups
    cloud.network.set_port_groups(external_id, security_group_ids=wanted)


def _address(server: Resource, port_id: str) -> Address:
    """The one that is recorded for this port: a server has one on each of its networks."""
    own = Q(unit=server.unit) | Q(server=server.pk)
    return Address.objects.select_related("block", "server__resource").get(
        own, port_id=port_id, released_at=None
    )


def _network_name(cloud: Cloud, resource: Resource, external_id: str) -> None:
    cloud.network.rename_network(external_id, name=mark_of(resource.unit))


def _network_tags(cloud: Cloud, resource: Resource, external_id: str) -> None:
    has = cloud.network.get_network(external_id).tags
    cloud.network.set_tags(
        collection="networks", resource_id=external_id, tags=_without_marks(has) | set(_tags(resource))
    )


def _group_name(cloud: Cloud, resource: Resource, external_id: str) -> None:
    cloud.security_groups.rename_group(external_id, name=mark_of(resource.unit))


def _group_rules(cloud: Cloud, resource: Resource, external_id: str) -> None:
    management = resource.cloud.management_cidr
    let_in_what_it_is_for(
        cloud.security_groups, external_id, cidr=resource.network.cidr, management=management
    )


def _gateway(cloud: Cloud, resource: Resource, external_id: str) -> None:
    cloud.routing.set_gateway(external_id, external_network_id=resource.network.external_network_id)


def _enabled(cloud: Cloud, resource: Resource, external_id: str) -> None:  # noqa: ARG001
    cloud.routing.enable_router(external_id)


def _legs(cloud: Cloud, resource: Resource, external_id: str) -> None:
    """One request at a time: off what it should not be on, then onto its own."""
    wanted = resource.network.subnet_id
    has = cloud.census.router(external_id).subnet_ids
    if elsewhere := [each for each in has if each != wanted]:
        cloud.routing.remove_router_subnet(router_id=external_id, subnet_id=elsewhere[0])
    elif wanted not in has:
        cloud.routing.add_router_subnet(router_id=external_id, subnet_id=wanted)


def _floating_tags(cloud: Cloud, resource: Resource, external_id: str) -> None:
    given = FloatingAddress.objects.get(server=resource.pk, released_at=None)
    has = cloud.routing.get_floating_ip(external_id).tags
    tags = tags_for(unit=given.unit, system=resource.system, thread=resource.thread)
    cloud.network.set_tags(
        collection="floatingips", resource_id=external_id, tags=_without_marks(has) | set(tags)
    )


def _leads_to(cloud: Cloud, resource: Resource, external_id: str) -> None:
    port_id = Address.objects.get(unit=resource.unit, released_at=None).port_id
    cloud.routing.bind_floating_ip(external_id, port_id=port_id)


def _without_marks(tags: frozenset[str]) -> frozenset[str]:
    """What others have tagged it with stays; a mark of ours that is of something else goes."""
    return frozenset(tag for tag in tags if marked([tag]) is None)


def _tags(resource: Resource) -> list[str]:
    return tags_for(unit=resource.unit, system=resource.system, thread=resource.thread)


RESTORES: Mapping[tuple[SubjectKind, Field], Restore] = {
    (SubjectKind.SERVER, Field.NAME): _server_name,
    (SubjectKind.SERVER, Field.MARK): _server_tags,
    (SubjectKind.SERVER, Field.POWER): _power,
    (SubjectKind.VOLUME, Field.NAME): _volume_name,
    (SubjectKind.VOLUME, Field.MARK): _volume_mark,
    (SubjectKind.VOLUME, Field.ATTACHED_TO): _attachment,
    (SubjectKind.PORT, Field.MARK): _port_tags,
    (SubjectKind.PORT, Field.ATTACHED_TO): _plugged_in,
    (SubjectKind.PORT, Field.ADDRESS): _port_address,
    (SubjectKind.PORT, Field.SECURITY_GROUP): _port_groups,
    (SubjectKind.NETWORK, Field.NAME): _network_name,
    (SubjectKind.NETWORK, Field.MARK): _network_tags,
    (SubjectKind.SECURITY_GROUP, Field.NAME): _group_name,
    (SubjectKind.SECURITY_GROUP, Field.LET_IN): _group_rules,
    (SubjectKind.ROUTER, Field.STATE): _enabled,
    (SubjectKind.ROUTER, Field.EXTERNAL_NETWORK): _gateway,
    (SubjectKind.ROUTER, Field.ON_SUBNETS): _legs,
    (SubjectKind.FLOATING_ADDRESS, Field.MARK): _floating_tags,
    (SubjectKind.FLOATING_ADDRESS, Field.LEADS_TO): _leads_to,
}
