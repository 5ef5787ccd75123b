"""What people are told: notices, the messages in their inboxes, and what is on its way by mail or to webhooks."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.notifications.kinds import Way
from govcloud.notifications.lifecycle import WEBHOOK_TRANSITIONS, DeliveryState, WebhookStatus
from govcloud.notifications.queries import DeliveryQuerySet, MessageQuerySet, WebhookQuerySet
from tenants.models import Department, User


class Notice(models.Model):
    """Something that happened, written in the transaction in which it did: the one outbox.

    Facts, not sentences: ``kinds.KINDS`` has the words they go into. It is for ``people`` (keys of users) and for who
    holds one of the ``roles``, ``without`` some, who do not hear of it for others either but for those ``standing_in``.
    ``dispatched_at`` is when messages, mail and calls of webhooks were made
    of it; until then the row waits for that.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=30)  # of kinds.Kind; no choices here: a new kind needs no migration
    department = models.ForeignKey(Department, null=True, on_delete=models.PROTECT, related_name="notices")
    subject_type = models.CharField(max_length=40)
    subject_id = models.UUIDField()
    thread = models.UUIDField(null=True)
    facts = models.JSONField(encoder=DjangoJSONEncoder)
    people = ArrayField(models.BigIntegerField(), default=list)
    roles = ArrayField(models.CharField(max_length=30), default=list)
    without = ArrayField(models.BigIntegerField(), default=list)  # of those who hold the roles
    standing_in = ArrayField(
        models.BigIntegerField(), default=list
    )  # of ``without``: may hear of it for others
    created_at = models.DateTimeField()
    dispatched_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["id"], name="notice_to_dispatch", condition=Q(dispatched_at__isnull=True)
            ),
            # whether a request for a role was told of (``appointing.tell_lapsed``), looked up again and again
            models.Index(fields=["subject_id"], name="notice_of_lapse", condition=Q(kind="role.lapsed")),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"


class Webhook(models.Model):
    """Where an outside system hears of events: all of them, or (with a department) those of it and below it.

    ``failures`` counts the tries in a row that failed; ``rests_until`` keeps it from being tried meanwhile.
    """

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = WEBHOOK_TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(max_length=80)
    url = models.CharField(max_length=500)
    department = models.ForeignKey(
        Department, null=True, blank=True, on_delete=models.PROTECT, related_name="webhooks"
    )
    kinds = ArrayField(models.CharField(max_length=30), default=list)  # empty: every kind
    status = models.CharField(max_length=8, choices=WebhookStatus, default=WebhookStatus.ACTIVE)
    algorithm = models.CharField(max_length=20)
    key = models.CharField(max_length=16)
    sealed = models.BinaryField()  # the secret that signs
    registered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="webhooks")
    registered_at = models.DateTimeField()
    keeper = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")  # who answers for it now
    version = models.PositiveIntegerField(default=1)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    rests_until = models.DateTimeField(null=True)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(failures=0, failing_since__isnull=True)
                | Q(failures__gt=0, failing_since__isnull=False),
                name="webhook_fails_since_a_moment",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Channel(models.TextChoices):
    MAIL = "mail", _("mail")
    DIGEST = "digest", _("digest by mail")
    WEBHOOK = "webhook", _("webhook")


class Delivery(models.Model):
    """A mail to one person, or a call of one webhook. The row is the queue: claimed by lease and fence, due at ``next_run_at``."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    channel = models.CharField(max_length=7, choices=Channel)
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    webhook = models.ForeignKey(Webhook, null=True, on_delete=models.PROTECT, related_name="deliveries")
    notice = models.ForeignKey(Notice, null=True, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=9, choices=DeliveryState, default=DeliveryState.DUE)
    next_run_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    attempts_made = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["next_run_at"], name="delivery_due", condition=Q(state=DeliveryState.DUE)),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    channel=Channel.WEBHOOK,
                    webhook__isnull=False,
                    notice__isnull=False,
                    person__isnull=True,
                )
                | Q(
                    channel__in=[Channel.MAIL, Channel.DIGEST],
                    webhook__isnull=True,
                    notice__isnull=True,
                    person__isnull=False,
                ),
                name="delivery_goes_to_a_person_or_a_webhook",
            ),
            models.CheckConstraint(
                condition=Q(state=DeliveryState.DUE, next_run_at__isnull=False, finished_at__isnull=True)
                | (~Q(state=DeliveryState.DUE) & Q(next_run_at__isnull=True, finished_at__isnull=False)),
                name="delivery_is_due_until_it_ends",
            ),
            models.UniqueConstraint(fields=["webhook", "notice"], name="delivery_once_per_webhook"),
        ]


class Attempt(models.Model):
    """One try of a delivery, and what was answered."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    succeeded = models.BooleanField()
    status_code = models.PositiveSmallIntegerField(null=True)  # HTTP's or SMTP's; null: no answer
    milliseconds = models.PositiveIntegerField()
    detail = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]


class Message(models.Model):
    """A notice in one person's inbox; ``delivery`` is the mail that carries it as well.

    ``on_behalf_of`` has the names of those it is for whom the person stands in for; empty where it is for the person.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    notice = models.ForeignKey(Notice, on_delete=models.PROTECT, related_name="messages")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="messages")
    on_behalf_of = ArrayField(models.CharField(max_length=150), default=list)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    delivery = models.ForeignKey(Delivery, null=True, on_delete=models.PROTECT, related_name="messages")

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["person", "-id"], name="message_of_person"),
            models.Index(fields=["person"], name="message_unread", condition=Q(read_at__isnull=True)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["notice", "person"], name="message_once_per_person"),
        ]


class Preference(models.Model):
    """When a person's mail comes: each at once (null), or one digest at this hour of working days."""

    person = models.OneToOneField(User, on_delete=models.CASCADE, related_name="notice_preference")
    digest_hour = models.PositiveSmallIntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(digest_hour__isnull=True) | Q(digest_hour__lt=24), name="digest_at_an_hour"
            ),
        ]


class KindPreference(models.Model):
    """How a kind of notice reaches a person who wants it otherwise than usual."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=30)
    way = models.CharField(max_length=5, choices=Way)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["person", "kind"], name="kind_preferred_once"),
        ]
