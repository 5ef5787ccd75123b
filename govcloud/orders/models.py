"""What a department fills in: one order for one application system, its items, revisions and quote."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.models import Case, Priority
from govcloud.catalog.models import Cloud, DRTier, Flavor, Image, Kind, Meter, Offering, Site, StorageClass
from govcloud.clouds.models import AvailabilityZone
from govcloud.grams import Grams, Joined
from govcloud.inventory.models import Resource
from govcloud.orders.lifecycle import TRANSITIONS, Status
from govcloud.orders.queries import AttachmentQuerySet, OrderQuerySet, PlacementQuerySet
from govcloud.protection.models import Frequency
from govcloud.provisioning.models import Operation
from govcloud.provisioning.weighing import Verdict
from govcloud.quotas.models import Dimension
from tenants.models import NetworkZone, System, User


class Action(models.TextChoices):
    CREATE = "create", _("new")
    CHANGE = "change", _("change")
    RENEW = "renew", _("renewal")
    RELEASE = "release", _("release")


class Order(models.Model):
    """The aggregate: edited as a draft (or when returned), frozen as a revision at each submission."""

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    number = models.CharField(max_length=20, unique=True)  # "GC-2026-000123"
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="orders")
    title = models.CharField(max_length=120)
    justification = models.TextField(blank=True)
    urgency = models.CharField(max_length=500, blank=True)  # why it is urgent; empty: it is not
    applicant = models.ForeignKey(User, on_delete=models.PROTECT, related_name="orders")
    status = models.CharField(max_length=12, choices=Status, default=Status.DRAFT)
    case = models.OneToOneField(
        Case, null=True, on_delete=models.PROTECT, related_name="order"
    )  # of the last submission
    version = models.PositiveIntegerField(default=1)  # counts edits, for ETag
    # Keys of people: who has ever written of it, files included. They decide on none of its revisions.
    writers = ArrayField(models.BigIntegerField(), default=list)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    # Yuan for a whole month, of the last revision: kept here as well, so that a list is sorted by it from an index.
    monthly_total = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    finished_at = models.DateTimeField(null=True)
    # What words are looked for in. To capitalise ten thousand rows takes longer than to find them.
    searched = models.GeneratedField(
        expression=Upper(Joined(F("number"), F("title"))), output_field=models.TextField(), db_persist=True
    )

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["system", "status"], name="order_of_system"),
            models.Index(fields=["status", "id"], name="order_by_status"),
            models.Index(fields=["created_at", "id"], name="order_by_creation"),
            models.Index(fields=["title", "id"], name="order_by_title"),
            # Drafts come last whichever way a list is sorted, so each way has its own.
            models.Index("monthly_total", "id", name="order_cheapest_first"),
            models.Index(
                F("monthly_total").desc(nulls_last=True), F("id").desc(), name="order_dearest_first"
            ),
            models.Index("submitted_at", "id", name="order_oldest_first"),
            models.Index(F("submitted_at").desc(nulls_last=True), F("id").desc(), name="order_newest_first"),
            GinIndex(Grams(F("searched")), name="order_grams"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(submitted_at__isnull=True, monthly_total__isnull=True)
                | Q(submitted_at__isnull=False, monthly_total__isnull=False),
                name="order_has_a_total_once_submitted",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    def written_by(self, person: User) -> None:
        """Saved with the rest of the order by whoever calls it."""
        self.writers = sorted({*self.writers, person.pk})

    @property
    def priority(self) -> Priority:
        return Priority.URGENT if self.urgency else Priority.NORMAL


class NumberSeries(models.Model):
    """The last order number given out in a year (see ``numbering``)."""

    year = models.PositiveSmallIntegerField(primary_key=True)
    last = models.PositiveIntegerField()


class OrderItem(models.Model):
    """One line: create so many of something, or change, renew or release one resource (``target``), or change a quota.

    The particulars of what is created are in the one-to-one row of its kind.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveSmallIntegerField()
    action = models.CharField(max_length=8, choices=Action)
    kind = models.CharField(max_length=12, choices=Kind)
    offering = models.ForeignKey(Offering, on_delete=models.PROTECT, related_name="order_items")
    name = models.CharField(max_length=40)  # servers get it with a number: app-1, app-2
    quantity = models.PositiveIntegerField(default=1)
    zone = models.CharField(max_length=10, choices=NetworkZone)
    site = models.CharField(
        max_length=4, choices=Site, default=Site.MAIN
    )  # of networks; servers follow theirs
    target = models.ForeignKey(Resource, null=True, on_delete=models.PROTECT, related_name="order_items")
    lease_months = models.PositiveSmallIntegerField(default=12)

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "position"], name="order_item_position_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="order_item_quantity_is_positive"),
            models.CheckConstraint(
                condition=Q(action="create", target__isnull=True)
                | Q(action="change", kind="quota", target__isnull=True, quantity=1)
                | (~Q(action="create") & Q(target__isnull=False, quantity=1)),
                name="order_item_changes_name_their_target",
            ),
            models.CheckConstraint(
                condition=Q(lease_months__gte=1, lease_months__lte=12), name="order_item_lease_at_most_a_year"
            ),
        ]


class ServerSpec(models.Model):
    item = models.OneToOneField(OrderItem, on_delete=models.CASCADE, primary_key=True, related_name="server")
    flavor = models.ForeignKey(Flavor, on_delete=models.PROTECT, related_name="+")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="+")
    # The network ordered in the same order (its item's name), or one that the system has already (exactly one of the two).
    network_item = models.ForeignKey(
        OrderItem, null=True, on_delete=models.CASCADE, related_name="servers_on_network"
    )
    network = models.ForeignKey(Resource, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(network_item__isnull=True) ^ Q(network__isnull=True),
                name="server_spec_has_one_network",
            ),
        ]


class ResizeSpec(models.Model):
    """The flavor that a server shall have (change)."""

    item = models.OneToOneField(OrderItem, on_delete=models.CASCADE, primary_key=True, related_name="resize")
    flavor = models.ForeignKey(Flavor, on_delete=models.PROTECT, related_name="+")


class AddressSpec(models.Model):
    """A floating address that a server shall have (change), and the network that it leads through."""

    item = models.OneToOneField(
        OrderItem, on_delete=models.CASCADE, primary_key=True, related_name="floating"
    )
    network = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="+")


class VolumeSpec(models.Model):
    """A volume of a server that is ordered (position 0 is the system volume), a volume by itself, or what one becomes (change).

    ``server`` is where a volume by itself is attached; ``class_before`` what a change of the class moves it from.
    """

    item = models.ForeignKey(OrderItem, on_delete=models.CASCADE, related_name="volumes")
    position = models.PositiveSmallIntegerField(default=0)
    storage_class = models.ForeignKey(StorageClass, on_delete=models.PROTECT, related_name="+")
    size_gb = models.PositiveIntegerField()
    server = models.ForeignKey(Resource, null=True, on_delete=models.PROTECT, related_name="+")
    class_before = models.ForeignKey(StorageClass, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["item", "position"], name="volume_spec_position_once"),
            models.CheckConstraint(condition=Q(size_gb__gte=1), name="volume_spec_size_is_positive"),
        ]


class ContainerSpec(models.Model):
    """A container that is ordered, what its quota becomes (change), or whether it goes with what it holds (release)."""

    item = models.OneToOneField(
        OrderItem, on_delete=models.CASCADE, primary_key=True, related_name="container"
    )
    storage_class = models.ForeignKey(StorageClass, on_delete=models.PROTECT, related_name="+")
    quota_gb = models.PositiveIntegerField()
    delete_contents = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(quota_gb__gte=1), name="container_spec_quota_is_positive"),
        ]


class BackupSpec(models.Model):
    """A DR backup quota, and the plan that runs on it for every server of the order."""

    item = models.OneToOneField(OrderItem, on_delete=models.CASCADE, primary_key=True, related_name="backup")
    tier = models.ForeignKey(DRTier, on_delete=models.PROTECT, related_name="+")
    capacity_gb = models.PositiveIntegerField()
    frequency = models.CharField(max_length=8, choices=Frequency)
    off_site = models.BooleanField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(capacity_gb__gte=1), name="backup_spec_capacity_is_positive"),
        ]


class LimitSpec(models.Model):
    """What a limit of the department's quota shall become; with ``until``, its last day, for a time.

    ``limit_before`` is the one that the applicant saw (null: unlimited), ``lasting_before`` the one that it would fall back to;
    granted is what was asked for only if both still stand.
    """

    item = models.OneToOneField(OrderItem, on_delete=models.CASCADE, primary_key=True, related_name="limit")
    dimension = models.CharField(max_length=12, choices=Dimension)
    limit = models.PositiveBigIntegerField()
    limit_before = models.PositiveBigIntegerField(null=True)
    lasting_before = models.PositiveBigIntegerField(null=True)
    until = models.DateField(null=True)


class Revision(models.Model):
    """An order as it was submitted: canonical content, its hash, and the quote frozen with it. Never changed."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    content = models.JSONField()  # what approvers saw and the hash is of
    digest = models.CharField(max_length=64)  # SHA-256, hex, of the canonical JSON (RFC 8785) of the content
    monthly_total = models.DecimalField(max_digits=18, decimal_places=2)  # yuan for a whole month
    submitted_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="revisions")
    submitted_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "number"], name="revision_number_once")
        ]


class Attachment(models.Model):
    """A file that an order is founded on. Revisions are numbered: it belongs to those from ``first_revision`` on, and from
    ``removed_before`` on to none any more; those in between keep it.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)  # under which it is kept on the disk
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="attachments")
    first_revision = models.PositiveIntegerField()
    removed_before = models.PositiveIntegerField(null=True)
    name = models.CharField(max_length=120)
    content_type = models.CharField(max_length=100)  # by its content
    size = models.PositiveIntegerField()  # bytes
    sha256 = models.CharField(max_length=64)
    scanned = models.BooleanField()  # by a virus scanner, as it was taken in
    added_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField()

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order", "name"],
                condition=Q(removed_before=None),
                name="attachment_name_once_in_an_order",
            ),
            models.CheckConstraint(condition=Q(size__gte=1), name="attachment_is_not_empty"),
            models.CheckConstraint(
                condition=Q(removed_before__isnull=True) | Q(removed_before__gt=F("first_revision")),
                name="attachment_removed_was_in_a_revision",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class QuoteLine(models.Model):
    """The price of one meter of one item for a whole month, frozen with the revision (negative when something ends)."""

    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="quote_lines")
    position = models.PositiveSmallIntegerField()
    item_position = models.PositiveSmallIntegerField()
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    per_month = models.DecimalField(max_digits=14, decimal_places=6)
    amount = models.DecimalField(max_digits=18, decimal_places=2)

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["revision", "position"], name="quote_line_position_once")
        ]


class Placement(models.Model):
    """Where a part of an order is built, and why: what goes together (a network, its servers, their backup) is one part.

    Without a cloud it waits: nothing could take it when it was decided last, and it is decided again until something can.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="placements")
    position = models.PositiveSmallIntegerField()
    zone = models.CharField(max_length=10, choices=NetworkZone)
    site = models.CharField(max_length=4, choices=Site)
    network = models.ForeignKey(
        Resource, null=True, on_delete=models.PROTECT, related_name="+"
    )  # that its servers go to, if it was there before
    cloud = models.ForeignKey(Cloud, null=True, on_delete=models.PROTECT, related_name="placements")
    availability_zone = models.ForeignKey(
        AvailabilityZone, null=True, on_delete=models.PROTECT, related_name="placements"
    )
    first_decided_at = models.DateTimeField()
    decided_at = models.DateTimeField()
    called_off_at = models.DateTimeField(null=True)  # while it waited

    objects = PlacementQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["position"]
        indexes: ClassVar = [
            models.Index(
                fields=["order"],
                name="placement_waiting",
                condition=Q(cloud__isnull=True, called_off_at__isnull=True),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "position"], name="placement_position_once"),
        ]


class Weighed(models.Model):
    """A cloud, or a part of one, as it was judged for a placement; the first of them is the one that was taken, if any was.

    Codes and figures, not sentences: ``placing.told`` puts them into the reader's language.
    """

    placement = models.ForeignKey(Placement, on_delete=models.CASCADE, related_name="weighed")
    rank = models.PositiveSmallIntegerField()
    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="+")
    availability_zone = models.ForeignKey(
        AvailabilityZone, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    verdict = models.CharField(max_length=20, choices=Verdict)
    subject = models.CharField(max_length=300, blank=True)
    until = models.DateTimeField(null=True)
    vcpus_total = models.PositiveIntegerField(null=True)  # null: nobody had looked lately
    vcpus_free = models.IntegerField(null=True)  # below zero: more is promised than there is

    class Meta:
        ordering: ClassVar = ["rank"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["placement", "rank"], name="weighed_rank_once"),
        ]


class Unit(models.Model):
    """One resource that fulfilling an item builds, changes or releases: the second server of two, or its data volume.

    ``uuid`` is what the thing carries in the cloud and what its quota is held under. A volume's unit names its spec and
    the unit of its server.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    item = models.ForeignKey(OrderItem, on_delete=models.PROTECT, related_name="units")
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=48)
    volume = models.ForeignKey(VolumeSpec, null=True, on_delete=models.PROTECT, related_name="units")
    server = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="volumes")
    placement = models.ForeignKey(Placement, null=True, on_delete=models.PROTECT, related_name="units")
    operation = models.ForeignKey(Operation, null=True, on_delete=models.PROTECT, related_name="units")
    resource = models.ForeignKey(Resource, null=True, on_delete=models.PROTECT, related_name="units")

    class Meta:
        ordering: ClassVar = ["item", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["item", "position"], name="unit_position_once")
        ]
