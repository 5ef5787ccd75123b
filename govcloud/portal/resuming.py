"""What somebody typed into a form is there again, although the session was over when they sent it.

Every form carries a mark of whom its page was made for, and when, which nobody else can make. A form with a mark that is sent
without a session, from a page of ours, is kept in the session that begins with it, sealed for that person, until they have signed in:
its page is then shown with what they typed and nothing is done. If they have signed in in another window meanwhile, so that the
form's token against forged requests is an old one, its page is shown at once.

In the same way what was typed and not sent yet outlasts a switch of the language, which the page sends it along with.

Only views that say so (``resumes``) take part. None of them is sent passwords, codes, login keys or files, and a form that
declares classified work is never kept.
"""

import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlencode, urlsplit
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import Resolver404, resolve
from django.utils.datastructures import MultiValueDict
from django.views.csrf import csrf_failure as not_trusted

from govcloud import ciphers
from govcloud.orders.resolution import as_uuid
from govcloud.portal.deeds import LanguageSwitched, SignedOutMeanwhile, holding_back
from tenants.models import User

View = Callable[..., HttpResponse]
V = TypeVar("V", bound=View)

MARK = "written_by"
"""The hidden field."""
AGAIN = "again"
"""The parameter of the address under which the page is shown anew, and a hidden field of its forms: the key of what was kept."""
OF_EVERY_FORM = frozenset({MARK, AGAIN, "csrfmiddlewaretoken"})
"""Fields that nobody has filled in."""
TO, TYPED = "form", "typed"
"""Fields of the switch of the language: the address of a form that was begun, and its fields as one query string."""
WHY = {"signed-out": SignedOutMeanwhile, "language": LanguageSwitched}
HOUR = 3600
MARK_LASTS = 72
"""Hours: a page that was left open over a weekend."""
KEPT = "portal_kept_forms"
"""Session key: what was kept, by its key."""
PURPOSE = "typed into a form"
LARGEST = 100_000
"""Bytes of what is kept of one form; the longest thing that people write is an order's reason, of 10,000 characters."""
MOST = 3
"""Forms of one browser."""

_signer = Signer(salt="govcloud.portal.resuming")


def mark_for(user: User) -> str:
    """By the hour, so that all forms of a page carry the same."""
    return _signer.sign(f"{user.uuid} {int(time.time() / HOUR)}")


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
    before = _typed_before(request, user) if request.method == "GET" and isinstance(user, User) else None
    if before is None:
        return None
    why, typed = before
    request.method, request.POST = "POST", typed  # type: ignore[assignment]
    request._files = MultiValueDict()  # type: ignore[attr-defined]  # noqa: SLF001  none, or Django would read the body again
    return _shown(request, view, args, kwargs, why=why)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form whose token is not the present one: its page with what was typed if it is the reader's own, else 403."""
    found = request.resolver_match
    if found is None or not getattr(found.func, "resumes", False) or request.method != "POST":
        return not_trusted(request, reason)
    if not isinstance(request.user, User):
        answer = _kept(request) if _of_our_pages(request) else None
        return answer or not_trusted(request, reason)
    if _writer(request) != request.user.uuid:
        return not_trusted(request, reason)
    return _shown(request, found.func, found.args, found.kwargs)


def _of_our_pages(request: HttpRequest) -> bool:
    """Another site's page would have a browser that is signed in send it without its session, and that would be replaced."""
    own = f"{request.scheme}://{request.get_host()}"
    told = request.headers
    return told.get("Origin", own) == own and told.get("Sec-Fetch-Site", "same-origin") == "same-origin"


def kept_for(request: HttpRequest, user: User) -> list[str]:
    """The addresses under which what this person had typed is shown anew, but for the present one."""
    kept = _lasting(request.session.get(KEPT, {}))
    return [
        f"{one['path']}?{AGAIN}={key}"
        for key, one in kept.items()
        if one["by"] == str(user.uuid) and key != request.GET.get(AGAIN)
    ]


def tidy(request: HttpRequest) -> None:
    """What is too old goes, and what is not the reader's."""
    kept = request.session.get(KEPT)
    if kept and isinstance(request.user, User):
        left = {key: one for key, one in _lasting(kept).items() if one["by"] == str(request.user.uuid)}
        _put(request, left, before=kept)


def _shown(
    request: HttpRequest,
    view: View,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    why: str = "signed-out",
) -> HttpResponse:
    with holding_back(WHY[why]()):
        return view(request, *args, **kwargs)


def _kept(request: HttpRequest) -> HttpResponse | None:
    """The way to sign in and back, after keeping what was sent; None if it is not to be kept."""
    writer, sent = _writer(request), _sent(request.POST)
    if writer is None or sent is None:
        return None
    told = _put_by(
        request, writer, sent, path=request.path, query=request.GET.copy(), instead_of=_resumed_by(request)
    )
    return redirect_to_login(told)


def sent_to(request: HttpRequest) -> dict[str, str] | None:
    """What the page answers if that could be kept, as the fields ``TO`` and ``TYPED`` have it."""
    view = request.resolver_match and request.resolver_match.func
    sent = _sent(request.POST) if request.method == "POST" and getattr(view, "resumes", False) else None
    return {TO: request.get_full_path(), TYPED: urlencode(sent, doseq=True)} if sent else None


def switching(request: HttpRequest, user: User) -> str | None:
    """The address of the form that came along with a switch of the language, after keeping it; None if there is nothing to keep."""
    typed = QueryDict(request.POST.get(TYPED, ""))
    sent, to = _sent(typed), _local(request.POST.get(TO, ""))
    if not sent or to is None:
        return None
    query = QueryDict(to.query, mutable=True)
    before = typed.get(AGAIN) or query.get(AGAIN, "")
    return _put_by(request, user.uuid, sent, path=to.path, query=query, instead_of=before, why="language")


def _local(address: str) -> SplitResult | None:
    """The address of a form that is resumed; None for any other."""
    try:
        to = urlsplit(address)
        view = resolve(to.path).func if address.startswith("/") and not to.netloc else None
    except (ValueError, Resolver404):
        return None
    return to if getattr(view, "resumes", False) else None


def _put_by(
    request: HttpRequest,
    writer: UUID,
    sent: dict[str, list[str]],
    *,
    path: str,
    query: QueryDict,
    instead_of: str,
    why: str = "signed-out",
) -> str:
    """The address under which what was sent is shown anew; ``instead_of`` is the key of what it takes the place of."""
    sealed = ciphers.seal({"typed": sent}, purpose=PURPOSE, owner=writer)
    before, key = _lasting(request.session.get(KEPT, {})), uuid4().hex
    before.pop(instead_of, None)
    kept = dict(sorted(before.items(), key=lambda each: each[1]["at"])[-(MOST - 1) :])
    kept[key] = {
        "by": str(writer),
        "path": path,
        "why": why,
        "at": time.time(),
        "sealed": [sealed.algorithm, sealed.key, b64encode(sealed.content).decode()],
    }
    _put(request, kept, before=None)
    query[AGAIN] = key
    return f"{path}?{query.urlencode()}"


def _sent(fields: QueryDict) -> dict[str, list[str]] | None:
    """What was typed; None for what is not to be kept."""
    if fields.get("declares_classified") == "yes":
        return None
    typed = {name: values for name, values in fields.lists() if name not in OF_EVERY_FORM}
    size = sum(len(each.encode()) for name, values in typed.items() for each in (name, *values))
    return typed if size <= LARGEST else None


def _writer(request: HttpRequest) -> UUID | None:
    """Whom the page with the form was made for; None if that is too long ago, or they have left."""
    try:
        who, _space, hour = _signer.unsign(request.POST.get(MARK, "")).partition(" ")
        fresh = time.time() / HOUR - int(hour) <= MARK_LASTS + 1
    except (BadSignature, ValueError):
        return None
    writer = as_uuid(who) if fresh else None
    if writer is None or not User.objects.filter(uuid=writer, is_active=True).exists():
        return None
    return writer


def _typed_before(request: HttpRequest, user: User) -> tuple[str, QueryDict] | None:
    """Why it was not done, and what was typed."""
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
    return one.get("why", "signed-out"), typed


def _lasting(kept: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    oldest = time.time() - settings.SESSION_COOKIE_AGE
    return {key: one for key, one in kept.items() if one["at"] > oldest}


def _forget(request: HttpRequest) -> None:
    kept = request.session.get(KEPT)
    if kept:
        _put(request, {key: one for key, one in kept.items() if key != _resumed_by(request)}, before=kept)


def _resumed_by(request: HttpRequest) -> str:
    """The key under which what is sent had been kept before, if it was."""
    return request.POST.get(AGAIN) or request.GET.get(AGAIN, "")


def _put(request: HttpRequest, kept: dict[str, dict[str, Any]], *, before: object) -> None:
    if kept != before:
        request.session[KEPT] = kept
