"""What people do on a page: a refusal comes back on it with what they typed, a deed leads to the page as it is afterwards."""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.core.exceptions import PermissionDenied

from govcloud.errors import Conflict, DomainError, Invalid, Unavailable
from tenants.policies import RoleMissing

STATUS = ((Invalid, 422), (Conflict, 409), (Unavailable, 503))


@dataclass(frozen=True, slots=True)
class Refused:
    """Why something was not done, in the reader's language, and what had been typed, by the name of its field."""

    detail: str
    status: int
    typed: dict[str, str] = field(default_factory=dict)


def attempt(deed: Callable[[], object], *, typed: dict[str, str] | None = None) -> Refused | None:
    """Do it; or tell why not. Raises PermissionDenied for who has not the role for it."""
    try:
        deed()
    except RoleMissing as missing:
        raise PermissionDenied from missing
    except DomainError as refusal:
        status = next((status for kind, status in STATUS if isinstance(refusal, kind)), 409)
        return Refused(refusal.detail, status, typed or {})
    return None
