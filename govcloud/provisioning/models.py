"""Operations and their steps: rows that are the queue, the lock and the memory of everything done to a cloud."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Cloud
from govcloud.inventory.models import Resource
from govcloud.provisioning.lifecycle import (
    OPERATION_TRANSITIONS,
    Desired,
    OperationStatus,
    Outcome,
    StepState,
    outcome_of,
)
from govcloud.provisioning.queries import OperationQuerySet
from tenants.models import System


class OperationKind(models.TextChoices):
    DELIVER = "deliver", _("build what was ordered")
    EXTEND = "extend", _("extend a volume")
    RESIZE = "resize", _("change a server's flavor")
    REQUOTA = "requota", _("change a container's quota")
    RETYPE = "retype", _("move a volume to another storage class")
    RENEW = "renew", _("extend leases")
    SUSPEND = "suspend", _("stop a server whose lease has ended")
    ADDRESS = "address", _("give a server a floating address")
    RELEASE = "release", _("release a resource")
    RECLAIM = "reclaim", _("take back a resource whose lease has ended")
    BACKUP = "backup", _("take a backup")
    EXPIRE = "expire", _("delete recovery points that nothing keeps")
    FREEZE = "freeze", _("make an object container read-only, or end that")
    LIMITS = "limits", _("set a cloud's limits to what they have to leave room for")
    ACTION = "action", _("act on a resource")
    MEND = "mend", _("put right what is not as recorded")
    TAKEOVER = "takeover", _("take over what was built outside")


class Operation(models.Model):
    """Something being done to a cloud for one system, with a reason that people recognise.

    A direct action names the ``resource`` that it has in hand until it ends, and what it has in hand ``with_it`` (the
    server that a volume is attached to).
    """

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = OPERATION_TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=OperationKind)
    reason = models.CharField(max_length=200)  # "GC-2026-000123", "daily backup of …"
    thread = models.UUIDField(null=True, db_index=True)  # the order it belongs to
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="operations")
    cloud = models.ForeignKey(Cloud, on_delete=models.PROTECT, related_name="operations")
    resource = models.ForeignKey(Resource, null=True, on_delete=models.PROTECT, related_name="operations")
    action = models.CharField(max_length=40, blank=True)  # the direct action's name
    with_it = models.ManyToManyField(Resource, related_name="+", blank=True)
    status = models.CharField(max_length=10, choices=OperationStatus, default=OperationStatus.RUNNING)
    created_at = models.DateTimeField()
    parked_at = models.DateTimeField(null=True)  # when it last came to wait for an administrator
    finished_at = models.DateTimeField(null=True)
    taken_up_at = models.DateTimeField(null=True)  # when the package that asked for it took up its result

    objects = OperationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(
                fields=["status"], name="operation_not_taken_up", condition=Q(taken_up_at__isnull=True)
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind=OperationKind.ACTION, resource__isnull=False) & ~Q(action="")
                | (~Q(kind=OperationKind.ACTION) & Q(resource__isnull=True, action="")),
                name="operation_actions_name_their_resource",
            ),
        ]

    def __str__(self) -> str:
        return self.reason


class Step(models.Model):
    """One thing that shall be present (or absent) in the cloud or on a guest.

    A worker owns a step while ``lease_until`` lies ahead; every write of its checks that the row's fence is still the
    one it claimed it with. ``intent_at`` is committed before a call that creates something and says that such a thing may exist;
    ``external_id`` is stored by compare-and-swap and says that it does. ``desired_state`` is plain data that the
    step's kind understands; ``outputs`` is what it found out (addresses, recaps), for later steps and people.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=40)
    label = models.CharField(max_length=120)  # what it is about: a server's name, a volume's
    unit = models.UUIDField()  # the id that the thing carries in the cloud
    desired = models.CharField(max_length=7, choices=Desired, default=Desired.PRESENT)
    desired_state = models.JSONField(default=dict)
    needs = models.ManyToManyField("self", symmetrical=False, related_name="needed_by", blank=True)
    state = models.CharField(max_length=9, choices=StepState, default=StepState.WAITING)
    external_id = models.CharField(max_length=64, blank=True)
    outputs = models.JSONField(default=dict)
    generation = models.PositiveSmallIntegerField(default=1)  # counts builds after one that ended in ERROR
    broken_at = models.DateTimeField(null=True)  # when the cloud told that what was asked for came to nothing
    intent_at = models.DateTimeField(null=True)
    missed_at = models.DateTimeField(null=True)  # when a look first found nothing of what should have landed
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=100, blank=True)  # who claimed it last
    next_run_at = models.DateTimeField(null=True)  # null: nothing to do until something else happens
    attempts = models.PositiveSmallIntegerField(default=0)
    called_off_at = models.DateTimeField(null=True)  # when it was told to be taken back, with all of its unit
    last_error = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["operation", "position"]
        indexes: ClassVar = [
            models.Index(fields=["next_run_at"], name="step_due", condition=Q(next_run_at__isnull=False)),
            models.Index(
                fields=["finished_at"], name="step_finished", condition=Q(finished_at__isnull=False)
            ),
            models.Index(
                fields=["kind"],
                name="step_at_work",
                condition=Q(intent_at__isnull=False, finished_at__isnull=True),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["operation", "position"], name="step_position_once"),
            models.CheckConstraint(
                condition=~Q(state__in=[StepState.DONE, StepState.SKIPPED, StepState.GONE])
                | Q(next_run_at__isnull=True),
                name="step_finished_is_not_due",
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def state_label(self) -> str:
        """The state in people's words: what was called off is taken back, where what shall go is removed."""
        words = {StepState.REMOVING: _("being taken back"), StepState.GONE: _("taken back")}
        called_off = words.get(StepState(self.state)) if self.called_off_at is not None else None
        return str(called_off or self.get_state_display())


class CloudCall(models.Model):
    """One call to a cloud's API made for a step, with the id under which the cloud logged it."""

    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="calls")
    at = models.DateTimeField()
    service = models.CharField(max_length=20)
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=300)
    status = models.PositiveSmallIntegerField(null=True)  # null: no answer was seen
    request_id = models.CharField(max_length=64, blank=True)
    milliseconds = models.PositiveIntegerField()

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [models.Index(fields=["at"], name="cloud_call_age")]

    @property
    def outcome(self) -> Outcome:
        return outcome_of(self.status)

    @property
    def seconds(self) -> float:
        return self.milliseconds / 1_000


class CallCount(models.Model):
    """How many calls of one minute to a service of a cloud ended so; the row without a minute sums up the minutes before.

    Every call for a step is counted, also the looks that leave no ``CloudCall``: it is what error rates are rates of.
    """

    minute = models.DateTimeField(null=True)
    cloud = models.ForeignKey(Cloud, on_delete=models.CASCADE, related_name="call_counts")
    service = models.CharField(max_length=20)
    outcome = models.CharField(max_length=10, choices=Outcome)
    calls = models.PositiveBigIntegerField()
    milliseconds = models.PositiveBigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["minute", "cloud", "service", "outcome"], name="call_count_once", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.outcome} {self.minute}"


class Part(models.TextChoices):
    WORKER = "worker"
    SWEEP = "sweep"


class Sighting(models.Model):
    """When a part of the engine was last seen at work."""

    part = models.CharField(max_length=6, choices=Part)
    name = models.CharField(max_length=100)
    seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["part", "name"], name="sighting_once")]

    def __str__(self) -> str:
        return f"{self.part} {self.name}"
