"""The working calendar: everybody looks at it, the system administrator keeps it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from django.contrib import messages as flashes
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from govcloud import clock
from govcloud.audit import watching
from govcloud.calendars import editing, sheets
from govcloud.calendars.models import DayKind, SpecialDay
from govcloud.portal.deeds import Refused, admitted, attempt, unreadable
from govcloud.portal.reading import day_in, number_in
from govcloud.portal.resuming import resumes
from tenants.models import Role
from tenants.policies import scope_of

if TYPE_CHECKING:
    from tenants.models import User

KEEPERS = (Role.SYSTEM_ADMIN,)


@require_GET
@login_required
def calendar(request: HttpRequest) -> HttpResponse:
    """A year's holidays and make-up days."""
    return _page(request, _year(request.GET))


@require_POST
@login_required
@resumes
def entry(request: HttpRequest) -> HttpResponse:
    """Enter a day, or correct it."""
    actor, at = admitted(request, *KEEPERS)
    typed = {name: request.POST.get(name, "").replace("\0", "") for name in ("day", "kind", "name")}
    try:
        day = editing.day_of(typed["day"])
    except (editing.DayMissing, editing.BadDay) as refusal:
        watching.note(code=refusal.code)
        return _page(request, _year(request.GET), refused=unreadable(refusal.detail, typed=typed))
    refused = attempt(
        lambda: editing.enter(day=day, kind=typed["kind"], name=typed["name"], actor=actor, at=at),
        typed=typed,
    )
    if refused:
        return _page(request, day.year, refused=refused)
    flashes.success(request, _("%(day)s is in the calendar.") % {"day": day.isoformat()})
    return _back_to(day.year)


@require_POST
@login_required
def removal(request: HttpRequest, day: str) -> HttpResponse:
    """Take a day out: the week's pattern holds again."""
    actor, at = admitted(request, *KEEPERS)
    named = day_in(day)
    if named is None:
        raise Http404
    refused = attempt(lambda: editing.take_out(day=named, actor=actor, at=at))
    if refused:
        return _page(request, named.year, refused=refused)
    flashes.success(request, _("%(day)s is out of the calendar.") % {"day": day})
    return _back_to(named.year)


@require_POST
@login_required
def sheet(request: HttpRequest) -> HttpResponse:
    """Look at a file, or take it in; a file with wrong lines is told line by line and stays out."""
    actor, at = admitted(request, *KEEPERS)
    file, dry = request.FILES.get("file"), request.POST.get("do") != "take-in"
    watching.note(only_looks=dry)
    if file is None:
        return _page(request, _year(request.GET), refused=unreadable(_("Choose a file first.")))
    content = file.read(sheets.MOST_BYTES + 1)
    reports: list[editing.Report] = []

    def take_in() -> None:
        rows = sheets.read(content)
        reports.append(editing.take_in(rows=rows, dry=dry, actor=actor, at=at))

    refused = attempt(take_in)
    if refused or dry or reports[0].errors:
        return _page(request, _year(request.GET), refused=refused, report=reports[0] if reports else None)
    told = _("Taken in: %(added)s days added, %(changed)s changed.")
    flashes.success(request, told % {"added": reports[0].added, "changed": reports[0].changed})
    return _back_to(_year(request.GET))


def _page(
    request: HttpRequest, year: int, *, refused: Refused | None = None, report: editing.Report | None = None
) -> HttpResponse:
    actor, at = cast("User", request.user), clock.now()
    context = {
        "year": year,
        "days": SpecialDay.objects.filter(day__year=year),
        "kinds": DayKind.choices,
        "keeps": bool(scope_of(actor, at=at).roles & set(KEEPERS)),
        "refused": refused,
        "report": report,
        "at": at,
    }
    wrong = refused.status if refused else 422 if report and report.errors else 200
    return render(request, "portal/calendar/page.html", context, status=wrong)


def _year(query: Mapping[str, str]) -> int:
    """The year asked for, or this one."""
    asked = number_in(query.get("year", ""))
    if asked is not None and asked in editing.YEARS:
        return asked
    return timezone.localdate(clock.now(), timezone.get_default_timezone()).year


def _back_to(year: int) -> HttpResponse:
    return redirect(f"{reverse('portal:calendar')}?year={year}")
