"""What follows when a lease has ended: suspension, a grace, and taking back; and putting that off."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import uuid5

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _

from govcloud.alone import alone
from govcloud.audit import services as audit
from govcloud.audit.refusals import kept
from govcloud.errors import Conflict, Invalid
from govcloud.inventory import leases
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, ResourceKind, Server, Volume
from govcloud.leases import notices, obstacles, suspending
from govcloud.leases.models import KEEPING, Expiry, NoticeKind
from govcloud.leases.notices import BATCH, LEASES
from govcloud.leases.obstacles import Found
from govcloud.leases.policies import POSTPONERS
from govcloud.leases.queries import let
from govcloud.orders import dismantling
from govcloud.periods import wall_clock
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.models import Operation, OperationKind
from govcloud.provisioning.services import StepSpec
from tenants.models import System, User
from tenants.policies import require

LONGEST_REASON = 500


class Outcome(StrEnum):
    """What came of a look at a lease that has ended."""

    OVER = "over"  # extended since, released, or gone over to a server's lease
    SUSPENDED = "suspended"
    RECLAIMED = "reclaimed"
    WAITS = "waits"
    RESTS = "rests"  # until its grace is over


class NothingToPostpone(Conflict):
    code = "nothing-to-postpone"
    message = _("The lease of “%(name)s” has been extended, or it is being taken back already.")


class PostponementOutOfRange(Invalid):
    code = "postponement-out-of-range"
    message = _("It can be put off to a time after %(earliest)s, and to %(latest)s at most.")


class PostponementReasonMissing(Invalid):
    code = "postponement-reason-missing"
    message = _("Taking back is put off for a reason of at most %(most)s characters.")


def run_out(*, at: datetime) -> QuerySet[Resource]:
    """What is let, but for no longer, and has not been noticed."""
    noticed = Expiry.objects.filter(resource=OuterRef("pk"), lease_end=OuterRef("lease_end"))
    return let().filter(~Exists(noticed), lease_end__lte=at).order_by("lease_end", "pk")


def find(*, at: datetime) -> int:
    """Notice leases that have ended, a batch at a time; returns how many. One goes through them, whoever else comes."""
    found = 0
    while count := _find(at=at):
        found += count
        if count < BATCH:
            break
    _look_again(at=at)
    return found


@transaction.atomic
def _find(*, at: datetime) -> int:
    if not alone(notices.ALONE):
        return 0
    resources = list(run_out(at=at)[:BATCH])
    servers = ResourceKind.SERVER
    Expiry.objects.bulk_create(
        Expiry(
            resource=resource,
            lease_end=notices.end_of(resource),
            found_at=at,
            counts_from=at,
            reclaim_at=at + settings.LEASE_GRACE,
            next_look_at=at if resource.kind == servers else at + settings.LEASE_GRACE,
        )
        for resource in resources
    )
    notices.write([one for one in resources if one.kind != servers], kind=NoticeKind.ENDED, at=at)
    return len(resources)


@transaction.atomic
def _look_again(*, at: datetime) -> None:
    """What became of leases that were noticed before. One does it, whoever else comes: two would lock the rows in two orders."""
    if not alone(notices.ALONE):
        return
    # Volumes that a server has been given in their grace go by its lease.
    theirs = Volume.objects.filter(server__isnull=False).values("resource")
    Expiry.objects.filter(resource__in=theirs, next_look_at__isnull=False).update(next_look_at=None)
    # Those whose extension was taken back, and volumes that no server has any more, have a whole grace again, with its warnings.
    again = Expiry.objects.in_force().filter(next_look_at=None, reclaim=None)
    again.update(
        next_look_at=at, counts_from=at, reclaim_at=Greatest("reclaim_at", at + settings.LEASE_GRACE)
    )
    _count_from_the_stop(Expiry.objects.in_force())


def _count_from_the_stop(expiries: QuerySet[Expiry]) -> None:
    """However long the suspension took (a pause of the cloud, a step that waited for a person), the grace is what comes after it."""
    stopped = Server.objects.filter(resource=OuterRef("resource")).values("suspended_at")[:1]
    late = expiries.filter(reclaim=None, resource__server__suspended_at__gt=F("counts_from"))
    late.update(
        counts_from=Subquery(stopped),
        reclaim_at=Greatest("reclaim_at", Subquery(stopped) + Value(settings.LEASE_GRACE)),
    )


def due(*, at: datetime) -> list[int]:
    """Primary keys of the ended leases for which something has to be done."""
    return list(Expiry.objects.due(at=at).order_by("next_look_at", "pk").values_list("pk", flat=True))


@transaction.atomic
def advance(expiry_pk: int, *, at: datetime) -> Outcome | None:
    """Do what is due for a lease that has ended; None if somebody else has.

    Its system is locked first, as by whoever submits or approves an order: an extension comes before it or after it.
    """
    expiry = _taken(expiry_pk, at=at)
    if expiry is None:
        return None
    resource = expiry.resource
    extended = expiry.lease_end != resource.lease_end
    if extended or resource.status in {Status.RELEASING, Status.RELEASED} or _goes_by_a_server(resource):
        _keep(expiry, next_look_at=None)
        return Outcome.OVER
    if resource.kind == ResourceKind.SERVER and expiry.suspension is None:
        return _suspend(expiry, at=at)
    _count_from_the_stop(
        Expiry.objects.filter(pk=expiry.pk)
    )  # it may have been stopped since the sweep began
    expiry.refresh_from_db(fields=["counts_from", "reclaim_at"])
    if at >= expiry.reclaim_at:
        return _reclaim(expiry, at=at)
    _keep(expiry, next_look_at=expiry.reclaim_at)
    return Outcome.RESTS


def _goes_by_a_server(resource: Resource) -> bool:
    """Asked anew, since it may have been attached while its row was waited for."""
    return Volume.objects.filter(resource=resource, server__isnull=False).exists()


def _taken(expiry_pk: int, *, at: datetime) -> Expiry | None:
    System.objects.select_for_update(of=("self",), no_key=True).get(resources__expiries=expiry_pk)
    rows = Expiry.objects.select_for_update(of=("self", "resource"))
    return (
        rows.due(at=at)
        .select_related(
            "suspension", "resource__system__department", "resource__cloud", "resource__server",
            "resource__network", "resource__volume", "resource__backup",
        )
        .filter(pk=expiry_pk)
        .first()
    )  # fmt: skip


def _keep(expiry: Expiry, *, next_look_at: datetime | None, found: Found | None = None) -> None:
    expiry.next_look_at = next_look_at
    expiry.obstacle, expiry.obstacle_detail = (found.obstacle, found.detail[:500]) if found else ("", "")
    expiry.save()


def _suspend(expiry: Expiry, *, at: datetime) -> Outcome:
    server = expiry.resource
    found = obstacles.to_suspension(server)
    if found is not None:
        _keep(expiry, next_look_at=at + settings.LEASE_RETRY, found=found)
        return Outcome.WAITS
    leases.prepare_suspension(server.server)
    inventory.mark(resource=server, to=Status.CHANGING, actor=LEASES, thread=server.thread, at=at)
    steps = suspending.suspend(server, key=str(expiry.uuid))
    expiry.suspension = _start(expiry, OperationKind.SUSPEND, steps, with_it=[server], at=at)
    expiry.counts_from = at  # however late it was stopped
    expiry.reclaim_at = max(expiry.reclaim_at, at + settings.LEASE_GRACE)
    _keep(expiry, next_look_at=expiry.reclaim_at)
    notices.write([server], kind=NoticeKind.SUSPENDED, at=at)
    return Outcome.SUSPENDED


def _reclaim(expiry: Expiry, *, at: datetime) -> Outcome:
    resource = expiry.resource
    found = obstacles.to_reclaim(resource)
    if kept_no_more(expiry, found):  # whoever counted on that has time to order its renewal, and is told so
        expiry.counts_from, expiry.reclaim_at = at, at + notices.warning_time()
    elif found is None:
        expiry.reclaim_at = max(expiry.reclaim_at, notices.soonest(expiry, at=at))
    if at < expiry.reclaim_at:
        _keep(expiry, next_look_at=expiry.reclaim_at)
        return Outcome.RESTS
    if found is not None:
        _keep(expiry, next_look_at=at + settings.LEASE_RETRY, found=found)
        return Outcome.WAITS
    steps = dismantling.begin(
        going=[_going(expiry, resource)],
        part=uuid5(expiry.uuid, "reclaim"),
        system=resource.system.uuid,
        actor=LEASES,
        thread=resource.thread,
        at=at,
    )
    expiry.reclaim = _start(expiry, OperationKind.RECLAIM, steps, at=at)
    _keep(expiry, next_look_at=None)
    notices.write([resource], kind=NoticeKind.RECLAIMED, at=at)
    return Outcome.RECLAIMED


def kept_no_more(expiry: Expiry, found: Found | None) -> bool:
    """Whether something kept it beyond its grace when it was looked at last (an order, a legal hold, servers that need it), and has
    let it go.
    """
    return expiry.obstacle in KEEPING and (found is None or found.obstacle != expiry.obstacle)


def rests(expiry: Expiry, found: Found | None, *, at: datetime) -> bool:
    """Whether it is kept for longer, though its grace is over: somebody has to be told before."""
    return kept_no_more(expiry, found) or (found is None and at < notices.soonest(expiry, at=at))


def _going(expiry: Expiry, resource: Resource) -> dismantling.Going:
    volumes = leases.with_server(resource).select_related("cloud", "volume").order_by("pk")
    return dismantling.Going(
        resource=resource,
        release=uuid5(expiry.uuid, str(resource.unit)),
        volumes=tuple(_going(expiry, volume) for volume in volumes),
        with_contents=True,  # as the notices say
    )


def _start(
    expiry: Expiry,
    kind: OperationKind,
    steps: list[StepSpec],
    *,
    at: datetime,
    with_it: Sequence[Resource] = (),
) -> Operation:
    resource = expiry.resource
    return provisioning.start(
        kind=kind,
        reason=resource.name,
        thread=None,
        system=resource.system,
        cloud=resource.cloud,
        steps=steps,
        actor=LEASES,
        at=at,
        with_it=with_it,
    )


def postponable(expiry: Expiry, *, at: datetime) -> tuple[datetime, datetime]:
    """To a time after the first and to the second at most taking back can be put off."""
    return max(at, expiry.reclaim_at), at + settings.LEASE_POSTPONEMENT


def postpone(*, expiry: Expiry, until: datetime, reason: str, actor: User, at: datetime) -> Expiry:
    """Have something taken back later than its grace says. A server stays suspended, or is suspended, all the same.

    Raises RoleMissing for anybody but a cloud administrator, PostponementReasonMissing, PostponementOutOfRange, and
    NothingToPostpone for what is being taken back already or is let again.
    """
    require(actor, *POSTPONERS, at=at)
    if not 1 <= len(reason.strip()) <= LONGEST_REASON:
        raise PostponementReasonMissing(most=LONGEST_REASON, pointers=("/reason",))
    with kept(), transaction.atomic():
        rows = Expiry.objects.select_for_update(of=("self",)).select_related("resource")
        expiry = rows.get(pk=expiry.pk)
        resource, before = expiry.resource, expiry.reclaim_at
        if expiry.reclaim is not None or not Expiry.objects.in_force().filter(pk=expiry.pk).exists():
            raise NothingToPostpone(name=resource.name)
        earliest, latest = postponable(expiry, at=at)
        if not earliest < until <= latest:
            raise PostponementOutOfRange(
                earliest=wall_clock(earliest), latest=wall_clock(latest), pointers=("/until",)
            )
        expiry.reclaim_at = until
        expiry.postponed_by, expiry.postponed_because = actor, reason.strip()
        to_be_stopped = resource.kind == ResourceKind.SERVER and expiry.suspension is None
        _keep(expiry, next_look_at=expiry.next_look_at if to_be_stopped else until)
        audit.record(
            actor=actor, verb="lease.reclaim_postponed", subject=resource, at=at, thread=resource.thread,
            reason=reason.strip(), before={"reclaim_at": before}, after={"reclaim_at": until},
        )  # fmt: skip
    return expiry
