"""Passes carried out, and what people do with a finding: apply what it proposes, or dismiss it."""

from collections.abc import Callable
from datetime import datetime
from functools import reduce
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from govcloud import lifecycle
from govcloud.audit import refusals
from govcloud.audit import services as audit
from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.clouds import access
from govcloud.clouds.refusals import not_looked_at
from govcloud.clouds.services import CloudRetired
from govcloud.errors import Conflict, Invalid
from govcloud.gateways import openstack
from govcloud.gateways.openstack import errors
from govcloud.inventory.lifecycle import Status as ResourceStatus
from govcloud.inventory.models import Project, Resource
from govcloud.provisioning.lifecycle import OperationStatus, StepState
from govcloud.provisioning.models import Operation, Step
from govcloud.reconciliation import balances, comparison, hands, remarks, remedies, sweeps
from govcloud.reconciliation.comparison import Observation, Seen
from govcloud.reconciliation.findings import RECONCILER, mark_of, resolve, same
from govcloud.reconciliation.lifecycle import FindingStatus, SweepStatus
from govcloud.reconciliation.models import Extent, Finding, Sweep
from govcloud.reconciliation.subjects import subject_of
from govcloud.reconciliation.vocabulary import Field, FindingKind, Remedy, SubjectKind
from govcloud.sweeping import by_itself
from tenants.models import User

MENDED_ALONE = frozenset(
    {SubjectKind.VOLUME, SubjectKind.PORT}
)  # the kinds of steps that make them are called alike


class FindingIsStale(Conflict):
    code = "finding-is-stale"
    message = _(
        "This does not hold any more, or not so: it has been resolved. The next pass finds what is left of it."
    )


class FindingChanged(Conflict):
    code = "finding-changed"
    message = _("A pass has found something else here since you read it. Look at what it says now.")


class NothingToApply(Conflict):
    code = "nothing-to-apply"
    message = _("There is nothing here that could be done by itself. Put it right by hand, or dismiss it.")


class RemedyNotPossible(Invalid):
    code = "remedy-not-possible"
    message = _("This cannot be put right so. What is possible: %(possible)s.")


class StillMoving(Conflict):
    code = "still-moving"
    message = _("The cloud or an operation is changing this just now. Wait until that has ended.")


# -- passes


def ask(*, cloud: Cloud, extent: Extent | None = None, actor: audit.Actor, at: datetime) -> Sweep:
    """Ask for a pass and ring for it; the next scheduled one finds what nobody heard. Raises SweepUnderWay, CloudRetired."""
    if cloud.status == CloudStatus.RETIRED:
        raise CloudRetired(name=cloud.code)
    from govcloud.reconciliation.tasks import ring  # noqa: PLC0415  the task carries passes out by this module

    with transaction.atomic():
        asked = sweeps.request(cloud=cloud, extent=extent, actor=actor, at=at)
        transaction.on_commit(lambda: ring.apply_async(ignore_result=True), robust=True)
    return asked


def sweep(
    *, waiting: Sweep, clock: Callable[[], datetime], progress: sweeps.Progress = lambda _what, _count: None
) -> Sweep | None:
    """Take and carry out a pass that waits, and mend what mends itself; None when somebody else has taken it."""
    settle(at=clock())
    taken = sweeps.take(waiting.pk, at=clock())
    if taken is None:
        return None
    sweeps.carry_out(taken, clock=clock, progress=progress)
    mend(cloud=taken.cloud, at=clock())
    return taken


def due_sweeps() -> list[Sweep]:
    """Those that nobody has taken yet."""
    return list(Sweep.objects.filter(status=SweepStatus.DUE).select_related("cloud").order_by("pk"))


def mend(*, cloud: Cloud, at: datetime) -> list[Finding]:
    """Put right by itself what is ours, held by nothing, and left over from an operation that has ended.

    What was ever recorded as a resource is somebody's, and waits for a person; so does what no operation of ours knows
    (a restore by hand carries the mark of what was backed up).
    """
    left_over = list(
        Finding.objects.filter(
            cloud=cloud,
            kind=FindingKind.ORPHANED,
            status=FindingStatus.OPEN,
            subject__in=MENDED_ALONE,
            operation=None,
        ).exclude(differences__field=Field.ATTACHED_TO)
    )
    units = {each.unit for each in left_over if each.unit is not None}
    made_by = Step.objects.filter(
        unit__in=units, kind__in=MENDED_ALONE, operation__system__in={each.system_id for each in left_over}
    )
    over = set(made_by.filter(operation__finished_at__isnull=False).values_list("unit", flat=True))
    recorded = set(Resource.objects.filter(unit__in=units).values_list("unit", flat=True))
    free = [each for each in left_over if each.unit in over - recorded]
    for each in free:
        with by_itself("finding not put right", finding=str(each.uuid)), transaction.atomic():
            locked = _locked(each)
            if locked.status == FindingStatus.OPEN:
                _apply(locked, Remedy(locked.remedy), actor=RECONCILER, at=at)
    return free


# -- people


def possible(finding: Finding) -> list[Remedy]:
    """What can be done about it by a click; what is proposed comes first. Nothing while it is not open."""
    if finding.status != FindingStatus.OPEN:
        return []
    subject = SubjectKind(finding.subject)
    kind = FindingKind(finding.kind)
    if kind == FindingKind.QUOTA_MISMATCH:
        found = [Remedy(finding.remedy)]
    elif kind != FindingKind.DRIFTED:
        found = list(comparison.whole(kind, subject, at_home=finding.resource_id is not None))
    else:
        each = [
            comparison.remedies(
                subject,
                comparison.Difference(Field(row.field), row.expected, row.found),
                suspended=finding.resource is not None
                and finding.resource.status == ResourceStatus.SUSPENDED,
            )
            for row in finding.differences.all()
        ]
        found = [Remedy(finding.remedy)] if not each else list(
            reduce(lambda common, more: tuple(one for one in common if one in more), each)
        )  # fmt: skip
    return [remedy for remedy in found if remedies.can_be_applied(finding, remedy)]


def apply(*, finding: Finding, remedy: str = "", mark: str = "", actor: User, at: datetime) -> Finding:
    """Do what the finding proposes, or another remedy that it allows, once it is clear that it still holds.

    ``mark`` is that of what was read (``mark_of``); an empty one takes whatever it says by now. Raises NothingToApply, RemedyNotPossible,
    FindingChanged, WrongState, CloudSilent, CredentialsRefused, StillMoving; FindingIsStale, which resolves it.
    """
    lifecycle.check(finding, FindingStatus.APPLYING)
    _check_read(finding, mark)
    choices = possible(finding)
    if not choices:
        raise NothingToApply
    chosen = Remedy(remedy) if remedy else choices[0]
    if chosen not in choices:
        labels = gettext(", ").join(str(each.label) for each in choices)
        raise RemedyNotPossible(possible=labels, pointers=("/remedy",))
    observe = _look(finding, at=at)
    try:
        with transaction.atomic():
            locked = _locked(finding)
            lifecycle.check(locked, FindingStatus.APPLYING)
            _check_read(locked, mark)
            if locked.resource_id is not None:  # what is being taken in hand now is seen as such
                locked.resource = remedies.lock(locked, chosen)
            _check_holds(locked, observe(locked))
            return _apply(locked, chosen, actor=actor, at=at, decided_by=actor, decided_at=at)
    except FindingIsStale:
        refusals.outlive(lambda: _stale(finding, actor=actor, at=at))
        raise


def _check_read(finding: Finding, mark: str) -> None:
    if mark and mark != mark_of(finding):
        raise FindingChanged


def _check_holds(finding: Finding, observed: list[Observation]) -> None:
    if not any(same(finding, each) for each in observed):
        raise FindingIsStale


def dismiss(*, finding: Finding, reason: str, mark: str = "", actor: User, at: datetime) -> Finding:
    """It is known and shall stay so. It comes back when what differs changes. Raises WrongState, and FindingChanged as ``apply``."""
    with transaction.atomic():
        finding = _locked(finding)
        _check_read(finding, mark)
        lifecycle.transition(
            finding, FindingStatus.DISMISSED, actor=actor, at=at, reason=reason,
            remark=reason, decided_by=actor, decided_at=at,
        )  # fmt: skip
    return finding


def settle(*, at: datetime) -> int:
    """Take up the results of operations that were to put findings right; returns how many have ended.

    What was not done (a step was skipped, the operation abandoned) is open again. What was found on a cloud that has been
    retired since has nothing to hold against any more.
    """
    with transaction.atomic():
        there = Finding.objects.select_for_update(of=("self",)).filter(cloud__status=CloudStatus.RETIRED)
        left = list(there.filter(status__in=[FindingStatus.SUSPECTED, FindingStatus.OPEN]))
        if left:
            resolve(left, actor=RECONCILER, at=at, reason="the cloud is retired")
    ended = Finding.objects.filter(status=FindingStatus.APPLYING, operation__finished_at__isnull=False)
    keys = list(ended.values_list("pk", flat=True))
    for key in keys:
        with by_itself("finding not settled", finding=key), transaction.atomic():
            finding = (
                Finding.objects.select_for_update(of=("self",), skip_locked=True)
                .select_related("operation")
                .filter(pk=key, status=FindingStatus.APPLYING)
                .first()
            )
            if finding is not None and finding.operation is not None:
                _take_up(finding, finding.operation, at=at)
    return len(keys)


def _take_up(finding: Finding, operation: Operation, *, at: datetime) -> None:
    skipped = operation.steps.filter(state=StepState.SKIPPED).first()
    if operation.status == OperationStatus.DONE and skipped is None:
        resolve([finding], actor=RECONCILER, at=at)
        return
    reason = skipped.outputs.get("reason", "") if skipped is not None else remarks.CALLED_OFF
    lifecycle.transition(
        finding, FindingStatus.OPEN, actor=RECONCILER, at=at, reason=reason, remark=reason[:500]
    )


def _locked(finding: Finding) -> Finding:
    rows = Finding.objects.select_for_update(of=("self",)).select_related(
        "cloud", "system", "resource", "account"
    )
    return rows.get(pk=finding.pk)


def _apply(
    finding: Finding, remedy: Remedy, *, actor: audit.Actor, at: datetime, **decided: User | datetime
) -> Finding:
    operation, done = remedies.carry_out(finding=finding, remedy=remedy, actor=actor, at=at)
    changes: dict[str, Any] = {
        **decided,
        "operation": operation,
        "remark": "",
        **({"resolved_at": at} if done else {}),
    }
    to = FindingStatus.RESOLVED if done else FindingStatus.APPLYING
    lifecycle.transition(finding, to, actor=actor, at=at, reason=remedy, **changes)
    return finding


def _stale(finding: Finding, *, actor: User, at: datetime) -> None:
    rows = Finding.objects.select_for_update().filter(pk=finding.pk, status=FindingStatus.OPEN)
    resolve(list(rows), actor=actor, at=at, reason=FindingIsStale.code)


# -- whether it still holds


def _look(finding: Finding, *, at: datetime) -> Callable[[Finding], list[Observation]]:
    """Look at the cloud now. What comes back says, from this sight and the record, what would be found; ask it under the lock."""
    cloud_row, account = finding.cloud, finding.account_id
    if account is not None:
        return lambda _locked: balances.account_mismatch(account)
    if cloud_row is None:
        raise ValueError(f"finding {finding.uuid} is of no cloud and no account")
    try:
        cloud = access.connect(cloud=cloud_row, timeout=settings.CLOUD_API_TIMEOUT)
        if finding.subject == SubjectKind.PROJECT:
            observed = _limits(finding, cloud, at=at)
            return lambda _locked: observed
        seen = subject_of(finding.subject).one(cloud.census, finding.external_id)
    except Project.DoesNotExist:
        return lambda _locked: []
    except errors.NotFound:
        if finding.subject == SubjectKind.PROJECT:
            return lambda _locked: []
        return lambda locked: _observe(locked, None, at=at)
    except errors.CloudError as error:
        raise not_looked_at(cloud_row, error) from error
    return lambda locked: _observe(locked, seen, at=at)


def _limits(finding: Finding, cloud: openstack.Cloud, *, at: datetime) -> list[Observation]:
    projects = Project.objects.select_related("system", "cloud")
    project = projects.get(cloud=finding.cloud, external_id=finding.external_id)
    return balances.limits(project=project, cloud=cloud, since=at)


def _observe(finding: Finding, seen: Seen | None, *, at: datetime) -> list[Observation]:
    subject = subject_of(finding.subject)
    if finding.cloud is None or finding.system_id is None:
        return []
    recorded = subject.standing(finding.cloud, [finding.external_id])
    standing = recorded.get(finding.external_id)
    in_hand = finding.external_id in recorded and standing is None
    if in_hand or (seen is not None and not seen.settled):
        raise StillMoving
    if seen is None:
        return [] if standing is None or standing.lost else [comparison.missing(standing)]
    if standing is not None:
        projects = Project.objects.filter(cloud=finding.cloud).values_list("external_id", "system_id")
        moved = comparison.elsewhere(standing, seen, dict(projects))
        return comparison.drift(standing, seen) if moved is None else moved
    marks = [seen.mark] if seen.mark is not None else []
    if hands.known_units(marks, systems={finding.system_id}, since=at, recorded_too=False):
        return []
    if not marks and not subject.strangers([seen]):
        return []
    if hands.taking_over([seen.external_id], since=at):
        raise StillMoving
    home = subject.homes(finding.cloud, [seen]).get(seen.external_id)
    if home is not None and not home.at_rest:
        raise StillMoving
    return [comparison.unknown(seen, system=finding.system_id, home=home)]
