"""What happened to a resource, in words; a change begun or ended by a direct action names the action."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from govcloud.audit import queries
from govcloud.audit.models import Event
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.portal.findings.values import in_words
from govcloud.portal.tellings import told
from govcloud.provisioning.actions.base import title_of
from govcloud.provisioning.lifecycle import OperationStatus
from govcloud.provisioning.models import Operation
from govcloud.reconciliation.vocabulary import Field

HISTORY = 100

Deed = tuple[str, bool]
"""An action's name, and whether it was called off."""

OF_IDS = frozenset({Field.ATTACHED_TO, Field.LEADS_TO})
"""What differs in ids of the cloud's, which tell a department nothing."""


def history(found: Resource) -> list[tuple[Event, str]]:
    """The latest events, the latest first. Two queries, and one more for a container."""
    events = list(queries.history(*_subjects(found)).reverse()[:HISTORY])
    deeds = dict(_deeds(found, since=events[-1].at)) if events else {}
    return [(event, _told(event, deeds)) for event in events]


def _told(event: Event, deeds: dict[tuple[str, datetime], Deed]) -> str:
    if event.verb == "resource.adopted" and event.after:
        what = _(", ").join(_adopted(event))
        return _("Record brought into line with the cloud: %(what)s") % {"what": what}
    deed = deeds.get((event.verb, event.at))
    if deed is None:
        return told(event)
    action, called_off = deed
    ended = _("In use again; called off: %(action)s") if called_off else _("In use again, after: %(action)s")
    words = {"resource.changing": _("Began: %(action)s"), "resource.active": ended}
    return words[event.verb] % {"action": title_of(action)}


def _adopted(event: Event) -> Iterator[str]:
    """What was taken into the record, as quota and bill may follow from it."""
    for name, found in event.after.items():
        field = Field(name)
        before = in_words(event.before.get(name, ""), field)
        yield str(field.label) if field in OF_IDS else f"{field.label} {before} → {in_words(found, field)}"


def _deeds(found: Resource, *, since: datetime) -> Iterator[tuple[tuple[str, datetime], Deed]]:
    """The direct actions that had the resource in hand, each by the verb and moment of the events at its beginning and end: these are
    written in one transaction with it, at the same moment.
    """
    theirs = Operation.objects.filter(Q(resource=found) | Q(with_it=found)).exclude(action="")
    recent = theirs.filter(Q(finished_at=None) | Q(finished_at__gte=since)).distinct()
    for action, began, ended, status in recent.values_list("action", "created_at", "finished_at", "status"):
        deed = action, status == OperationStatus.UNDONE
        yield ("resource.changing", began), deed
        if ended is not None:
            yield ("resource.active", ended), deed


def _subjects(found: Resource) -> list[UUID]:
    """Whose events are its history: what was drawn for a container's programs is told of their credentials."""
    if found.kind != ResourceKind.CONTAINER:
        return [found.uuid]
    return [found.uuid, *found.container.credentials.values_list("uuid", flat=True)]
