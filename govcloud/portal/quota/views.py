from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from govcloud import clock
from govcloud.audit import watching
from govcloud.portal import deeds, files
from govcloud.portal.deeds import Refused
from govcloud.portal.listing import Narrowing, choices, in_pages
from govcloud.portal.quota import foresight, rows, setting
from govcloud.portal.reading import number_in, version_in
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import seen_or_404
from govcloud.provisioning import granted
from govcloud.quotas import limits, services
from govcloud.quotas.models import Crossing, Dimension, LimitChange, QuotaAccount, TemporaryRaise
from govcloud.quotas.policies import CAPACITY_READERS, LIMIT_KEEPERS, NothingAbove, require_allotter
from govcloud.quotas.services import LARGEST_LIMIT
from govcloud.searching import terms_of
from tenants.models import Department
from tenants.policies import RoleMissing, scope_of

if TYPE_CHECKING:
    from tenants.models import User

PAGE_SIZE = 20
HISTORY = 50
VIEWS: dict[str, str | Promise] = {
    "": _("All of them"),
    "near": _("Near a limit"),
    "temporary": _("Raised for a time"),
}


@require_GET
@login_required
def units(request: HttpRequest) -> HttpResponse:
    """The units whose quota the reader may see, down the tree; it works without scripts."""
    actor, at = cast("User", request.user), clock.now()
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    matching = _matching(filters, actor, at=at)
    counts = {view: matching.filter(_in_view(view)).count() for view in VIEWS}
    total = counts[filters.view]
    listed = matching.filter(_in_view(filters.view)).order_by("path")
    pages = in_pages(rows.with_accounts(listed), request.GET.get("page"), size=PAGE_SIZE, total=total)
    context = {
        "filters": filters,
        **pages.context,
        "rows": list(rows.units(pages.page.object_list)),
        "views": choices(VIEWS, filters, counts, first=""),
        "reads_capacity": scope_of(actor, at=at).holds_any(CAPACITY_READERS),
        "at": at,
    }
    return render(request, "portal/quota/units.html", context)


@require_GET
@login_required
def unit(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A unit's quota: how full, what was handed on below, what if, and what became of its limits."""
    actor, at = cast("User", request.user), clock.now()
    return _page(request, _visible(uuid, actor, at=at), actor, at=at)


@require_POST
@login_required
@resumes
def allotment(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Hand quota on to the unit, or take it back, for those who answer for the unit above."""
    actor, at = cast("User", request.user), clock.now()
    department = _visible(uuid, actor, at=at)
    account = department.quota_accounts.filter(dimension=request.POST.get("dimension", "")[:12]).first()
    if account is None:
        raise Http404
    names = ("dimension", "limit", "version", "reason")
    typed = {name: request.POST.get(name, "").replace("\0", "").strip() for name in names}

    def hand_on(reason: str) -> None:
        require_allotter(actor, department=department, at=at)
        limit = number_in(typed["limit"], most=LARGEST_LIMIT)
        services.allot(
            account=account,
            limit=LARGEST_LIMIT + 1 if limit is None else limit,
            reason=reason,
            expected_version=version_in(typed["version"]),
            actor=actor,
            at=at,
        )

    refused = deeds.attempt_for_reason(request, hand_on)
    if refused is not None:
        refused.typed.update(typed)
        return _page(request, department, actor, at=at, refused=refused)
    return redirect("portal:quota-unit", uuid=department.uuid)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@resumes
def limit(request: HttpRequest, uuid: UUID, dimension: str) -> HttpResponse:
    """Set a limit of the unit, or lift it, after a look at what that would do; for the centre's keepers of limits."""
    department = _visible(uuid, cast("User", request.user), at=clock.now())
    actor, at = deeds.admitted(request, *LIMIT_KEEPERS)
    account = department.quota_accounts.select_related("department").filter(dimension=dimension).first()
    if account is None:
        raise Http404
    if request.method != "POST":
        return _limit_page(request, account, setting.Typed.before(account.limit))
    typed = setting.Typed.of(request)

    def set_limit(reason: str) -> None:
        wanted = typed.limit()
        typed.require_seen(wanted)
        services.set_limit(
            account=account,
            limit=wanted,
            reason=reason,
            expected_version=version_in(typed.text["version"]),
            actor=actor,
            at=at,
        )

    if "look" in request.POST:
        watching.note(only_looks=True)
        return _limit_page(request, account, typed, refused=deeds.attempt(typed.limit))
    refused = deeds.attempt_for_reason(request, set_limit)
    if refused is not None:
        return _limit_page(request, account, typed, refused=refused)
    return redirect("portal:quota-unit", uuid=department.uuid)


@require_GET
@login_required
def history(request: HttpRequest, uuid: UUID, form: str) -> HttpResponse:
    """What became of the unit's limits, as a file."""
    actor, at = cast("User", request.user), clock.now()
    department = _visible(uuid, actor, at=at)
    return files.hand_out(
        request,
        _changes(department),
        rows.change_sheet,
        form=form,
        query=str(department.uuid),
        actor=actor,
        at=at,
    )


@require_GET
@login_required
def capacity(request: HttpRequest) -> HttpResponse:
    """What has been granted against what the clouds have."""
    _actor, at = deeds.admitted(request, *CAPACITY_READERS)
    context = {"dimensions": granted.against_capacity(at=at), "at": at}
    return render(request, "portal/quota/capacity.html", context)


def _matching(filters: Narrowing, actor: "User", *, at: datetime) -> QuerySet[Department]:
    found = Department.objects.visible_to(actor, at=at)
    for word in terms_of(filters.text):
        found = found.filter(Q(name__icontains=word) | Q(name_en__icontains=word) | Q(credit_code=word))
    return found


def _in_view(view: str) -> Q:
    of_unit = {"account__department": OuterRef("pk")}
    match view:
        case "near":
            return Q(Exists(Crossing.objects.in_force().filter(**of_unit)))
        case "temporary":
            return Q(Exists(TemporaryRaise.objects.running().filter(**of_unit)))
    return Q()


def _visible(uuid: UUID, actor: "User", *, at: datetime) -> Department:
    """Foreign units answer as if there were none, audited."""
    departments = Department.objects.select_related("parent")
    return seen_or_404(departments.visible_to(actor, at=at), departments, actor, at=at, uuid=uuid)


def _changes(department: Department) -> QuerySet[LimitChange]:
    return LimitChange.objects.filter(account__department=department).select_related(
        "account__department", "actor"
    )


def _page(
    request: HttpRequest,
    department: Department,
    actor: "User",
    *,
    at: datetime,
    refused: Refused | None = None,
) -> HttpResponse:
    visible = Department.objects.visible_to(actor, at=at)
    own = list(rows.accounts(department.quota_accounts.all()))
    below = rows.with_accounts(department.children.order_by("path"))
    now = limits.foresee(department=department, dimensions=[account.dimension for account in own])
    context: dict[str, Any] = {
        "department": department,
        "above": visible.filter(pk__in=department.ancestor_ids[:-1]).order_by("path"),
        "bars": [(bar, now[Dimension(bar.account.dimension)]) for bar in rows.bars(own)],
        "below": list(rows.units(below)),
        "foresight": foresight.foresee(department, request.GET.dict()),
        "allots": _allots(department, actor, at=at),
        "sets": scope_of(actor, at=at).holds_any(LIMIT_KEEPERS),
        "refused": refused,
        "most": deeds.LONGEST_REASON,
        "history": _changes(department)[:HISTORY],
        "history_rows": HISTORY,
        "at": at,
    }
    return render(request, "portal/quota/unit.html", context, status=refused.status if refused else 200)


def _limit_page(
    request: HttpRequest, account: QuotaAccount, typed: setting.Typed, *, refused: Refused | None = None
) -> HttpResponse:
    """The form as it was filled in, and what the limit in it would mean once it has been sent."""
    account.refresh_from_db()
    dimension = Dimension(account.dimension)
    now = limits.foresee(department=account.department, dimensions=[dimension])[dimension]
    context = {
        "department": account.department,
        "dimension": dimension,
        "account": account,
        "now": now,
        "typed": typed.text,
        "foreseen": setting.foreseen(now, typed) if request.method == "POST" else None,
        "refused": refused,
        "most": deeds.LONGEST_REASON,
    }
    return render(request, "portal/quota/limit.html", context, status=refused.status if refused else 200)


def _allots(department: Department, actor: "User", *, at: datetime) -> bool:
    try:
        require_allotter(actor, department=department, at=at)
    except (RoleMissing, NothingAbove):
        return False
    return True
