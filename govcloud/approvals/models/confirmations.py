"""Whether what was delivered is as it was approved: what the department was asked, what it said, and what was mended."""

from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.models.cases import Case
from govcloud.approvals.queries import ConfirmationQuerySet
from tenants.models import User


class Answer(models.TextChoices):
    CONFIRMED = "confirmed", _("confirmed")
    DEFECTS = "defects", _("defects reported")


class Confirmation(models.Model):
    """One time that the department is asked: when all is delivered, and again after each remedy of the defects it reported.

    ``due_at`` is the department's limit, ``remedy_due_at`` the centre's for what was reported (null: the flow limits no building).
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="confirmations")
    position = models.PositiveSmallIntegerField()
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField()
    answer = models.CharField(max_length=10, choices=Answer, blank=True)
    remark = models.TextField(blank=True)
    answered_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(null=True)
    remedy_due_at = models.DateTimeField(null=True)
    remedy = models.TextField(blank=True)
    remedied_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    remedied_at = models.DateTimeField(null=True)

    objects = ConfirmationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "position"], name="confirmation_position_once"),
            models.UniqueConstraint(
                fields=["case"],
                condition=Q(remedied_at=None) & ~Q(answer="confirmed"),
                name="confirmation_one_open",
            ),
            models.CheckConstraint(
                condition=Q(answer="", answered_by=None, answered_at=None)
                | Q(answer="confirmed", answered_by__isnull=False, answered_at__isnull=False)
                | Q(answer="defects", answered_by__isnull=False, answered_at__isnull=False) & ~Q(remark=""),
                name="confirmation_answer_is_somebodys",
            ),
            models.CheckConstraint(
                condition=Q(remedy="", remedied_by=None, remedied_at=None)
                | Q(answer="defects", remedied_by__isnull=False, remedied_at__isnull=False) & ~Q(remedy=""),
                name="confirmation_remedy_is_of_defects",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(answer=""), name="confirmation_unanswered"),
            models.Index(
                fields=["remedy_due_at"],
                condition=Q(answer="defects", remedied_at=None),
                name="confirmation_to_remedy",
            ),
            models.Index(fields=["answered_at"], name="confirmation_by_answer"),
        ]

    @property
    def owed(self) -> bool:
        """Whether the department has not answered yet."""
        return not self.answer

    @property
    def disputed(self) -> bool:
        """Whether the centre still has to mend what was reported."""
        return self.answer == Answer.DEFECTS and self.remedied_at is None
