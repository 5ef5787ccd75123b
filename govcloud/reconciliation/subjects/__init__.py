"""The kinds of things that are compared: how each is listed, and how cloud and record put it into the same words."""

from collections.abc import Sequence

from govcloud.reconciliation.subjects.base import Subject, marked
from govcloud.reconciliation.subjects.built import Networks, Ports, Servers, Volumes
from govcloud.reconciliation.subjects.kept import RecoveryPoints, Snapshots
from govcloud.reconciliation.subjects.reach import FloatingAddresses, Routers
from govcloud.reconciliation.subjects.rules import SecurityGroups, SecurityRules

__all__ = ["SUBJECTS", "Subject", "marked", "subject_of"]

SUBJECTS: Sequence[Subject] = (
    Servers(),
    Volumes(),
    Snapshots(),
    RecoveryPoints(),
    Ports(),
    Networks(),
    SecurityGroups(),
    SecurityRules(),
    Routers(),
    FloatingAddresses(),
)


def subject_of(kind: str) -> Subject:
    return next(each for each in SUBJECTS if each.kind == kind)
