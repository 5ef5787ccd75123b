"""One pass over a cloud: asked for, taken by one, carried out page by page.

The cloud is read first and the record after it, page by page, so that what was built meanwhile is in the record already;
what a step has in hand, or has just ended, is left to the next pass.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from govcloud import lifecycle
from govcloud.audit import services as audit
from govcloud.catalog.models import Cloud
from govcloud.clouds import access
from govcloud.errors import Conflict
from govcloud.gateways import openstack
from govcloud.gateways.openstack import errors
from govcloud.inventory.models import Project, Resource, ResourceKind
from govcloud.reconciliation import balances, comparison, hands, stores, strangers
from govcloud.reconciliation.comparison import Observation, Seen, Standing
from govcloud.reconciliation.findings import RECONCILER, SECOND_LOOK, Noted, left_over, note
from govcloud.reconciliation.lifecycle import FindingStatus, SweepStatus
from govcloud.reconciliation.models import Extent, Finding, Sweep
from govcloud.reconciliation.subjects import SUBJECTS, Subject
from govcloud.reconciliation.vocabulary import Field, FindingKind, SubjectKind

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=5)  # longer than any one page takes
OVERLAP = timedelta(minutes=5)  # a change may become visible later than its time says
MOST_LOOKS = 500  # for things that are in no list, one by one, in a pass
GIVE_UP = 5  # such looks in a row that the cloud could not answer: a cell of it is down
BATCH = 1_000

Progress = Callable[[str, int], None]
"""Told of what is being read, and how many of it were."""


class SweepUnderWay(Conflict):
    code = "sweep-under-way"
    message = _("This cloud is being compared with the records already. Wait until that pass has ended.")


class SweepLost(Exception):
    """Somebody took this pass for dead and started the next."""


def request(*, cloud: Cloud, extent: Extent | None = None, actor: audit.Actor, at: datetime) -> Sweep:
    """Ask for a pass: of everything when one is due, else of what has changed, unless told. Raises SweepUnderWay."""
    _bury(cloud, at=at)
    try:
        with transaction.atomic():
            sweep = Sweep.objects.create(cloud=cloud, extent=extent or _extent(cloud, at=at), requested_at=at)
            audit.record(
                actor=actor, verb="sweep.requested", subject=sweep, at=at, after={"extent": sweep.extent}
            )
    except IntegrityError as error:
        raise SweepUnderWay from error
    return sweep


def _extent(cloud: Cloud, *, at: datetime) -> Extent:
    done = Sweep.objects.filter(cloud=cloud, status=SweepStatus.DONE)
    recent = done.filter(extent=Extent.FULL, started_at__gt=at - settings.RECONCILE_FULL_EVERY)
    return Extent.INCREMENTAL if recent.exists() else Extent.FULL


def _bury(cloud: Cloud, *, at: datetime) -> None:
    """A pass whose worker has not been heard of for the length of its lease has failed."""
    with transaction.atomic():
        dead = Sweep.objects.select_for_update().filter(
            cloud=cloud, status=SweepStatus.RUNNING, lease_until__lte=at
        )
        for sweep in dead:
            _fail(sweep, "its worker is gone", at=at)


def take(sweep_pk: int, *, at: datetime) -> Sweep | None:
    """Take a pass that waits; None when somebody else has."""
    with transaction.atomic():
        sweep = (
            Sweep.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("cloud")
            .filter(pk=sweep_pk, status=SweepStatus.DUE)
            .first()
        )
        if sweep is not None:
            standing = Resource.objects.filter(
                kind=ResourceKind.SERVER, cloud=sweep.cloud, released_at=None, built_at__lte=at
            )
            lifecycle.transition(
                sweep,
                SweepStatus.RUNNING,
                actor=RECONCILER,
                at=at,
                started_at=at,
                lease_until=at + LEASE,
                servers=standing.count(),
            )
    return sweep


def carry_out(
    sweep: Sweep, *, clock: Callable[[], datetime], progress: Progress = lambda _what, _count: None
) -> None:
    """Do the pass. A cloud that does not answer ends it as failed; what was found until then stands."""
    passing = Pass(sweep, clock=clock, progress=progress)
    try:
        with openstack.recording(passing.count):
            passing.run()
    except errors.CloudError as error:
        log.warning("sweep failed", cloud=sweep.cloud.code, reason=str(error))
        passing.end(str(error))
    except SweepLost:
        log.warning("sweep lost", cloud=sweep.cloud.code)
    except Exception as error:
        passing.end(f"{type(error).__name__}: {error}")
        raise
    else:
        passing.end()


def _fail(sweep: Sweep, failure: str, *, at: datetime) -> None:
    lifecycle.transition(
        sweep, SweepStatus.FAILED, actor=RECONCILER, at=at, reason=failure, finished_at=at, failure=failure
    )


class Pass:
    """One pass by one worker."""

    def __init__(self, sweep: Sweep, *, clock: Callable[[], datetime], progress: Progress) -> None:
        self.sweep, self.cloud, self.clock, self.progress = sweep, sweep.cloud, clock, progress
        self.projects = dict(Project.objects.filter(cloud=self.cloud).values_list("external_id", "system_id"))
        self.noted = Noted()
        self.until = self._begin_at()
        self.lost: frozenset[str] = frozenset()  # servers that the cloud does not have
        self.lost_volumes: frozenset[int] = frozenset()  # and volumes, by the keys of their records

    @cached_property
    def reached(self) -> openstack.Cloud:
        """The cloud as its operators see it. Raises ``Misconfigured``."""
        return access.connect(cloud=self.cloud, timeout=settings.CLOUD_API_TIMEOUT)

    def count(self, exchange: openstack.Exchange) -> None:  # noqa: ARG002
        self.sweep.api_calls += 1

    def run(self) -> None:
        for subject in SUBJECTS:
            self._compare(subject)
        if self.sweep.extent == Extent.FULL:
            self._stores()
            self._balance()
            for kind, ids in left_over(self.cloud).items():
                self._add(self._noted(self.cloud, kind, ids, []))

    # -- one kind of thing

    def _compare(self, subject: Subject) -> None:
        since = self._since(subject)
        listed = subject.in_every_pass or self.sweep.extent == Extent.FULL
        seen: set[str] = set()
        deleted: set[str] = set()
        pages = subject.pages(self.reached.census, since=since) if listed else iter(())
        while True:
            asked_at = self.clock()
            page = next(pages, None)
            if page is None:
                break
            self._keep()
            self._remember(subject, page)
            deleted.update(each.external_id for each in page if each.deleted)
            standing = [each for each in page if not each.deleted]
            of_others = self._look(subject, standing, asked_at)
            seen.update(each.external_id for each in standing if each.external_id not in of_others)
            self.progress(str(subject.kind.label), len(page))
        self._absent(subject, seen, deleted, complete=listed and since is None)
        if subject.kind == SubjectKind.SERVER:
            self.lost = frozenset(
                self._live(subject, FindingKind.MISSING).values_list("external_id", flat=True)
            )
        elif subject.kind == SubjectKind.VOLUME:
            gone = self._live(subject, FindingKind.MISSING).filter(resource__isnull=False)
            self.lost_volumes = frozenset(gone.values_list("resource", flat=True))

    def _look(self, subject: Subject, page: Sequence[Seen], asked_at: datetime) -> set[str]:
        """Hold a page against the record. What moves, or is in hand, is not looked at this time; of others' projects only what is
        recorded here, and was moved there. The ids of the rest of these are returned: they are no concern of ours.
        """
        page = [each for each in page if each.settled]
        recorded = subject.standing(self.cloud, [each.external_id for each in page])
        of_others = {
            each.external_id
            for each in page
            if each.project_id not in self.projects and each.external_id not in recorded
        }
        page = [each for each in page if each.external_id not in of_others]
        drifted: list[Observation] = []
        for each in page:
            standing = recorded.get(each.external_id)
            if standing is not None:
                drifted += self._drift(standing, each)
        unknown, in_hand = strangers.found(
            subject,
            [each for each in page if each.external_id not in recorded],
            cloud=self.cloud,
            projects=self.projects,
            since=asked_at - hands.MARGIN,
        )
        busy = hands.busy(observations=drifted, since=asked_at - hands.MARGIN)
        skipped = in_hand | {each.external_id for each in drifted if each.unit in busy}
        skipped |= {external_id for external_id, standing in recorded.items() if standing is None}
        self._note(
            subject,
            [each.external_id for each in page if each.external_id not in skipped],
            [*(each for each in drifted if each.external_id not in skipped), *unknown],
        )
        return of_others

    def _drift(self, standing: Standing, seen: Seen) -> list[Observation]:
        moved = comparison.elsewhere(standing, seen, self.projects)
        if moved is not None:
            return moved
        if standing.fields.get(Field.ATTACHED_TO) in self.lost:  # the server's own finding tells of it
            seen = comparison.without(seen, Field.ATTACHED_TO)
        return comparison.drift(standing, seen)

    # -- what is recorded and in no list

    def _absent(self, subject: Subject, seen: set[str], deleted: set[str], *, complete: bool) -> None:
        """Look for what the lists do not have, one by one: an answer of 404 is the only proof."""
        before = self.sweep.started_at or self.clock()
        recorded = subject.recorded(self.cloud, before=before)
        if complete:
            absent = {each for each in recorded.iterator(chunk_size=BATCH) if each not in seen}
            self._let_go(subject, seen, absent)
        else:
            absent = set(recorded.filter(external_id__in=deleted))
            self._look_again(subject, seen)
        found = {each.external_id: each for each in self._live(subject, FindingKind.MISSING)}
        suspected = {key for key, each in found.items() if each.status == FindingStatus.SUSPECTED}
        now = self.clock()
        due = sorted(key for key in suspected if now - found[key].first_seen_at >= SECOND_LOOK)
        fresh = sorted(absent - found.keys())
        self._find_missing(
            subject, [*due, *fresh][:MOST_LOOKS], still={*found} - suspected if complete else set()
        )

    def _look_again(self, subject: Subject, seen: set[str]) -> None:
        """At what was suspected to be orphaned and has not changed since, so that no list has it."""
        asked_at = self.clock()
        rows = self._live(subject, FindingKind.ORPHANED).filter(
            status=FindingStatus.SUSPECTED, first_seen_at__lte=asked_at - SECOND_LOOK
        )
        ids = sorted(set(rows.values_list("external_id", flat=True)) - seen)[:MOST_LOOKS]
        gone, there = self._ask_for(subject, ids)
        self._note(subject, gone, [])
        self._look(subject, there, asked_at)

    def _find_missing(self, subject: Subject, ids: Sequence[str], *, still: set[str]) -> None:
        asked_at = self.clock()
        gone, there = self._ask_for(subject, ids)
        if there:  # such as a deleted server that the cloud keeps for a while: no list has it
            self._look(subject, there, asked_at)
        standing = subject.standing(self.cloud, gone)
        observations = [
            comparison.missing(each)
            for each in standing.values()
            if each is not None and not each.lost and not self._gone_with_another(each)
        ]
        busy = hands.busy(observations=observations, since=asked_at - hands.MARGIN)
        settled = [each for each in gone if (row := standing.get(each)) is None or row.unit not in busy]
        kept = [each for each in observations if each.unit not in busy]
        self._note(
            subject, [*settled, *(each.external_id for each in there)], kept, kinds=(FindingKind.MISSING,)
        )
        self._live(subject, FindingKind.MISSING).filter(external_id__in=still).update(
            last_seen_at=self.clock(), sightings=F("sightings") + 1
        )

    def _gone_with_another(self, standing: Standing) -> bool:
        """The finding of its server, or of the volume that it is a snapshot of, tells of it."""
        if standing.kind == SubjectKind.SNAPSHOT:
            return standing.resource in self.lost_volumes
        return standing.kind == SubjectKind.PORT and standing.fields.get(Field.ATTACHED_TO) in self.lost

    def _ask_for(self, subject: Subject, ids: Sequence[str]) -> tuple[list[str], list[Seen]]:
        """Those that the cloud says it does not have, and those it has after all."""
        gone: list[str] = []
        there: list[Seen] = []
        unanswered = 0
        for external_id in ids:
            self._keep()
            try:
                seen = subject.one(self.reached.census, external_id)
            except errors.NotFound:
                gone.append(external_id)
            except errors.CloudError as error:
                unanswered += 1
                log.warning("not known whether it is there", id=external_id, reason=str(error))
                if unanswered >= GIVE_UP:
                    break
                continue
            else:
                there.append(seen)
            unanswered = 0
        return gone, there

    def _let_go(self, subject: Subject, seen: set[str], absent: set[str]) -> None:
        """Findings about what is neither in the cloud's list nor in use in the record any more."""
        rows = Finding.objects.filter(cloud=self.cloud, subject=subject.kind).exclude(
            status=FindingStatus.RESOLVED
        )
        over = {each for each in rows.values_list("external_id", flat=True) if each not in seen | absent}
        self._note(subject, over, [])

    # -- object containers

    def _stores(self) -> None:
        """One request for each: they are in no list that operators can read."""
        for project in (
            Project.objects.filter(cloud=self.cloud).select_related("system", "cloud").order_by("pk")
        ):
            asked_at = self.clock()
            try:
                for resource, found in stores.looked_at(project=project, at=asked_at):
                    self._keep()
                    self.sweep.objects_seen += 1
                    if not hands.busy(observations=found, since=asked_at - hands.MARGIN) & {resource.unit}:
                        self._add(
                            self._noted(self.cloud, SubjectKind.CONTAINER, [resource.external_id], found)
                        )
                    self.progress(str(SubjectKind.CONTAINER.label), 1)
            except (errors.Refused, errors.Unauthorized, errors.Misconfigured) as error:
                log.warning("containers not known", project=project.external_id, reason=str(error))

    # -- sums

    def _balance(self) -> None:
        projects = Project.objects.filter(cloud=self.cloud).select_related("system", "cloud").order_by("pk")
        for project in projects:
            self._keep()
            asked_at = self.clock()
            try:
                found = balances.limits(project=project, cloud=self.reached, since=asked_at - hands.MARGIN)
            except (errors.NotFound, errors.Refused) as error:
                log.warning("limits not known", project=project.external_id, reason=str(error))
                continue  # somebody deleted the project: that must not hold up the others
            self._add(self._noted(self.cloud, SubjectKind.PROJECT, [project.external_id], found))
            self.progress(str(SubjectKind.PROJECT.label), 1)
        observed = balances.ledger()
        accounts = {each.external_id for each in observed}
        live = Finding.objects.filter(subject=SubjectKind.ACCOUNT).exclude(status=FindingStatus.RESOLVED)
        accounts.update(live.values_list("external_id", flat=True))
        self._add(self._noted(None, SubjectKind.ACCOUNT, accounts, observed))

    # -- what is written

    def _note(
        self,
        subject: Subject,
        looked_at: Collection[str],
        observations: Sequence[Observation],
        kinds: Collection[FindingKind] = tuple(FindingKind),
    ) -> None:
        if looked_at:
            self._add(self._noted(self.cloud, subject.kind, looked_at, observations, kinds))

    def _noted(
        self,
        cloud: Cloud | None,
        subject: SubjectKind,
        looked_at: Collection[str],
        observations: Sequence[Observation],
        kinds: Collection[FindingKind] = tuple(FindingKind),
    ) -> Noted:
        return note(
            cloud=cloud,
            subject=subject,
            looked_at=looked_at,
            observations=observations,
            at=self.clock(),
            kinds=kinds,
        )

    def _add(self, noted: Noted) -> None:
        self.noted.opened += noted.opened
        self.noted.closed += noted.closed

    def _live(self, subject: Subject, kind: FindingKind) -> QuerySet[Finding]:
        rows = Finding.objects.filter(cloud=self.cloud, subject=subject.kind, kind=kind)
        return rows.exclude(status=FindingStatus.RESOLVED)

    # -- the row of the pass

    def _begin_at(self) -> dict[SubjectKind, datetime | None]:
        """The latest changes that the last pass has seen."""
        last = Sweep.objects.filter(cloud=self.cloud, status=SweepStatus.DONE).first()
        return {
            SubjectKind.SERVER: last.servers_until if last else None,
            SubjectKind.VOLUME: last.volumes_until if last else None,
        }

    def _since(self, subject: Subject) -> datetime | None:
        latest = self.until.get(subject.kind)
        return None if self.sweep.extent == Extent.FULL or latest is None else latest - OVERLAP

    def _remember(self, subject: Subject, page: Sequence[Seen]) -> None:
        """A row that was changed by a clock ahead of ours must not hide what changes until then."""
        self.sweep.objects_seen += len(page)
        if subject.kind in self.until:
            now = self.clock()
            changes = [min(each.changed_at, now) for each in page if each.changed_at is not None]
            latest = self.until[subject.kind]
            self.until[subject.kind] = max([*changes, *([latest] if latest else [])], default=None)

    def _keep(self) -> None:
        """Renew the lease. Raises SweepLost."""
        mine = Sweep.objects.filter(pk=self.sweep.pk, status=SweepStatus.RUNNING)
        if not mine.update(lease_until=self.clock() + LEASE):
            raise SweepLost

    def end(self, failure: str = "") -> None:
        sweep, at = self.sweep, self.clock()
        changes: dict[str, Any] = {
            "finished_at": at,
            "lease_until": None,
            "failure": failure,
            "api_calls": sweep.api_calls,
            "objects_seen": sweep.objects_seen,
            "findings_opened": len(self.noted.opened),
            "findings_closed": len(self.noted.closed),
        }
        if not failure:
            changes |= {
                "servers_until": self.until[SubjectKind.SERVER], "volumes_until": self.until[SubjectKind.VOLUME],
            }  # fmt: skip
        to = SweepStatus.FAILED if failure else SweepStatus.DONE
        lifecycle.transition(sweep, to, actor=RECONCILER, at=at, reason=failure, **changes)
