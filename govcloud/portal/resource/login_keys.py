"""Who can log in to a server: its list of public keys set anew, or set without one of them."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from govcloud import clock
from govcloud.errors import DomainError, Invalids
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.resource import forms
from govcloud.portal.resource.forms import Sent
from govcloud.portal.resource.views import page, visible
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import actions
from govcloud.provisioning.actions.login_keys import LoginKeys, SetLoginKeys, is_public_key, keys_of, mark_of

if TYPE_CHECKING:
    from tenants.models import User

Line = tuple[int, str]


@sensitive_post_parameters("keys")
@require_POST
@login_required
def replacement(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """All that shall be let in, one key to a line: nobody only if it says so, and not if it says nothing.

    Refused if the list is not the one that was read: a key that somebody took away meanwhile would be let in again.
    """
    if "keys" not in request.POST:
        raise BadRequest("keys is missing")
    lines = request.POST.get("keys", "").replace("\0", "").splitlines()
    typed = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    return _set(request, uuid, typed, mark=request.POST.get("mark", ""), lines=lines)


@require_POST
@login_required
def removal(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The list without one key."""
    actor, at = cast("User", request.user), clock.now()
    found = visible(uuid, actor, at=at)
    refused = deeds.attempt(  # only who may set the list is told what is not in it
        lambda: requests.ask(resource=found, action=actions()[SetLoginKeys.name], actor=actor, at=at)
    )
    if refused is not None:
        return page(request, uuid, actor, at=at, refused=refused)
    there = keys_of(found)
    removed = request.POST.get("fingerprint", "").replace("\0", "")
    left = [row.public_key for row in there if row.fingerprint != removed]
    if len(left) == len(there):
        refused = Refused(_("The server has no such key, or no longer."), 422)
        return page(request, uuid, actor, at=at, refused=refused)
    return _set(request, uuid, list(enumerate(left, start=1)), mark=mark_of(there))


def _set(
    request: HttpRequest, uuid: UUID, keys: Sequence[Line], *, mark: str, lines: Sequence[str] | None = None
) -> HttpResponse:
    """``lines`` are those that were typed, to be shown again if they are refused."""
    actor, at = cast("User", request.user), clock.now()
    found = visible(uuid, actor, at=at)
    refusal = deeds.refusal_of(
        lambda: requests.request(
            resource=found,
            action=actions()[SetLoginKeys.name],
            parameters=LoginKeys(tuple(key for _number, key in keys), mark),
            actor=actor,
            at=at,
        )
    )
    if refusal is None:
        return redirect("portal:resource", uuid=uuid)
    told = list(_told(refusal, keys))
    detail = str(forms.SEE_THE_FIELD) if told and lines is not None else refusal.detail
    refused = Refused(detail, deeds.status_of(refusal))
    sent = {} if lines is None else {SetLoginKeys.name: _sent(lines, told)}
    return page(request, uuid, actor, at=at, refused=refused, sent=sent)


def _sent(lines: Sequence[str], told: list[str]) -> Sent:
    """What is no public key may have been a private one and is not shown again, whatever the refusal was for.

    Its line stays empty, so that the numbers of the others are right.
    """
    kept = [line if is_public_key(line) else "" for line in lines]
    withheld = any(line.strip() and not shown for line, shown in zip(lines, kept, strict=True))
    return Sent({"keys": "\n".join(kept).rstrip(), "withheld": "yes" if withheld else ""}, {"keys": told})


def _told(refusal: DomainError, keys: Sequence[Line]) -> Iterator[str]:
    """What is wrong with which line; one sentence for lines that follow each other, as those of a private key do."""
    errors = refusal.errors if isinstance(refusal, Invalids) else [refusal]
    wrong = [(place, error.detail) for error in errors for place in _places(error)]
    # what stands at the same distance from its running number, with the same to say, stands side by side
    runs = groupby(enumerate(wrong), key=lambda each: (each[1][0] - each[0], each[1][1]))
    for (_distance, detail), run in runs:
        places = [keys[place][0] for _number, (place, _detail) in run]
        first, last = places[0], places[-1]
        where = _("Line %(line)s") if first == last else _("Lines %(first)s to %(last)s")
        yield f"{where % {'line': first, 'first': first, 'last': last}}: {detail}"


def _places(error: DomainError) -> list[int]:
    return [int(pointer.removeprefix("/keys/")) for pointer in error.pointers if pointer.startswith("/keys/")]
