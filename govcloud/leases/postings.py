"""Lease notices on their way to people: one for each system, however many of its resources it is about."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from govcloud.inventory.models import Resource
from govcloud.leases.models import NoticeKind
from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import Kind
from govcloud.notifications.services import Posting
from tenants.models import Role, System

KINDS: Mapping[str, Kind] = {
    NoticeKind.ENDING: Kind.LEASE_ENDING,
    NoticeKind.ENDED: Kind.LEASE_ENDED,
    NoticeKind.SUSPENDED: Kind.LEASE_SUSPENDED,
    NoticeKind.RECLAIM: Kind.LEASE_RECLAIM,
    NoticeKind.RECLAIMED: Kind.LEASE_RECLAIMED,
}
TOLD = (Role.APPLICANT, Role.UNIT_APPROVER)
NAMED = 3  # resources; the page of leases has them all


def post(resources: Sequence[Resource], *, kind: NoticeKind, at: datetime) -> None:
    """Tell the applicants and approvers of each system's department. As many statements for many as for few."""
    systems = {
        system.pk: system
        for system in System.objects.filter(pk__in={each.system_id for each in resources}).select_related(
            "department"
        )
    }
    notifications.post_many(
        postings=[
            Posting(
                kind=KINDS[kind],
                subject=system,
                facts=_facts(system, [each for each in resources if each.system_id == system.pk], at=at),
                roles=TOLD,
                department=system.department,
            )
            for system in systems.values()
        ],
        at=at,
    )


def _facts(system: System, resources: Sequence[Resource], *, at: datetime) -> dict[str, Any]:
    names = ", ".join(each.name for each in resources[:NAMED])
    return {
        "system": system.name,
        "system_en": system.name_en,
        "count": len(resources),
        "names": names if len(resources) <= NAMED else f"{names}, …",
        "due_at": min(getattr(each, "due_at", at) for each in resources),
    }
