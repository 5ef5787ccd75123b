"""Resources of every kind as built, each with the row of its particulars."""

from datetime import timedelta
from uuid import uuid4

import factory
from factory.django import DjangoModelFactory

from govcloud.catalog.models import Wiping
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import (
    Access,
    Address,
    AddressBlock,
    BackupAllowance,
    Container,
    ContainerCredential,
    FloatingAddress,
    Network,
    Project,
    Protocol,
    Resource,
    ResourceKind,
    SecurityRule,
    Server,
    Snapshot,
    Volume,
    VolumeRole,
    WipeRecord,
)
from tests.factories.catalog import (
    CloudFactory,
    DRTierFactory,
    FlavorFactory,
    ImageFactory,
    StorageClassFactory,
)
from tests.factories.tenants import BEGINNING, SystemFactory, UserFactory

LEASE = timedelta(days=365)


class ProjectFactory(DjangoModelFactory[Project]):
    class Meta:
        model = Project
        django_get_or_create = ("system", "cloud")

    system = factory.SubFactory(SystemFactory)
    cloud = factory.SubFactory(CloudFactory)
    external_id = factory.LazyFunction(lambda: uuid4().hex)


class ResourceFactory(DjangoModelFactory[Resource]):
    """The row that every kind has; take the factory of a kind for a whole resource."""

    class Meta:
        model = Resource

    class Params:
        changing = factory.Trait(status=Status.CHANGING)
        releasing = factory.Trait(status=Status.RELEASING)
        released = factory.Trait(
            status=Status.RELEASED,
            released_at=factory.LazyAttribute(lambda r: r.built_at + timedelta(days=30)),
        )

    unit = factory.LazyFunction(uuid4)
    thread = factory.LazyFunction(uuid4)
    kind = ResourceKind.SERVER
    name = factory.Sequence(lambda n: f"app-{n}")
    system = factory.SubFactory(SystemFactory)
    cloud = factory.SubFactory(CloudFactory)
    zone = factory.SelfAttribute("system.zone")
    status = Status.ACTIVE
    external_id = factory.LazyAttribute(lambda r: "" if r.kind == ResourceKind.BACKUP else str(uuid4()))
    built_at = BEGINNING
    billing_start = factory.SelfAttribute("built_at")
    lease_end = factory.LazyAttribute(lambda r: r.built_at + LEASE)
    released_at = None


class NetworkFactory(DjangoModelFactory[Network]):
    """A network of the system: ``NetworkFactory(resource__system=system)``; its resource is ``.resource``."""

    class Meta:
        model = Network

    resource = factory.SubFactory(ResourceFactory, kind=ResourceKind.NETWORK)
    cidr = factory.Sequence(lambda n: f"10.20.{n // 4 % 256}.{n % 4 * 64}/26")
    gateway = factory.LazyAttribute(lambda n: n.cidr.split("/")[0].rpartition(".")[0] + ".1")
    subnet_id = factory.LazyFunction(lambda: str(uuid4()))
    security_group_id = factory.LazyFunction(lambda: str(uuid4()))


class SecurityRuleFactory(DjangoModelFactory[SecurityRule]):
    class Meta:
        model = SecurityRule

    unit = factory.LazyFunction(uuid4)
    network = factory.SubFactory(NetworkFactory)
    protocol = Protocol.TCP
    port_min = 443
    port_max = factory.SelfAttribute("port_min")
    remote = "10.0.0.0/8"
    external_id = factory.LazyFunction(lambda: str(uuid4()))
    added_by = factory.SubFactory(UserFactory)
    added_at = BEGINNING


class ServerFactory(DjangoModelFactory[Server]):
    """A server of 4 vCPU and 16 GB, without volumes; see ``whole_server``."""

    class Meta:
        model = Server

    resource = factory.SubFactory(ResourceFactory, kind=ResourceKind.SERVER)
    flavor = factory.SubFactory(FlavorFactory)
    image = factory.SubFactory(ImageFactory)
    vcpus = factory.SelfAttribute("flavor.vcpus")
    memory_gb = factory.SelfAttribute("flavor.memory_gb")
    configured_at = factory.SelfAttribute("resource.built_at")


class VolumeFactory(DjangoModelFactory[Volume]):
    """A data volume; give ``server=`` for one that is attached (it then belongs to the server's system)."""

    class Meta:
        model = Volume

    class Params:
        system_volume = factory.Trait(
            role=VolumeRole.SYSTEM,
            size_gb=100,
            label="",
            mount_point="",
            storage_class=factory.SubFactory(StorageClassFactory, code="ssd"),
        )

    server = None
    resource = factory.Maybe(
        "server",
        yes_declaration=factory.SubFactory(
            ResourceFactory,
            kind=ResourceKind.VOLUME,
            system=factory.SelfAttribute("..server.resource.system"),
            cloud=factory.SelfAttribute("..server.resource.cloud"),
            thread=factory.SelfAttribute("..server.resource.thread"),
            built_at=factory.SelfAttribute("..server.resource.built_at"),
        ),
        no_declaration=factory.SubFactory(ResourceFactory, kind=ResourceKind.VOLUME),
    )
    role = VolumeRole.DATA
    storage_class = factory.SubFactory(StorageClassFactory, code="sas")
    size_gb = 500
    label = "data1"
    mount_point = "/data1"


class SnapshotFactory(DjangoModelFactory[Snapshot]):
    class Meta:
        model = Snapshot

    unit = factory.LazyFunction(uuid4)
    volume = factory.SubFactory(VolumeFactory)
    name = factory.Sequence(lambda n: f"before-{n}")
    external_id = factory.LazyFunction(lambda: str(uuid4()))
    size_gb = factory.SelfAttribute("volume.size_gb")
    taken_by = factory.SubFactory(UserFactory)
    taken_at = BEGINNING


class WipeRecordFactory(DjangoModelFactory[WipeRecord]):
    class Meta:
        model = WipeRecord

    class Params:
        volume = factory.SubFactory(VolumeFactory)

    resource = factory.SelfAttribute("volume.resource")
    external_id = factory.SelfAttribute("resource.external_id")
    size_gb = factory.SelfAttribute("volume.size_gb")
    means = Wiping.OVERWRITTEN
    request_id = factory.Sequence(lambda n: f"req-{n}")
    requested_at = BEGINNING
    confirmed_at = BEGINNING + timedelta(minutes=1)


class ContainerFactory(DjangoModelFactory[Container]):
    class Meta:
        model = Container

    resource = factory.SubFactory(ResourceFactory, kind=ResourceKind.CONTAINER)
    storage_class = factory.SubFactory(StorageClassFactory, objects=True)
    quota_gb = 100


class CredentialFactory(DjangoModelFactory[ContainerCredential]):
    class Meta:
        model = ContainerCredential

    unit = factory.LazyFunction(uuid4)
    container = factory.SubFactory(ContainerFactory)
    name = factory.Sequence(lambda n: f"app-{n}")
    access = Access.READ
    user_id = factory.LazyFunction(lambda: uuid4().hex)
    user_name = factory.LazyAttribute(lambda given: f"gc-{given.unit}")
    project_id = factory.LazyFunction(lambda: uuid4().hex)
    issued_by = factory.SubFactory(UserFactory)
    issued_at = BEGINNING


class BackupAllowanceFactory(DjangoModelFactory[BackupAllowance]):
    class Meta:
        model = BackupAllowance

    resource = factory.SubFactory(ResourceFactory, kind=ResourceKind.BACKUP)
    tier = factory.SubFactory(DRTierFactory)
    capacity_gb = 1200
    off_site = True


class FloatingAddressFactory(DjangoModelFactory[FloatingAddress]):
    """One that its server has."""

    class Meta:
        model = FloatingAddress

    unit = factory.LazyFunction(uuid4)
    server = factory.SubFactory(ServerFactory)
    network = factory.SubFactory(
        NetworkFactory,
        resource__system=factory.SelfAttribute("...server.resource.system"),
        router_id=factory.LazyFunction(lambda: str(uuid4())),
        external_network_id=factory.LazyFunction(lambda: str(uuid4())),
    )
    address = factory.Sequence(lambda n: f"203.0.113.{n % 254 + 1}")
    external_id = factory.LazyFunction(lambda: str(uuid4()))
    reserved_at = BEGINNING
    given_at = BEGINNING


class AddressBlockFactory(DjangoModelFactory[AddressBlock]):
    class Meta:
        model = AddressBlock

    cloud = factory.SubFactory(CloudFactory)
    unit = factory.LazyFunction(uuid4)
    first = factory.Sequence(lambda n: (10 << 24) + (20 << 16) + n * 64)
    last = factory.LazyAttribute(lambda block: block.first + 63)
    cidr = factory.LazyAttribute(
        lambda block: ".".join(str(block.first >> shift & 255) for shift in (24, 16, 8, 0)) + "/26"
    )


class AddressFactory(DjangoModelFactory[Address]):
    class Meta:
        model = Address

    block = factory.SubFactory(AddressBlockFactory)
    unit = factory.LazyFunction(uuid4)
    address = factory.LazyAttributeSequence(
        lambda given, n: given.block.cidr.split("/")[0].rpartition(".")[0] + f".{10 + n % 50}"
    )
    port_id = factory.LazyFunction(lambda: str(uuid4()))


def whole_server(**resource: object) -> Server:
    """A server of 4 vCPU and 16 GB with its 100 GB SSD system volume and a 500 GB SAS data volume: 726 yuan a month."""
    server = ServerFactory(**{f"resource__{name}": value for name, value in resource.items()})
    VolumeFactory(server=server, system_volume=True)
    VolumeFactory(server=server)
    return server
