"""Who else takes part in deciding: substitutes, people who are asked for an opinion, and who asks for haste."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.lifecycle import CONSULTATION_TRANSITIONS, ConsultationStatus
from govcloud.approvals.models.cases import CaseStage
from govcloud.approvals.queries import AbsenceQuerySet, ConsultationQuerySet
from tenants.models import User


class Absence(models.Model):
    """For a time, one person decides on behalf of another, who is told at its beginning (``told_at``) what waits."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="absences")
    substitute = models.ForeignKey(User, on_delete=models.PROTECT, related_name="substitutions")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True)
    named_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True)

    objects = AbsenceQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-starts_at", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(ends_at__gte=F("starts_at")), name="absence_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=~Q(person=F("substitute")), name="absence_substitute_is_another"
            ),
            ExclusionConstraint(
                name="absences_of_a_person_never_overlap",
                expressions=[
                    (
                        Func(F("person_id"), F("person_id"), Value("[]"), function="int8range"),
                        RangeOperators.EQUAL,
                    ),
                    (
                        Func(F("starts_at"), F("ends_at"), Value("[)"), function="tstzrange"),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]

    def __str__(self) -> str:
        return str(self.person)


class Manner(models.TextChoices):
    """Whether a stage can be approved before the opinion is there."""

    ADVISORY = "advisory", _("the decision need not wait for it")
    AWAITED = "awaited", _("the decision waits for it")


class Consultation(models.Model):
    """An opinion that somebody who decides asks for. It decides nothing."""

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = CONSULTATION_TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    stage = models.ForeignKey(CaseStage, on_delete=models.PROTECT, related_name="consultations")
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="consultations")
    question = models.TextField()
    manner = models.CharField(max_length=8, choices=Manner, default=Manner.ADVISORY)
    status = models.CharField(max_length=8, choices=ConsultationStatus, default=ConsultationStatus.ASKED)
    asked_at = models.DateTimeField()
    answer = models.TextField(blank=True)
    closed_at = models.DateTimeField(null=True)

    objects = ConsultationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["stage", "person"],
                condition=Q(status=ConsultationStatus.ASKED),
                name="consultation_asked_once",
            ),
            models.CheckConstraint(
                condition=~Q(status=ConsultationStatus.ANSWERED) | ~Q(answer=""),
                name="consultation_answer_says_something",
            ),
        ]

    def __str__(self) -> str:
        return str(self.person)


class Reminder(models.Model):
    """Somebody asked for a stage to be decided soon. Nothing follows from the row but what others read in it."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    stage = models.ForeignKey(CaseStage, on_delete=models.PROTECT, related_name="reminders")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return str(self.person)
