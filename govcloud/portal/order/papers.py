"""The papers of an order on its page: files it is founded on, the approval form, the archive package."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from api.downloads import as_file
from govcloud import clock
from govcloud.documents import archive
from govcloud.documents.form import printed
from govcloud.orders import attachments
from govcloud.orders.models import Attachment, Order
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.order import views
from govcloud.portal.seen import seen_or_404

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

    from tenants.models import User


@dataclass(frozen=True, slots=True)
class Paper:
    """What is made of an order, or read from its disk, when somebody asks for it."""

    make: Callable[[], bytes]
    name: str
    content_type: str


@require_GET
@login_required
def form(request: HttpRequest, number: str) -> HttpResponse:
    """The approval form, in the language of the page."""
    order, actor, at = _asked(request, number)
    paper = Paper(lambda: printed(order=order, actor=actor, at=at), f"{order.number}.pdf", "application/pdf")
    return _handed_out(request, order, paper, actor, at=at)


@require_GET
@login_required
def package(request: HttpRequest, number: str) -> HttpResponse:
    """The archive package of a closed order."""
    order, actor, at = _asked(request, number)
    made = Paper(
        lambda: archive.package(order=order, actor=actor, at=at), f"{order.number}.zip", "application/zip"
    )
    return _handed_out(request, order, made, actor, at=at)


@require_GET
@login_required
def file(request: HttpRequest, number: str, uuid: UUID) -> HttpResponse:
    """A file, to be kept and not to be shown."""
    order, actor, at = _asked(request, number)
    row = _file_of(order, uuid, actor, at=at)
    kept = Paper(lambda: attachments.download(attachment=row, actor=actor, at=at), row.name, row.content_type)
    return _handed_out(request, order, kept, actor, at=at)


@require_POST
@login_required
def upload(request: HttpRequest, number: str) -> HttpResponse:
    """Add what was chosen, each file by itself: each that is refused is told, the others stay."""
    order, actor, at = _asked(request, number)
    chosen = cast("list[UploadedFile[bytes]]", request.FILES.getlist("files"))
    if not chosen:
        return _after(request, order, actor, deeds.unreadable(_("Choose a file first.")), at=at)
    refusals: dict[str, list[str]] = {}
    status = 0
    for each in chosen:
        name, content = each.name or "", each.read()
        refused = deeds.attempt(
            lambda: attachments.attach(order=order, name=name, content=content, actor=actor, at=at)  # noqa: B023  done at once
        )
        if refused is not None:
            refusals.setdefault(refused.detail, []).append(name)
            status = status or refused.status
    return _after(request, order, actor, _told(refusals, len(chosen), status), at=at)


def _told(refusals: Mapping[str, Sequence[str]], chosen: int, status: int) -> Refused | None:
    """Which of the chosen files were not added, each with the reason; several for the same one are told together."""
    if not refusals:
        return None
    if chosen == 1:
        return Refused(next(iter(refusals)), status)
    count = sum(map(len, refusals.values()))
    told = ngettext(
        "%(count)s of the %(chosen)s files was not added:",
        "%(count)s of the %(chosen)s files were not added:",
        count,
    )
    each = tuple(f"{_(', ').join(names)}: {detail}" for detail, names in refusals.items())
    return Refused(told % {"count": count, "chosen": chosen}, status, each=each)


@require_POST
@login_required
def removal(request: HttpRequest, number: str, uuid: UUID) -> HttpResponse:
    """Take a file out of the order."""
    order, actor, at = _asked(request, number)
    row = _file_of(order, uuid, actor, at=at)
    act: Callable[[], object] = lambda: attachments.remove(attachment=row, actor=actor, at=at)  # noqa: E731
    return _after(request, order, actor, deeds.attempt(act), at=at)


def _handed_out(
    request: HttpRequest, order: Order, paper: Paper, actor: "User", *, at: datetime
) -> HttpResponse:
    """The paper as a file; or the order's page with the reason why there is none."""
    made: list[bytes] = []
    refused = deeds.attempt(lambda: made.append(paper.make()))
    if refused is not None:
        return views.page(request, order, actor, at=at, refused=refused)
    return as_file(made[0], name=paper.name, content_type=paper.content_type)


def _asked(request: HttpRequest, number: str) -> "tuple[Order, User, datetime]":
    actor, at = cast("User", request.user), clock.now()
    return views.visible(number, actor, at=at), actor, at


def _file_of(order: Order, uuid: UUID, actor: "User", *, at: datetime) -> Attachment:
    """One of this order's. Foreign ones answer as if there were none, audited."""
    rows = Attachment.objects.select_related("order__system__department", "order__case")
    visible = rows.visible_to(actor, at=at)
    return seen_or_404(rows.filter(order=order), rows, actor, at=at, uuid=uuid, elsewhere=visible)


def _after(
    request: HttpRequest, order: Order, actor: "User", refused: Refused | None, *, at: datetime
) -> HttpResponse:
    if refused is None:
        return redirect("portal:order", order.number)
    return views.page(request, order, actor, at=at, refused=refused)
