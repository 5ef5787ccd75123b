"""Electronic supervision: yellow and red cards, and what was escalated.

The database refuses UPDATE, DELETE and TRUNCATE on these tables (triggers in the first migration), whoever asks.
"""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.models import Case, CaseStage, Confirmation
from govcloud.supervision.queries import CardQuerySet
from tenants.models import Department, Role, User

FULFILMENT = ("fulfilment", "实施", "Fulfilment")
"""Code and names of what comes after the stages: building. A flow's stage of that code is told apart by its names."""
CONFIRMATION = ("confirmation", "反馈确认", "Confirmation")
"""The same of what comes after that: the department's confirmation."""
WITHOUT_A_STAGE: Mapping[tuple[bool, bool], tuple[str, str]] = {
    (False, False): ("全程", "the whole matter"),
    (True, False): FULFILMENT[1:],
    (False, True): CONFIRMATION[1:],
    (True, True): ("问题整改", "Remedy of defects"),
}
"""What a card without a stage is for, in Chinese and in English, by whether it has ``fulfilment`` and a confirmation."""


class Colour(models.TextChoices):
    YELLOW = "yellow", _("yellow card")
    RED = "red", _("red card")


class Cause(models.TextChoices):
    LIMIT = "limit", _("limit near or passed")
    REASON = "reason", _("decided late without a reason")


class SupervisionCard(models.Model):
    """A card for one stage of a case, for what is built once it is approved (``fulfilment``), for a ``confirmation`` that the
    department owes (or with both: for defects that the centre has not mended), or without any for the case as a whole: each at most once.

    ``department`` is the applicant's; ``role`` and ``also_roles`` are those that had not signed yet, ``people`` who had a seat
    by name; ``due_at`` is the limit as it stood. For a missing reason it is one card for each who gave none, with their role.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    colour = models.CharField(max_length=6, choices=Colour)
    cause = models.CharField(max_length=6, choices=Cause)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="cards")
    stage = models.ForeignKey(CaseStage, null=True, on_delete=models.PROTECT, related_name="cards")
    fulfilment = models.BooleanField(default=False)
    confirmation = models.ForeignKey(Confirmation, null=True, on_delete=models.PROTECT, related_name="cards")
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="cards")
    role = models.CharField(max_length=30, choices=Role)
    also_roles = ArrayField(models.CharField(max_length=30, choices=Role), default=list)
    people = models.ManyToManyField(User, related_name="+")
    decider = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="cards")
    due_at = models.DateTimeField()
    raised_at = models.DateTimeField()

    objects = CardQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["raised_at"], name="card_by_time")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["case", "stage", "fulfilment", "confirmation", "colour", "cause", "decider"],
                name="card_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(fulfilment=False, confirmation=None) | Q(stage__isnull=True, cause=Cause.LIMIT),
                name="card_for_building_is_of_no_stage",
            ),
            models.CheckConstraint(
                condition=Q(cause=Cause.LIMIT, decider__isnull=True)
                | Q(cause=Cause.REASON, colour=Colour.YELLOW, decider__isnull=False, stage__isnull=False),
                name="card_for_a_reason_names_its_decider",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_colour_display()}: {self.case}"

    @property
    def names(self) -> tuple[str, str]:
        """What it is for, in Chinese and in English: a stage, what comes after the stages, or the whole matter."""
        if self.stage is not None:
            return self.stage.name, self.stage.name_en
        return WITHOUT_A_STAGE[self.fulfilment, self.confirmation_id is not None]

    @property
    def concerns(self) -> str:
        """The same in the reader's language."""
        name, name_en = self.names
        return name_en if name_en and get_language() == "en" else name

    @property
    def waited_for(self) -> str:
        """Whose signature was missing, by name where there is one; for a missing reason, who gave none."""
        if self.decider is not None:
            return str(self.decider)
        roles = [str(Role(role).label) for role in (self.role, *self.also_roles)]
        return _(", ").join([*roles, *(str(person) for person in self.people.all())])


class Escalation(models.Model):
    """A red card that leaders were told of, because what it is for still waits."""

    card = models.OneToOneField(SupervisionCard, on_delete=models.PROTECT, related_name="escalation")
    at = models.DateTimeField()
