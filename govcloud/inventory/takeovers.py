"""The record of what was built outside and taken over: places claimed before, resources recorded once the cloud bears our mark."""

from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_network
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.catalog.models import Cloud, Flavor, Image, StorageClass
from govcloud.errors import Conflict
from govcloud.inventory.models import (
    Address,
    AddressBlock,
    Guest,
    Network,
    Power,
    Project,
    Resource,
    ResourceKind,
    Server,
    Volume,
    VolumeRole,
)
from tenants.models import System


class ProjectOfAnother(Conflict):
    code = "project-of-another-system"
    message = _(
        "This project belongs to the system %(system)s: what is in it can be taken over for that one only."
    )


class HasAnotherProject(Conflict):
    code = "system-has-another-project"
    message = _(
        "The system %(system)s has another project on this cloud, %(project)s: its things are all in one project."
    )


class RangeTaken(Conflict):
    code = "address-range-taken"
    message = _("The range %(cidr)s overlaps one that is in use on this cloud.")


def claim_project(*, system: System, cloud: Cloud, external_id: str) -> Project:
    """Raises ProjectOfAnother and HasAnotherProject; the database decides between two at once."""
    try:
        with transaction.atomic():
            project, _fresh = Project.objects.get_or_create(
                system=system, cloud=cloud, defaults={"external_id": external_id}
            )
    except IntegrityError:
        owner = Project.objects.select_related("system").get(cloud=cloud, external_id=external_id)
        raise ProjectOfAnother(system=owner.system.code) from None
    if project.external_id != external_id:
        raise HasAnotherProject(system=system.code, project=project.external_id)
    return project


def claim_range(*, cloud: Cloud, cidr: str, unit: UUID) -> AddressBlock:
    """Raises RangeTaken."""
    block = ip_network(cidr)
    try:
        with transaction.atomic():
            return AddressBlock.objects.create(
                cloud=cloud, unit=unit, cidr=cidr, first=int(block[0]), last=int(block[-1])
            )
    except IntegrityError:
        raise RangeTaken(cidr=cidr) from None


def claim_address(*, block: AddressBlock, address: str, unit: UUID) -> Address:
    """An address that a port has in the cloud, so that nobody is given it; as whose it is learnt later, if at all."""
    given, fresh = Address.objects.get_or_create(
        block=block, address=address, released_at=None, defaults={"unit": unit}
    )
    if not fresh and given.unit != unit and not given.port_id:
        given.unit = unit
        given.save(update_fields=["unit"])
    return given


def give_up_range(*, unit: UUID, at: datetime) -> None:
    """Of a network that was not taken over after all, or is given up."""
    AddressBlock.objects.filter(unit=unit, released_at=None).update(released_at=at)


def record_network(
    *, common: Mapping[str, Any], cidr: str, gateway: str, subnet_id: str, security_group_id: str
) -> Resource:
    """``common`` holds the columns of ``Resource``, ``actor``, ``at`` and ``found`` (see ``_record``)."""
    resource, fresh = _record(ResourceKind.NETWORK, common)
    if fresh:
        Network.objects.create(
            resource=resource, cidr=cidr, gateway=gateway, subnet_id=subnet_id, security_group_id=security_group_id
        )  # fmt: skip
    return resource


def record_server(
    *, common: Mapping[str, Any], flavor: Flavor, cloud_flavor: str, image: Image, power: Power
) -> Resource:
    """Its guest is its department's alone: we have no key to it."""
    resource, fresh = _record(ResourceKind.SERVER, common)
    if fresh:
        Server.objects.create(
            resource=resource, flavor=flavor, cloud_flavor=cloud_flavor, image=image, power=power,
            vcpus=flavor.vcpus, memory_gb=flavor.memory_gb, guest=Guest.UNMANAGED,
        )  # fmt: skip
    return resource


def record_address(*, unit: UUID, port_id: str, security_groups: list[str], server: Server | None) -> None:
    """``server`` for a further interface, as always (see ``Address``)."""
    Address.objects.filter(unit=unit, released_at=None).update(
        port_id=port_id, security_groups=security_groups, server=server
    )


def record_volume(
    *,
    common: Mapping[str, Any],
    role: VolumeRole,
    storage_class: StorageClass,
    cloud_class: str,
    size_gb: int,
    server: Server | None,
) -> Resource:
    """What is on it, and where its guest has mounted it, is not known."""
    resource, fresh = _record(ResourceKind.VOLUME, common)
    if fresh:
        Volume.objects.create(
            resource=resource, role=role, storage_class=storage_class, cloud_class=cloud_class, size_gb=size_gb,
            server=server,
        )  # fmt: skip
    return resource


def _record(kind: ResourceKind, common: Mapping[str, Any]) -> tuple[Resource, bool]:
    """Idempotent by ``unit``. ``found`` is what it was in the cloud before, for the audit trail."""
    columns = dict(common)
    actor, at, found = columns.pop("actor"), columns.pop("at"), columns.pop("found")
    resource, fresh = Resource.objects.get_or_create(
        unit=columns.pop("unit"), defaults={**columns, "kind": kind, "built_at": at}
    )
    if fresh:
        audit.record(
            actor=actor, verb="resource.taken_over", subject=resource, at=at, thread=resource.thread, before=found,
            after={
                "kind": kind, "name": resource.name, "system": resource.system.code,
                "external_id": resource.external_id, "billing_start": resource.billing_start,
            },
        )  # fmt: skip
    return resource, fresh


def keep_addresses(*, resource: Resource, at: datetime) -> None:
    """A server is not ours any more and stays where it is: nobody is given its addresses as long as the network is ours."""
    own = Q(unit=resource.unit) | Q(server__resource=resource)
    Address.objects.filter(own, released_at=None).update(released_at=at)
    had = Address.objects.filter(own, block__released_at=None)
    for address in had.select_related("block"):
        claim_address(block=address.block, address=address.address, unit=uuid4())
