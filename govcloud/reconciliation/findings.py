"""Findings written down from what a pass observes: opened, seen again, resolved; by the page, not one by one."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from govcloud.audit import services as audit
from govcloud.catalog.models import Cloud
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Project
from govcloud.reconciliation import comparison
from govcloud.reconciliation.comparison import Observation
from govcloud.reconciliation.lifecycle import FindingStatus
from govcloud.reconciliation.models import Difference, Finding
from govcloud.reconciliation.vocabulary import FindingKind, SubjectKind

RECONCILER = audit.SystemActor("reconciler")
SECOND_LOOK = timedelta(minutes=15)
"""What may only seem so (a cell of Nova is down, a request still lands) counts when it is seen again so much later."""

SEEN_TWICE = frozenset({FindingKind.MISSING, FindingKind.ORPHANED})
ABOUT_VALUES = frozenset({FindingKind.DRIFTED, FindingKind.QUOTA_MISMATCH})
TAKEN_AS_IT_IS = ABOUT_VALUES | {FindingKind.FOREIGN}
"""What is applied only as it was shown: what is taken into the record, or out of the cloud, is that and nothing else."""

LONGEST_NAME = 255
SHOWN = 500  # characters of a value that a finding keeps


@dataclass(slots=True)
class Noted:
    opened: list[Finding] = field(default_factory=list)
    closed: list[Finding] = field(default_factory=list)


@transaction.atomic
def note(
    *,
    cloud: Cloud | None,
    subject: SubjectKind,
    looked_at: Collection[str],
    observations: Iterable[Observation],
    at: datetime,
    kinds: Collection[FindingKind] = tuple(FindingKind),
) -> Noted:
    """Write down what was observed of the things looked at, as far as these kinds of findings go.

    What was found of them before and is not any more is resolved, unless it is being put right just now. The number of
    statements does not grow with the number of things.
    """
    rows = Finding.objects.filter(cloud=cloud, subject=subject, external_id__in=looked_at, kind__in=kinds)
    locked = rows.exclude(status=FindingStatus.RESOLVED).select_for_update(of=("self",)).order_by("pk")
    known = {
        (each.kind, each.external_id, each.remedy): each for each in locked.prefetch_related("differences")
    }
    observed = {each.key: each for each in observations}
    noted = Noted()
    noted.opened += _write([each for key, each in observed.items() if key not in known], cloud, at=at)
    noted.opened += _see_again({known[key]: each for key, each in observed.items() if key in known}, at=at)
    over = [
        each for key, each in known.items() if key not in observed and each.status != FindingStatus.APPLYING
    ]
    resolve(over, actor=RECONCILER, at=at)
    noted.closed += over
    return noted


def resolve(findings: Sequence[Finding], *, actor: audit.Actor, at: datetime, reason: str = "") -> None:
    """They do not hold any more. The rows are locked."""
    _move(
        findings,
        FindingStatus.RESOLVED,
        verb="finding.resolved",
        actor=actor,
        at=at,
        reason=reason,
        resolved_at=at,
    )


def left_over(cloud: Cloud) -> dict[SubjectKind, set[str]]:
    """Ids of what no pass looks at any more although findings tell of it: containers that were given back, and projects that are
    not ours.
    """
    live = Finding.objects.filter(cloud=cloud).exclude(status=FindingStatus.RESOLVED)
    given_back = live.filter(subject=SubjectKind.CONTAINER, resource__status=Status.RELEASED)
    ours = Project.objects.filter(cloud=cloud).values("external_id")
    left = live.filter(subject=SubjectKind.PROJECT).exclude(external_id__in=ours)
    return {
        SubjectKind.CONTAINER: set(given_back.values_list("external_id", flat=True)),
        SubjectKind.PROJECT: set(left.values_list("external_id", flat=True)),
    }


def _write(observations: Sequence[Observation], cloud: Cloud | None, *, at: datetime) -> list[Finding]:
    """New rows; returns those that are open at once."""
    rows = [_row(each, cloud, at=at) for each in observations]
    Finding.objects.bulk_create(rows)
    Difference.objects.bulk_create(
        row for finding, each in zip(rows, observations, strict=True) for row in _differences(finding, each)
    )
    opened = [row for row in rows if row.status == FindingStatus.OPEN]
    suspected = [row for row in rows if row.status == FindingStatus.SUSPECTED]
    audit.record_many(actor=RECONCILER, verb="finding.open", entries=map(_entry, opened), at=at)
    audit.record_many(actor=RECONCILER, verb="finding.suspected", entries=map(_entry, suspected), at=at)
    return opened


def _row(observation: Observation, cloud: Cloud | None, *, at: datetime) -> Finding:
    twice = observation.kind in SEEN_TWICE
    return Finding(
        kind=observation.kind,
        subject=observation.subject,
        remedy=observation.remedy,
        status=FindingStatus.SUSPECTED if twice else FindingStatus.OPEN,
        cloud=cloud,
        external_id=observation.external_id,
        name=observation.name[:LONGEST_NAME],
        unit=observation.unit,
        system_id=observation.system,
        resource_id=observation.resource,
        account_id=observation.account,
        first_seen_at=at,
        last_seen_at=at,
    )


def _see_again(pairs: Mapping[Finding, Observation], *, at: datetime) -> list[Finding]:
    """The same as before, perhaps with other values; returns those that are open now and were not."""
    Finding.objects.filter(pk__in=[finding.pk for finding in pairs]).update(
        last_seen_at=at, sightings=F("sightings") + 1
    )
    changed = [finding for finding, each in pairs.items() if _values(finding) != _observed(each)]
    Difference.objects.filter(finding__in=changed).delete()
    Difference.objects.bulk_create(
        row for finding in changed for row in _differences(finding, pairs[finding])
    )
    moved = [finding for finding, each in pairs.items() if finding.resource_id != each.resource]
    for finding in moved:
        finding.resource_id = pairs[finding].resource
    Finding.objects.bulk_update(moved, ["resource"])
    renamed = [finding for finding, each in pairs.items() if finding.name != each.name[:LONGEST_NAME]]
    for finding in renamed:
        finding.name = pairs[finding].name[:LONGEST_NAME]
    Finding.objects.bulk_update(renamed, ["name"])
    to_open = [
        finding
        for finding in pairs
        if (finding.status == FindingStatus.SUSPECTED and at - finding.first_seen_at >= SECOND_LOOK)
        or (
            finding.status == FindingStatus.DISMISSED
            and (finding in moved or (finding.kind in ABOUT_VALUES and finding in changed))
        )
    ]
    # what was dismissed was another matter
    undecided: dict[str, Any] = {"remark": "", "decided_by": None, "decided_at": None}
    _move(to_open, FindingStatus.OPEN, verb="finding.open", actor=RECONCILER, at=at, **undecided)
    return to_open


def _move(
    findings: Sequence[Finding],
    to: FindingStatus,
    *,
    verb: str,
    actor: audit.Actor,
    at: datetime,
    reason: str = "",
    **changes: Any,
) -> None:
    before = [finding.status for finding in findings]
    Finding.objects.filter(pk__in=[finding.pk for finding in findings]).update(status=to, **changes)
    for finding in findings:
        for name, value in {"status": to, **changes}.items():
            setattr(finding, name, value)
    entries = (
        audit.Entry(finding, {"status": to, **({"why": reason} if reason else {})}, before={"status": status})
        for finding, status in zip(findings, before, strict=True)
    )
    audit.record_many(actor=actor, verb=verb, entries=entries, at=at)


def _entry(finding: Finding) -> audit.Entry:
    after = {"status": finding.status, "external_id": finding.external_id, "remedy": finding.remedy}
    return audit.Entry(finding, after)


def _differences(finding: Finding, observation: Observation) -> list[Difference]:
    return [
        Difference(finding=finding, field=name, expected=expected, found=found)
        for name, expected, found in _observed(observation)
    ]


def _observed(observation: Observation) -> list[tuple[str, str, str]]:
    return [_cut(each) for each in observation.differences]


def _cut(difference: comparison.Difference) -> tuple[str, str, str]:
    return difference.field, difference.expected[:SHOWN], difference.found[:SHOWN]


def _values(finding: Finding) -> list[tuple[str, str, str]]:
    return [(row.field, row.expected, row.found) for row in finding.differences.all()]


def mark_of(finding: Finding) -> str:
    """Tells what a finding says from whatever else a later pass may make it say."""
    said = [finding.kind, finding.remedy, str(finding.resource_id), *map(list, _values(finding))]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def same(finding: Finding, observation: Observation) -> bool:
    """Whether an observation made now is what the finding says: of what is about values, value by value."""
    key = finding.kind, finding.external_id, finding.remedy
    if key != observation.key or finding.resource_id != observation.resource:
        return False
    return finding.kind not in TAKEN_AS_IT_IS or _values(finding) == _observed(observation)
