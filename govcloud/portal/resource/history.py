"""What happened to a resource, in words; a change begun or ended by a direct action names the action."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from govcloud.audit import queries
from govcloud.audit.models import Event
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.portal.tellings import told
from govcloud.provisioning.actions.base import title_of
from govcloud.provisioning.models import Operation

HISTORY = 100


def history(found: Resource) -> list[tuple[Event, str]]:
    """The latest events, the latest first. Two queries, and one more for a container."""
    events = list(queries.history(*_subjects(found)).reverse()[:HISTORY])
    deeds = dict(_deeds(found, since=events[-1].at)) if events else {}
    return [(event, _told(event, deeds)) for event in events]


def _told(event: Event, deeds: dict[tuple[str, datetime], str]) -> str:
    action = deeds.get((event.verb, event.at))
    if action is None:
        return told(event)
    words = {
        "resource.changing": _("Began: %(action)s"),
        "resource.active": _("In use again, after: %(action)s"),
    }
    return words[event.verb] % {"action": title_of(action)}


def _deeds(found: Resource, *, since: datetime) -> Iterator[tuple[tuple[str, datetime], str]]:
    """The direct actions that had the resource in hand, each by the verb and moment of the events at its beginning and end: these are
    written in one transaction with it, at the same moment.
    """
    theirs = Operation.objects.filter(Q(resource=found) | Q(with_it=found)).exclude(action="")
    recent = theirs.filter(Q(finished_at=None) | Q(finished_at__gte=since)).distinct()
    for action, began, ended in recent.values_list("action", "created_at", "finished_at"):
        yield ("resource.changing", began), action
        if ended is not None:
            yield ("resource.active", ended), action


def _subjects(found: Resource) -> list[UUID]:
    """Whose events are its history: what was drawn for a container's programs is told of their credentials."""
    if found.kind != ResourceKind.CONTAINER:
        return [found.uuid]
    return [found.uuid, *found.container.credentials.values_list("uuid", flat=True)]
