from django.db import models


class DayKind(models.TextChoices):
    REST = "rest"  # a statutory holiday, or the weekend day it swallows
    WORK = "work"  # a make-up day: a weekend day that is worked


class SpecialDay(models.Model):
    """A date on which the week's pattern does not hold. Other dates: Monday to Friday are working days."""

    day = models.DateField(unique=True)
    kind = models.CharField(max_length=4, choices=DayKind)
    name = models.CharField(max_length=60)
