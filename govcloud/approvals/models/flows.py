"""Versions of the chain of stages."""

from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.lookups import IsNull
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.queries import FlowVersionQuerySet
from govcloud.approvals.routing import Limits
from tenants.models import NetworkZone, Role, User


class CaseKind(models.TextChoices):
    INSTANT = "instant", _("instant matter")
    COMMITTED = "committed", _("committed matter")


class MatterAction(models.TextChoices):
    """What a matter does, by the names that the package above uses."""

    CREATE = "create", _("new")
    CHANGE = "change", _("change")
    RENEW = "renew", _("renewal")
    RELEASE = "release", _("release")


class Quota(models.TextChoices):
    WITHIN = "within", _("within quota")
    OVER = "over", _("over quota")


class Priority(models.TextChoices):
    NORMAL = "normal", _("normal")
    URGENT = "urgent", _("urgent")


class Sizes(models.TextChoices):
    STANDARD = "standard", _("standard flavors")
    SPECIAL = "special", _("special flavors")


class Quorum(models.TextChoices):
    """How many holders of each role of a stage sign it."""

    ONE = "one", _("one of them")
    SOME = "some", _("so many of them")
    ALL = "all", _("all of them")


class FlowVersion(models.Model):
    """One version of the chain of stages; running cases stay on the version they were opened on.

    A draft has no number: it is given the next one when it is published, by somebody who has not worked on it. What was
    written down elsewhere and published by a command has neither editors nor a publisher.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    number = models.PositiveIntegerField(unique=True, null=True)
    name = models.CharField(max_length=80)
    fulfilment_days = models.PositiveSmallIntegerField(null=True)  # working days; null: no limit
    confirmation_days = models.PositiveSmallIntegerField(null=True)  # working days; null: nobody is asked
    based_on = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    drafted_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    editors = ArrayField(models.BigIntegerField(), default=list)  # keys of people: who drafted or changed it
    published_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    version = models.PositiveIntegerField(default=1)  # counts edits of a draft, for ETag
    in_force_from = models.DateTimeField(null=True)
    published_at = models.DateTimeField(
        null=True
    )  # null: a draft, which routes nothing; set, nothing changes any more

    objects = FlowVersionQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(published_at__isnull=True) | Q(number__isnull=False, in_force_from__isnull=False),
                name="flow_published_has_its_number",
            ),
            models.CheckConstraint(
                condition=IsNull(
                    Func(
                        F("editors"),
                        F("published_by"),
                        function="array_position",
                        output_field=models.IntegerField(),
                    ),
                    True,
                ),
                name="flow_published_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.number}" if self.number else self.name

    @property
    def limits(self) -> Limits:
        """Of what comes after the stages."""
        return Limits(self.fulfilment_days, self.confirmation_days)

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self.fulfilment_days, self.confirmation_days = limits.fulfilment_days, limits.confirmation_days


class Stage(models.Model):
    """A step of a flow: who decides, in how many working days, and when it applies (null conditions always do).

    ``also_roles`` countersign: each of the roles fills the quorum by itself. The ``auto_`` columns are a rule; where all of
    it holds, nobody need decide.
    """

    flow = models.ForeignKey(FlowVersion, on_delete=models.CASCADE, related_name="stages")
    position = models.PositiveSmallIntegerField()
    code = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120)
    role = models.CharField(max_length=30, choices=Role)
    also_roles = ArrayField(models.CharField(max_length=30, choices=Role), default=list, blank=True)
    quorum = models.CharField(max_length=4, choices=Quorum, default=Quorum.ONE)
    quorum_count = models.PositiveSmallIntegerField(null=True, blank=True)
    working_days = models.PositiveSmallIntegerField()  # 0: the same day
    only_kind = models.CharField(max_length=10, choices=CaseKind, blank=True)
    only_action = models.CharField(max_length=8, choices=MatterAction, blank=True)
    only_zone = models.CharField(max_length=10, choices=NetworkZone, blank=True)
    only_quota = models.CharField(max_length=6, choices=Quota, blank=True)
    only_priority = models.CharField(max_length=6, choices=Priority, blank=True)
    min_mlps_level = models.PositiveSmallIntegerField(null=True, blank=True)
    min_dr_level = models.PositiveSmallIntegerField(null=True, blank=True)
    min_quantity = models.PositiveIntegerField(null=True, blank=True)  # resources
    min_amount = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)  # yuan a month
    auto_quota = models.CharField(max_length=6, choices=Quota, blank=True)
    auto_sizes = models.CharField(max_length=8, choices=Sizes, blank=True)
    auto_zone = models.CharField(max_length=10, choices=NetworkZone, blank=True)
    auto_max_mlps_level = models.PositiveSmallIntegerField(null=True, blank=True)
    auto_max_quantity = models.PositiveIntegerField(null=True, blank=True)  # resources
    auto_below_amount = models.DecimalField(
        max_digits=18, decimal_places=2, null=True, blank=True
    )  # yuan a month

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["flow", "position"], name="stage_position_once_per_flow"),
            models.UniqueConstraint(fields=["flow", "code"], name="stage_code_once_per_flow"),
            models.CheckConstraint(
                condition=Q(quorum="some", quorum_count__gte=2)
                | (~Q(quorum="some") & Q(quorum_count__isnull=True)),
                name="stage_counts_its_quorum",
            ),
        ]
