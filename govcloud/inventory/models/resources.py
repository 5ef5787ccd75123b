"""What every resource has, and what each kind has besides."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID, uuid4

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Cloud, DRTier, Flavor, Image, StorageClass, Wiping
from govcloud.clouds.models import AvailabilityZone
from govcloud.inventory.lifecycle import TRANSITIONS, Status
from govcloud.inventory.queries import (
    OfVolumeQuerySet,
    ResourceQuerySet,
    WipeRecordQuerySet,
)
from tenants.models import NetworkZone, System, User


class ResourceKind(models.TextChoices):
    SERVER = "server", _("server")
    VOLUME = "volume", _("storage volume")
    NETWORK = "network", _("network")
    BACKUP = "backup", _("backup allowance")
    CONTAINER = "container", _("object container")


class Project(models.Model):
    """The Keystone project that holds a system's resources on a cloud."""

    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="projects")
    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="projects")
    external_id = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["system", "cloud"], name="project_once_per_system_and_cloud"),
            models.UniqueConstraint(fields=["cloud", "external_id"], name="project_belongs_to_one_system"),
        ]


class Resource(models.Model):
    """What every resource has; the particulars are in the one-to-one row of its kind (server, volume, network, backup,
    container).

    ``unit`` is the id the cloud carries in the thing's tags or metadata. ``thread`` is the public id of the order it
    came from, under which its audit events are read. ``billing_start`` is its own date, apart from ``built_at``.
    """

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    unit = models.UUIDField(unique=True)
    thread = models.UUIDField(null=True, db_index=True)
    kind = models.CharField(max_length=10, choices=ResourceKind)
    name = models.CharField(max_length=80)
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="resources")
    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="resources")
    zone = models.CharField(max_length=10, choices=NetworkZone)
    availability_zone = models.ForeignKey(
        AvailabilityZone, null=True, on_delete=models.PROTECT, related_name="resources"
    )  # null: the cloud has no parts, or chose itself
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    external_id = models.CharField(
        max_length=64, blank=True
    )  # empty for what lives only here (a backup allowance)
    built_at = models.DateTimeField()
    billing_start = models.DateTimeField()
    lease_end = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)

    objects = ResourceQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["system", "kind", "status"], name="resource_of_system"),
            models.Index(
                fields=["lease_end"],
                name="resource_lease_end",
                condition=Q(lease_end__isnull=False, released_at__isnull=True),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["cloud", "external_id"],
                condition=~Q(external_id="") & ~Q(status=Status.RELEASED),
                name="resource_once_per_cloud_id",
            ),
            models.CheckConstraint(
                condition=Q(status=Status.RELEASED, released_at__isnull=False)
                | (~Q(status=Status.RELEASED) & Q(released_at__isnull=True)),
                name="resource_released_has_its_date",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Network(models.Model):
    resource = models.OneToOneField(
        Resource, on_delete=models.PROTECT, primary_key=True, related_name="network"
    )
    cidr = models.CharField(max_length=43)
    gateway = models.GenericIPAddressField()
    subnet_id = models.CharField(max_length=64)
    security_group_id = models.CharField(max_length=64)
    router_id = models.CharField(max_length=64, blank=True)  # empty: nothing leads out of the network
    external_network_id = models.CharField(max_length=64, blank=True)  # where its router leads
    outside_address = models.GenericIPAddressField(null=True)  # under which its servers are seen out there

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(router_id="", external_network_id="")
                | (~Q(router_id="") & ~Q(external_network_id="")),
                name="network_router_leads_somewhere",
            ),
        ]


class Power(models.TextChoices):
    """``broken`` is a server whose system could not be written anew: the cloud has it in ERROR until that is done once more."""

    RUNNING = "running", _("running")
    STOPPED = "stopped", _("stopped")
    BROKEN = "broken", _("in error")


class Guest(models.TextChoices):
    """Whether playbooks can enter a server. What was taken over does not have our key, and nobody puts it there."""

    MANAGED = "managed", _("kept by the centre")
    UNMANAGED = "unmanaged", _("kept by its department alone")


class Server(models.Model):
    resource = models.OneToOneField(
        Resource, on_delete=models.PROTECT, primary_key=True, related_name="server"
    )
    flavor = models.ForeignKey(Flavor, on_delete=models.PROTECT, related_name="servers")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="servers")
    cloud_flavor = models.CharField(
        max_length=120, blank=True
    )  # what its cloud calls its flavor, where that is not the catalogue's name there
    vcpus = models.PositiveSmallIntegerField()
    memory_gb = models.PositiveSmallIntegerField()
    guest = models.CharField(max_length=9, choices=Guest, default=Guest.MANAGED)
    power = models.CharField(max_length=7, choices=Power, default=Power.RUNNING)  # as it was last asked for
    suspended_at = models.DateTimeField(null=True)  # since when it is stopped because its lease ended
    power_before = models.CharField(
        max_length=7, choices=Power, blank=True
    )  # as it was then, and will be again when the lease is extended
    configured_at = models.DateTimeField(
        null=True
    )  # when the baseline was last confirmed (rerun without a change)
    host_keys = models.TextField(
        blank=True
    )  # public SSH keys that the guest showed when it was first reached, one a line
    guest_key = models.CharField(
        max_length=32, blank=True
    )  # name of the centre's key that it lets in, as the only one of them; empty where that is not known


class LoginKey(models.Model):
    """A public SSH key with which the department's administrators enter a server."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="login_keys")
    public_key = models.TextField()  # one line as OpenSSH writes it, with its comment
    fingerprint = models.CharField(max_length=64)  # SHA256:…

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "fingerprint"], name="login_key_once_per_server"),
        ]


class VolumeRole(models.TextChoices):
    SYSTEM = "system", _("system volume")
    DATA = "data", _("data volume")


class Volume(models.Model):
    resource = models.OneToOneField(
        Resource, on_delete=models.PROTECT, primary_key=True, related_name="volume"
    )
    server = models.ForeignKey(Server, null=True, on_delete=models.PROTECT, related_name="volumes")
    role = models.CharField(max_length=6, choices=VolumeRole)
    storage_class = models.ForeignKey(StorageClass, on_delete=models.PROTECT, related_name="volumes")
    cloud_class = models.CharField(
        max_length=120, blank=True
    )  # what its cloud calls its class, where that is not the catalogue's name there
    size_gb = models.PositiveIntegerField()
    label = models.CharField(max_length=16, blank=True)  # of the filesystem, on data volumes
    mount_point = models.CharField(max_length=120, blank=True)


class Snapshot(models.Model):
    """A volume's state at one moment, on the volume's own back end: a way back, no backup.

    It counts against the department's storage with its volume's whole size, as the cloud counts it: so much it may come to
    occupy. ``unit`` is the id it carries in the cloud and its quota is held under.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    unit = models.UUIDField(unique=True)
    volume = models.ForeignKey(Volume, on_delete=models.PROTECT, related_name="snapshots")
    name = models.CharField(max_length=40)
    external_id = models.CharField(max_length=64)
    size_gb = models.PositiveIntegerField()  # of the volume when it was taken
    taken_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    taken_at = models.DateTimeField()
    restored_at = models.DateTimeField(null=True)  # when its volume was last put back to it
    deleted_at = models.DateTimeField(null=True)

    objects = OfVolumeQuerySet["Snapshot"].as_manager()

    class Meta:
        ordering: ClassVar = ["-taken_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["volume", "name"],
                condition=Q(deleted_at__isnull=True),
                name="snapshot_name_once_per_volume",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WipeRecord(models.Model):
    """Evidence that residual data were wiped on reclaim (MLPS, GB/T 22239: residual information protection).

    Of a volume or an object container. Written once, when the cloud confirms that it is gone, and never changed: a trigger
    refuses it.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    resource = models.OneToOneField(Resource, on_delete=models.PROTECT, related_name="wipe_record")
    external_id = models.CharField(max_length=64)
    size_gb = models.PositiveIntegerField()
    means = models.CharField(max_length=13, choices=Wiping)
    request_id = models.CharField(max_length=64, blank=True)  # of the deletion, in the cloud's own logs
    requested_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField()

    objects = WipeRecordQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-confirmed_at", "-id"]


class BackupAllowance(models.Model):
    """Backup capacity a system has been granted, and what of it runs (see ``protection.BackupPlan``)."""

    resource = models.OneToOneField(
        Resource, on_delete=models.PROTECT, primary_key=True, related_name="backup"
    )
    tier = models.ForeignKey(DRTier, on_delete=models.PROTECT, related_name="allowances")
    capacity_gb = models.PositiveIntegerField()
    off_site = models.BooleanField()


class AddressBlock(models.Model):
    """A network's range, reserved before the network exists. No two blocks in force on one cloud overlap.

    ``first`` and ``last`` are the addresses as numbers, so that the exclusion constraint needs no extension.
    """

    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="address_blocks")
    unit = models.UUIDField(unique=True)
    cidr = models.CharField(max_length=43)
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(last__gte=F("first")), name="address_block_is_a_range"),
            ExclusionConstraint(
                name="address_blocks_never_overlap",
                condition=Q(released_at__isnull=True),
                expressions=[
                    (
                        Func(F("cloud_id"), F("cloud_id"), models.Value("[]"), function="int8range"),
                        RangeOperators.EQUAL,
                    ),
                    (
                        Func(F("first"), F("last"), models.Value("[]"), function="int8range"),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]


class Address(models.Model):
    """An address of a block given to a server, before its port exists: two servers never share one.

    A server's first carries the server's own unit and is the one it is managed by. Further ones have units of their own and
    name their ``server``.
    """

    block = models.ForeignKey(AddressBlock, on_delete=models.PROTECT, related_name="addresses")
    unit = models.UUIDField(unique=True)
    server = models.ForeignKey(Server, null=True, on_delete=models.PROTECT, related_name="further_addresses")
    address = models.GenericIPAddressField()
    port_id = models.CharField(max_length=64, blank=True)
    security_groups = ArrayField(
        models.CharField(max_length=64), null=True
    )  # of a port that was taken over, which keeps what it had; null: the network's own
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["block", "address"], condition=Q(released_at__isnull=True), name="address_given_once"
            ),
        ]

    @property
    def marked_after(self) -> UUID:
        """The unit that its port carries as its mark: its own, or its server's where the port was taken over with that."""
        taken_over = self.security_groups is not None
        return self.server.resource.unit if self.server is not None and taken_over else self.unit
