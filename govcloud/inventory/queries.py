from datetime import datetime
from typing import TYPE_CHECKING, Self, TypeVar

from django.db import models

from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.inventory.models import ContainerCredential, Resource, WipeRecord
    from tenants.models import User

M_co = TypeVar("M_co", bound=models.Model, covariant=True)


class ResourceQuerySet(models.QuerySet["Resource"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "ResourceQuerySet":
        return self.filter(within(actor, at=at, path="system__department__path"))

    def with_particulars(self) -> "ResourceQuerySet":
        """Everything a list shows of a resource, in one query."""
        return self.select_related(
            "system__department",
            "cloud",
            "availability_zone",
            "server__flavor",
            "server__image",
            "volume__storage_class",
            "volume__server__resource",
            "network",
            "backup__tier",
            "container__storage_class",
        )


class OfVolumeQuerySet(models.QuerySet[M_co]):
    """Of what belongs to a volume."""

    def visible_to(self, actor: "User", *, at: datetime) -> Self:
        return self.filter(within(actor, at=at, path="volume__resource__system__department__path"))


class OfServerQuerySet(models.QuerySet[M_co]):
    """Of what belongs to a server."""

    def visible_to(self, actor: "User", *, at: datetime) -> Self:
        return self.filter(within(actor, at=at, path="server__resource__system__department__path"))


class OfNetworkQuerySet(models.QuerySet[M_co]):
    """Of what belongs to a network."""

    def visible_to(self, actor: "User", *, at: datetime) -> Self:
        return self.filter(within(actor, at=at, path="network__resource__system__department__path"))


class WipeRecordQuerySet(models.QuerySet["WipeRecord"]):
    def visible_to(self, actor: "User", *, at: datetime) -> Self:
        return self.filter(within(actor, at=at, path="resource__system__department__path"))


class CredentialQuerySet(models.QuerySet["ContainerCredential"]):
    def visible_to(self, actor: "User", *, at: datetime) -> Self:
        return self.filter(within(actor, at=at, path="container__resource__system__department__path"))

    def in_force(self) -> Self:
        return self.filter(revoked_at=None)
