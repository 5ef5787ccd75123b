"""Whether a department is connected to the extranet: asked for, made, taken back."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Conflict, Invalid
from tenants.models import Connection, Department
from tenants.naming import name_of
from tenants.services import open_unit

TRANSITIONS: Mapping[str, frozenset[str]] = {
    Connection.NOT_CONNECTED: frozenset({Connection.REQUESTED}),
    Connection.REQUESTED: frozenset({Connection.CONNECTED, Connection.NOT_CONNECTED}),
    Connection.CONNECTED: frozenset({Connection.NOT_CONNECTED}),
}


class NoSuchConnection(Conflict):
    code = "connection-does-not-follow"
    message = _("%(department)s is %(connection)s; from there the connection can only become: %(allowed)s.")


class ConnectionReasonMissing(Invalid):
    code = "connection-reason-missing"
    message = _("Say why a connection is refused, taken back or cut off.")


def needs_reason(to: str) -> bool:
    """Whether it is a way back: refused, taken back or cut off."""
    return to == Connection.NOT_CONNECTED


def change(*, department: Department, to: str, reason: str, actor: audit.Actor, at: datetime) -> Department:
    """Move a department's connection on or back. Cut off, it can order nothing new; what stands is left as it is.

    Raises UnitClosed, NoSuchConnection, and ConnectionReasonMissing on the way back.
    """
    with transaction.atomic():
        current = open_unit(department, pointer="/connection")
        before = current.connection
        if to not in TRANSITIONS[before]:
            raise _does_not_follow(current)
        if needs_reason(to) and not reason.strip():
            raise ConnectionReasonMissing(pointers=("/reason",))
        current.connection, current.version = to, current.version + 1
        current.save(update_fields=["connection", "version"])
        audit.record(
            actor=actor, verb="department.connection_changed", subject=current, at=at,
            before={"connection": before}, after={"connection": to}, reason=reason.strip(),
        )  # fmt: skip
    return current


def _does_not_follow(department: Department) -> NoSuchConnection:
    possible = [each.label for each in Connection if each in TRANSITIONS[department.connection]]
    separator = gettext(", ")
    return NoSuchConnection(
        department=name_of(department),
        connection=department.get_connection_display(),
        allowed=separator.join(str(label) for label in possible),
        pointers=("/connection",),
    )
