"""What is kept of each cloud besides its name: credentials, parts, health, capacity, sizes, maintenance."""

from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Cloud
from govcloud.clouds.queries import MaintenanceQuerySet
from tenants.models import User


class PartsInUse(models.Manager["AvailabilityZone"]):
    """Without those that were taken out of the register."""

    def get_queryset(self) -> models.QuerySet["AvailabilityZone"]:
        return super().get_queryset().filter(retired_at=None)


class AvailabilityZone(models.Model):
    """A part of a cloud that fails by itself, by the names that its compute and its storage service give it.

    One that was taken out of the register stays for what tells that something was there.
    """

    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="availability_zones")
    code = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120)
    compute_zone = models.CharField(max_length=80, blank=True)  # empty: the service chooses
    volume_zone = models.CharField(max_length=80, blank=True)
    mlps_level = models.PositiveSmallIntegerField(default=3)  # of the highest systems that it takes
    retired_at = models.DateTimeField(null=True)

    objects = PartsInUse()
    every: ClassVar["models.Manager[AvailabilityZone]"] = models.Manager()

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cloud", "code"], name="availability_zone_once_per_cloud"),
            models.CheckConstraint(
                condition=Q(mlps_level__gte=1, mlps_level__lte=5), name="availability_zone_mlps_level"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class CloudCredential(models.Model):
    """How we sign in to a cloud, encrypted (see ``credentials``).

    ``stamp`` changes with every storing: sessions that were opened under another are not used again.
    """

    cloud = models.OneToOneField(Cloud, on_delete=models.CASCADE, primary_key=True, related_name="credential")
    algorithm = models.CharField(max_length=12)
    key = models.CharField(max_length=16)  # fingerprint of the key it is sealed with
    sealed = models.BinaryField()  # nonce, ciphertext, tag
    stamp = models.UUIDField(default=uuid4)
    stored_at = models.DateTimeField()


class GuestKey(models.Model):
    """A key with which playbooks enter guests, its private half encrypted (see ``guest_keys``). The newest is the current one."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(max_length=32, unique=True)  # under which clouds have the public half
    public_key = models.TextField()  # one line as OpenSSH writes it
    algorithm = models.CharField(max_length=12, blank=True)
    key = models.CharField(max_length=16, blank=True)  # fingerprint of the key it is sealed with
    sealed = models.BinaryField(null=True)  # nonce, ciphertext, tag; null once it was destroyed
    stored_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class HealthState(models.TextChoices):
    """``unknown`` until the first look; the others are what the gateway's look can find (``Reachability``)."""

    UNKNOWN = "unknown", _("not looked at yet")
    OK = "ok", _("answers")
    MISCONFIGURED = "misconfigured", _("not set up")
    UNREACHABLE = "unreachable", _("does not answer")
    UNAUTHORIZED = "unauthorized", _("refuses our credentials")
    FAILING = "failing", _("fails")


USABLE = frozenset({HealthState.UNKNOWN, HealthState.OK})


class ObjectStorage(models.TextChoices):
    """Whether the cloud's own service catalogue has an object store."""

    UNKNOWN = "unknown", _("not looked at yet")
    OFFERED = "offered", _("offered")
    ABSENT = "absent", _("not offered")


class CloudHealth(models.Model):
    """What the last look at a cloud found. ``due_at`` is when the next is due; whoever moves it on does the looking."""

    cloud = models.OneToOneField(Cloud, on_delete=models.CASCADE, primary_key=True, related_name="health")
    state = models.CharField(max_length=13, choices=HealthState, default=HealthState.UNKNOWN)
    since = models.DateTimeField()
    service = models.CharField(max_length=20, blank=True)  # where it failed
    detail = models.CharField(max_length=500, blank=True)  # the cloud's own words
    looked_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)  # when everything answered last
    object_storage = models.CharField(max_length=7, choices=ObjectStorage, default=ObjectStorage.UNKNOWN)
    due_at = models.DateTimeField()
    capacity_due_at = models.DateTimeField()  # and of its sizes
    sizes_compared_at = models.DateTimeField(null=True)


class HealthChange(models.Model):
    """A cloud's health from one look on."""

    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="health_changes")
    at = models.DateTimeField()
    state = models.CharField(max_length=13, choices=HealthState)
    service = models.CharField(max_length=20, blank=True)
    detail = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering: ClassVar = ["-at", "-id"]


class ServiceAnswer(models.Model):
    """How one service of a cloud answered the last look."""

    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="service_answers")
    service = models.CharField(max_length=20)
    state = models.CharField(max_length=13, choices=HealthState)
    milliseconds = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["service"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cloud", "service"], name="service_answer_once_per_service")
        ]


class CloudCapacity(models.Model):
    """What the hypervisors hold, as Placement counts them: vCPUs with overcommit, memory in GB (GiB).

    ``backends`` are those that Cinder's volume types name for their volumes, by the type's name. ``hosts`` is what each hypervisor
    has left (in all, and at most for one server), ``flavors`` what a server takes of one, by the catalogue's code of its flavor: both by
    Placement's resource class, memory in MiB.
    """

    cloud = models.OneToOneField(Cloud, on_delete=models.CASCADE, primary_key=True, related_name="capacity")
    vcpus_total = models.PositiveIntegerField()
    vcpus_used = models.PositiveIntegerField()
    memory_gb_total = models.PositiveIntegerField()
    memory_gb_used = models.PositiveIntegerField()
    backends = models.JSONField(default=dict)
    hosts = models.JSONField(default=list)
    flavors = models.JSONField(default=dict)
    read_at = models.DateTimeField()


class StoragePool(models.Model):
    """A pool of Cinder's; null where its back end does not say."""

    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="storage_pools")
    name = models.CharField(max_length=255)
    backend = models.CharField(max_length=255, blank=True)
    total_gb = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    free_gb = models.DecimalField(max_digits=18, decimal_places=2, null=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cloud", "name"], name="storage_pool_once_per_cloud")
        ]


class Sold(models.TextChoices):
    """What the catalogue sells under a name that a cloud has its own for; keys of ``names.TABLES``."""

    FLAVOR = "flavors", _("flavor")
    STORAGE_CLASS = "storage_classes", _("storage class")
    IMAGE = "images", _("image")


class Measure(models.TextChoices):
    """In what a cloud's thing can differ from the catalogue's."""

    MISSING = "missing", _("is there")
    VCPUS = "vcpus", _("vCPUs")
    MEMORY_MIB = "memory_mib", _("memory, MiB")
    ORDERED_GB_PER_BUILT_GB = "ordered_gb_per_built_gb", _("GB ordered for each GB built")
    MIN_DISK_GB = "min_disk_gb", _("smallest disk, GB")
    MIN_MEMORY_MIB = "min_memory_mib", _("smallest memory, MiB")


class SizeDifference(models.Model):
    """A measure in which the last comparison found a cloud's thing to be other than what the catalogue sells.

    ``expected`` is the catalogue's figure and ``found`` the cloud's, in the measure's unit; of what is missing 1 and 0.
    """

    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="size_differences")
    kind = models.CharField(max_length=15, choices=Sold)
    code = models.SlugField(max_length=40)  # the catalogue's
    cloud_name = models.CharField(max_length=120)  # under which it was looked for
    measure = models.CharField(max_length=23, choices=Measure)
    expected = models.PositiveIntegerField()
    found = models.PositiveIntegerField()

    class Meta:
        ordering: ClassVar = ["cloud", "kind", "code", "measure"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["cloud", "kind", "code", "measure"], name="size_difference_once_per_measure"
            )
        ]


class Running(models.TextChoices):
    """What becomes of work that is under way when the maintenance begins."""

    FINISH = "finish", _("is finished")
    PAUSE = "pause", _("pauses until it ends")


class Maintenance(models.Model):
    """A time in which nothing new is placed on a cloud. Two of one cloud never overlap.

    One that is ended early ends then; one that is called off before it began ends when it would have begun, and so
    is no time at all.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="maintenances")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    running = models.CharField(max_length=6, choices=Running)
    reason = models.CharField(max_length=300)  # shown to departments
    announced_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    announced_at = models.DateTimeField()

    objects = MaintenanceQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-starts_at", "-id"]
        indexes: ClassVar = [models.Index(fields=["ends_at"], name="maintenance_end")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(ends_at__gte=F("starts_at")), name="maintenance_ends_after_it_starts"
            ),
            ExclusionConstraint(
                name="maintenances_of_a_cloud_never_overlap",
                expressions=[
                    (
                        Func(F("cloud_id"), F("cloud_id"), Value("[]"), function="int8range"),
                        RangeOperators.EQUAL,
                    ),
                    (
                        Func(F("starts_at"), F("ends_at"), Value("[)"), function="tstzrange"),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]

    def __str__(self) -> str:
        return self.reason
