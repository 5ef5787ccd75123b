"""Tariffs in force over time, closed months, and the statements they were billed on."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import Q

from govcloud.catalog.models import Meter
from govcloud.chargeback.lifecycle import TRANSITIONS, Status
from govcloud.chargeback.queries import StatementQuerySet
from govcloud.metering.models import UsageSegment
from tenants.models import Department, System


class Tariff(models.Model):
    """A price book in force over a half-open period; at any instant at most one is."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120)
    in_force = DateTimeRangeField()

    class Meta:
        ordering: ClassVar = ["in_force"]
        constraints: ClassVar = [
            ExclusionConstraint(
                name="tariffs_never_overlap", expressions=[("in_force", RangeOperators.OVERLAPS)]
            ),
            models.CheckConstraint(
                condition=Q(in_force__isempty=False, in_force__lower_inc=True, in_force__upper_inc=False),
                name="tariff_is_half_open",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Price(models.Model):
    """Yuan for one unit of a meter for one whole month."""

    tariff = models.ForeignKey(Tariff, on_delete=models.CASCADE, related_name="prices")
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="prices")
    per_month = models.DecimalField(max_digits=14, decimal_places=6)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tariff", "meter"], name="price_once_per_tariff_and_meter"),
            models.CheckConstraint(condition=Q(per_month__gte=0), name="price_is_not_negative"),
        ]


class MonthClose(models.Model):
    """A month that has been rated and closed: its statements and lines cannot change any more (database enforced)."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    month = models.CharField(max_length=7, unique=True)  # "2026-11"
    period = DateTimeRangeField()  # [start, end) in UTC of the month in the configured time zone
    closed_at = models.DateTimeField()
    lines = models.PositiveIntegerField()
    total = models.DecimalField(max_digits=18, decimal_places=2)
    # The closing transaction: the database takes statements and lines of the month from no other.
    transaction = models.BigIntegerField(db_default=models.Func(function="govcloud_transaction_id"))

    class Meta:
        ordering: ClassVar = ["-month"]
        constraints: ClassVar = [
            ExclusionConstraint(
                name="closed_months_never_overlap", expressions=[("period", RangeOperators.OVERLAPS)]
            ),
        ]

    def __str__(self) -> str:
        return self.month


class Statement(models.Model):
    """What a department owes for a month. Only its status changes once it is issued."""

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    number = models.CharField(max_length=20, unique=True)  # "ST-202611-0001"
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="statements")
    close = models.ForeignKey(MonthClose, on_delete=models.PROTECT, related_name="statements")
    status = models.CharField(max_length=10, choices=Status, default=Status.ISSUED)
    total = models.DecimalField(max_digits=18, decimal_places=2)
    issued_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)

    objects = StatementQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-close__month", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["department", "close"], name="statement_once_per_department_and_month"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class StatementLine(models.Model):
    """One slice of usage: a segment within the month and within one tariff.

    ``rated`` = quantity x per_month x seconds / month_seconds, at six places; ``amount`` is that to the fen. Everything
    needed to recompute it by hand is in the line.

    Lines come by the million, so what they refer to is checked a set at a time by the trigger that lets them in, and
    not row by row by foreign keys; nothing they refer to can be removed.
    """

    statement = models.ForeignKey(
        Statement, on_delete=models.PROTECT, related_name="lines", db_constraint=False, db_index=False
    )
    position = models.PositiveIntegerField()
    system = models.ForeignKey(
        System, on_delete=models.PROTECT, related_name="statement_lines", db_constraint=False, db_index=False
    )
    segment = models.ForeignKey(
        UsageSegment, on_delete=models.PROTECT, related_name="statement_lines", db_constraint=False
    )
    meter = models.ForeignKey(
        Meter, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    tariff = models.ForeignKey(
        Tariff, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    resource_name = models.CharField(max_length=80)
    start = models.DateTimeField()
    end = models.DateTimeField()
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    seconds = models.DecimalField(max_digits=16, decimal_places=6)
    month_seconds = models.PositiveIntegerField()
    per_month = models.DecimalField(max_digits=14, decimal_places=6)
    rated = models.DecimalField(max_digits=20, decimal_places=6)
    amount = models.DecimalField(max_digits=18, decimal_places=2)

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["statement", "position"], name="statement_line_position_once"),
        ]
