"""Flow definitions as versioned data, and the cases that run on them."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.lifecycle import TRANSITIONS, StageStatus, Status
from govcloud.approvals.queries import CaseQuerySet, FlowVersionQuerySet
from tenants.models import Department, NetworkZone, Role, User


class CaseKind(models.TextChoices):
    INSTANT = "instant", _("instant matter")
    COMMITTED = "committed", _("committed matter")


class FlowVersion(models.Model):
    """One version of the chain of stages; running cases stay on the version they were opened on."""

    number = models.PositiveIntegerField(unique=True)
    name = models.CharField(max_length=80)
    in_force_from = models.DateTimeField()
    published_at = models.DateTimeField(
        null=True
    )  # null: a draft, which routes nothing; set, nothing changes any more

    objects = FlowVersionQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} v{self.number}"


class Stage(models.Model):
    """A step of a flow: who decides, in how many working days, and when it applies (null conditions always do)."""

    flow = models.ForeignKey(FlowVersion, on_delete=models.CASCADE, related_name="stages")
    position = models.PositiveSmallIntegerField()
    code = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120)
    role = models.CharField(max_length=30, choices=Role)
    working_days = models.PositiveSmallIntegerField()
    only_kind = models.CharField(max_length=10, choices=CaseKind, blank=True)
    only_zone = models.CharField(max_length=10, choices=NetworkZone, blank=True)
    min_mlps_level = models.PositiveSmallIntegerField(null=True, blank=True)
    min_amount = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)  # yuan a month

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["flow", "position"], name="stage_position_once_per_flow"),
            models.UniqueConstraint(fields=["flow", "code"], name="stage_code_once_per_flow"),
            models.CheckConstraint(condition=Q(working_days__gte=1), name="stage_has_a_limit"),
        ]


class Case(models.Model):
    """A matter being decided: the latest revision of one subject, bound by the revision's hash.

    Returned for correction, it is opened again with the next revision, and its stages start over below the decided ones.
    ``subject_kind`` is a name that the package above chose (``order``), ``subject_id`` the subject's public id, and
    ``thread`` the order under which its audit events are read.
    """

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=CaseKind)
    subject_kind = models.CharField(max_length=20)
    subject_id = models.UUIDField()
    subject_label = models.CharField(max_length=200)
    thread = models.UUIDField()
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="cases")
    applicant = models.ForeignKey(User, on_delete=models.PROTECT, related_name="cases")
    submitted_by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="submitted_cases"
    )  # of this revision
    flow = models.ForeignKey(FlowVersion, on_delete=models.PROTECT, related_name="cases")
    revision = models.PositiveIntegerField()
    revision_hash = models.CharField(max_length=128)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()  # of the whole chain
    closed_at = models.DateTimeField(null=True)

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

    def __str__(self) -> str:
        return self.subject_label


class CaseStage(models.Model):
    """A stage of a case, for one revision; what the flow's version said is copied, not looked up."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="stages")
    revision = models.PositiveIntegerField()
    position = models.PositiveSmallIntegerField()
    code = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120)
    role = models.CharField(max_length=30, choices=Role)
    working_days = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=StageStatus, default=StageStatus.WAITING)
    opened_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField()  # as planned at opening; set anew when the stage becomes current
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "position"], name="case_stage_position_once"),
            models.UniqueConstraint(
                fields=["case"], condition=Q(status=StageStatus.CURRENT), name="case_stage_one_current"
            ),
        ]


class Verb(models.TextChoices):
    APPROVE = "approve", _("approve")
    RETURN = "return", _("return for correction")
    REJECT = "reject", _("reject")


class Decision(models.Model):
    """What one person decided at one stage, on the revision they saw. Never changed."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    stage = models.OneToOneField(CaseStage, on_delete=models.PROTECT, related_name="decision")
    verb = models.CharField(max_length=10, choices=Verb)
    opinion = models.TextField(blank=True)
    decider = models.ForeignKey(User, on_delete=models.PROTECT, related_name="decisions")
    revision_hash = models.CharField(max_length=128)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(verb=Verb.APPROVE) | ~Q(opinion=""), name="decision_refusal_has_its_reason"
            ),
        ]
