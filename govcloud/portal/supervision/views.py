"""What supervisors and leaders look at: how deciding goes in a month, and the cards."""

import io
from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from govcloud.approvals.models import CaseKind
from govcloud.audit import services as audit
from govcloud.periods import Month
from govcloud.portal.deeds import admitted
from govcloud.portal.files import FORMS
from govcloud.portal.listing import choices, in_pages
from govcloud.portal.supervision.rows import VIEWS, Asked, cards, counts, order_numbers
from govcloud.supervision import appraisal, statistics
from govcloud.supervision.policies import READERS

PAGE_SIZE = 20
TARGET = 0.7  # of committed matters early, of instant ones on the spot: what centres set themselves
MONTHS_BACK = 12


@require_GET
@login_required
def supervision(request: HttpRequest) -> HttpResponse:
    """A month's figures and its cards; it works without scripts."""
    _actor, at = admitted(request, *READERS)
    zone = timezone.get_default_timezone()
    asked = Asked.read(request.GET.dict(), now=Month.of(at, zone))
    start, end = asked.month.bounds(zone)
    period = statistics.Period(start, end)
    figures = statistics.figures(period=period)
    counted = counts(period)
    pages = in_pages(cards(period, asked.view), request.GET.get("page"), size=PAGE_SIZE)
    numbers = order_numbers(pages.page.object_list)
    matters = {each.kind: each for each in figures.matters}
    context = {
        "filters": asked,
        "months": list(_months(at)),
        "figures": figures,
        "committed": matters[CaseKind.COMMITTED],
        "instant": matters[CaseKind.INSTANT],
        "target": TARGET,
        **pages.context,
        "cards": [(card, numbers.get(card.case.subject_id)) for card in pages.page.object_list],
        "views": choices(VIEWS, asked, counted, first=""),
        "at": at,
    }  # fmt: skip
    return render(request, "portal/supervision/page.html", context)


def _months(at: datetime) -> list[Month]:
    """Of the last year and this one, the latest first."""
    month = Month.of(at, timezone.get_default_timezone())
    months = [month]
    while len(months) <= MONTHS_BACK:
        months.append(months[-1].previous())
    return months


@require_GET
@login_required
def sheet(request: HttpRequest, month: str) -> HttpResponse:
    """The month's appraisal of units and cities, as an Excel workbook; that it was taken out is audited."""
    actor, at = admitted(request, *READERS)
    try:
        asked = Month.parse(month)
    except ValueError as error:
        raise Http404 from error
    file = io.BytesIO()
    with transaction.atomic():
        audit.record(actor=actor, verb="appraisal.exported", subject=None, at=at, label=str(asked))
        appraisal.write(month=asked, file=file)
    response = HttpResponse(file.getvalue(), content_type=FORMS["xlsx"].content_type)
    response["Content-Disposition"] = f'attachment; filename="appraisal-{asked}.xlsx"'
    return response
