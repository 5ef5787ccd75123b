"""Projects that were built outside, what was found in them, and what it would become here."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from govcloud.catalog.models import Cloud, Flavor, Image, StorageClass
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.provisioning.models import Operation
from govcloud.takeover.lifecycle import (
    CANDIDATE_TRANSITIONS,
    OURS,
    TAKEOVER_TRANSITIONS,
    CandidateStatus,
    TakeoverStatus,
)
from govcloud.takeover.vocabulary import Counted, Obstacle
from tenants.models import NetworkZone, System


class Takeover(models.Model):
    """One project of a cloud that is taken over for one system, whole or in part.

    The row is the place of its survey in the queue and its lock. ``system``, ``zone``, ``lease_end`` and ``billing_start``
    are what an administrator assigns; without a billing start usage is metered from the takeover on.
    """

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = TAKEOVER_TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="takeovers")
    project_id = models.CharField(max_length=64)
    project_name = models.CharField(max_length=255)
    status = models.CharField(max_length=9, choices=TakeoverStatus, default=TakeoverStatus.DUE)
    requested_at = models.DateTimeField()
    surveyed_at = models.DateTimeField(null=True)  # when the last survey began that succeeded
    lease_until = models.DateTimeField(null=True)
    api_calls = models.PositiveIntegerField(default=0)  # of the last survey
    failure = models.TextField(blank=True)
    system = models.ForeignKey(System, null=True, on_delete=models.PROTECT, related_name="takeovers")
    zone = models.CharField(max_length=10, choices=NetworkZone, blank=True)
    lease_end = models.DateTimeField(null=True)
    billing_start = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cloud", "project_id"], name="takeover_once_per_project"),
        ]

    def __str__(self) -> str:
        return f"{self.cloud.code} {self.project_name}"


class Besides(models.Model):
    """What counts against the project's limits and is no candidate: ports of routers, backups, security groups."""

    takeover = models.ForeignKey(Takeover, on_delete=models.CASCADE, related_name="besides")
    counted = models.CharField(max_length=30, choices=Counted)
    amount = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["takeover", "counted"], name="besides_once_per_takeover"),
        ]


class Candidate(models.Model):
    """A server, volume or network of the project as the last survey found it, and what it would become.

    ``unit`` is the mark it gets; one that was given up gets another. ``held_by`` is the server that has a volume, by its id
    in the cloud. ``image_name`` is the image's name, or its id where the cloud has forgotten the name.
    """

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = CANDIDATE_TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    takeover = models.ForeignKey(Takeover, on_delete=models.CASCADE, related_name="candidates")
    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=ResourceKind)
    external_id = models.CharField(max_length=64)
    unit = models.UUIDField(default=uuid4, unique=True)
    found_name = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=7, choices=CandidateStatus, default=CandidateStatus.OPEN)
    obstacles = ArrayField(models.CharField(max_length=20, choices=Obstacle), default=list)
    mark = models.UUIDField(null=True)  # that it carries already
    cloud_status = models.CharField(max_length=40, blank=True)
    availability_zone = models.CharField(max_length=80, blank=True)
    flavor_name = models.CharField(max_length=255, blank=True)
    vcpus = models.PositiveIntegerField(default=0)
    memory_mib = models.PositiveIntegerField(default=0)
    image_name = models.CharField(max_length=255, blank=True)
    volume_type = models.CharField(max_length=255, blank=True)
    size_gib = models.PositiveIntegerField(default=0)
    held_by = ArrayField(models.CharField(max_length=64), default=list)
    boots = models.CharField(max_length=6, blank=True)  # inventory.VolumeRole of a volume
    snapshots = models.PositiveIntegerField(default=0)
    cidr = models.CharField(max_length=43, blank=True)
    gateway = models.CharField(max_length=39, blank=True)
    subnet_id = models.CharField(max_length=64, blank=True)
    subnets = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=48, blank=True)  # that it would have here
    flavor = models.ForeignKey(Flavor, null=True, on_delete=models.PROTECT, related_name="+")
    image = models.ForeignKey(Image, null=True, on_delete=models.PROTECT, related_name="+")
    storage_class = models.ForeignKey(StorageClass, null=True, on_delete=models.PROTECT, related_name="+")
    size_gb = models.PositiveIntegerField(default=0)  # as it would be recorded and billed
    operation = models.ForeignKey(Operation, null=True, on_delete=models.PROTECT, related_name="candidates")
    resource = models.ForeignKey(Resource, null=True, on_delete=models.PROTECT, related_name="candidates")
    metered_at = models.DateTimeField(null=True)  # when its metering was started
    remark = models.CharField(max_length=500, blank=True)  # why it was not taken over the last time

    class Meta:
        ordering: ClassVar = ["takeover", "kind", "found_name", "id"]
        indexes: ClassVar = [models.Index(fields=["operation"], name="candidate_of_operation")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["takeover", "external_id"], name="candidate_once_per_takeover"),
            models.UniqueConstraint(
                fields=["cloud", "external_id"], condition=Q(status__in=OURS), name="candidate_taken_once"
            ),
            models.CheckConstraint(
                condition=~Q(status=CandidateStatus.TAKEN) | Q(resource__isnull=False),
                name="candidate_taken_is_a_resource",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.found_name or self.external_id


class Port(models.Model):
    """A port on a network of the project. ``held_by`` is its server's id in the cloud, empty for a router's or nobody's."""

    takeover = models.ForeignKey(Takeover, on_delete=models.CASCADE, related_name="ports")
    external_id = models.CharField(max_length=64)
    network_id = models.CharField(max_length=64)
    held_by = models.CharField(max_length=64, blank=True)
    addresses = ArrayField(models.GenericIPAddressField(), default=list)
    security_groups = ArrayField(models.CharField(max_length=64), default=list)

    class Meta:
        ordering: ClassVar = ["id"]


class Equivalent(models.Model):
    """What a name on a cloud, which is not the catalogue's name there, is taken for. Used by every takeover from it."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="equivalents")
    cloud_name = models.CharField(max_length=255)
    flavor = models.ForeignKey(Flavor, null=True, on_delete=models.PROTECT, related_name="+")
    image = models.ForeignKey(Image, null=True, on_delete=models.PROTECT, related_name="+")
    storage_class = models.ForeignKey(StorageClass, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["cloud", "cloud_name", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["cloud", "cloud_name"],
                condition=Q(flavor__isnull=False),
                name="equivalent_flavor_once",
            ),
            models.UniqueConstraint(
                fields=["cloud", "cloud_name"], condition=Q(image__isnull=False), name="equivalent_image_once"
            ),
            models.UniqueConstraint(
                fields=["cloud", "cloud_name"],
                condition=Q(storage_class__isnull=False),
                name="equivalent_storage_class_once",
            ),
            models.CheckConstraint(
                condition=Q(flavor__isnull=False, image=None, storage_class=None)
                | Q(flavor=None, image__isnull=False, storage_class=None)
                | Q(flavor=None, image=None, storage_class__isnull=False),
                name="equivalent_of_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return self.cloud_name
