"""The quota ledger: limits, holds and use per department and dimension, and the entries they are the sums of."""

from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.quotas.queries import QuotaAccountQuerySet
from tenants.models import Department


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
    def free(self) -> int | None:
        """What is left, never below zero although a limit may be lowered under what is in use; None if unlimited."""
        return None if self.limit is None else max(0, self.limit - self.held - self.used)


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
