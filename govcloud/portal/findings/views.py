from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from govcloud.audit.models import Event
from govcloud.audit.queries import history
from govcloud.portal import deeds, files
from govcloud.portal.audit.words import words_of
from govcloud.portal.deeds import Refused
from govcloud.portal.findings.rows import VIEWS, in_view, listed, matching, sheet
from govcloud.portal.listing import Narrowing, choices, in_pages
from govcloud.portal.operation.rows import what
from govcloud.portal.resuming import resumes
from govcloud.reconciliation import remarks, services
from govcloud.reconciliation.findings import mark_of
from govcloud.reconciliation.lifecycle import FindingStatus
from govcloud.reconciliation.models import Finding
from govcloud.reconciliation.policies import ACTORS, READERS
from govcloud.reconciliation.vocabulary import Remedy
from tenants.policies import scope_of

if TYPE_CHECKING:
    from tenants.models import User

PAGE_SIZE = 20
HISTORY = 100
LOSES_SOMETHING = frozenset({Remedy.CLEAR_AWAY, Remedy.MARK_LOST})
"""What is asked about once more before it is done."""

TELLINGS: dict[str, str | Promise] = {
    "finding.suspected": _("Seen for the first time"),
    "finding.open": _("To be decided"),
    "finding.applying": _("Being put right"),
    "finding.resolved": _("Resolved"),
    "finding.dismissed": _("Dismissed"),
}


@require_GET
@login_required
def findings(request: HttpRequest) -> HttpResponse:
    """What is not as recorded; it works without scripts."""
    _actor, at = deeds.admitted(request, *READERS)
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    counts = matching(filters).aggregate(
        **{view or "open": Count("pk", filter=in_view(view)) for view in VIEWS}
    )
    total = counts[filters.view or "open"]
    pages = in_pages(listed(filters), request.GET.get("page"), size=PAGE_SIZE, total=total)
    context = {
        "filters": filters,
        **pages.context,
        "views": choices(VIEWS, filters, counts, first="open"),
        "at": at,
    }
    return render(request, "portal/finding/list.html", context)


@require_GET
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    """The current list as a file, all pages of it."""
    actor, at = deeds.admitted(request, *READERS)
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    return files.hand_out(
        request, listed(filters), sheet, form=form, query=filters.query(), actor=actor, at=at
    )


@require_GET
@login_required
def finding(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One of them: what differs, what can be done about it, and what was done."""
    actor, at = deeds.admitted(request, *READERS)
    return _page(request, _found(uuid), actor, at=at)


@require_POST
@login_required
def application(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Do what it proposes, or what else is possible, by one click."""
    actor, at = deeds.admitted(request, *ACTORS)
    found, remedy, mark = _found(uuid), request.POST.get("remedy", ""), request.POST.get("mark", "")
    if remedy not in Remedy.values:
        raise Http404
    refused = deeds.attempt(
        lambda: services.apply(finding=found, remedy=remedy, mark=mark, actor=actor, at=at)
    )
    return _page(request, _found(uuid), actor, at=at, refused=refused) if refused else _shown_again(found)


@require_POST
@login_required
@resumes
def dismissal(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """It is known and shall stay so."""
    actor, at = deeds.admitted(request, *ACTORS)
    found = _found(uuid)
    refused = deeds.attempt_for_reason(
        request,
        lambda reason: services.dismiss(
            finding=found, reason=reason, mark=request.POST.get("mark", ""), actor=actor, at=at
        ),
    )
    return _page(request, _found(uuid), actor, at=at, refused=refused) if refused else _shown_again(found)


def _found(uuid: UUID) -> Finding:
    rows = Finding.objects.select_related("cloud", "system", "resource", "decided_by", "operation")
    return get_object_or_404(rows.prefetch_related("differences"), uuid=uuid)


def _shown_again(found: Finding) -> HttpResponse:
    return redirect("portal:finding", uuid=found.uuid)


def _page(
    request: HttpRequest, found: Finding, actor: "User", *, at: datetime, refused: Refused | None = None
) -> HttpResponse:
    acts = scope_of(actor, at=at).holds_any(ACTORS)
    decidable = acts and found.status == FindingStatus.OPEN
    context: dict[str, Any] = {
        "finding": found,
        "remedies": [(each, each in LOSES_SOMETHING) for each in services.possible(found)]
        if decidable
        else [],
        "decidable": decidable,
        "mark": mark_of(found),
        "remark": remarks.told(found.remark),
        "put_right_by": what(found.operation) if found.operation else "",
        "refused": refused,
        "most": deeds.LONGEST_REASON,
        "history": [
            (_in_words(event), TELLINGS.get(event.verb) or words_of(event))
            for event in history(found.uuid).reverse()[:HISTORY]
        ],
        "at": at,
    }
    return render(request, "portal/finding/page.html", context, status=refused.status if refused else 200)


def _in_words(event: Event) -> Event:
    """As a page tells of it: a reason that is a remedy, or why nothing was done, in the reader's language."""
    reason = Remedy(event.reason).label if event.reason in Remedy.values else remarks.told(event.reason)
    event.reason = str(reason)
    return event
