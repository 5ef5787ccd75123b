"""Append-only events and the seals that chain them.

The database refuses UPDATE, DELETE and TRUNCATE on these tables (triggers in the first migration), whoever asks.
"""

from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.indexes import GinIndex
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from govcloud.grams import Grams, Joined

EVENT_GRAMS = Grams(Joined(models.F("actor_name"), models.F("verb"), models.F("subject_label")))
"""What words are looked for in."""


class Outcome(models.TextChoices):
    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")


class Event(models.Model):
    """One write, or one refusal to write, told once and never changed.

    ``thread`` is what people read a story by: the public id of the order an event belongs to, from its draft to the
    statement it was billed on. ``subject_*`` is the thing written to.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=100)  # "user:<uuid>" or "system:<what>"
    actor_name = models.CharField(max_length=150)
    verb = models.CharField(max_length=80)  # "order.submitted"; docs/audit-events.md lists them all
    subject_type = models.CharField(max_length=40)
    subject_id = models.UUIDField(null=True)
    subject_label = models.CharField(max_length=200)
    thread = models.UUIDField(null=True)
    before = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    after = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.DONE)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    # The writing transaction, so that a seal takes only what can no longer be joined by an older one (see seal()).
    transaction = models.BigIntegerField(db_default=models.Func(function="govcloud_transaction_id"))

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["thread", "id"], name="audit_event_thread"),
            models.Index(fields=["subject_id", "id"], name="audit_event_subject"),
            models.Index(fields=["actor", "id"], name="audit_event_actor"),
            models.Index(
                fields=["request_id"], condition=~models.Q(request_id=""), name="audit_event_request"
            ),
            GinIndex(EVENT_GRAMS, name="audit_event_grams"),
        ]


class Seal(models.Model):
    """A batch of events, hashed together with the seal before it."""

    number = models.PositiveBigIntegerField(unique=True)  # 1, 2, 3… without a gap
    at = models.DateTimeField()
    algorithm = models.CharField(max_length=20)
    previous = models.CharField(max_length=128)  # hex digest of seal number - 1, or "" for the first
    digest = models.CharField(max_length=128)
    events = models.PositiveIntegerField()


class SealedEvent(models.Model):
    """Where a seal holds an event, and the event's own digest, so that a broken or missing record can be named."""

    event = models.OneToOneField(Event, on_delete=models.PROTECT, primary_key=True, related_name="sealed")
    seal = models.ForeignKey(Seal, on_delete=models.PROTECT, related_name="entries")
    position = models.PositiveIntegerField()  # 1, 2, 3… within the seal
    digest = models.CharField(max_length=128)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["seal", "position"], name="sealed_event_position_once"),
        ]


class Export(models.Model):
    """A file with whole seals, from one to another, that was taken off the machine; the next one goes on where it ends.

    ``delivered_at`` is null as long as it has only been begun.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    number = models.PositiveIntegerField(unique=True)  # 1, 2, 3… without a gap
    at = models.DateTimeField()
    first_seal = models.PositiveBigIntegerField(unique=True)
    last_seal = models.PositiveBigIntegerField(unique=True)
    events = models.PositiveIntegerField()
    file = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField(default=0)  # bytes
    digest = models.CharField(max_length=64, blank=True)  # SHA-256 of the file, hexadecimal
    destination = models.CharField(max_length=300, blank=True)  # where it went, without credentials
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(last_seal__gte=models.F("first_seal")),
                name="audit_export_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=models.Q(delivered_at__isnull=True) | ~models.Q(digest=""),
                name="audit_export_delivered_with_its_digest",
            ),
        ]

    def __str__(self) -> str:
        return self.file
