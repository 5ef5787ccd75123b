"""What people do on a page: a refusal comes back on it with what they typed, a deed leads to the page as it is afterwards."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from govcloud import clock
from govcloud.audit import watching
from govcloud.errors import Absent, Conflict, DomainError, Forbidden, Invalid, Unavailable
from tenants.models import User
from tenants.policies import RoleMissing, Wanted, require

LONGEST_REASON = 500
WRITTEN = ("opinion", "reason", "question", "answer", "text", "remark", "remedy")
"""Fields in which people write sentences, by the names that forms have for them."""
STATUS = ((Absent, 404), (Forbidden, 403), (Invalid, 422), (Conflict, 409), (Unavailable, 503))


class SignedOutMeanwhile(Invalid):
    code = "signed-out-meanwhile"
    message = gettext_lazy(
        "Nothing has been done yet: your session was over when you sent this. What you had typed is here again; look at it and send "
        "it once more."
    )


class LanguageSwitched(Invalid):
    code = "language-switched"
    message = gettext_lazy(
        "Nothing has been done yet: you switched the language. What you had typed is here again; go on, and send it as you meant to."
    )


_held_back: ContextVar[DomainError | None] = ContextVar("held_back", default=None)


@contextmanager
def holding_back(refusal: DomainError) -> Iterator[None]:
    """Nothing is done meanwhile, and everything refused so: a page comes back with what was typed."""
    token = _held_back.set(refusal)
    try:
        yield
    finally:
        _held_back.reset(token)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why something was not done, in the reader's language, and what had been typed, by the name of its field.

    ``each`` are the reasons one by one, where several things were asked for at once. Nothing is wrong with what was
    ``held_back``.
    """

    detail: str
    status: int
    typed: dict[str, str] = field(default_factory=dict)
    each: tuple[str, ...] = ()
    held_back: bool = False

    @property
    def written(self) -> list[str]:
        """The sentences that were typed, for a page that has the form no more."""
        return [self.typed[name] for name in WRITTEN if self.typed.get(name)]


def attempt(deed: Callable[[], object], *, typed: dict[str, str] | None = None) -> Refused | None:
    """Do it; or tell why not. Raises PermissionDenied for who has not the role for it."""
    refusal = refusal_of(deed)
    if refusal is None:
        return None
    return refused_for(refusal, typed=typed)


def refused_for(refusal: DomainError, *, typed: dict[str, str] | None = None) -> Refused:
    return Refused(refusal.detail, status_of(refusal), typed or {}, held_back=refusal is held_back())


def refusal_of(deed: Callable[[], object]) -> DomainError | None:
    """Do it; or hand on the refusal, for a page that tells at each field what is wrong. Raises as ``attempt``."""
    held = held_back()
    if held is not None:
        return held
    try:
        deed()
    except RoleMissing as missing:
        raise PermissionDenied from missing
    except DomainError as refusal:
        watching.note(code=refusal.code)
        return refusal
    return None


def held_back() -> DomainError | None:
    """Why nothing is done with what was typed, whatever it is; mostly None.

    Of what is held back nothing else is told, since perhaps it was not typed to its end: a view that looks at what was typed before
    it does something asks for this first, or refuses by ``unreadable``.
    """
    return _held_back.get()


def put_off() -> Refused | None:
    """The same as a page tells it."""
    held = held_back()
    return None if held is None else refused_for(held)


def unreadable(detail: str, *, typed: dict[str, str] | None = None) -> Refused:
    """What was typed is nothing that can be done; told unless it is held back."""
    held = held_back()
    return Refused(detail, 422, typed or {}) if held is None else refused_for(held, typed=typed)


def status_of(refusal: DomainError) -> int:
    """Of the page that tells of it."""
    return next((status for kind, status in STATUS if isinstance(refusal, kind)), 409)


def admitted(request: HttpRequest, *wanted: Wanted) -> tuple[User, datetime]:
    """Who asks, and when. Raises PermissionDenied for who may do none of what is wanted."""
    actor, at = cast("User", request.user), clock.now()
    try:
        require(actor, *wanted, at=at)
    except RoleMissing as missing:
        raise PermissionDenied from missing
    return actor, at


def attempt_for_reason(
    request: HttpRequest,
    deed: Callable[[str], object],
    *,
    typed: dict[str, str] | None = None,
    most: int = LONGEST_REASON,
) -> Refused | None:
    """Do it for the reason that was typed; or tell why not, as when there is none or it has more than ``most`` characters.

    ``typed`` is what else was.
    """
    reason = request.POST.get("reason", "").replace("\0", "").strip()
    if not 1 <= len(reason) <= most:
        text = _("Give a reason of at most %(most)s characters.") % {"most": most}
        return unreadable(text, typed={**(typed or {}), "reason": reason})
    return attempt(lambda: deed(reason), typed={**(typed or {}), "reason": reason})
