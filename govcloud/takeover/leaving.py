"""Giving up what was taken over, as long as nothing else was done with it: our mark comes off, the things stay.

A project of which nothing is ours any more is theirs as it was.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from govcloud import lifecycle
from govcloud.audit import services as audit
from govcloud.errors import Conflict
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Address, Project, Resource, ResourceKind, Snapshot
from govcloud.protection.models import RecoveryPoint
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.actions.base import claimed
from govcloud.provisioning.lifecycle import StepState
from govcloud.provisioning.models import Operation, OperationKind, Step
from govcloud.sweeping import by_itself
from govcloud.takeover import planning, settling
from govcloud.takeover.lifecycle import OURS, CandidateStatus
from govcloud.takeover.models import Candidate, Takeover
from govcloud.takeover.services import locked


class NotTaken(Conflict):
    code = "not-taken-over"
    message = _("“%(name)s” is %(status)s: only what has been taken over can be given up.")


class UsedSince(Conflict):
    code = "used-since-takeover"
    message = _("“%(name)s” cannot be given up any more: %(reason)s. Release it instead, or leave it.")


class NothingToGiveUp(Conflict):
    code = "nothing-to-give-up"
    message = _("There is nothing here that could be given up.")


def give_up(
    *, takeover: Takeover, candidates: Collection[UUID], reason: str, actor: audit.Actor, at: datetime
) -> Operation:
    """Take our mark off again and forget the things, with a server its volumes, as long as nothing else was done with them.

    Nothing is deleted in the cloud. Usage until now stays billed. Raises NotTaken, UsedSince, NothingToGiveUp.
    """
    with transaction.atomic():
        takeover = locked(takeover)
        rows = takeover.candidates.select_for_update(of=("self",)).select_related("resource", "operation")
        chosen = list(rows.filter(uuid__in=candidates).order_by("pk"))
        servers = [each.external_id for each in chosen if each.kind == ResourceKind.SERVER]
        with_them = rows.filter(held_by__overlap=servers, status=CandidateStatus.TAKEN).exclude(
            pk__in=[each.pk for each in chosen]
        )
        going = [*chosen, *with_them.order_by("pk")]
        system = takeover.system
        if not going or system is None:
            raise NothingToGiveUp
        resources = [_may_leave(each, going) for each in going]
        for candidate, resource in zip(going, resources, strict=True):
            inventory.mark(resource=resource, to=Status.RELEASING, actor=actor, thread=takeover.uuid, at=at)
            lifecycle.transition(
                candidate, CandidateStatus.LEAVING, actor=actor, at=at, thread=takeover.uuid, reason=reason
            )
        groups = {
            each.pk: resource.network.security_group_id
            for each, resource in zip(going, resources, strict=True)
            if each.kind == ResourceKind.NETWORK
        }
        return provisioning.start(
            kind=OperationKind.TAKEOVER, reason=takeover.project_name[:200], thread=None, system=system,
            cloud=takeover.cloud, actor=actor, at=at,
            steps=planning.leaving(
                key=uuid4(), system=system.uuid, entry=_entry(takeover), candidates=going, groups=groups
            ),
        )  # fmt: skip


def give_back_what_nothing_came_of(*, at: datetime) -> int:
    """Leave the projects all of whose candidates were left as they were (skipped); returns how many are being left.

    A project that was the system's before is not left.
    """
    ours = Candidate.objects.filter(takeover=OuterRef("pk"), status__in=OURS)
    project = Project.objects.filter(
        system=OuterRef("system"), cloud=OuterRef("cloud"), external_id=OuterRef("project_id")
    )
    keys = Takeover.objects.filter(Exists(project), ~Exists(ours)).order_by("pk").values_list("pk", flat=True)
    given_back = 0
    for key in list(keys):
        with by_itself("project not left", takeover=key):
            given_back += _give_back(Takeover(pk=key), at=at)
    return given_back


def _give_back(takeover: Takeover, *, at: datetime) -> bool:
    with transaction.atomic():
        takeover = locked(takeover)
        last = _entries(takeover).select_related("operation__system", "operation__cloud").last()
        if last is None or takeover.candidates.filter(status__in=OURS).exists():
            return False
        entry, system = _entry(takeover), last.operation.system
        if not entry["limits"] or not settling.nothing_left(last.operation):
            return False
        provisioning.start(
            kind=OperationKind.TAKEOVER, reason=takeover.project_name[:200], thread=None, system=system,
            cloud=takeover.cloud, actor=settling.SETTLER, at=at,
            steps=[planning.way_out(uuid4(), system.uuid, entry)],
        )  # fmt: skip
    return True


def _entries(takeover: Takeover) -> QuerySet[Step]:
    """The steps by which we have had access to the project, in their order."""
    return Step.objects.filter(
        operation__kind=OperationKind.TAKEOVER,
        operation__system=takeover.system,
        kind=planning.ENTRY,
        state=StepState.DONE,
        operation__cloud=takeover.cloud,
        desired_state__project=takeover.project_id,
    ).order_by("pk")


def _entry(takeover: Takeover) -> dict[str, Any]:
    """What the project was like before the first of it was taken over: whether we had access, and its limits.

    With the role by which we have access since.
    """
    entries = _entries(takeover)
    first, last = entries.first(), entries.last()
    if first is None or last is None:
        raise NothingToGiveUp
    noted = entries.filter(outputs__has_key="limits").exclude(outputs__limits={}).last()
    limits = {} if noted is None else noted.outputs["limits"]
    return {"had": first.outputs.get("had", True), "role": last.external_id, "limits": limits}


def _may_leave(candidate: Candidate, going: Collection[Candidate]) -> Resource:
    """Raises NotTaken, UsedSince."""
    if candidate.status != CandidateStatus.TAKEN or candidate.resource_id is None:
        raise NotTaken(name=str(candidate), status=CandidateStatus(candidate.status).label)
    rows = Resource.objects.select_for_update(of=("self",)).with_particulars()
    resource = rows.get(pk=candidate.resource_id)
    reason = next(_uses(candidate, resource, going), None)
    if reason is not None:
        raise UsedSince(name=resource.name, reason=reason)
    return resource


def _uses(candidate: Candidate, resource: Resource, going: Collection[Candidate]) -> Iterator[str]:
    """Why it is not what was taken over any more, or others cannot be without it."""
    if resource.status != Status.ACTIVE:
        yield gettext("it is %(status)s") % {"status": Status(resource.status).label}
    if claim := claimed(resource):
        yield claim
    if candidate.kind == ResourceKind.VOLUME:
        yield from _uses_of_volume(resource, going)
    if candidate.kind == ResourceKind.NETWORK:
        on_it = Address.objects.filter(block__unit=resource.unit, released_at=None).exclude(port_id="")
        leaving = {each.unit for each in going}
        leaving_servers = {each.resource_id for each in going}
        if on_it.exclude(unit__in=leaving).exclude(server__in=leaving_servers).exists():
            yield gettext("it has servers")
    if _other_steps(resource).exists():
        yield gettext("something was done with it since")


def _uses_of_volume(resource: Resource, going: Collection[Candidate]) -> Iterator[str]:
    if Snapshot.objects.filter(volume__resource=resource, deleted_at=None).exists():
        yield gettext("it has snapshots")
    if RecoveryPoint.objects.filter(volume__resource=resource, expired_at=None).exists():
        yield gettext("it has recovery points")
    holder = resource.volume.server
    if holder is not None and holder.resource_id not in {each.resource_id for each in going}:
        yield gettext("it goes with its server")


def _other_steps(resource: Resource) -> QuerySet[Step]:
    """Of operations that name it; a takeover of something else is none that changes it."""
    unit = str(resource.unit)
    named = Q(unit=resource.unit) | Q(operation__resource=resource) | Q(operation__with_it=resource)
    for key in ("resource", "server", "volume", "network", "system_volume"):
        named |= Q(**{f"desired_state__{key}": unit})
    for key in ("volumes", "units"):
        named |= Q(**{f"desired_state__{key}__contains": [unit]})
    return Step.objects.filter(named).exclude(operation__kind=OperationKind.TAKEOVER)
