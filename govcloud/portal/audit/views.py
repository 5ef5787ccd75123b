from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from govcloud.audit import exporting, sealing, verification, watching
from govcloud.audit.models import Event, Export, Seal
from govcloud.portal import deeds, files
from govcloud.portal.audit.rows import VIEWS, at_most, changes, listed, sheet, shown
from govcloud.portal.audit.words import words_of
from govcloud.portal.listing import Narrowing, choices, in_pages
from tenants.models import Role, User
from tenants.policies import READS_AUDIT

PAGE_SIZE = 50
MOST_LISTED = 10_000  # that are counted and leafed through; words narrow a longer trail
MOST_IN_A_FILE = 100_000
EXPORTS_SHOWN = 20


@require_GET
@login_required
def trail(request: HttpRequest) -> HttpResponse:
    """Everything that was done or refused, the latest first; it works without scripts."""
    _actor, at = deeds.admitted(request, *READS_AUDIT)
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    rows = listed(filters)
    total = at_most(rows, MOST_LISTED)
    if filters.text and total > MOST_LISTED:
        rows = listed(filters, many=True)
    pages = in_pages(rows, request.GET.get("page"), size=PAGE_SIZE, total=min(total, MOST_LISTED))
    context = {
        "filters": filters,
        **pages.context,
        "rows": list(shown(pages.page.object_list)),
        "more": total > MOST_LISTED,
        "views": choices(VIEWS, filters, None, first=""),
        "at": at,
    }
    return render(request, "portal/audit/list.html", context)


@require_GET
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    """The list as a file, all of it or none."""
    actor, at = deeds.admitted(request, *READS_AUDIT)
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    return files.hand_out(
        request,
        listed(filters),
        sheet,
        most=MOST_IN_A_FILE,
        form=form,
        query=filters.query(),
        actor=actor,
        at=at,
    )


@require_GET
@login_required
def event(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One event: who, what, when, and every value before and after."""
    _actor, at = deeds.admitted(request, *READS_AUDIT)
    found = get_object_or_404(Event.objects.select_related("sealed__seal"), uuid=uuid)
    context = {
        "event": found,
        "sealed": getattr(found, "sealed", None),
        "words": words_of(found),
        "changes": changes(found),
        "at": at,
    }
    return render(request, "portal/audit/event.html", context)


@require_GET
@login_required
def proof(request: HttpRequest) -> HttpResponse:
    """The seals, and the files in which they have left the machine."""
    _actor, at = deeds.admitted(request, *READS_AUDIT)
    return _proof(request, at=at)


@require_POST
@login_required
def verification_now(request: HttpRequest) -> HttpResponse:
    """Recompute the chain from the first event on."""
    watching.note(only_looks=True)
    _actor, at = deeds.admitted(request, *READS_AUDIT)
    return _proof(request, at=at, result=verification.verify())


@require_POST
@login_required
def export_now(request: HttpRequest) -> HttpResponse:
    """Take what has been sealed since the last time off the machine."""
    actor, at = deeds.admitted(request, Role.AUDIT_ADMIN)
    refused = deeds.attempt(lambda: _export(actor, at))
    if refused is None:
        return redirect("portal:audit-proof")
    return _proof(request, at=at, refused=refused)


def _export(actor: User, at: datetime) -> None:
    if exporting.export(actor=actor, at=at) is None:
        raise exporting.NothingToExport


def _proof(request: HttpRequest, *, at: datetime, **results: Any) -> HttpResponse:
    refused = results.get("refused")
    unsealed = sealing.unsealed()
    context = {
        "last": Seal.objects.order_by("-number").first(),
        "waiting": Event.objects.filter(sealed=None).count(),
        "unsealed": unsealed,
        "late": unsealed > sealing.LATE.total_seconds(),
        "exports": Export.objects.all()[:EXPORTS_SHOWN],
        "unexported": exporting.unexported(at=at),
        "configured": bool(exporting.destination()),
        "at": at,
        **results,
    }
    return render(request, "portal/audit/proof.html", context, status=refused.status if refused else 200)
