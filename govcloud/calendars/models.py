from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class DayKind(models.TextChoices):
    REST = "rest", _("day of rest")  # a statutory holiday, or the weekend day it swallows
    WORK = "work", _("make-up day")  # a make-up day: a weekend day that is worked


class SpecialDay(models.Model):
    """A date on which the week's pattern does not hold. Other dates: Monday to Friday are working days."""

    day = models.DateField(unique=True)
    kind = models.CharField(max_length=4, choices=DayKind)
    name = models.CharField(max_length=60)

    class Meta:
        ordering: ClassVar = ["day"]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.name}"
