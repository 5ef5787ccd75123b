"""Things named by their public id: found if the actor may see them, and otherwise alike whether they exist or not."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from api.problems import NotHere
from govcloud.audit.refusals import refuse
from tenants.models import User

M = TypeVar("M", bound=Model)


def find(*, visible: QuerySet[M], actor: User, at: datetime, pointer: str | None = None, **lookup: Any) -> M:
    """The one row of ``visible`` that the lookup names.

    Raises NotHere if there is none. When there is one that the actor may not see, that is audited as well; the
    answer does not tell.
    """
    found = visible.filter(**lookup).first()
    if found is not None:
        return found
    foreign = visible.model._default_manager.filter(**lookup).first()  # noqa: SLF001
    if foreign is not None and hasattr(foreign, "uuid"):
        refuse(actor=actor, verb="access.refused", subject=foreign, at=at, reason=NotHere.code)
    raise NotHere(pointers=(pointer,) if pointer is not None else ())


def all_visible(*, visible: QuerySet[M], named: Mapping[UUID, str], actor: User, at: datetime) -> None:
    """That the actor may see every row named (uuid -> pointer), in one query when so.

    Raises NotHere with the pointers of those that are not to be seen; foreign ones are audited.
    """
    if not named:
        return
    unseen = named.keys() - set(visible.filter(uuid__in=named).values_list("uuid", flat=True))
    if not unseen:
        return
    for foreign in visible.model._default_manager.filter(uuid__in=unseen):  # noqa: SLF001
        refuse(actor=actor, verb="access.refused", subject=foreign, at=at, reason=NotHere.code)  # type: ignore[arg-type]
    raise NotHere(pointers=tuple(named[uuid] for uuid in named if uuid in unseen))
