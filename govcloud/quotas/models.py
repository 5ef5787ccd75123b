"""The quota ledger: limits, holds and use per department and dimension, the entries they are the sums of, and their history."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.quotas.lifecycle import TRANSITIONS, RaiseStatus
from govcloud.quotas.queries import (
    CrossingQuerySet,
    LimitChangeQuerySet,
    QuotaAccountQuerySet,
    TemporaryRaiseQuerySet,
)
from tenants.models import Department, User


class Dimension(models.TextChoices):
    SERVERS = "servers", _("servers")
    VCPUS = "vcpus", _("vCPU")
    MEMORY_GB = "memory_gb", _("memory, GB")
    STORAGE_GB = "storage_gb", _("block storage, GB")
    OBJECT_GB = "object_gb", _("object storage, GB")
    BACKUP_GB = "backup_gb", _("backup, GB")
    NETWORKS = "networks", _("networks")
    ADDRESSES = "addresses", _("floating addresses")


class QuotaAccount(models.Model):
    """What a department and everything below it may hold and use. A null limit is unlimited; 0 is nothing at all."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="quota_accounts")
    dimension = models.CharField(max_length=12, choices=Dimension)
    limit = models.PositiveBigIntegerField(null=True)
    held = models.BigIntegerField(default=0)
    used = models.BigIntegerField(default=0)
    version = models.PositiveIntegerField(default=1)  # counts changes of the limit, for ETag

    objects = QuotaAccountQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["department__path", "dimension"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["department", "dimension"], name="quota_account_once"),
            models.CheckConstraint(condition=Q(held__gte=0), name="quota_held_is_not_negative"),
            models.CheckConstraint(condition=Q(used__gte=0), name="quota_used_is_not_negative"),
        ]

    @property
    def taken(self) -> int:
        """What counts against the limit: held by orders on their way, and used."""
        return self.held + self.used

    @property
    def free(self) -> int | None:
        """What is left, never below zero although a limit may be lowered under what is in use; None if unlimited."""
        return None if self.limit is None else max(0, self.limit - self.taken)

    def __str__(self) -> str:
        return f"{self.department} {self.dimension}"


class EntryKind(models.TextChoices):
    HOLD = "hold"
    UNHOLD = "unhold"  # a hold given back unused: refused, withdrawn, confirmed absent
    COMMIT = "commit"  # a hold turned into use
    GIVE_BACK = "give_back"  # use that ended


class QuotaEntry(models.Model):
    """One movement on one account; append-only. ``source`` names the unit it is for, once per kind.

    An account's ``held`` is its HOLD entries less UNHOLD and COMMIT; its ``used`` is COMMIT less GIVE_BACK.
    """

    account = models.ForeignKey(QuotaAccount, on_delete=models.PROTECT, related_name="entries")
    source = models.UUIDField()
    kind = models.CharField(max_length=10, choices=EntryKind)
    amount = models.PositiveBigIntegerField()
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["source"], name="quota_entry_source")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "source", "kind"], name="quota_entry_once_per_source_and_kind"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="quota_entry_moves_something"),
        ]


class Origin(models.TextChoices):
    """How a limit came to be changed."""

    OPENED = "opened", _("account opened")
    SET = "set", _("set by a cloud administrator")
    ORDERED = "ordered", _("ordered and approved")
    TEMPORARY = "temporary", _("ordered and approved for a time")
    FELL_BACK = "fell_back", _("fell back at the end of its time")
    ALLOTTED = "allotted", _("handed on by the unit above")


class LimitChange(models.Model):
    """One change of one limit: who, when, why, and by which order; append-only. A null limit is unlimited, 0 nothing at all."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    account = models.ForeignKey(QuotaAccount, on_delete=models.PROTECT, related_name="changes")
    origin = models.CharField(max_length=10, choices=Origin)
    before = models.PositiveBigIntegerField(null=True)
    after = models.PositiveBigIntegerField(null=True)
    until = models.DateField(null=True)  # the last day of a temporary raise
    actor = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")  # null: by itself
    reason = models.CharField(max_length=500, blank=True)  # in people's own words
    thread = models.UUIDField(null=True)  # the order, if it came by one
    order_number = models.CharField(max_length=20, blank=True)
    at = models.DateTimeField()

    objects = LimitChangeQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["account", "id"], name="limit_change_of_account")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "thread", "origin"],
                condition=Q(thread__isnull=False),
                name="limit_changed_once_per_order",
            ),
        ]


class TemporaryRaise(models.Model):
    """A limit that falls back by itself: to ``falls_back_to`` when ``until``, its last day, is over.

    The row is the queue: it is due at ``next_run_at``. ``beyond`` is by how much more was held and used then than the limit.
    ``warned_at`` is when the department was told that the end is near; with the grant itself, if it was near then.
    """

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    account = models.ForeignKey(QuotaAccount, on_delete=models.PROTECT, related_name="raises")
    limit = models.PositiveBigIntegerField()
    falls_back_to = models.PositiveBigIntegerField()
    until = models.DateField()
    status = models.CharField(max_length=8, choices=RaiseStatus, default=RaiseStatus.RUNNING)
    thread = models.UUIDField()  # the order that asked for it
    order_number = models.CharField(max_length=20)
    since = models.DateTimeField()
    next_run_at = models.DateTimeField()
    warned_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    beyond = models.PositiveBigIntegerField(default=0)

    objects = TemporaryRaiseQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["next_run_at", "id"]
        indexes: ClassVar = [
            models.Index(fields=["next_run_at"], name="temporary_raise_due", condition=Q(status="running"))
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(status="running"), name="temporary_raise_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(limit__gt=models.F("falls_back_to")), name="temporary_raise_raises"
            ),
            models.CheckConstraint(
                condition=Q(status="running", ended_at__isnull=True)
                | (~Q(status="running") & Q(ended_at__isnull=False)),
                name="temporary_raise_ends_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.until}"


class Crossing(models.Model):
    """An account that has reached a share of its limit, told once until it is below it again (``cleared_at``)."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    account = models.ForeignKey(QuotaAccount, on_delete=models.PROTECT, related_name="crossings")
    percent = models.PositiveSmallIntegerField()
    limit = models.PositiveBigIntegerField()  # as it was
    taken = models.PositiveBigIntegerField()  # held and used, as it was
    crossed_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True)

    objects = CrossingQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "percent"],
                condition=Q(cleared_at__isnull=True),
                name="crossing_once_until_it_is_cleared",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.percent} %"
