"""Passes over a cloud, and what they found that is not as recorded."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Cloud
from govcloud.inventory.models import Resource
from govcloud.provisioning.models import Operation
from govcloud.quotas.models import QuotaAccount
from govcloud.reconciliation.lifecycle import (
    FINDING_TRANSITIONS,
    SWEEP_TRANSITIONS,
    FindingStatus,
    SweepStatus,
)
from govcloud.reconciliation.vocabulary import Field, FindingKind, Remedy, SubjectKind
from tenants.models import System, User


class Extent(models.TextChoices):
    FULL = "full", _("everything")
    INCREMENTAL = "incremental", _("what has changed")


class Sweep(models.Model):
    """One pass over a cloud; the row is its place in the queue and its lock: one at a time per cloud.

    Whoever carries it out renews ``lease_until`` with every page it reads. ``servers_until`` and ``volumes_until`` are the
    latest changes seen, by the cloud's own clock: where the next pass goes on. ``servers`` is how many of ours stood there
    when it began.
    """

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = SWEEP_TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="sweeps")
    extent = models.CharField(max_length=11, choices=Extent)
    status = models.CharField(max_length=7, choices=SweepStatus, default=SweepStatus.DUE)
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    servers_until = models.DateTimeField(null=True)
    volumes_until = models.DateTimeField(null=True)
    servers = models.PositiveIntegerField(null=True)
    api_calls = models.PositiveIntegerField(default=0)
    objects_seen = models.PositiveIntegerField(default=0)
    findings_opened = models.PositiveIntegerField(default=0)
    findings_closed = models.PositiveIntegerField(default=0)
    failure = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["cloud"],
                condition=Q(status__in=[SweepStatus.DUE, SweepStatus.RUNNING]),
                name="sweep_one_at_a_time_per_cloud",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cloud.code} {self.requested_at:%Y-%m-%d %H:%M}"

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it has not ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def seconds_per_thousand(self) -> float | None:
        """Its seconds for a thousand servers; None where it has not ended, or where there were none."""
        seconds = self.seconds
        return seconds * 1_000 / self.servers if seconds is not None and self.servers else None


class Finding(models.Model):
    """Something that is not as recorded, and one way to put it right.

    ``external_id`` is the id in the cloud, of a project for its limits and of an account of ours for the ledger.
    ``resource`` is the record it is about: of a port or a floating address its server, of a security group, a rule or a router
    its network.
    """

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = FINDING_TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=14, choices=FindingKind)
    subject = models.CharField(max_length=20, choices=SubjectKind)
    remedy = models.CharField(max_length=14, choices=Remedy)
    status = models.CharField(max_length=9, choices=FindingStatus)
    cloud = models.ForeignKey(Cloud, null=True, on_delete=models.PROTECT, related_name="findings")
    external_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255, blank=True)
    unit = models.UUIDField(null=True)  # the mark that it carries or should carry
    system = models.ForeignKey(System, null=True, on_delete=models.PROTECT, related_name="findings")
    resource = models.ForeignKey(Resource, null=True, on_delete=models.PROTECT, related_name="findings")
    account = models.ForeignKey(QuotaAccount, null=True, on_delete=models.PROTECT, related_name="findings")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    sightings = models.PositiveIntegerField(default=1)
    resolved_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)  # applied or dismissed
    remark = models.CharField(
        max_length=500, blank=True
    )  # reason of a dismissal, or why the last application failed
    operation = models.ForeignKey(Operation, null=True, on_delete=models.PROTECT, related_name="findings")

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["cloud", "subject", "external_id"], name="finding_of_subject"),
            models.Index(fields=["status", "kind"], name="finding_by_status"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["cloud", "kind", "subject", "external_id", "remedy"],
                condition=~Q(status=FindingStatus.RESOLVED),
                nulls_distinct=False,
                name="finding_once_while_it_lasts",
            ),
            models.CheckConstraint(
                condition=Q(status=FindingStatus.RESOLVED, resolved_at__isnull=False)
                | (~Q(status=FindingStatus.RESOLVED) & Q(resolved_at__isnull=True)),
                name="finding_resolved_has_its_date",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} {self.name or self.external_id}"


class Difference(models.Model):
    """In one respect: what the record expects and what was found. Both are as the cloud writes them; empty is nothing."""

    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="differences")
    field = models.CharField(max_length=30, choices=Field)
    expected = models.CharField(max_length=500, blank=True)
    found = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["finding", "field"], name="difference_once_per_field"),
        ]
