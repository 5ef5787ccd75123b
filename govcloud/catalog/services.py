"""Where what is ordered gets built, and taking things out of the catalogue."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.catalog.models import (
    Cloud,
    CloudFlavor,
    CloudImage,
    CloudStorageClass,
    Flavor,
    Image,
    Offerable,
    Site,
    StorageClass,
)
from govcloud.errors import Conflict, DomainError, Invalid
from tenants.models import NetworkZone, System
from tenants.naming import name_of


class NoCloudForZone(Conflict):
    code = "no-cloud-for-zone"
    message = _("No cloud takes orders for the %(zone)s at present.")


class AlreadyRetired(Conflict):
    code = "already-retired"
    message = _("“%(name)s” was retired on %(on)s.")


class NotInCatalogue(Invalid):
    code = "not-in-catalogue"
    message = _("The catalogue has no %(what)s “%(name)s”.")


class Retired(Invalid):
    code = "retired"
    message = _("“%(name)s” (%(code)s) has been retired from the catalogue; choose another.")

    @classmethod
    def of(cls, thing: Offerable, pointer: str) -> "Retired":
        return cls(name=name_of(thing), code=thing.code, pointers=(pointer,))


class NotAvailableHere(Invalid):
    code = "not-available-in-zone"
    message = _("“%(name)s” (%(code)s) cannot be had in the %(zone)s.")


class MemoryTooSmall(Invalid):
    code = "flavor-too-small-for-image"
    message = _("“%(image)s” needs at least %(minimum)s GB of memory; “%(flavor)s” has %(memory)s GB.")


@dataclass(frozen=True, slots=True)
class Availability:
    """What a cloud has a name for, by primary key."""

    cloud: Cloud
    flavors: frozenset[int]
    images: frozenset[int]
    storage_classes: frozenset[int]

    def has(self, thing: Offerable) -> bool:
        """Whether the cloud has it; things that no cloud needs a name for are everywhere."""
        match thing:
            case Flavor():
                return thing.pk in self.flavors
            case Image():
                return thing.pk in self.images
            case StorageClass():
                return thing.pk in self.storage_classes
            case _:
                return True


def place(*, system: System, zone: str) -> Cloud:
    """The cloud on which a system's things of a zone are built: the one that has them already, else the first by code.

    Raises NoCloudForZone.
    """
    cloud = _candidates(system, zone).first()
    if cloud is None:
        raise NoCloudForZone(zone=NetworkZone(zone).label)
    return cloud


def availability(*, system: System, zone: str) -> Availability | None:
    """What can be had where ``place`` would build; None where there is no such cloud. One query."""
    here = {"cloud": OuterRef("pk")}
    cloud = (
        _candidates(system, zone)
        .annotate(
            has_flavors=ArraySubquery(CloudFlavor.objects.filter(**here).values("flavor_id")),
            has_images=ArraySubquery(CloudImage.objects.filter(**here).values("image_id")),
            has_classes=ArraySubquery(CloudStorageClass.objects.filter(**here).values("storage_class_id")),
        )
        .first()
    )
    if cloud is None:
        return None
    return Availability(
        cloud=cloud,
        flavors=frozenset(cloud.has_flavors),
        images=frozenset(cloud.has_images),
        storage_classes=frozenset(cloud.has_classes),
    )


def _candidates(system: System, zone: str) -> QuerySet[Cloud]:
    at_home = Count("projects", filter=Q(projects__system=system))
    return (
        Cloud.objects.filter(enabled=True, site=Site.MAIN, zones__zone=zone)
        .annotate(at_home=at_home)
        .order_by("-at_home", "code")
    )


def remembers_enough(flavor: Flavor, image: Image, pointer: str) -> Iterator[DomainError]:
    """Memory is all that a flavor can have too little of: every server boots from a volume of its own size."""
    if flavor.memory_gb < image.min_memory_gb:
        yield MemoryTooSmall(
            image=name_of(image),
            minimum=image.min_memory_gb,
            flavor=name_of(flavor),
            memory=flavor.memory_gb,
            pointers=(pointer,),
        )


def retire_flavor(*, flavor: Flavor, actor: audit.Actor, at: datetime) -> Flavor:
    """Take a flavor out of the catalogue: drafts that name it are refused from now on, what runs on it stays.

    Raises AlreadyRetired.
    """
    with transaction.atomic():
        locked = Flavor.objects.select_for_update().get(pk=flavor.pk)
        if locked.retired_at is not None:
            raise AlreadyRetired(name=name_of(locked), on=timezone.localdate(locked.retired_at).isoformat())
        locked.retired_at = at
        locked.save(update_fields=["retired_at"])
        audit.record(
            actor=actor,
            verb="flavor.retired",
            subject=None,
            label=locked.code,
            at=at,
            before={"retired_at": None},
            after={"retired_at": at},
        )
    return locked
