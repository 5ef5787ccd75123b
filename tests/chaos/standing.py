"""What stands and can be ordered about now: nothing else has it in hand."""

from django.db.models import Exists, OuterRef, Q

from govcloud.inventory import reach
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import FloatingAddress, Resource, ResourceKind
from govcloud.provisioning.models import Step


def changeable(kind: ResourceKind, *conditions: Exists) -> list[Resource]:
    """What has been handed over and nothing else is about to change; a server together with its volumes."""
    at_work = Step.objects.filter(operation__finished_at=None)
    renewed = at_work.filter(kind="lease").values_list("desired_state__resource", flat=True)
    standing = (
        Resource.objects.filter(*conditions, kind=kind, status=Status.ACTIVE)
        .exclude(unit__in=at_work.values("unit"))
        .exclude(unit__in=list(renewed))
        .select_related(
            "system__department", "volume__storage_class", "volume__server__resource", "server__flavor",
            "container__storage_class", "backup",
        )
    )  # fmt: skip
    if kind == ResourceKind.VOLUME:
        out_of_use = [Status.CHANGING, Status.RELEASING, Status.SUSPENDED]
        return list(
            standing.exclude(volume__server=None).exclude(volume__server__resource__status__in=out_of_use)
        )
    if kind == ResourceKind.SERVER:
        in_hand = [Status.CHANGING, Status.RELEASING]
        standing = standing.exclude(server__volumes__resource__status__in=in_hand).distinct()
    return list(standing)


def renewable() -> list[Resource]:
    """Servers and containers with nothing else in hand; servers that are suspended, or are being suspended, as well."""
    stopping = Step.objects.filter(kind="suspension", operation__finished_at=None).values("unit")
    renewed = Step.objects.filter(kind="lease", operation__finished_at=None)
    suspended = (
        Resource.objects.filter(Q(status=Status.SUSPENDED) | Q(status=Status.CHANGING, unit__in=stopping))
        .exclude(unit__in=list(renewed.values_list("desired_state__resource", flat=True)))
        .select_related("system__department", "server")
    )
    return [*suspended, *changeable(ResourceKind.SERVER), *changeable(ResourceKind.CONTAINER)]


def reachable() -> list[Resource]:
    """Servers without an address, on networks that are connected or can be."""
    had = Exists(FloatingAddress.objects.filter(server=OuterRef("pk"), released_at=None))
    idle = {network.unit for network in changeable(ResourceKind.NETWORK)}
    return [
        server
        for server in changeable(ResourceKind.SERVER, ~had)
        if reach.network_of(server).resource.unit in idle
    ]


def detached(*conditions: Exists) -> list[Resource]:
    """Volumes that no server has, and that nothing else is about to change."""
    at_work = Step.objects.filter(operation__finished_at=None)
    alone = Resource.objects.filter(
        *conditions, kind=ResourceKind.VOLUME, status=Status.ACTIVE, volume__server=None
    ).exclude(unit__in=at_work.values("unit"))
    return list(alone.select_related("system__department", "volume__storage_class", "volume__server"))
