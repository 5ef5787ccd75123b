from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q

from govcloud.catalog.models import Meter
from govcloud.inventory.models import Resource
from govcloud.metering.queries import UsageSegmentQuerySet


class UsageSegment(models.Model):
    """So much of a meter used by a resource over a half-open period; an open end is usage that goes on.

    Segments of one resource and meter never overlap: the database refuses it.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="segments")
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="segments")
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    period = DateTimeRangeField()  # [start, end) in UTC

    objects = UsageSegmentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["resource", "meter", "period"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="segment_quantity_is_positive"),
            models.CheckConstraint(
                condition=Q(period__isempty=False, period__startswith__isnull=False),
                name="segment_has_a_start",
            ),
            models.CheckConstraint(
                condition=Q(period__lower_inc=True, period__upper_inc=False), name="segment_is_half_open"
            ),
            ExclusionConstraint(
                name="segments_never_overlap",
                expressions=[
                    (
                        Func(F("resource_id"), F("resource_id"), models.Value("[]"), function="int8range"),
                        RangeOperators.EQUAL,
                    ),
                    (
                        Func(F("meter_id"), F("meter_id"), models.Value("[]"), function="int8range"),
                        RangeOperators.EQUAL,
                    ),
                    (F("period"), RangeOperators.OVERLAPS),
                ],
            ),
        ]
