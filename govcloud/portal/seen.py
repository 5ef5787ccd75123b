"""Looking for what somebody asks for by its address, or names in a form."""

from datetime import datetime
from typing import TYPE_CHECKING, TypeVar, cast
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import Http404

from govcloud.audit import refusals, watching
from govcloud.orders.resolution import as_uuid
from tenants.models import User

if TYPE_CHECKING:
    from govcloud.audit.services import Subject

M = TypeVar("M", bound=Model)


def id_or_nobody(given: str) -> UUID:
    """Of what a form names: what is no id is that of nothing, and refused as such."""
    return as_uuid(given) or UUID(int=0)


def seen_or_404(
    visible: QuerySet[M],
    everything: QuerySet[M],
    actor: User,
    *,
    at: datetime,
    elsewhere: QuerySet[M] | None = None,
    **key: object,
) -> M:
    """The one with this key. Raises Http404; what is there and not to be seen answers as if it were not, and is audited.

    What is of something else (a file of another order) is not ``visible`` here; it is foreign unless the actor sees it ``elsewhere``.
    """
    one = visible.filter(**key).first()
    if one is not None:
        watching.found(next(iter(key.values())), one)
        return one
    foreign = everything.filter(**key).first()
    if foreign is not None and not (elsewhere is not None and elsewhere.filter(pk=foreign.pk).exists()):
        refusals.refuse(
            actor=actor, verb="access.refused", subject=cast("Subject", foreign), at=at, reason="not-found"
        )
    raise Http404
