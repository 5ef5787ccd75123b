"""What no record knows: ours by its mark, somebody else's, or something that an operation is at work on just now."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from govcloud.catalog.models import Cloud
from govcloud.reconciliation import comparison, hands
from govcloud.reconciliation.comparison import Observation, Seen
from govcloud.reconciliation.subjects import Subject
from govcloud.reconciliation.vocabulary import SubjectKind

CARRIED_BY_SEVERAL = frozenset({SubjectKind.PORT, SubjectKind.SECURITY_GROUP})
"""What carries the mark of a resource without being it."""


def found(
    subject: Subject, page: Sequence[Seen], *, cloud: Cloud, projects: Mapping[str, int], since: datetime
) -> tuple[list[Observation], set[str]]:
    """Of things that are not recorded what is to be told, and the ids of those that cannot be judged now.

    ``projects`` has the systems by their projects' ids; what an operation has ended with since the instant is left alone.
    """
    if not page:
        return [], set()
    known = hands.known_units(
        [each.mark for each in page if each.mark],
        systems=set(projects.values()),
        since=since,
        recorded_too=subject.kind in CARRIED_BY_SEVERAL,
    )
    coming = hands.taking_over([each.external_id for each in page], since=since)
    staying = [each for each in page if each.external_id not in coming]
    orphans = [each for each in staying if each.mark is not None and each.mark not in known]
    strangers = subject.strangers([each for each in staying if each.mark is None])
    unknown = [*orphans, *strangers]
    homes = subject.homes(cloud, unknown)
    observations = [
        comparison.unknown(each, system=projects[each.project_id], home=homes.get(each.external_id))
        for each in unknown
    ]
    in_hand = hands.not_to_be_judged(observations, homes, since=since)
    return [each for each in observations if each.external_id not in in_hand], in_hand
