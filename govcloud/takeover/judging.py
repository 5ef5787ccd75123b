"""What is known of a cloud, held against the candidates of a takeover, and what comes of it kept with them."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.db.models import F

from govcloud.catalog.models import Cloud, CloudFlavor, CloudImage, CloudStorageClass
from govcloud.clouds.models import AvailabilityZone
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import AddressBlock, Resource, ResourceKind
from govcloud.orders.rules.standing import names_taken
from govcloud.provisioning.models import Step
from govcloud.takeover.assessment import Knowledge, assess, name_for
from govcloud.takeover.lifecycle import CandidateStatus
from govcloud.takeover.models import Candidate, Equivalent, Takeover

BATCH = 500
_JUDGED = ("obstacles", "flavor", "image", "storage_class", "size_gb", "name")


def judge(takeover: Takeover) -> list[Candidate]:
    """Judge what is open anew: the catalogue, the equivalents or the record may have changed. Returns those."""
    everything = takeover.candidates.exclude(status=CandidateStatus.GONE).select_related(
        "flavor", "image", "storage_class"
    )
    candidates = list(everything.order_by("pk"))
    known = knowledge(takeover, candidates)
    assess(candidates, list(takeover.ports.all()), known)
    still_open = [each for each in candidates if each.status == CandidateStatus.OPEN]
    _name(takeover, candidates, still_open)
    Candidate.objects.bulk_update(still_open, list(_JUDGED), batch_size=BATCH)
    return still_open


def _name(takeover: Takeover, candidates: Collection[Candidate], still_open: Collection[Candidate]) -> None:
    """What has been given a name keeps it as long as nothing else of the system has it."""
    given = {each.name for each in candidates if each.name}
    wanted = given | {name_for(each.found_name, each.kind, ()) for each in candidates}
    used: set[str] = set()
    if takeover.system is not None:
        used.update(names_taken(system=takeover.system, wanted=wanted))
    used.update(each.name for each in candidates if each.status != CandidateStatus.OPEN)
    for each in still_open:
        if not each.name or each.name in used:
            each.name = name_for(each.found_name, each.kind, used)
            while each.name not in wanted and _is_taken(takeover, each.name):
                used.add(each.name)
                each.name = name_for(each.found_name, each.kind, used)
        used.add(each.name)


def _is_taken(takeover: Takeover, name: str) -> bool:
    return takeover.system is not None and bool(names_taken(system=takeover.system, wanted=[name]))


def knowledge(takeover: Takeover, candidates: Collection[Candidate]) -> Knowledge:
    cloud = takeover.cloud
    in_use = Resource.objects.filter(cloud=cloud).exclude(status=Status.RELEASED)
    ids = [each.external_id for each in candidates]
    owned = set(in_use.filter(external_id__in=ids).values_list("external_id", flat=True))
    networks = in_use.filter(system=takeover.system, kind=ResourceKind.NETWORK, status=Status.ACTIVE)
    parts = AvailabilityZone.objects.filter(cloud=cloud).exclude(compute_zone="")
    blocks = AddressBlock.objects.filter(cloud=cloud, released_at=None)
    return Knowledge(
        flavors=_named(CloudFlavor, cloud, "flavor"),
        images=_named(CloudImage, cloud, "image"),
        storage_classes=_named(CloudStorageClass, cloud, "storage_class"),
        scales={each.storage_class_id: each for each in CloudStorageClass.objects.filter(cloud=cloud)},
        owned=owned,
        networks=set(networks.values_list("external_id", flat=True)) if takeover.system else set(),
        known_marks=_left_over({each.mark for each in candidates if each.mark is not None}),
        parts=dict(parts.values_list("compute_zone", "mlps_level")),
        level=takeover.system.mlps_level if takeover.system is not None else 0,
        ranges=list(
            blocks.exclude(unit__in=[each.unit for each in candidates]).values_list(F("first"), F("last"))
        ),
    )


def _named(table: Any, cloud: Cloud, column: str) -> Mapping[str, Any]:
    """By the cloud's name; the catalogue's own names go before equivalents."""
    equivalents = Equivalent.objects.filter(cloud=cloud, **{f"{column}__isnull": False})
    named = table.objects.filter(cloud=cloud)
    return {
        **{each.cloud_name: getattr(each, column) for each in equivalents.select_related(column)},
        **{each.cloud_name: getattr(each, column) for each in named.select_related(column)},
    }


def _left_over(marks: Collection[UUID]) -> set[UUID]:
    """Marks of ours under which nothing is in use or being built: what bears one was given up, or let go of half way."""
    if not marks:
        return set()
    ours = set(Resource.objects.filter(unit__in=marks).values_list("unit", flat=True))
    ours.update(Step.objects.filter(unit__in=marks).values_list("unit", flat=True))
    in_use = Resource.objects.filter(unit__in=marks).exclude(status=Status.RELEASED)
    at_work = Step.objects.filter(unit__in=marks, operation__finished_at=None)
    return ours - set(in_use.values_list("unit", flat=True)) - set(at_work.values_list("unit", flat=True))
