"""Transitions are data and plain code: each package's ``lifecycle.py`` has a ``Status`` and its ``TRANSITIONS``."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.db import models, transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Conflict


class WrongState(Conflict):
    code = "wrong-state"
    message = _("This is %(status)s; from there it can only become: %(allowed)s.")
    final = _("This is %(status)s, which is final.")
    """Said instead where nothing at all can follow."""

    @property
    def detail(self) -> str:
        return super().detail if self.params["allowed"] else str(self.final) % self.params


class ChangedMeanwhile(Conflict):
    code = "changed-meanwhile"
    message = _("Somebody else changed this a moment ago. Look at it again before you decide.")


def check(obj: Any, to: str) -> None:
    """Before work that ends in a transition. Raises WrongState when the table has no such arrow from where it is."""
    allowed = obj.TRANSITIONS[obj.status]
    if to not in allowed:
        raise _wrong_state(type(obj), obj.status, allowed)


def transition(
    obj: Any,
    to: str,
    *,
    actor: audit.Actor,
    at: datetime,
    reason: str = "",
    thread: UUID | None = None,
    also_told: Mapping[str, audit.Entry] = MappingProxyType({}),
    **changes: Any,
) -> None:
    """Move the row from the status we know it in to another, with its audit event, or refuse.

    The UPDATE is guarded by the status we read (``WHERE status = from``), so that of two at once one wins. Further
    ``changes`` are column values written by the same UPDATE; ``also_told`` are events of the same deed, by their verbs, written
    along with that of the transition.

    Raises WrongState when the table has no such arrow and ChangedMeanwhile when the row has moved since it was read.
    """
    check(obj, to)
    model: type[models.Model] = type(obj)
    before = obj.status
    # No savepoint: where nothing was moved there is nothing to take back, and a move that cannot be audited is not to be survived.
    with transaction.atomic(savepoint=False):
        moved = model._default_manager.filter(pk=obj.pk, status=before).update(status=to, **changes)  # noqa: SLF001
        if moved:
            obj.status = to
            for name, value in changes.items():
                setattr(obj, name, value)
            moving = audit.Entry(obj, {"status": to}, before={"status": before}, thread=thread, reason=reason)
            verb = f"{model._meta.model_name}.{to}"  # noqa: SLF001
            audit.record_all(actor=actor, told={verb: moving, **also_told}, at=at)
    if not moved:
        raise ChangedMeanwhile


def transition_all(
    objs: Sequence[Any], to: str, *, actor: audit.Actor, at: datetime, thread: UUID | None = None
) -> None:
    """Move rows of one kind to a status together, each with its audit event, or none of them.

    As many statements for many as for few. Raises as ``transition``.
    """
    for obj in objs:
        check(obj, to)
    before: dict[str, list[Any]] = {}
    for obj in objs:
        before.setdefault(obj.status, []).append(obj)
    with transaction.atomic():
        for status, those in before.items():
            model: type[models.Model] = type(those[0])
            rows = model._default_manager.filter(pk__in=[obj.pk for obj in those], status=status)  # noqa: SLF001
            if rows.update(status=to) < len(those):
                raise ChangedMeanwhile
            entries = [
                audit.Entry(obj, {"status": to}, before={"status": status}, thread=thread) for obj in those
            ]
            verb = f"{model._meta.model_name}.{to}"  # noqa: SLF001
            audit.record_many(actor=actor, verb=verb, entries=entries, at=at)
        for obj in objs:
            obj.status = to


def _wrong_state(model: type[models.Model], status: str, allowed: Collection[str]) -> WrongState:
    """The refusal in people's words: statuses by their labels, in the order in which their kind lists them."""
    labels: dict[str, Any] = dict(model._meta.get_field("status").flatchoices)  # type: ignore[union-attr]  # noqa: SLF001
    possible = [str(label) for value, label in labels.items() if value in allowed]
    return WrongState(status=str(labels[status]), allowed=gettext(", ").join(possible))
