"""What things of the catalogue are called on a cloud. What has no name there cannot be ordered there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.catalog.models import (
    Cloud,
    CloudFlavor,
    CloudImage,
    CloudStorageClass,
    Flavor,
    Image,
    StorageClass,
)
from govcloud.clouds import sizes
from govcloud.clouds.services import locked
from govcloud.errors import Conflict, DomainError, Invalid, Invalids

Names = Mapping[str, Mapping[str, str]]
"""By kind of thing (a key of TABLES), the cloud's name by the catalogue's code."""

TABLES: Final[Mapping[str, tuple[Any, Any, str]]] = {
    "flavors": (CloudFlavor, Flavor, "flavor"),
    "storage_classes": (CloudStorageClass, StorageClass, "storage_class"),
    "images": (CloudImage, Image, "image"),
}


USES: Final[Mapping[str, tuple[str, ...]]] = {
    "flavors": ("server__flavor",),
    "storage_classes": ("volume__storage_class", "container__storage_class"),
    "images": ("server__image",),
}
"""By which columns a resource that stands uses a thing."""


class NotOfTheCatalogue(Invalid):
    code = "code-not-in-catalogue"
    message = _("The catalogue has nothing under the code “%(given)s”.")


class NamesInUse(Conflict):
    code = "names-in-use"
    message = _(
        "What stands on this cloud or is being built there goes by these names, so they cannot be taken away: %(codes)s. "
        "To stop offering something, retire it from the catalogue."
    )


class NotNamedThere(Invalid):
    code = "storage-class-not-named"
    message = _("This cloud has no name for the storage class “%(given)s”.")


def declared(cloud: Cloud) -> dict[str, dict[str, str]]:
    """The names, and under ``wiping`` what the cloud does to data that are deleted, by storage class."""
    rows = CloudStorageClass.objects.filter(cloud=cloud).order_by("storage_class__code")
    return {**names_of(cloud), "wiping": dict(rows.values_list("storage_class__code", "wiping"))}


def names_of(cloud: Cloud) -> dict[str, dict[str, str]]:
    return {
        kind: dict(
            table.objects.filter(cloud=cloud)
            .order_by(f"{column}__code")
            .values_list(f"{column}__code", "cloud_name")
        )
        for kind, (table, _thing, column) in TABLES.items()
    }


def set_names(
    *,
    cloud: Cloud,
    names: Names,
    expected_version: int,
    actor: audit.Actor,
    at: datetime,
    wiping: Mapping[str, str] | None = None,
) -> Cloud:
    """Replace the names of every kind that is given, and say how data are wiped (values of ``Wiping``, by storage class).

    Raises Invalids with all codes that are unknown, or have no name there after that; NamesInUse, CloudRetired and CloudChanged.
    """
    wanted = {kind: _known(kind, given) for kind, given in names.items()}
    errors: list[DomainError] = [
        NotOfTheCatalogue(given=code, pointers=(f"/{kind}/{code}",))
        for kind, given in names.items()
        for code in given
        if code not in wanted[kind]
    ]
    if errors:
        raise Invalids(errors)
    with transaction.atomic():
        cloud = locked(cloud, expected_version=expected_version)
        before = declared(cloud)
        _require_not_in_use(cloud, wanted)
        for kind, things in wanted.items():
            table, _thing, column = TABLES[kind]
            table.objects.filter(cloud=cloud).exclude(**{f"{column}__in": things.values()}).delete()
            for code, thing in things.items():
                table.objects.update_or_create(
                    cloud=cloud, **{column: thing}, defaults={"cloud_name": names[kind][code]}
                )
        _declare(cloud, wiping or {})
        sizes.forget_renamed(cloud=cloud, names=names, at=at)
        cloud.version += 1
        cloud.save(update_fields=["version"])
        audit.record(
            actor=actor,
            verb="cloud.names_changed",
            subject=cloud,
            at=at,
            before=before,
            after=declared(cloud),
        )
    return cloud


def _declare(cloud: Cloud, wiping: Mapping[str, str]) -> None:
    """Raises Invalids."""
    rows = {
        row.storage_class.code: row
        for row in CloudStorageClass.objects.filter(cloud=cloud).select_related("storage_class")
    }
    errors: list[DomainError] = [
        NotNamedThere(given=code, pointers=(f"/wiping/{code}",)) for code in wiping if code not in rows
    ]
    if errors:
        raise Invalids(errors)
    for code, means in wiping.items():
        CloudStorageClass.objects.filter(pk=rows[code].pk).update(wiping=means)


def _require_not_in_use(cloud: Cloud, wanted: Mapping[str, Mapping[str, Any]]) -> None:
    standing = cloud.resources.filter(released_at=None)
    missing: set[tuple[str, str]] = set()
    for kind, things in wanted.items():
        for column in USES[kind]:
            used = standing.exclude(**{column: None}).exclude(**{f"{column}__in": things.values()})
            codes = used.values_list(f"{column}__code", flat=True).distinct().order_by()
            missing |= {(kind, code) for code in codes}
        column = TABLES[kind][2]
        at_work = cloud.operations.filter(finished_at=None, steps__desired_state__has_key=column)
        named = at_work.values_list(f"steps__desired_state__{column}", flat=True).distinct().order_by()
        missing |= {(kind, code) for code in named if code is not None and code not in things}
    if missing:
        raise NamesInUse(
            codes=_(", ").join(sorted(code for _kind, code in missing)),
            pointers=tuple(f"/{kind}/{code}" for kind, code in sorted(missing)),
        )


def _known(kind: str, given: Mapping[str, str]) -> dict[str, Any]:
    _table, thing, _column = TABLES[kind]
    return {each.code: each for each in thing.objects.filter(code__in=given)}
