"""What a kind of thing has to say for itself to be compared, and how a mark of ours is read."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet

from govcloud.catalog.models import Cloud
from govcloud.gateways.openstack.census import Census
from govcloud.inventory.lifecycle import STANDING, Status
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.reconciliation.comparison import Home, Seen, Standing
from govcloud.reconciliation.vocabulary import Field, SubjectKind

_MARK = re.compile(r"^gc-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$")


def marked(tags: Iterable[str], *, otherwise: str = "") -> UUID | None:
    """The unit that one of the tags names, if one is a mark of ours; ``otherwise`` (a name, a description) counts after them.

    Of several marks among tags, which come in no order, it is always the same one.
    """
    found = (_MARK.match(word) for word in [*sorted(tags), otherwise])
    return next((UUID(match[1]) for match in found if match), None)


class Subject:
    """One kind of thing. ``standing`` answers for a page at a time, with as many statements whatever its length."""

    kind: ClassVar[SubjectKind]
    in_every_pass: ClassVar[bool] = True
    """Else full passes alone list it; others only look again at what was suspected."""

    def pages(self, everything: Census, *, since: datetime | None) -> Iterator[list[Seen]]:
        """All of them; only what changed since, where the cloud can be asked that."""
        raise NotImplementedError

    def one(self, everything: Census, external_id: str) -> Seen:
        """Raises ``NotFound``."""
        raise NotImplementedError

    def recorded(self, cloud: Cloud, *, before: datetime) -> QuerySet[Any, str]:
        """The cloud's ids of what our record has in use there since before the instant."""
        raise NotImplementedError

    def standing(self, cloud: Cloud, ids: Collection[str]) -> dict[str, Standing | None]:
        """What our record has under these ids of the cloud; None for what is being changed or released just now."""
        raise NotImplementedError

    def homes(self, cloud: Cloud, unknown: Sequence[Seen]) -> dict[str, Home]:  # noqa: ARG002
        """Of what no record knows: at what of ours it was found, by its id."""
        return {}

    def strangers(self, unmarked: Sequence[Seen]) -> list[Seen]:
        """Of what carries no mark and is not recorded: without the cloud's own works, and what another finding tells of."""
        return list(unmarked)


def resources_of(cloud: Cloud, kind: ResourceKind) -> QuerySet[Resource]:
    return Resource.objects.filter(cloud=cloud, kind=kind).exclude(status=Status.RELEASED)


def standing_of(kind: SubjectKind, row: Mapping[str, Any], fields: Mapping[Field, str]) -> Standing | None:
    """As the row of a resource has it (``pk unit system_id status external_id``); None for one that is in hand."""
    if row["status"] not in STANDING:
        return None
    return Standing(
        kind=kind,
        external_id=row["external_id"],
        resource=row["pk"],
        unit=row["unit"],
        system=row["system_id"],
        fields=fields,
        suspended=row["status"] == Status.SUSPENDED,
    )


def standing_at(
    kind: SubjectKind,
    resource: Resource,
    external_id: str,
    unit: UUID,
    fields: Mapping[Field, str],
    *,
    name: str,
) -> Standing | None:
    """Recorded with a resource; None while that is in hand."""
    if resource.status not in STANDING:
        return None
    return Standing(
        kind=kind,
        external_id=external_id,
        resource=resource.pk,
        unit=unit,
        system=resource.system_id,
        fields=fields,
        name=name,
    )


def home_of(resource: Resource) -> Home:
    return Home(resource=resource.pk, at_rest=resource.status in STANDING)
