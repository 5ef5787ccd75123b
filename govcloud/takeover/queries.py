"""What stands in projects that were built outside: how many things, and what the cloud counts against the limits that we set there."""

from typing import TYPE_CHECKING

from django.db.models import Count, Q, QuerySet

from govcloud.catalog.models import Cloud
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Project, Resource, ResourceKind
from govcloud.provisioning.demand import Demand
from tenants.models import System

if TYPE_CHECKING:
    from govcloud.takeover.models import Takeover


def counted(takeovers: "QuerySet[Takeover]") -> "QuerySet[Takeover]":
    """With how many things were ``found`` in each project, are ``obstructed``, and are ours or about to be or to cease (``taken``)."""
    from govcloud.takeover.lifecycle import OURS, CandidateStatus  # noqa: PLC0415  the apps are loading

    there = ~Q(candidates__status=CandidateStatus.GONE)
    still_open = Q(candidates__status=CandidateStatus.OPEN)
    return takeovers.annotate(
        found=Count("candidates", filter=there),
        obstructed=Count("candidates", filter=still_open & ~Q(candidates__obstacles=[])),
        taken=Count("candidates", filter=Q(candidates__status__in=OURS)),
    )


def add_others(total: Demand, system: System, cloud: Cloud) -> None:
    """As the last survey found it: what has gone since leaves room in the cloud until the next, what was added is refused."""
    from govcloud.takeover.lifecycle import CandidateStatus  # noqa: PLC0415  the apps are loading
    from govcloud.takeover.models import Besides, Candidate, Port  # noqa: PLC0415

    project = Project.objects.filter(system=system, cloud=cloud).first()
    if project is None:
        return
    of_project = {"takeover__cloud": cloud, "takeover__project_id": project.external_id}
    for counted, amount in Besides.objects.filter(**of_project).values_list("counted", "amount"):
        setattr(total, counted, getattr(total, counted) + amount)
    recorded = Resource.objects.filter(cloud=cloud).exclude(status=Status.RELEASED).values("external_id")
    standing = Candidate.objects.filter(**of_project).exclude(status=CandidateStatus.GONE)
    left = list(standing.exclude(external_id__in=recorded))
    for candidate in left:
        match candidate.kind:
            case ResourceKind.SERVER:
                total.servers += 1
                total.vcpus += candidate.vcpus
                total.memory_mib += candidate.memory_mib
            case ResourceKind.VOLUME:
                total.volumes += 1
                total.volume_gib += candidate.size_gib
            case _:
                total.networks += 1
    held_by = [each.external_id for each in left if each.kind == ResourceKind.SERVER]
    total.other_ports += Port.objects.filter(**of_project, held_by__in=held_by).count()
