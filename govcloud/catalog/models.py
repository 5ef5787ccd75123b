"""What departments can order, where it can be built, and what it is called there."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.catalog.lifecycle import CLOUD_TRANSITIONS, CloudStatus
from tenants.models import NetworkZone


class Service(models.TextChoices):
    """The ten services of the centre."""

    COMPUTING = "computing", _("cloud computing")
    STORAGE_DR = "storage_dr", _("storage and disaster recovery")
    ADDRESS_DNS = "address_dns", _("addresses and domain names")
    VPN = "vpn", _("virtual private network")
    EGRESS = "egress", _("Internet egress")
    TRANSPORT = "transport", _("network transport")
    MOBILE_ACCESS = "mobile_access", _("mobile access")
    MAILBOX = "mailbox", _("secure mailbox")
    CERTIFICATE = "certificate", _("digital certificates")
    COLOCATION = "colocation", _("server colocation")


class Kind(models.TextChoices):
    """What an order item is about, technically: decides its form and how it is fulfilled."""

    SERVER = "server", _("server")
    VOLUME = "volume", _("storage volume")
    NETWORK = "network", _("network")
    BACKUP = "backup", _("disaster-recovery backup")
    CONTAINER = "container", _("object container")
    QUOTA = "quota", _("quota")
    WORK_ORDER = "work_order", _("work order")


class Delivery(models.TextChoices):
    AUTOMATIC = "automatic", _("provisioned automatically")
    WORK_ORDER = "work_order", _("done by people, by work order")


class Offerable(models.Model):
    """Named in both languages, and orderable until it is retired."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class Meter(models.Model):
    """What usage is counted in and priced by: the quantity of one unit, for one month."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120)
    unit = models.CharField(max_length=20)  # "vCPU", "GB", "Mbps"…

    class Meta:
        ordering: ClassVar = ["code"]

    def __str__(self) -> str:
        return self.name


VCPU = "vcpu"
MEMORY_GB = "memory_gb"
"""The meters of every server, whatever its flavor."""

FLOATING_ADDRESS = "floating_address"
"""The meter of a server's floating address; a catalogue without it gives them away."""


class Offering(Offerable):
    """A line of the catalogue."""

    service = models.CharField(max_length=20, choices=Service)
    kind = models.CharField(max_length=12, choices=Kind)
    delivery = models.CharField(max_length=12, choices=Delivery)
    unit = models.CharField(max_length=20)  # "server", "GB", "Mbps", "certificate"…: what quantity counts
    meter = models.ForeignKey(
        Meter, null=True, blank=True, on_delete=models.PROTECT
    )  # of work orders; others' follow their parts
    max_quantity = models.PositiveIntegerField()  # per order item
    description = models.TextField(blank=True)
    description_en = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["service", "code"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(max_quantity__gte=1), name="offering_max_quantity_is_positive")
        ]


class Line(models.TextChoices):
    GENERAL = "general", _("general")
    DOMESTIC = "domestic", _("domestic (Xinchuang)")


class Flavor(Offerable):
    line = models.CharField(max_length=10, choices=Line)
    vcpus = models.PositiveSmallIntegerField()
    memory_gb = models.PositiveSmallIntegerField()

    class Meta:
        ordering: ClassVar = ["line", "vcpus", "memory_gb"]


class Keeps(models.TextChoices):
    BLOCK = "block", _("volumes")
    OBJECT = "object", _("object containers")


class StorageClass(Offerable):
    """A kind of block or object storage; billed by the meter per GB and month."""

    keeps = models.CharField(max_length=6, choices=Keeps, default=Keeps.BLOCK)
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="storage_classes")
    max_gb = models.PositiveIntegerField()  # per volume or container


class Image(Offerable):
    os = models.CharField(max_length=40)
    min_disk_gb = models.PositiveIntegerField()
    min_memory_gb = models.PositiveSmallIntegerField(default=1)


class DRTier(models.Model):
    """A DR level of GB/T 20988 as this centre offers it; thresholds are those of one edition of the standard."""

    level = models.PositiveSmallIntegerField()
    edition = models.CharField(max_length=4)  # year of the edition
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120)
    rto_minutes = models.PositiveIntegerField()
    rpo_minutes = models.PositiveIntegerField()
    off_site = models.BooleanField()
    provable_by_backup = (
        models.BooleanField()
    )  # levels 5 and 6 need replication evidence, which backups are not
    meter_local = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="+")
    meter_off_site = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="+")
    max_gb = models.PositiveIntegerField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["level"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["level"], condition=Q(retired_at__isnull=True), name="dr_tier_one_in_force_per_level"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Site(models.TextChoices):
    MAIN = "main", _("main site")
    DR = "dr", _("disaster-recovery site")


class Wiping(models.TextChoices):
    """What a cloud does to a volume's data when the volume is deleted, as its operators declare it."""

    OVERWRITTEN = "overwritten", _("overwritten with zeros before the space is given to anybody else")
    UNMAPPED = "unmapped", _("unmapped; space reads as zeros until its next owner writes to it")
    KEY_DESTROYED = "key_destroyed", _("encrypted, and the key destroyed")
    UNDECLARED = "undeclared", _("not declared by the cloud's operators")


class Retyping(models.TextChoices):
    """Whether volumes can move between a cloud's storage classes, and when."""

    NEVER = "never", _("not possible")
    DETACHED = "detached", _("while no server has it")
    ATTACHED = "attached", _("at any time")


class Cloud(models.Model):
    """An OpenStack that resources can be built on.

    ``profile`` is its name in clouds.yaml, where its credentials are; empty where they are kept here, encrypted
    (``clouds.CloudCredential``).
    """

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = CLOUD_TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120)
    profile = models.CharField(max_length=80, blank=True)
    site = models.CharField(max_length=4, choices=Site, default=Site.MAIN)
    status = models.CharField(max_length=8, choices=CloudStatus, default=CloudStatus.ENABLED)
    mlps_level = models.PositiveSmallIntegerField(default=3)  # of the highest systems that it takes
    domain_id = models.CharField(max_length=64, default="default")  # Keystone domain of the systems' projects
    # How Ansible reaches a guest: an OpenSSH ProxyCommand with {address}, {port} and {network_id}, or directly if empty.
    ssh_proxy_command = models.CharField(max_length=500, blank=True)
    management_cidr = models.CharField(
        max_length=43, blank=True
    )  # from where guests may be reached by SSH; empty: their subnet
    online_extend = models.BooleanField(
        default=True
    )  # whether an attached volume can grow (Cinder 3.42 and the driver)
    retyping = models.CharField(max_length=8, choices=Retyping, default=Retyping.DETACHED)
    backup_zone = models.CharField(max_length=80, blank=True)  # Cinder availability zone of off-site backups
    build_width = models.PositiveSmallIntegerField(default=20)  # servers that are being built at a time
    sizes_must_match = models.BooleanField(
        default=True
    )  # whether what is not of the catalogue's size there (clouds.sizes) is kept from being placed there
    version = models.PositiveIntegerField(default=1)  # counts edits, for ETag

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(mlps_level__gte=1, mlps_level__lte=5), name="cloud_mlps_level_of_the_standard"
            ),
            models.CheckConstraint(condition=Q(build_width__gte=1), name="cloud_builds_one_at_least"),
        ]

    def __str__(self) -> str:
        return self.name


class Zone(models.Model):
    """A network zone of the extranet on one cloud, and the address space that networks of systems are cut from."""

    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="zones")
    zone = models.CharField(max_length=10, choices=NetworkZone)
    address_pool = models.CharField(max_length=43)  # CIDR
    network_prefix = models.PositiveSmallIntegerField(default=26)  # size of one system's network
    dns_servers = models.CharField(max_length=200, blank=True)  # comma-separated
    external_network = models.CharField(
        max_length=120, blank=True
    )  # what the cloud calls the one that routers of this zone lead to; empty: the only one it has

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cloud", "zone"], name="zone_once_per_cloud"),
        ]


class CloudFlavor(models.Model):
    """What a flavor is called on a cloud."""

    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="flavors")
    flavor = models.ForeignKey(Flavor, on_delete=models.PROTECT, related_name="clouds")
    cloud_name = models.CharField(max_length=120)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cloud", "flavor"], name="flavor_once_per_cloud")
        ]


class CloudStorageClass(models.Model):
    """What a storage class is called on a cloud: a volume type of Cinder's, or a storage policy of Swift's.

    ``ordered_gb_per_built_gb`` is 1 on a real cloud. A small test cloud builds one GiB for that many ordered, rounded
    up; what is ordered, held, recorded and billed stays as ordered.
    """

    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="storage_classes")
    storage_class = models.ForeignKey(StorageClass, on_delete=models.PROTECT, related_name="clouds")
    cloud_name = models.CharField(max_length=120)
    ordered_gb_per_built_gb = models.PositiveIntegerField(default=1)
    wiping = models.CharField(max_length=13, choices=Wiping, default=Wiping.UNDECLARED)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cloud", "storage_class"], name="storage_class_once_per_cloud"),
            models.CheckConstraint(
                condition=Q(ordered_gb_per_built_gb__gte=1), name="storage_class_scale_is_positive"
            ),
        ]

    def built_gb(self, ordered_gb: int) -> int:
        """GiB to build for so many GB ordered: at least one, rounded up."""
        return -(-ordered_gb // self.ordered_gb_per_built_gb)


class CloudImage(models.Model):
    """What an image is called on a cloud."""

    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="images")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="clouds")
    cloud_name = models.CharField(max_length=120)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cloud", "image"], name="image_once_per_cloud")
        ]
