"""Cases as they run: stages, the seats of those who sign them, and what was decided."""

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.lifecycle import TRANSITIONS, StageStatus, Status
from govcloud.approvals.models.flows import (
    CaseKind,
    FlowVersion,
    MatterAction,
    Priority,
    Quorum,
    Quota,
    Sizes,
)
from govcloud.approvals.queries import CaseQuerySet, CaseStageQuerySet, SeatQuerySet
from govcloud.approvals.routing import Matter
from tenants.models import Department, NetworkZone, Role, User


class Case(models.Model):
    """A matter being decided: the latest revision of one subject, bound by the revision's hash.

    Returned for correction, it is opened again with the next revision, and its stages start over below the decided ones.
    ``subject_kind`` is a name that the package above chose (``order``), ``subject_id`` the subject's public id, and
    ``thread`` the order under which its audit events are read. What it was routed by is kept (``matter``); of cases from
    before that was kept, ``zone`` is empty. ``fulfilment_due_at`` is set once what was approved is being built, where the flow
    limits that; it stays when that has ended (``fulfilled_at``), and goes when it is called off.
    """

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=CaseKind)
    zone = models.CharField(max_length=10, choices=NetworkZone, blank=True)
    mlps_level = models.PositiveSmallIntegerField(default=1)
    dr_level = models.PositiveSmallIntegerField(default=1)
    actions = ArrayField(models.CharField(max_length=8, choices=MatterAction), default=list)
    quantity = models.PositiveIntegerField(default=0)  # resources
    amount = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))  # yuan a month
    quota = models.CharField(max_length=6, choices=Quota, default=Quota.WITHIN)
    priority = models.CharField(max_length=6, choices=Priority, default=Priority.NORMAL)
    sizes = models.CharField(max_length=8, choices=Sizes, default=Sizes.STANDARD)
    subject_kind = models.CharField(max_length=20)
    subject_id = models.UUIDField()
    subject_label = models.CharField(max_length=200)
    thread = models.UUIDField()
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="cases")
    applicant = models.ForeignKey(User, on_delete=models.PROTECT, related_name="cases")
    submitted_by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="submitted_cases"
    )  # of this revision
    submitters = ArrayField(models.BigIntegerField(), default=list)  # keys of people, of all revisions
    writers = ArrayField(models.BigIntegerField(), default=list)  # keys of whoever wrote any of the content
    flow = models.ForeignKey(FlowVersion, on_delete=models.PROTECT, related_name="cases")
    revision = models.PositiveIntegerField()
    revision_hash = models.CharField(max_length=128)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()  # of the whole chain
    closed_at = models.DateTimeField(null=True)
    fulfilment_due_at = models.DateTimeField(null=True)  # of what is built once it is approved
    fulfilled_at = models.DateTimeField(null=True)

    objects = CaseQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["subject_kind", "subject_id"],
                condition=Q(status__in=[Status.OPEN, Status.RETURNED]),
                name="case_one_running_per_subject",
            ),
            models.UniqueConstraint(
                fields=["subject_kind", "subject_id", "revision"], name="case_one_per_revision"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["closed_at"], name="case_by_closing"),
            models.Index(
                fields=["fulfilment_due_at"],
                condition=Q(fulfilled_at=None, fulfilment_due_at__isnull=False),
                name="case_being_fulfilled",
            ),
            models.Index(
                fields=["fulfilled_at"], condition=Q(fulfilled_at__isnull=False), name="case_by_fulfilment"
            ),
        ]

    def __str__(self) -> str:
        return self.subject_label

    @property
    def matter(self) -> Matter:
        return Matter(
            kind=self.kind,
            zone=self.zone,
            mlps_level=self.mlps_level,
            amount=self.amount,
            actions=frozenset(self.actions),
            quantity=self.quantity,
            dr_level=self.dr_level,
            quota=self.quota,
            priority=self.priority,
            sizes=self.sizes,
        )


class CaseStage(models.Model):
    """A stage of a case, for one revision; what the flow's version said is copied, not looked up.

    Where ``auto_reason`` says why, the stage is decided by rule as soon as its turn comes.
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="stages")
    revision = models.PositiveIntegerField()
    position = models.PositiveSmallIntegerField()
    code = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120)
    role = models.CharField(max_length=30, choices=Role)
    also_roles = ArrayField(models.CharField(max_length=30, choices=Role), default=list)
    quorum = models.CharField(max_length=4, choices=Quorum, default=Quorum.ONE)
    quorum_count = models.PositiveSmallIntegerField(null=True)
    auto_reason = models.CharField(max_length=200, blank=True)
    auto_reason_en = models.CharField(max_length=200, blank=True)
    working_days = models.PositiveSmallIntegerField()  # 0: the same day
    status = models.CharField(max_length=10, choices=StageStatus, default=StageStatus.WAITING)
    opened_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField()  # as planned at opening; set anew when the stage becomes current
    decided_at = models.DateTimeField(null=True)

    objects = CaseStageQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "position"], name="case_stage_position_once"),
            models.UniqueConstraint(
                fields=["case"], condition=Q(status=StageStatus.CURRENT), name="case_stage_one_current"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["decided_at"], name="case_stage_by_decision")]

    @property
    def roles(self) -> list[str]:
        """The role that decides and those that countersign."""
        return [self.role, *self.also_roles]

    @property
    def decision(self) -> "Decision | None":
        """The one that closed the stage; the last so far, while it is not closed."""
        decisions = sorted(self.decisions.all(), key=lambda decision: decision.pk)
        return decisions[-1] if decisions else None


class SeatOrigin(models.TextChoices):
    ROLE = "role", _("by the flow")
    DELEGATED = "delegated", _("delegated")
    ADDED = "added", _("added reviewer")


class SeatStatus(models.TextChoices):
    OPEN = "open", _("still to sign")
    SIGNED = "signed", _("signed")
    RELEASED = "released", _("no longer needed")


class Seat(models.Model):
    """One signature that a stage asks for: of whoever holds the role, or of one person by name.

    Who has it by name was given it by somebody (``given_by``), whose own part it was or that of whom they stood in for
    (``given_for``). Seats come with the stage's turn. The stage is approved once none is open any more.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    stage = models.ForeignKey(CaseStage, on_delete=models.PROTECT, related_name="seats")
    origin = models.CharField(max_length=10, choices=SeatOrigin, default=SeatOrigin.ROLE)
    role = models.CharField(max_length=30, choices=Role, blank=True)  # empty for an added reviewer
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="seats")
    given_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    given_for = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    given_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)  # why it was given
    status = models.CharField(max_length=8, choices=SeatStatus, default=SeatStatus.OPEN)

    objects = SeatQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["stage", "person"], condition=Q(person__isnull=False), name="seat_one_per_person"
            ),
            models.CheckConstraint(
                condition=Q(origin=SeatOrigin.ROLE, person=None, given_by=None, given_for=None) & ~Q(role="")
                | ~Q(origin=SeatOrigin.ROLE)
                & Q(person__isnull=False, given_by__isnull=False, given_for__isnull=False),
                name="seat_is_somebodys",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["stage"], condition=Q(status=SeatStatus.OPEN), name="seat_open"),
            models.Index(fields=["person"], condition=Q(status=SeatStatus.OPEN), name="seat_open_of_person"),
        ]

    def __str__(self) -> str:
        return str(self.person) if self.person_id else str(Role(self.role).label)


class Verb(models.TextChoices):
    APPROVE = "approve", _("approve")
    APPROVE_WITH_CONDITIONS = "approve_with_conditions", _("approve with conditions")
    RETURN = "return", _("return for correction")
    REJECT = "reject", _("reject")


APPROVING = frozenset({Verb.APPROVE, Verb.APPROVE_WITH_CONDITIONS})


class Decision(models.Model):
    """What one person decided at one stage, on the revision they saw; or a rule, then without a person. Never changed.

    The opinion of an approval with conditions is the conditions. ``on_behalf_of`` is whom a substitute stood in for.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    stage = models.ForeignKey(
        CaseStage, on_delete=models.PROTECT, related_name="decisions", related_query_name="decision"
    )
    seat = models.OneToOneField(Seat, null=True, on_delete=models.PROTECT, related_name="decision")
    verb = models.CharField(max_length=30, choices=Verb)
    opinion = models.TextField(blank=True)
    decider = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="decisions")
    on_behalf_of = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    revision_hash = models.CharField(max_length=128)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(verb=Verb.APPROVE) | ~Q(opinion=""), name="decision_refusal_has_its_reason"
            ),
            models.CheckConstraint(
                condition=Q(decider__isnull=False)
                | Q(verb=Verb.APPROVE, seat__isnull=True, on_behalf_of__isnull=True) & ~Q(opinion=""),
                name="decision_by_rule_says_which",
            ),
            models.CheckConstraint(
                condition=Q(on_behalf_of__isnull=True) | ~Q(on_behalf_of=F("decider")),
                name="decision_on_behalf_of_another",
            ),
            models.UniqueConstraint(fields=["stage", "decider"], name="decision_once_per_person"),
        ]

    @property
    def approves(self) -> bool:
        return self.verb in APPROVING
