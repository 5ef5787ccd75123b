"""The register as a workbook: the template, what there is, and taking one in after a look at what that would do."""

import base64
import binascii

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from govcloud.audit import watching
from govcloud.errors import DomainError
from govcloud.organisation import exporting, importing, reading, writing
from govcloud.organisation.importing import Action, Outcome
from govcloud.organisation.policies import REGISTRARS
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.files import FORMS

SHOWN = 500
"""Rows and problems on the page; the counts are of all."""


@require_GET
@login_required
def template(request: HttpRequest) -> HttpResponse:
    """The workbook with nothing in it, and what its columns mean."""
    deeds.admitted(request, *REGISTRARS)
    return _workbook(writing.blank(), "units-and-systems-template.xlsx")


@require_GET
@login_required
def workbook(request: HttpRequest) -> HttpResponse:
    """All divisions, and the units and systems in service, with their owners in full. That it was taken out is audited."""
    actor, at = deeds.admitted(request, *REGISTRARS)
    content = exporting.workbook(actor=actor, at=at)
    return _workbook(content, f"units-and-systems-{timezone.localtime(at):%Y%m%d-%H%M}.xlsx")


@require_http_methods(["GET", "POST"])
@login_required
def taking_in(request: HttpRequest) -> HttpResponse:
    """First a look, then, with the very file that was looked at, the import: all of it or nothing."""
    actor, at = deeds.admitted(request, *REGISTRARS)
    outcome: Outcome | None = None
    refused: Refused | None = None
    content, name = _sent(request) if request.method == "POST" else (b"", "")
    if request.method == "POST":
        dry = "import" not in request.POST
        watching.note(only_looks=dry)
        try:
            outcome = importing.run(content=content, name=name, dry=dry, actor=actor, at=at)
        except DomainError as error:
            watching.note(code=error.code)
            refused = Refused(error.detail, 422)
    context = {
        "outcome": outcome,
        "rows": [each for each in outcome.rows if each.action != Action.UNCHANGED][:SHOWN] if outcome else [],
        "problems": outcome.problems[:SHOWN] if outcome else [],
        "counts": {each.value: outcome.count(each) for each in Action} if outcome else {},
        "ready": _would_change(outcome),
        "content": base64.b64encode(content).decode() if outcome and not outcome.problems else "",
        "name": name,
        "most": reading.MOST_BYTES // 1000,
        "refused": refused,
        "at": at,
    }
    status = refused.status if refused else 422 if outcome and outcome.problems else 200
    return render(request, "portal/unit/import.html", context, status=status)


def _would_change(outcome: Outcome | None) -> bool:
    """Whether there is anything to take in, and nothing in its way."""
    if outcome is None or outcome.applied or outcome.problems:
        return False
    return any(each.action != Action.UNCHANGED for each in outcome.rows)


def _sent(request: HttpRequest) -> tuple[bytes, str]:
    """The file, or the one that was looked at before. Of what is too large no more is read than shows it."""
    file = request.FILES.get("file")
    if file is not None:
        return file.read(reading.MOST_BYTES + 1), (file.name or "")[:200]
    try:
        content = base64.b64decode(request.POST.get("content", ""), validate=True)
    except (binascii.Error, ValueError):
        content = b""
    return content, request.POST.get("name", "").replace("\0", "")[:200]


def _workbook(content: bytes, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=FORMS["xlsx"].content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
