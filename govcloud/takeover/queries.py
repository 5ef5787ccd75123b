"""What stands in a system's project and is not ours. The cloud counts it against the limits that we set there."""

from govcloud.catalog.models import Cloud
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Project, Resource, ResourceKind
from govcloud.provisioning.demand import Demand
from tenants.models import System


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
