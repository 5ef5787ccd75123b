"""Accounts: the list, one of them, opening one, and setting a first password or a second factor anew.

A first password is on the page that answers the deed and nowhere else: those views keep their variables out of reports of faults.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import Case, CharField, Count, Exists, OuterRef, Q, QuerySet, TextChoices, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from govcloud.organisation import identity
from govcloud.organisation.people import kept_by
from govcloud.organisation.policies import KEEPERS_OF_PEOPLE, READERS_OF_ACCOUNTS
from govcloud.portal import deeds, files
from govcloud.portal.deeds import Refused
from govcloud.portal.files import Sheet, local
from govcloud.portal.listing import Narrowing, choices, in_pages
from govcloud.portal.resuming import resumes
from govcloud.searching import terms_of
from tenants.access import accounts, confirmations, passwords
from tenants.access.accounts import Opened
from tenants.access.models import Enrolment
from tenants.models import Membership, Role, User
from tenants.policies import scope_of

PAGE_SIZE = 30
LONGEST_USERNAME = 150
LONGEST_NAME = 80

VIEWS: Mapping[str, str | Promise] = {
    "": _("Active"),
    "unused": _("Never signed in"),
    "single": _("Without a second factor"),
    "left": _("Left"),
}

HEADINGS: tuple[str | Promise, ...] = (
    pgettext_lazy("of a person", "Name"),
    _("User name"),
    _("Account"),
    _("Second factor"),
    _("Password set"),
    _("Password to be changed"),
    _("Last sign-in"),
    _("Opened on"),
)


class Factor(TextChoices):
    """How far somebody is with their second factor. It waits only if a role obliges to have one."""

    NONE = "none", _("none")
    UNCONFIRMED = "unconfirmed", _("set up, needs no confirmation")
    WAITING = "waiting", _("waits to be confirmed")
    CONFIRMED = "confirmed", _("confirmed")


@dataclass(frozen=True, slots=True)
class Typed:
    """An account to be opened, as it was typed."""

    username: str = ""
    name: str = ""
    language: str = settings.LANGUAGE_CODE
    without_password: str = ""  # "on" if it was chosen

    @classmethod
    def read(cls, request: HttpRequest) -> "Typed":
        told = {name: request.POST.get(name, "").replace("\0", "").strip()[:500] for name in cls.__slots__}
        if told["language"] not in dict(settings.LANGUAGES):
            told["language"] = settings.LANGUAGE_CODE
        return cls(**told)


@sensitive_variables()
@never_cache
@require_http_methods(["GET", "POST"])
@login_required
@resumes
def accounts_page(request: HttpRequest) -> HttpResponse:
    """The list, and for system administrators a form to open one, which its own page answers with the first password."""
    actor, at = deeds.admitted(request, *READERS_OF_ACCOUNTS)
    if request.method == "GET":
        return _list(request, actor, at=at, typed=Typed())
    typed, made = Typed.read(request), list[Opened]()
    refused = _unfit(typed) or deeds.attempt(
        lambda: made.append(
            accounts.open_account(
                username=typed.username,
                display_name=typed.name,
                language=typed.language,
                with_password=not typed.without_password,
                actor=actor,
                at=at,
            )
        )
    )
    if refused:
        return _list(request, actor, at=at, typed=typed, refused=refused)
    return _page(request, made[0].user.uuid, actor, at=at, opened=made[0])


@require_GET
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    """The current list as a file, all pages of it."""
    actor, at = deeds.admitted(request, *READERS_OF_ACCOUNTS)
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    rows = _concerned(filters, at=at).filter(_in_view(filters.view))
    return files.hand_out(
        request,
        rows,
        lambda listed: _sheet(listed, at=at),
        form=form,
        query=filters.query(),
        actor=actor,
        at=at,
    )


@require_GET
@login_required
def account(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One of them, with the roles in force."""
    actor, at = deeds.admitted(request, *READERS_OF_ACCOUNTS)
    return _page(request, uuid, actor, at=at)


@sensitive_variables()
@never_cache
@require_POST
@login_required
def password_reset(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A first password anew, which is on the page that answers."""
    actor, at = deeds.admitted(request, Role.SYSTEM_ADMIN)
    user = get_object_or_404(User, uuid=uuid)
    opened = identity.reset_password(user=user, actor=actor, at=at)
    return _page(request, uuid, actor, at=at, opened=opened)


@require_POST
@login_required
@resumes
def factor_reset(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Take a lost second factor away, for a reason."""
    actor, at = deeds.admitted(request, Role.SECURITY_ADMIN)
    user = get_object_or_404(User, uuid=uuid)
    refused = deeds.attempt_for_reason(
        request, lambda reason: identity.reset_second_factor(user=user, reason=reason, actor=actor, at=at)
    )
    if refused:
        return _page(request, uuid, actor, at=at, refused=refused)
    return redirect("portal:account-of", uuid)


def _unfit(typed: Typed) -> Refused | None:
    """Why there is no account with such names, by their lengths alone."""
    if not 1 <= len(typed.username) <= LONGEST_USERNAME:
        text = gettext("Give a user name of at most %(most)s characters.")
        return deeds.unreadable(text % {"most": LONGEST_USERNAME})
    if not 1 <= len(typed.name) <= LONGEST_NAME:
        return deeds.unreadable(
            gettext("Give a name of at most %(most)s characters.") % {"most": LONGEST_NAME}
        )
    return None


def _told(*, at: datetime) -> QuerySet[User]:
    """All accounts, each with its ``factor``."""
    apps = Authenticator.objects.filter(user=OuterRef("pk"), type=Authenticator.Type.TOTP)
    waiting = confirmations.waiting(at=at).filter(user=OuterRef("pk"))
    factor = Case(
        When(Exists(apps.filter(enrolment__confirmed_at__isnull=False)), then=Value(Factor.CONFIRMED.value)),
        When(Exists(waiting), then=Value(Factor.WAITING.value)),
        When(Exists(apps), then=Value(Factor.UNCONFIRMED.value)),
        default=Value(Factor.NONE.value),
        output_field=CharField(),
    )
    return User.objects.annotate(factor=factor).order_by("username")


def _concerned(filters: Narrowing, *, at: datetime) -> QuerySet[User]:
    """Narrowed by words, but not by the view."""
    rows = _told(at=at)
    for word in terms_of(filters.text):
        rows = rows.filter(Q(display_name__icontains=word) | Q(username__icontains=word))
    return rows


def _in_view(view: str) -> Q:
    match view:
        case "unused":
            return Q(is_active=True, last_login=None)
        case "single":
            return Q(is_active=True, factor=Factor.NONE)
        case "left":
            return Q(is_active=False)
    return Q(is_active=True)


def _factor_of(user: User) -> Factor:
    return Factor(user.factor)  # type: ignore[attr-defined]  # of ``_told``


def _sheet(rows: Iterable[User], *, at: datetime) -> Sheet:
    told = (
        (
            user.audit_name,
            user.username,
            gettext("active") if user.is_active else gettext("left"),
            str(_factor_of(user).label),
            local(user.password_changed_at) if user.has_usable_password() else None,
            gettext("yes") if passwords.must_change(user, at=at) else gettext("no"),
            local(user.last_login),
            local(user.date_joined),
        )
        for user in rows
    )
    return Sheet("accounts", _("Accounts"), HEADINGS, told)


def _list(
    request: HttpRequest, actor: User, *, at: datetime, typed: Typed, refused: Refused | None = None
) -> HttpResponse:
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    rows = _concerned(filters, at=at)
    counts = rows.aggregate(**{view or "active": Count("pk", filter=_in_view(view)) for view in VIEWS})
    total = counts[filters.view or "active"]
    pages = in_pages(
        rows.filter(_in_view(filters.view)), request.GET.get("page"), size=PAGE_SIZE, total=total
    )
    context: dict[str, Any] = {
        "filters": filters,
        **pages.context,
        "rows": [(each, _factor_of(each), passwords.must_change(each, at=at)) for each in pages.page],
        "views": choices(VIEWS, filters, counts, first="active"),
        "opens": scope_of(actor, at=at).holds(Role.SYSTEM_ADMIN),
        "has_provider": accounts.has_provider(),
        "typed": typed,
        "languages": settings.LANGUAGES,
        "longest_username": LONGEST_USERNAME,
        "longest_name": LONGEST_NAME,
        "refused": refused,
        "at": at,
    }
    return render(
        request, "portal/security/accounts.html", context, status=refused.status if refused else 200
    )


def _page(
    request: HttpRequest,
    uuid: UUID,
    actor: User,
    *,
    at: datetime,
    refused: Refused | None = None,
    opened: Opened | None = None,
) -> HttpResponse:
    found = get_object_or_404(_told(at=at), uuid=uuid)
    scope, factor = scope_of(actor, at=at), _factor_of(found)
    keeps = scope.holds_any(KEEPERS_OF_PEOPLE)
    context: dict[str, Any] = {
        "account": found,
        "language": dict(settings.LANGUAGES).get(found.language, found.language),
        "must_change": passwords.must_change(found, at=at),
        "factor": factor,
        "enrolment": Enrolment.objects.filter(user=found).select_related("confirmed_by").first(),
        "roles": Membership.objects.valid(at=at)
        .filter(user=found)
        .select_related("department")
        .order_by("department__path", "role"),
        "leads_to_person": keeps and kept_by(actor, at=at).filter(pk=found.pk).exists(),
        "may_reset_password": found.is_active and scope.holds(Role.SYSTEM_ADMIN),
        "may_reset_factor": factor is not Factor.NONE and scope.holds(Role.SECURITY_ADMIN),
        "may_confirm": factor is Factor.WAITING and scope.holds(Role.SECURITY_ADMIN) and found.pk != actor.pk,
        "opened": opened,
        "refused": refused,
        "most": deeds.LONGEST_REASON,
        "at": at,
    }
    return render(request, "portal/security/account.html", context, status=refused.status if refused else 200)
