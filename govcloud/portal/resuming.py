"""What somebody typed into a form is there again, although the session was over when they sent it.

Every form carries a mark of whom its page was made for, which nobody else can make. A form with a mark that is sent without a
session is kept in the session that begins with it, sealed for that person, until they have signed in: its page is then shown with
what they typed and nothing is done. If they have signed in in another window meanwhile, so that the form's token against forged
requests is an old one, its page is shown at once.

Only views that say so (``resumes``) take part. None of them is sent passwords, codes, login keys or files, and a form that
declares classified work is never kept.
"""

import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.datastructures import MultiValueDict
from django.views.csrf import csrf_failure as not_trusted

from govcloud import ciphers
from govcloud.orders.resolution import as_uuid
from govcloud.portal.deeds import holding_back
from tenants.models import User

View = Callable[..., HttpResponse]
V = TypeVar("V", bound=View)

MARK = "written_by"
"""The hidden field."""
OF_EVERY_FORM = frozenset({MARK, "csrfmiddlewaretoken"})
"""Fields that nobody has filled in."""
AGAIN = "again"
"""The parameter of the address under which the page is shown anew: the key of what was kept, for this once."""
KEPT = "portal_kept_forms"
"""Session key: what was kept, by its key."""
PURPOSE = "typed into a form"
LARGEST = 100_000
"""Bytes of what is kept of one form; the longest thing that people write is an order's reason, of 10,000 characters."""
MOST = 3
"""Forms of one browser."""

_signer = Signer(salt="govcloud.portal.resuming")


def mark_for(user: User) -> str:
    return _signer.sign(str(user.uuid))


def resumes(view: V) -> V:
    """A view that shows what was typed when it refuses to do something, and does nothing but by ``deeds``."""
    view.resumes = True  # type: ignore[attr-defined]
    return view


def instead_of(
    request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> HttpResponse | None:
    """The answer in place of the view's: the way to sign in, or the page with what had been typed; mostly none."""
    if not getattr(view, "resumes", False):
        return None
    user = request.user
    if request.method == "POST":
        if isinstance(user, User):
            _forget(request)  # it has been sent now
            return None
        return _kept(request)
    typed = _typed_before(request, user) if request.method == "GET" and isinstance(user, User) else None
    if typed is None:
        return None
    request.method, request.POST = "POST", typed  # type: ignore[assignment]
    request._files = MultiValueDict()  # type: ignore[attr-defined]  # noqa: SLF001  none, or Django would read the body again
    return _shown(request, view, args, kwargs)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form whose token is not the present one: its page with what was typed if it is the reader's own, else 403."""
    found = request.resolver_match
    if found is None or not getattr(found.func, "resumes", False) or request.method != "POST":
        return not_trusted(request, reason)
    if not isinstance(request.user, User):
        return _kept(request) or not_trusted(request, reason)
    if _writer(request) != request.user.uuid:
        return not_trusted(request, reason)
    return _shown(request, found.func, found.args, found.kwargs)


def tidy(request: HttpRequest) -> None:
    """What is too old goes, and what is not the reader's."""
    kept = request.session.get(KEPT)
    if kept and isinstance(request.user, User):
        left = {key: one for key, one in _lasting(kept).items() if one["by"] == str(request.user.uuid)}
        _put(request, left, before=kept)


def _shown(
    request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> HttpResponse:
    with holding_back():
        return view(request, *args, **kwargs)


def _kept(request: HttpRequest) -> HttpResponse | None:
    """The way to sign in and back, after keeping what was sent; None if it is not to be kept."""
    writer, sent = _writer(request), _sent(request)
    if writer is None or sent is None:
        return None
    sealed = ciphers.seal({"typed": sent}, purpose=PURPOSE, owner=writer)
    before, key = _lasting(request.session.get(KEPT, {})), uuid4().hex
    kept = dict(sorted(before.items(), key=lambda each: each[1]["at"])[-(MOST - 1) :])
    kept[key] = {
        "by": str(writer),
        "path": request.path,
        "at": time.time(),
        "sealed": [sealed.algorithm, sealed.key, b64encode(sealed.content).decode()],
    }
    _put(request, kept, before=None)
    query = request.GET.copy()
    query[AGAIN] = key
    return redirect_to_login(f"{request.path}?{query.urlencode()}")


def _sent(request: HttpRequest) -> dict[str, list[str]] | None:
    """What was typed; None for what is not to be kept."""
    if request.POST.get("declares_classified") == "yes":
        return None
    typed = {name: values for name, values in request.POST.lists() if name not in OF_EVERY_FORM}
    size = sum(len(each.encode()) for name, values in typed.items() for each in (name, *values))
    return typed if size <= LARGEST else None


def _writer(request: HttpRequest) -> UUID | None:
    """Whom the page with the form was made for."""
    try:
        return as_uuid(_signer.unsign(request.POST.get(MARK, "")))
    except BadSignature:
        return None


def _typed_before(request: HttpRequest, user: User) -> QueryDict | None:
    one = _lasting(request.session.get(KEPT, {})).get(request.GET.get(AGAIN, ""))
    if one is None or (one["path"], one["by"]) != (request.path, str(user.uuid)):
        return None
    algorithm, key, content = one["sealed"]
    try:
        opened = ciphers.opened(
            ciphers.Sealed(algorithm, key, b64decode(content)), purpose=PURPOSE, owner=user.uuid
        )
    except ciphers.Unreadable:
        return None
    typed = QueryDict(mutable=True)
    for name, values in opened["typed"].items():
        typed.setlist(name, values)
    return typed


def _lasting(kept: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    oldest = time.time() - settings.SESSION_COOKIE_AGE
    return {key: one for key, one in kept.items() if one["at"] > oldest}


def _forget(request: HttpRequest) -> None:
    kept = request.session.get(KEPT)
    if kept:
        _put(request, {key: one for key, one in kept.items() if one["path"] != request.path}, before=kept)


def _put(request: HttpRequest, kept: dict[str, dict[str, Any]], *, before: object) -> None:
    if kept != before:
        request.session[KEPT] = kept
