"""What the oracle knows of projects that were built outside: adopted once, never built again, and deleted when released only."""

from collections.abc import Collection, Iterator

from django.db.models import Exists, OuterRef, Q, QuerySet

from govcloud.gateways import openstack
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.provisioning.lifecycle import Desired
from govcloud.provisioning.models import Step
from govcloud.takeover.lifecycle import CandidateStatus
from govcloud.takeover.models import Candidate, Takeover

MOVING = (CandidateStatus.TAKING, CandidateStatus.LEAVING)


def lost(taken: Collection[str]) -> list[str]:
    """What nobody ever settled; what we took to be ours and have not recorded; what we deleted and was not ours to delete."""
    wrong = []
    for takeover in Takeover.objects.select_related("cloud"):
        there = _in_cloud(takeover)
        for each in _built_outside(taken).filter(takeover=takeover).select_related("resource"):
            if each.status in MOVING:
                wrong.append(f"{_told(each)} is {each.status} still")
            elif each.status == CandidateStatus.TAKEN and each.resource is None:
                wrong.append(f"{_told(each)} is taken over and not recorded")
            if not _ours_to_delete(each) and each.external_id not in there:
                wrong.append(f"{_told(each)} is gone, and was not released")
    return wrong


def duplicates(taken: Collection[str]) -> list[str]:
    """What is recorded twice, was built again under its unit, or stands beside what is known to belong there."""
    wrong = []
    for each in _built_outside(taken).select_related("cloud"):
        standing = Resource.objects.filter(cloud=each.cloud, external_id=each.external_id)
        if standing.exclude(status=Status.RELEASED).count() > 1:
            wrong.append(f"{_told(each)} is recorded twice")
        built = Step.objects.filter(unit=each.unit, kind=each.kind, desired=Desired.PRESENT)
        if built.exists():
            wrong.append(f"{_told(each)} was to be built as well")
    return [*wrong, *_strangers(taken)]


def orphans(taken: Collection[str]) -> list[str]:
    """What was released and is still there."""
    wrong = []
    for takeover in Takeover.objects.select_related("cloud"):
        there = _in_cloud(takeover)
        released = _built_outside(taken).filter(takeover=takeover, resource__status=Status.RELEASED)
        wrong += [f"{_told(each)} was released" for each in released.filter(external_id__in=there)]
    return wrong


def _strangers(taken: Collection[str]) -> Iterator[str]:
    """Things without our mark that were not there before we came: something was made twice, and its mark lost."""
    for takeover in Takeover.objects.select_related("cloud"):
        known = {
            *taken,
            *takeover.candidates.values_list("external_id", flat=True),
            *Resource.objects.filter(cloud=takeover.cloud).values_list("external_id", flat=True),
            *Step.objects.filter(operation__cloud=takeover.cloud).values_list("external_id", flat=True),
        }
        yield from (
            f"{kind} {each} in {takeover}" for each, kind in _in_cloud(takeover).items() if each not in known
        )


def _built_outside(taken: Collection[str]) -> QuerySet[Candidate]:
    """What surveys have found, less what we have built there ourselves since, if only until it was called off."""
    built = Q(desired=Desired.PRESENT) | Q(called_off_at__isnull=False)
    ours = Step.objects.filter(built, kind__in=[*ResourceKind])
    found = Candidate.objects.exclude(external_id__in=taken).order_by("pk")
    by_mark = ours.filter(unit=OuterRef("mark"))
    return found.exclude(external_id__in=ours.values("external_id")).exclude(Exists(by_mark))


def _in_cloud(takeover: Takeover) -> dict[str, str]:
    """The kinds of the servers, volumes and networks of its project, by their ids."""
    surveyed = openstack.connect(cloud=takeover.cloud.profile).survey
    pages = (
        (ResourceKind.SERVER, surveyed.servers(takeover.project_id)),
        (ResourceKind.VOLUME, surveyed.volumes(takeover.project_id)),
        (ResourceKind.NETWORK, surveyed.networks(takeover.project_id)),
    )
    return {
        each.id: str(kind)
        for kind, found in pages
        for page in found
        for each in page
        if not getattr(each, "deleted", False)
    }


def _ours_to_delete(candidate: Candidate) -> bool:
    resource = candidate.resource
    return resource is not None and resource.status in {Status.RELEASING, Status.RELEASED}


def _told(candidate: Candidate) -> str:
    return f"{candidate.kind} {candidate.external_id} ({candidate.found_name}), built outside,"
