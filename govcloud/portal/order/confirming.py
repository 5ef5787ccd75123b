"""Answering whether what was delivered is as it was approved, and saying what was done about what is not."""

from datetime import datetime
from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from govcloud import clock
from govcloud.approvals.models import Answer
from govcloud.errors import Invalid
from govcloud.orders import confirming as services
from govcloud.portal import deeds
from govcloud.portal.deciding.forms import typed
from govcloud.portal.order import views as order_page
from govcloud.portal.resuming import resumes
from tenants.models import User


class VerdictMissing(Invalid):
    code = "verdict-missing"
    message = _("Choose: confirm what was delivered, or report defects.")


@require_POST
@login_required
@resumes
def confirmation(request: HttpRequest, number: str) -> HttpResponse:
    """Confirm for the department what was delivered, or report what is not as it was approved."""
    actor, at = cast("User", request.user), clock.now()
    found = order_page.visible(number, actor, at=at)
    given = typed(request, "answer", "remark")

    def answer() -> object:
        if given["answer"] not in Answer.values:
            raise VerdictMissing
        verdict = Answer(given["answer"])
        return services.answer(order=found, verdict=verdict, remark=given["remark"], actor=actor, at=at)

    return _done(request, number, deeds.attempt(answer, typed=given), actor, at=at)


@require_POST
@login_required
@resumes
def remedy(request: HttpRequest, number: str) -> HttpResponse:
    """Say for the centre what was done about the defects."""
    actor, at = cast("User", request.user), clock.now()
    found = order_page.visible(number, actor, at=at)
    given = typed(request, "remedy")
    refused = deeds.attempt(
        lambda: services.remedy(order=found, remedy=given["remedy"], actor=actor, at=at), typed=given
    )
    return _done(request, number, refused, actor, at=at)


def _done(
    request: HttpRequest, number: str, refused: deeds.Refused | None, actor: User, *, at: datetime
) -> HttpResponse:
    """To the order as it is then: somebody else may have answered meanwhile."""
    if refused is None:
        return redirect("portal:order", number)
    return order_page.page(request, order_page.visible(number, actor, at=at), actor, at=at, refused=refused)
