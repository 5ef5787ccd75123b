"""What departments are told of the end of leases, and what follows when nobody has extended them."""

from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.inventory.models import Resource
from govcloud.leases.queries import ExpiryQuerySet, NoticeQuerySet
from govcloud.provisioning.models import Operation
from tenants.models import User


class NoticeKind(models.TextChoices):
    ENDING = "ending", _("the lease ends soon")
    ENDED = "ended", _("the lease has ended")
    SUSPENDED = "suspended", _("the server is stopped, because its lease has ended")
    RECLAIM = "reclaim", _("it will be taken back soon")
    RECLAIMED = "reclaimed", _("it is being taken back; its data are deleted")


class Notice(models.Model):
    """Something that a department is told of a lease: once for each kind, lease and number of days, of taking back once for each date.

    Facts, not sentences: whoever shows or sends it puts it into the reader's language. Rows are never changed, so that a
    sender can go through them by their id.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="lease_notices")
    kind = models.CharField(max_length=9, choices=NoticeKind)
    lease_end = models.DateTimeField()
    days = models.PositiveSmallIntegerField(null=True)  # of a warning: for how many days before it was due
    due_at = models.DateTimeField()  # when what it tells of happens, or has happened
    created_at = models.DateTimeField()

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["resource", "kind", "lease_end", "days"],
                condition=~Q(kind=NoticeKind.RECLAIM),
                name="lease_notice_told_once",
                nulls_distinct=False,
            ),
            models.UniqueConstraint(
                fields=["resource", "lease_end", "days", "due_at"],
                condition=Q(kind=NoticeKind.RECLAIM),
                name="lease_warning_once_a_date",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[NoticeKind.ENDING, NoticeKind.RECLAIM], days__isnull=False)
                | (~Q(kind__in=[NoticeKind.ENDING, NoticeKind.RECLAIM]) & Q(days__isnull=True)),
                name="lease_notice_warnings_have_days",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resource.name}: {self.get_kind_display()}"


class Obstacle(models.TextChoices):
    """Why what is due has to wait."""

    IN_HAND = "in_hand", _("something is being done with it")
    ORDER = "order", _("an open order is about it")
    LEGAL_HOLD = "legal_hold", _("it, or recovery points of it, are under a legal hold")
    SERVERS = "servers", _("servers are on it, or are to come to it")
    NEEDED = "needed", _("the system must have this backup while it has servers")


KEEPING = frozenset({Obstacle.ORDER, Obstacle.LEGAL_HOLD, Obstacle.NEEDED})
"""What may keep a thing for months after its department was warned."""


class Expiry(models.Model):
    """A lease that has ended, and how far what follows has got: a server is suspended, and after a grace everything is taken back.

    It counts for as long as the resource's lease ends when it says (``in_force``). ``next_look_at`` is when something has to be
    done or tried again, null when nothing ever has.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="expiries")
    lease_end = models.DateTimeField()
    found_at = models.DateTimeField()
    counts_from = models.DateTimeField()  # the grace began anew then: what was told before is of another date
    reclaim_at = models.DateTimeField()
    next_look_at = models.DateTimeField(null=True)
    obstacle = models.CharField(max_length=10, choices=Obstacle, blank=True)
    obstacle_detail = models.CharField(max_length=500, blank=True)  # an order's number, recovery points
    suspension = models.ForeignKey(Operation, null=True, on_delete=models.PROTECT, related_name="+")
    reclaim = models.ForeignKey(Operation, null=True, on_delete=models.PROTECT, related_name="+")
    postponed_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    postponed_because = models.CharField(max_length=500, blank=True)

    objects = ExpiryQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["reclaim_at", "id"]
        indexes: ClassVar = [
            models.Index(fields=["next_look_at"], name="expiry_due", condition=Q(next_look_at__isnull=False)),
            models.Index(fields=["reclaim_at"], name="expiry_to_reclaim", condition=Q(reclaim__isnull=True)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["resource", "lease_end"], name="expiry_once_per_lease"),
            models.CheckConstraint(
                condition=Q(postponed_by__isnull=True, postponed_because="")
                | (Q(postponed_by__isnull=False) & ~Q(postponed_because="")),
                name="expiry_postponed_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.resource.name
