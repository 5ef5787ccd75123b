"""Taking things out of the catalogue."""

from collections.abc import Iterator
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.catalog.models import Flavor, Image, Offerable
from govcloud.errors import Conflict, DomainError, Invalid
from tenants.naming import name_of


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
