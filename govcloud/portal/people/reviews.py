"""Access reviews: which there are, and one with its roles to confirm or end."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from govcloud.organisation import reviews as deeds_of_reviews
from govcloud.organisation import rhythm
from govcloud.organisation.lifecycle import ReviewStatus, Verdict
from govcloud.organisation.models import AccessReview, ReviewLine
from govcloud.portal import deeds, files
from govcloud.portal.deeds import Refused
from govcloud.portal.files import Sheet, local
from govcloud.portal.listing import Narrowing, choices, in_pages
from govcloud.portal.reading import day_in, midnight_after
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import seen_or_404
from govcloud.portal.templatetags.portal import named
from tenants.models import Department, Role, User
from tenants.policies import scope_of

READERS = (Role.SECURITY_ADMIN, Role.AUDIT_ADMIN, Role.SUPERVISOR, Role.UNIT_APPROVER)
REVIEWERS = (Role.SECURITY_ADMIN, Role.UNIT_APPROVER)
PAGE_SIZE = 50

VIEWS: dict[str, str | Promise] = {
    "": gettext_lazy("To be reviewed"),
    "overdue": gettext_lazy("Overdue"),
    "decided": pgettext_lazy("access review", "Decided"),
    "all": gettext_lazy("All of them"),
}

HEADINGS: tuple[str | Promise, ...] = (
    pgettext_lazy("of a person", "Name"),
    gettext_lazy("User name"),
    gettext_lazy("Role"),
    gettext_lazy("Unit"),
    gettext_lazy("Held since"),
    gettext_lazy("Verdict"),
    pgettext_lazy("access review", "Decided by"),
    gettext_lazy("Decided at"),
    gettext_lazy("Reason"),
)


@require_http_methods(["GET", "POST"])
@login_required
@resumes
def reviews(request: HttpRequest) -> HttpResponse:
    """The rounds there are; the security administrator opens another one."""
    actor, at = deeds.admitted(request, *READERS)
    refused: Refused | None = None
    if request.method == "POST":
        opened, refused = _opened(request, at=at)
        if opened is not None:
            return redirect("portal:review", uuid=opened.uuid)
    rows = AccessReview.objects.visible_to(actor, at=at).counted(actor, at=at).select_related("opened_by")
    pages = in_pages(rows.order_by("-id"), request.GET.get("page"), size=PAGE_SIZE)
    context = {
        **pages.context,
        "filters": Narrowing(),
        "opens": scope_of(actor, at=at).holds(Role.SECURITY_ADMIN),
        "coming": rhythm.next_round(),
        "units": Department.objects.open().order_by("path"),
        "refused": refused,
        "typed": refused.typed if refused else {},
        "chosen": refused.typed["units"].splitlines() if refused else (),
        "at": at,
    }
    return render(request, "portal/person/reviews.html", context, status=refused.status if refused else 200)


def _opened(request: HttpRequest, *, at: datetime) -> tuple[AccessReview | None, Refused | None]:
    actor, _at = deeds.admitted(request, Role.SECURITY_ADMIN)
    title, due = (request.POST.get(name, "").replace("\0", "").strip()[:120] for name in ("title", "due"))
    codes = request.POST.getlist("unit")
    typed = {"title": title, "due": due, "units": "\n".join(codes)}
    due_at = _end_of(due)
    if due_at is None or not title:
        return None, deeds.unreadable(
            _("A review has a title and a date by which it is to be done."), typed=typed
        )
    units = list(Department.objects.open().filter(credit_code__in=codes))
    if len(units) != len(set(codes)):
        return None, deeds.unreadable(_("One of the units is not in service any more."), typed=typed)
    opened: list[AccessReview] = []
    refused = deeds.attempt(
        lambda: opened.append(
            deeds_of_reviews.open_review(title=title, departments=units, due_at=due_at, actor=actor, at=at)
        ),
        typed=typed,
    )
    return (opened[0] if opened else None), refused


def _end_of(day: str) -> datetime | None:
    """The last moment of the day by the installation's clock; None for what is no day."""
    found = day_in(day)
    return midnight_after(found) - timedelta(seconds=1) if found else None


@require_GET
@login_required
def review(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One round: what is to be reviewed, what is late, what was decided by whom and why."""
    actor, at = deeds.admitted(request, *READERS)
    return _page(request, _found(uuid, actor, at=at), actor, at=at)


@require_GET
@login_required
def export(request: HttpRequest, uuid: UUID, form: str) -> HttpResponse:
    """The evidence: every role with its verdict, who gave it, when and why."""
    actor, at = deeds.admitted(request, *READERS)
    found = _found(uuid, actor, at=at)
    return files.hand_out(
        request,
        _lines(found, actor, at=at),
        _sheet,
        form=form,
        query=f"review={found.uuid}",
        actor=actor,
        at=at,
    )


@require_POST
@login_required
@resumes
def closing(request: HttpRequest, uuid: UUID) -> HttpResponse:
    actor, at = deeds.admitted(request, Role.SECURITY_ADMIN)
    found = _found(uuid, actor, at=at)
    refused = deeds.attempt_for_reason(
        request,
        lambda reason: deeds_of_reviews.close(review=found, reason=reason, actor=actor, at=at),
        typed={"form": "closing"},
    )
    if refused is None:
        return redirect("portal:review", uuid=uuid)
    return _page(request, _found(uuid, actor, at=at), actor, at=at, refused=refused)


@require_POST
@login_required
@resumes
def decision(request: HttpRequest, review: UUID, uuid: UUID) -> HttpResponse:
    """Confirm a role, or end it."""
    actor, at = deeds.admitted(request, *REVIEWERS)
    found, mine = _found(review, actor, at=at), ReviewLine.objects.visible_to(actor, at=at)
    lines, rows = mine.filter(review=found).with_particulars(), ReviewLine.objects.all()
    line = seen_or_404(lines, rows, actor, at=at, uuid=uuid, elsewhere=mine)
    reason = request.POST.get("reason", "").replace("\0", "").strip()[: deeds.LONGEST_REASON]
    verdict = request.POST.get("verdict", "")
    refused = deeds.attempt(
        lambda: deeds_of_reviews.decide(line=line, verdict=verdict, reason=reason, actor=actor, at=at),
        typed={"reason": reason},
    )
    if refused is None:
        return redirect("portal:review", uuid=review)
    return _page(request, _found(review, actor, at=at), actor, at=at, refused=refused)


def _found(uuid: UUID, actor: User, *, at: datetime) -> AccessReview:
    """Reviews of other units answer as if there were none, audited."""
    rows = AccessReview.objects.visible_to(actor, at=at).counted(actor, at=at).select_related("opened_by")
    return seen_or_404(rows, AccessReview.objects.all(), actor, at=at, uuid=uuid)


def _lines(found: AccessReview, actor: User, *, at: datetime) -> QuerySet[ReviewLine]:
    """What waits comes first."""
    waits = Case(When(verdict=Verdict.PENDING, then=Value(0)), default=Value(1), output_field=IntegerField())
    rows = ReviewLine.objects.visible_to(actor, at=at).filter(review=found).with_particulars()
    return rows.order_by(waits, "department__path", "membership__user__display_name", "pk")


def _in_view(view: str, *, late: bool) -> Q:
    match view:
        case "overdue":
            return Q(verdict=Verdict.PENDING) if late else Q(pk__in=[])
        case "decided":
            return ~Q(verdict=Verdict.PENDING)
        case "all":
            return Q()
    return Q(verdict=Verdict.PENDING)


def _page(
    request: HttpRequest, found: AccessReview, actor: User, *, at: datetime, refused: Refused | None = None
) -> HttpResponse:
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    late = found.status == ReviewStatus.OPEN and found.due_at <= at
    rows = _lines(found, actor, at=at)
    counts = rows.order_by().aggregate(
        **{view or "waits": Count("pk", filter=_in_view(view, late=late)) for view in VIEWS}
    )
    total = counts[filters.view or "waits"]
    pages = in_pages(
        rows.filter(_in_view(filters.view, late=late)), request.GET.get("page"), size=PAGE_SIZE, total=total
    )
    scope = scope_of(actor, at=at)
    closes = found.status == ReviewStatus.OPEN and scope.holds(Role.SECURITY_ADMIN)
    context: dict[str, Any] = {
        "review": found,
        "late": late,
        "filters": filters,
        **pages.context,
        "views": choices(VIEWS, filters, counts, first="waits"),
        "decides": found.status == ReviewStatus.OPEN and scope.holds_any(REVIEWERS),
        "closes": closes,
        "refilled": closes and refused is not None and "form" in refused.typed,
        "reader": actor,
        "refused": refused,
        "most": deeds.LONGEST_REASON,
        "at": at,
    }
    return render(request, "portal/person/review.html", context, status=refused.status if refused else 200)


def _sheet(rows: Iterable[ReviewLine]) -> Sheet:
    told = (
        (
            each.membership.user.audit_name,
            each.membership.user.username,
            each.membership.get_role_display(),
            named(each.department) if each.department else "",
            local(each.membership.valid_from),
            each.get_verdict_display(),
            each.decided_by.audit_name if each.decided_by else "",
            local(each.decided_at),
            each.reason,
        )
        for each in rows
    )
    return Sheet("access-review", gettext_lazy("Access review"), HEADINGS, told)
