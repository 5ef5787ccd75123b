"""Backup plans and the recovery points they have made."""

from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.inventory.models import BackupAllowance, Container, Resource, Volume
from govcloud.protection.queries import LegalHoldQuerySet, RecoveryPointQuerySet
from govcloud.provisioning.models import Operation, Step
from tenants.models import User


class Frequency(models.TextChoices):
    DAILY = "daily", _("daily")
    WEEKLY = "weekly", _("weekly")


class BackupPlan(models.Model):
    """When the volumes of an allowance are backed up. One plan per allowance; it runs until the allowance is released."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    allowance = models.OneToOneField(BackupAllowance, on_delete=models.PROTECT, related_name="plan")
    name = models.CharField(max_length=80)
    frequency = models.CharField(max_length=8, choices=Frequency)
    keep = models.PositiveSmallIntegerField(default=7)  # recovery points kept per volume
    next_run_at = models.DateTimeField(null=True)  # null: ended
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(keep__gte=1), name="backup_plan_keeps_something")
        ]

    def __str__(self) -> str:
        return self.name


class PlannedVolume(models.Model):
    """A volume covered by a plan from one instant to another."""

    plan = models.ForeignKey(BackupPlan, on_delete=models.PROTECT, related_name="volumes")
    volume = models.ForeignKey(Volume, on_delete=models.PROTECT, related_name="plans")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["plan", "volume"], condition=Q(until__isnull=True), name="planned_volume_once"
            ),
        ]


class BackupRun(models.Model):
    """One pass of a plan over its volumes, due at ``due_at``: never two for the same due time."""

    plan = models.ForeignKey(BackupPlan, on_delete=models.PROTECT, related_name="runs")
    due_at = models.DateTimeField()
    operation = models.OneToOneField(Operation, on_delete=models.PROTECT, related_name="backup_run")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["plan", "due_at"], name="backup_run_once_per_due_time")
        ]


class RecoveryPoint(models.Model):
    """A state of a volume that can be restored, as confirmed by the cloud; until ``expired_at``.

    ``lost`` tells that nobody here deleted it: the cloud did not have it any more.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    run = models.ForeignKey(BackupRun, on_delete=models.PROTECT, related_name="recovery_points")
    volume = models.ForeignKey(Volume, on_delete=models.PROTECT, related_name="recovery_points")
    step = models.OneToOneField(Step, on_delete=models.PROTECT, related_name="recovery_point")
    external_id = models.CharField(max_length=64)
    taken_at = models.DateTimeField()
    size_gb = models.PositiveIntegerField()
    off_site = models.BooleanField()
    label = models.CharField(max_length=16, blank=True)  # of the file system that is on it, as of its volume
    restored_at = models.DateTimeField(null=True)  # when it was last written over a volume
    expired_at = models.DateTimeField(null=True)
    lost = models.BooleanField(default=False)

    objects = RecoveryPointQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-taken_at", "-id"]
        indexes: ClassVar = [
            models.Index(
                fields=["external_id"], name="recovery_point_kept", condition=Q(expired_at__isnull=True)
            ),
            models.Index(fields=["external_id"], name="recovery_point_lost", condition=Q(lost=True)),
        ]


class LegalHold(models.Model):
    """While it is in force the recovery point is not deleted, and what it is of is not released; or the container is not.

    While a container is held, those who have credentials for it may read and not write.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    point = models.ForeignKey(RecoveryPoint, null=True, on_delete=models.PROTECT, related_name="holds")
    container = models.ForeignKey(Container, null=True, on_delete=models.PROTECT, related_name="holds")
    reason = models.CharField(max_length=500)
    placed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    placed_at = models.DateTimeField()
    lifted_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    lifted_at = models.DateTimeField(null=True)
    lifted_because = models.CharField(max_length=500, blank=True)

    objects = LegalHoldQuerySet.as_manager()

    @property
    def resource(self) -> Resource:
        """What is not released while it is in force."""
        if self.container is not None:
            return self.container.resource
        if self.point is None:
            raise ValueError(f"legal hold {self.uuid} is on nothing")  # a CHECK constraint says it cannot be
        return self.point.volume.resource

    class Meta:
        ordering: ClassVar = ["placed_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["point"], condition=Q(lifted_at__isnull=True), name="legal_hold_one_in_force"
            ),
            models.UniqueConstraint(
                fields=["container"],
                condition=Q(lifted_at__isnull=True),
                name="legal_hold_one_in_force_per_container",
            ),
            models.CheckConstraint(
                condition=Q(point__isnull=True) ^ Q(container__isnull=True), name="legal_hold_is_on_one_thing"
            ),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by__isnull=True, lifted_because="")
                | (Q(lifted_at__isnull=False, lifted_by__isnull=False) & ~Q(lifted_because="")),
                name="legal_hold_lifted_by_somebody_for_a_reason",
            ),
        ]
