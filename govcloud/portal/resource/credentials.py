"""The secret of a credential of an object container, which is on the page that answers and nowhere else."""

from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from govcloud import clock
from govcloud.inventory.models import ContainerCredential
from govcloud.portal import deeds
from govcloud.portal.resource.views import page, visible
from govcloud.portal.seen import seen_or_404
from govcloud.provisioning import container_secrets

if TYPE_CHECKING:
    from govcloud.provisioning.container_secrets import Drawn
    from tenants.models import User


@never_cache
@require_POST
@login_required
def secret(request: HttpRequest, uuid: UUID, credential: UUID) -> HttpResponse:
    """Draw a new one; the one before is good for nothing any more."""
    actor, at = cast("User", request.user), clock.now()
    container = visible(uuid, actor, at=at)
    rows = ContainerCredential.objects.select_related(
        "container__resource__system__department", "container__resource__cloud"
    )
    found: ContainerCredential = seen_or_404(
        rows.filter(container=container.pk),
        rows,
        actor,
        at=at,
        uuid=credential,
        elsewhere=rows.visible_to(actor, at=at),
    )
    drawn: list[Drawn] = []
    refused = deeds.attempt(
        lambda: drawn.append(container_secrets.draw(credential=found, actor=actor, at=at))
    )
    return page(request, uuid, actor, at=at, refused=refused, drawn=(found, drawn[0]) if drawn else None)
