"""The pages of webhooks: where outside systems hear of events, what was sent to them, and what they answered."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from govcloud.notifications import keeping, webhooks
from govcloud.notifications.kinds import SENT_OUTSIDE, Kind
from govcloud.notifications.lifecycle import WebhookStatus
from govcloud.notifications.models import Delivery, Webhook
from govcloud.notifications.policies import KEEPERS, departments_kept_by
from govcloud.notifications.webhooks import WebhookDraft
from govcloud.orders.resolution import as_uuid
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.listing import Narrowing, in_pages
from govcloud.portal.reading import version_in
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import seen_or_404
from tenants.models import Role, User
from tenants.policies import scope_of

PAGE_SIZE = 20


@dataclass(frozen=True, slots=True)
class Typed:
    """A webhook as it was typed; ``version`` is that of the one that is changed."""

    name: str = ""
    url: str = ""
    credit_code: str = ""
    kinds: list[str] = field(default_factory=list)
    version: int = 0
    uuid: UUID = field(default_factory=uuid4)
    """Of the one that the form registers, however often it is sent."""

    @classmethod
    def read(cls, request: HttpRequest) -> "Typed":
        told = request.POST
        return cls(
            name=_line(told.get("name", "")),
            url=_line(told.get("url", "")),
            credit_code=_line(told.get("credit_code", "")),
            kinds=[_line(each) for each in told.getlist("kinds")[: len(Kind)]],
            uuid=as_uuid(told.get("uuid", "")) or uuid4(),
            version=version_in(told.get("version", "")),
        )

    @classmethod
    def of(cls, webhook: Webhook) -> "Typed":
        return cls(name=webhook.name, url=webhook.url, kinds=webhook.kinds, version=webhook.version)

    @property
    def draft(self) -> WebhookDraft:
        return WebhookDraft(name=self.name, url=self.url, kinds=self.kinds)


def _line(text: str) -> str:
    return text.replace("\0", "").strip()[:600]


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
@resumes
def webhooks_page(request: HttpRequest) -> HttpResponse:
    """The list, and a form to register one, whose secret is on the page that answers and nowhere else."""
    actor, at = deeds.admitted(request, *KEEPERS)
    if request.method == "GET":
        return _list(request, actor, at=at, typed=Typed(credit_code=_only_code(actor, at=at)))
    typed, made = Typed.read(request), list[tuple[Webhook, str]]()
    department = departments_kept_by(actor, at=at).filter(credit_code=typed.credit_code).first()
    refused: Refused | None
    if typed.credit_code and department is None:
        refused = deeds.unreadable(_("There is no department with this credit code."))
    else:
        refused = deeds.attempt(
            lambda: made.append(
                webhooks.register(draft=typed.draft, department=department, actor=actor, at=at, uuid=typed.uuid)
            )
        )  # fmt: skip
    if refused and _visible(actor, at=at).filter(uuid=typed.uuid).exists():
        return redirect("portal:webhook", typed.uuid)  # the same form, sent again
    if refused:
        return _list(request, actor, at=at, typed=typed, refused=refused)
    ((webhook, secret),) = made
    return _page(request, actor, webhook, at=at, secret=secret)


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
@resumes
def webhook_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One of them, with what was sent to it; a form to change it."""
    actor, webhook, at = _kept(request, uuid)
    if request.method == "GET":
        return _page(request, actor, webhook, at=at)
    typed = Typed.read(request)
    refused = deeds.attempt(
        lambda: webhooks.change(
            webhook=webhook, draft=typed.draft, expected_version=typed.version, actor=actor, at=at
        )
    )
    if refused:
        return _page(request, actor, webhook, at=at, typed=typed, refused=refused)
    return redirect("portal:webhook", uuid)


@require_POST
@login_required
@resumes
def switching_off(request: HttpRequest, uuid: UUID) -> HttpResponse:
    actor, webhook, at = _kept(request, uuid)
    refused = deeds.attempt_for_reason(
        request, lambda reason: webhooks.switch_off(webhook=webhook, reason=reason, actor=actor, at=at)
    )
    return _done(request, actor, webhook, at=at, refused=refused)


@never_cache
@require_POST
@login_required
def switching_on(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Who takes it over by that is shown its new secret on the page that answers and nowhere else."""
    actor, webhook, at = _kept(request, uuid)
    on: list[tuple[Webhook, str | None]] = []
    refused = deeds.attempt(lambda: on.append(webhooks.switch_on(webhook=webhook, actor=actor, at=at)))
    for taken_over, secret in on:
        if secret:
            return _page(request, actor, taken_over, at=at, secret=secret)
    return _done(request, actor, webhook, at=at, refused=refused)


@never_cache
@require_POST
@login_required
def new_secret(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Sign with another secret, which is on the page that answers and nowhere else."""
    actor, webhook, at = _kept(request, uuid)
    secret = webhooks.renew_secret(webhook=webhook, actor=actor, at=at)
    webhook.refresh_from_db()
    return _page(request, actor, webhook, at=at, secret=secret)


@require_POST
@login_required
def redelivery(request: HttpRequest, webhook: UUID, uuid: UUID) -> HttpResponse:
    """Call once more with the same notice."""
    actor, found, at = _kept(request, webhook)
    rows = Delivery.objects.all()
    delivery = seen_or_404(
        rows.filter(webhook=found), rows, actor, at=at, uuid=uuid, elsewhere=rows.visible_to(actor, at=at)
    )
    refused = deeds.attempt(lambda: webhooks.send_again(delivery=delivery, actor=actor, at=at))
    return _done(request, actor, found, at=at, refused=refused)


def _kept(request: HttpRequest, uuid: UUID) -> tuple[User, Webhook, datetime]:
    """Who asks, the webhook, and when. Foreign ones answer as if there were none, audited."""
    actor, at = deeds.admitted(request, *KEEPERS)
    return actor, seen_or_404(_visible(actor, at=at), Webhook.objects.all(), actor, at=at, uuid=uuid), at


def _visible(actor: User, *, at: datetime) -> QuerySet[Webhook]:
    rows = Webhook.objects.visible_to(actor, at=at)
    return rows.select_related("department", "registered_by", "keeper").order_by("name", "pk")


def _only_code(actor: User, *, at: datetime) -> str:
    """The credit code of the one unit that somebody keeps webhooks of, so that it need not be typed."""
    if scope_of(actor, at=at).holds(Role.SYSTEM_ADMIN):
        return ""
    codes = list(departments_kept_by(actor, at=at).values_list("credit_code", flat=True)[:2])
    return codes[0] if len(codes) == 1 else ""


def _done(
    request: HttpRequest, actor: User, webhook: Webhook, *, at: datetime, refused: Refused | None
) -> HttpResponse:
    if refused:
        return _page(request, actor, webhook, at=at, refused=refused)
    return redirect("portal:webhook", webhook.uuid)


def _list(
    request: HttpRequest, actor: User, *, at: datetime, typed: Typed, refused: Refused | None = None
) -> HttpResponse:
    filters = Narrowing.read(request.GET.dict(), views=("",))
    rows = _visible(actor, at=at)
    if filters.text:
        text = filters.text
        rows = rows.filter(
            Q(name__icontains=text)
            | Q(url__icontains=text)
            | Q(department__name__icontains=text)
            | Q(department__name_en__icontains=text)
        )
    pages = in_pages(rows, request.GET.get("page"), size=PAGE_SIZE)
    context: dict[str, Any] = {
        "filters": filters,
        **pages.context,
        "typed": typed,
        "kinds": SENT_OUTSIDE.items(),
        "for_all": scope_of(actor, at=at).holds(Role.SYSTEM_ADMIN),
        "refused": refused,
        "at": at,
    }
    return render(request, "portal/webhook/list.html", context, status=refused.status if refused else 200)


def _page(
    request: HttpRequest,
    actor: User,
    webhook: Webhook,
    *,
    at: datetime,
    typed: Typed | None = None,
    refused: Refused | None = None,
    secret: str = "",
) -> HttpResponse:
    sent = Delivery.objects.visible_to(actor, at=at).filter(webhook=webhook)
    pages = in_pages(
        sent.select_related("notice").prefetch_related("attempts").order_by("-pk"),
        request.GET.get("page"),
        size=PAGE_SIZE,
    )
    labels = dict(Kind.choices)
    context: dict[str, Any] = {
        "filters": Narrowing(),
        **pages.context,
        "webhook": webhook,
        "unkept": bool(keeping.unkept([webhook], at=at)),
        "hears_of": [labels.get(kind, kind) for kind in webhook.kinds],
        "sent": [(each, labels.get(each.notice.kind, each.notice.kind)) for each in pages.page],
        "typed": typed or Typed.of(webhook),
        "kinds": SENT_OUTSIDE.items(),
        "refused": refused,
        "refilled": webhook.status == WebhookStatus.ACTIVE,
        "secret": secret,
        "most": deeds.LONGEST_REASON,
        "at": at,
    }
    return render(request, "portal/webhook/page.html", context, status=refused.status if refused else 200)
