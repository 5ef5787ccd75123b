"""Object containers, and the credentials that reach them."""

from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import StorageClass
from govcloud.inventory.models.resources import Resource
from govcloud.inventory.queries import CredentialQuerySet
from tenants.models import User


class Container(models.Model):
    """An object container. ``quota_gb`` is what was ordered, what is billed, and its limit in the cloud.

    What it holds is as the cloud counted it last; null until somebody looked.
    """

    resource = models.OneToOneField(
        Resource, on_delete=models.PROTECT, primary_key=True, related_name="container"
    )
    storage_class = models.ForeignKey(StorageClass, on_delete=models.PROTECT, related_name="containers")
    quota_gb = models.PositiveIntegerField()
    bytes_used = models.PositiveBigIntegerField(null=True)
    objects_held = models.PositiveBigIntegerField(null=True)
    counted_at = models.DateTimeField(null=True)


class Access(models.TextChoices):
    READ = "read", _("read only")
    WRITE = "write", _("read and write")


class ContainerCredential(models.Model):
    """A user of the cloud's own that reaches one container and nothing else. Its secret is not kept here.

    ``unit`` is what its name in the cloud carries; ``project_id`` is the project it signs in to, which holds nothing.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    unit = models.UUIDField(unique=True)
    container = models.ForeignKey(Container, on_delete=models.PROTECT, related_name="credentials")
    name = models.CharField(max_length=40)
    access = models.CharField(max_length=5, choices=Access)
    user_id = models.CharField(max_length=64)
    user_name = models.CharField(max_length=64)
    project_id = models.CharField(max_length=64)
    issued_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    issued_at = models.DateTimeField()
    secret_set_at = models.DateTimeField(null=True)  # null: nobody has drawn one yet
    revoked_at = models.DateTimeField(null=True)

    objects = CredentialQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-issued_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["container", "name"],
                condition=Q(revoked_at__isnull=True),
                name="credential_name_once_per_container",
            ),
        ]

    def __str__(self) -> str:
        return self.name
