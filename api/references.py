"""Things named by their public id: found if the actor may see them, and otherwise alike whether they exist or not."""

from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from api.problems import NotHere
from govcloud.audit.refusals import refuse
from tenants.models import User

M = TypeVar("M", bound=Model)


def find(
    *, visible: QuerySet[M], actor: User, at: datetime, pointer: str | None = None, **lookup: Any
) -> M:
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
